import { jsonExcess } from './json-scan.ts';

/** What a parser of a wire says: the value, or why the message is refused, in words for the one who sent it. */
export type ParseResult<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string };

export type JsonObject = Readonly<Record<string, unknown>>;

/** Bounds of what a parser takes in. */
export interface ParseLimits {
  /** The longest message, in UTF-16 units (never more than its bytes). Default `DEFAULT_MAX_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
}

/** A picture from a full-HD camera as base64 fits with room to spare, and a thousand of them still fit in memory. */
export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The object a text stands for, bounded in size, depth and number of values before it is parsed.
 *
 * What could reach a prototype is refused wherever it stands. `JSON.parse` keeps a key named `__proto__` as a plain field,
 * and the first assignment that copies it would change the prototype of something else; a `constructor` that has a
 * `prototype` does the same to whoever merges it deeply.
 */
export function parseJsonObject(text: string, limits: ParseLimits = {}): ParseResult<JsonObject> {
  const maxLength = limits.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  if (text.length > maxLength) {
    return refused(`The message has ${text.length} characters; at most ${maxLength} are taken.`);
  }
  const excess = jsonExcess(text);
  if (excess !== undefined) return refused(excess);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('The message is not JSON.');
  }
  if (!isJsonObject(value)) return refused('The message is not a JSON object.');
  const key = pollutingKeyIn(value);
  return key === undefined
    ? { ok: true, value }
    : refused(`The message has a key named '${key}', which is never taken.`);
}

/** How each type of a wire's messages is read. */
export type MessageReaders<Message extends { readonly type: string }> = Readonly<
  Record<Message['type'], (value: JsonObject) => ParseResult<Message>>
>;

/** Reads one message of a wire: an object whose `type` says which of the readers it is for. */
export function parseMessage<Message extends { readonly type: string }>(
  text: string,
  readers: MessageReaders<Message>,
  limits?: ParseLimits,
): ParseResult<Message> {
  const parsed = parseJsonObject(text, limits);
  if (!parsed.ok) return parsed;
  const { type } = parsed.value;
  if (typeof type !== 'string') return refused("The message has no 'type'.");
  if (!Object.hasOwn(readers, type)) return refused(`The message type '${type.slice(0, 40)}' is not known.`);
  return readers[type as Message['type']](parsed.value);
}

/** The first key that could reach a prototype. The depth of what is looked through is bounded. */
function pollutingKeyIn(value: object): string | undefined {
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      const key = typeof item === 'object' && item !== null ? pollutingKeyIn(item) : undefined;
      if (key !== undefined) return key;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') return key;
    if (typeof item !== 'object' || item === null) continue;
    if (key === 'constructor' && Object.hasOwn(item as object, 'prototype')) return 'constructor.prototype';
    const inside = pollutingKeyIn(item as object);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** A whole number from 0 that a double counts exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
