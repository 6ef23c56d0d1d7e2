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

/** Tool arguments nest a few levels; what nests deeper than this was written to exhaust a stack. */
export const MAX_JSON_DEPTH = 64;

export function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The object a text stands for, bounded in size and depth.
 *
 * A key named `__proto__` is refused wherever it stands: `JSON.parse` keeps it as a plain field, and the first
 * assignment that copies it would change the prototype of something else.
 */
export function parseJsonObject(text: string, limits: ParseLimits = {}): ParseResult<JsonObject> {
  const maxLength = limits.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  if (text.length > maxLength) {
    return refused(`The message has ${text.length} characters; at most ${maxLength} are taken.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('The message is not JSON.');
  }
  if (!isJsonObject(value)) return refused('The message is not a JSON object.');
  const fault = faultIn(value, 1);
  return fault === undefined ? { ok: true, value } : refused(fault);
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

function faultIn(value: object, depth: number): string | undefined {
  if (depth > MAX_JSON_DEPTH) return `The message nests deeper than ${MAX_JSON_DEPTH} levels.`;
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      const fault = typeof item === 'object' && item !== null ? faultIn(item, depth + 1) : undefined;
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') return "The message has a key named '__proto__', which is never taken.";
    const fault = typeof item === 'object' && item !== null ? faultIn(item as object, depth + 1) : undefined;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** A whole number from 0 that a double counts exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
