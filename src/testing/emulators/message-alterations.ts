import { isObject } from './json-object.ts';
import type { JsonObject } from './json-object.ts';

/** A field that no version of the service has. */
const UNKNOWN_FIELD = { fieldNobodyKnows: { since: 'tomorrow' } };

/** The message with fields nobody knows: at the top, and in whatever object it holds. */
export function withUnknownFields(message: JsonObject): JsonObject {
  const fields = Object.entries(message).map(([name, field]) => [
    name,
    isObject(field) ? { ...field, ...UNKNOWN_FIELD } : field,
  ]);
  return { ...Object.fromEntries(fields), ...UNKNOWN_FIELD };
}

/** The message with `value` at a path of names and indices; what is missing on the way is made. */
export function withField(message: JsonObject, path: string, value: unknown): JsonObject {
  return changeAt(message, path.split('.'), (parent, name) => ({ ...parent, [name]: value })) as JsonObject;
}

/** The message without what stands at a path; as it is when nothing stands there. */
export function withoutField(message: JsonObject, path: string): JsonObject {
  return changeAt(message, path.split('.'), (parent, name) => {
    const { [name]: _, ...rest } = parent;
    return rest;
  }) as JsonObject;
}

type Change = (parent: JsonObject, name: string) => JsonObject;

function changeAt(value: unknown, [name = '', ...inner]: readonly string[], change: Change): unknown {
  const parent = isObject(value) || Array.isArray(value) ? (value as JsonObject) : {};
  const changed =
    inner.length === 0
      ? change({ ...parent }, name)
      : { ...parent, [name]: changeAt(parent[name], inner, change) };
  return Array.isArray(value) ? Object.values(changed) : changed;
}

/** One message that says what two say: lists are joined, and the second has the last word. */
export function merged(first: JsonObject, second: JsonObject): JsonObject {
  const fields: Record<string, unknown> = { ...first };
  for (const [name, field] of Object.entries(second)) {
    const known = fields[name];
    if (Array.isArray(known) && Array.isArray(field))
      fields[name] = [...(known as unknown[]), ...(field as unknown[])];
    else fields[name] = isObject(known) && isObject(field) ? merged(known, field) : field;
  }
  return fields;
}
