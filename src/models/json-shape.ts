/** What a provider sends is looked at, never trusted: these say what a value is, or undefined. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

export function asList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A count: a number, or a 64-bit one written as text. */
export function asCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** `57s`, `1.5s`: a duration of the wire, in milliseconds. */
export function asDurationMs(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? /^(\d{1,12}(?:\.\d{1,9})?)s$/.exec(value)?.[1] : undefined;
  return seconds === undefined ? undefined : Math.round(Number(seconds) * 1_000);
}

/** The members of an object that are not among `known`; undefined when there are none. */
export function restOf(object: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  const rest = Object.entries(object).filter(([name]) => !known.has(name));
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

/** Below this depth nothing of the protocol stands; it bounds what a hostile message can make us descend. */
const DEEPEST_PROTOCOL_LEVEL = 32;

/** Members whose contents are the application's own, and keep their names. */
const FREE_FORM: ReadonlySet<string> = new Set(['args', 'response']);

/** A message of a server that writes `server_content` instead of `serverContent`, with the names of the other. */
export function withCamelCaseNames(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST_PROTOCOL_LEVEL) return value;
  if (Array.isArray(value)) return value.map((item) => withCamelCaseNames(item, depth + 1));
  const object = asObject(value);
  if (object === undefined) return value;
  return Object.fromEntries(
    Object.entries(object).map(([name, member]) => [
      name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase()),
      FREE_FORM.has(name) ? member : withCamelCaseNames(member, depth + 1),
    ]),
  );
}
