import { isObject } from '../json-object.ts';
import { isUserData } from './proto-json.ts';

/** Every field name in snake_case, except in what is the user's own data. */
export function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (!isObject(value)) return value;
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    fields[snake] = isUserData(name) ? field : inSnakeCase(field);
  }
  return fields;
}
