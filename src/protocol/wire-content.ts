import { isBase64 } from './base64.ts';
import type { Content, Part } from './content.ts';
import { isJsonObject, refused } from './wire-json.ts';
import type { JsonObject, ParseResult } from './wire-json.ts';

/** Field names that clients also write with underscores. What a tool was called with is never renamed. */
const CAMEL_CASE: Readonly<Record<string, string>> = {
  inline_data: 'inlineData',
  mime_type: 'mimeType',
  file_data: 'fileData',
  file_uri: 'fileUri',
  function_call: 'functionCall',
  function_response: 'functionResponse',
  executable_code: 'executableCode',
  code_execution_result: 'codeExecutionResult',
};

/** Old clients give a function's result a role of its own; the model takes it as the user's. */
const USER_ROLES: readonly unknown[] = ['user', 'function', 'tool', undefined];

/** A message from outside, with its known fields checked and named as ours are. Unknown kinds of parts stay. */
export function readContent(value: unknown): ParseResult<Content> {
  if (!isJsonObject(value)) return refused("'content' must be an object with 'parts'.");
  const role = value['role'] ?? undefined;
  if (role !== 'model' && !USER_ROLES.includes(role)) {
    return refused("'content.role' must be 'user' or 'model'.");
  }
  const given = value['parts'];
  if (!Array.isArray(given) || given.length === 0) {
    return refused("'content.parts' must be an array of at least one part.");
  }
  const parts: Part[] = [];
  for (const [index, item] of (given as readonly unknown[]).entries()) {
    const part = readPart(item, `content.parts[${index}]`);
    if (!part.ok) return part;
    parts.push(part.value);
  }
  return { ok: true, value: { role: role === 'model' ? 'model' : 'user', parts } };
}

function readPart(value: unknown, where: string): ParseResult<Part> {
  if (!isJsonObject(value)) return refused(`'${where}' must be an object.`);
  const part = withOurNames(value);
  const names = Object.keys(part);
  if (names.length === 0) return refused(`'${where}' is empty.`);
  for (const name of names) {
    const fault = Object.hasOwn(PART_FIELDS, name) ? PART_FIELDS[name]?.(part[name]) : undefined;
    if (typeof fault === 'string') return refused(`'${where}.${name}' ${fault}.`);
  }
  const { inlineData, fileData, functionCall, functionResponse } = part;
  const renamed: JsonObject = {
    ...part,
    ...(isJsonObject(inlineData) ? { inlineData: withOurNames(inlineData) } : {}),
    ...(isJsonObject(fileData) ? { fileData: withOurNames(fileData) } : {}),
    ...(isJsonObject(functionCall) ? { functionCall: { id: '', args: {}, ...noNulls(functionCall) } } : {}),
    ...(isJsonObject(functionResponse)
      ? { functionResponse: { id: '', response: {}, ...noNulls(functionResponse) } }
      : {}),
  };
  // The checks above have seen every field the type names.
  return { ok: true, value: renamed };
}

/** What is wrong with a field of a part, or undefined. */
const PART_FIELDS: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  text: (value) => (typeof value === 'string' ? undefined : 'must be a string'),
  thought: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  inlineData: (value) => {
    const data = isJsonObject(value) ? withOurNames(value) : {};
    if (typeof data['mimeType'] !== 'string') return "must have a 'mimeType'";
    return typeof data['data'] === 'string' && isBase64(data['data'])
      ? undefined
      : "must have 'data' in base64";
  },
  fileData: (value) => {
    const data = isJsonObject(value) ? withOurNames(value) : {};
    return typeof data['fileUri'] === 'string' ? undefined : "must have a 'fileUri'";
  },
  functionCall: (value) => namedWith(value, 'args'),
  functionResponse: (value) => namedWith(value, 'response'),
};

function namedWith(value: unknown, field: string): string | undefined {
  if (!isJsonObject(value) || typeof value['name'] !== 'string') return "must have a 'name'";
  if (value['id'] != null && typeof value['id'] !== 'string') return "must have a string as 'id'";
  return value[field] == null || isJsonObject(value[field]) ? undefined : `must have an object as '${field}'`;
}

/** A copy with our names and without nulls: clients that write out every field mean "not set" by null. */
function withOurNames(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(noNulls(value)).map(([key, field]) => [
      Object.hasOwn(CAMEL_CASE, key) ? CAMEL_CASE[key] : key,
      field,
    ]),
  ) as JsonObject;
}

function noNulls(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}
