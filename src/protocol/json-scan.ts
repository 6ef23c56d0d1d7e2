/** Tool arguments nest a few levels; what nests deeper than this was written to exhaust a stack. */
export const MAX_JSON_DEPTH = 64;

/**
 * Values, keys included, that one message may hold. A form of a thousand fields has some thousands; four megabytes of `[0,0,…`
 * have two million, and cost twenty times their size once they are parsed.
 */
export const MAX_JSON_VALUES = 50_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * What a text of JSON would cost too much to parse for; undefined where it is within bounds, or no JSON, which its parser
 * says. Nothing is allocated: strings, which are most of any large message, are skipped by a search for their end.
 */
export function jsonExcess(text: string): string | undefined {
  let depth = 0;
  let values = 1;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case QUOTE:
        index = endOfString(text, index);
        break;
      case COMMA:
        values += 1;
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        values += 1;
        depth += 1;
        if (depth > MAX_JSON_DEPTH) return `The message nests deeper than ${MAX_JSON_DEPTH} levels.`;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
    }
    if (values > MAX_JSON_VALUES) return `The message holds more than ${MAX_JSON_VALUES} values.`;
  }
  return undefined;
}

/** Where the string that begins at `start` ends: at its closing quote, or at the end of a text that has none. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
  }
  return text.length;
}
