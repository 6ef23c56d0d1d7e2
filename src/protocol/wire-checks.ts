import { isCount, isJsonObject } from './wire-json.ts';

/** Whether the field of a message is what it has to be. */
export type Check = (value: unknown) => boolean;

/** What the fields of a message have to be, by name. */
export type FieldChecks = Readonly<Record<string, Check>>;

export const text: Check = (value) => typeof value === 'string';
export const flag: Check = (value) => typeof value === 'boolean';
export const number: Check = (value) => typeof value === 'number';
/** A duration: milliseconds that are not negative, and need not be whole. */
export const duration: Check = (value) => typeof value === 'number' && value >= 0;
export const count: Check = isCount;
export const anything: Check = () => true;

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

export const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

export const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && allowed.includes(value);

export const objectWith =
  (...names: readonly string[]): Check =>
  (value) =>
    isJsonObject(value) && names.every((name) => value[name] !== undefined);

/** The name of the first field that is missing or wrong. */
export function wrongField(
  checks: FieldChecks,
  value: Readonly<Record<string, unknown>>,
): string | undefined {
  return Object.keys(checks).find((name) => checks[name]?.(value[name]) !== true);
}
