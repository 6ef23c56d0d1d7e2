import { isObject } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';
import { Refusal, invalid } from './refusals.ts';

/** What stands under these keys is the user's own data: its keys are left alone. */
const USER_DATA = new Set(['args', 'response', 'parameters', 'parametersJsonSchema', 'responseJsonSchema']);

/** Whether what stands under a key is the user's own data. */
export function isUserData(key: string): boolean {
  return USER_DATA.has(key);
}

/**
 * Field names as the service knows them. Its parser takes `snake_case` as well as `camelCase`, at every depth.
 */
export function normaliseFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normaliseFields);
  if (!isObject(value)) return value;
  const fields: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    const name = key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    fields[name] = isUserData(name) ? field : normaliseFields(field);
  }
  return fields;
}

/**
 * One of the names of an enum. Its zero, `…_UNSPECIFIED`, is the same as none.
 * @throws Refusal when it is another: the service's parser refuses names it does not know.
 */
export function enumAt<Name extends string>(
  value: JsonObject,
  field: string,
  names: readonly Name[],
): Name | undefined {
  const found = value[field];
  if (found == null || (typeof found === 'string' && found.endsWith('_UNSPECIFIED'))) return undefined;
  const name = names.find((known) => known === found);
  if (name === undefined) throw new Refusal(invalid(`Invalid value at '${field}': ${JSON.stringify(found)}`));
  return name;
}

/** A duration as the service writes it: `57s`, `1.5s`. */
export function formatDuration(ms: number): string {
  return `${Number((ms / 1000).toFixed(3))}s`;
}
