import type { LogFields, Logger, LogLevel } from './log.ts';
import { REDACTED, redactText } from './redact-text.ts';

/** What nests deeper than this tells nobody anything in a line of a log. */
export const MAX_TOLD_DEPTH = 6;

/** How many values one line tells in all. */
export const MAX_TOLD_VALUES = 500;

/** How many members of one object or array are told. */
export const MAX_TOLD_MEMBERS = 64;

/** Whole names, in small letters and without what stands between words. */
const SECRET_NAMES: ReadonlySet<string> = new Set(
  'token handle newhandle previoushandle resumptionhandle sessionhandle ticket jwt cookie setcookie signature passwd'.split(
    ' ',
  ),
);

/** What a name of a secret ends with, with whatever in front: `xGoogApiKey`, `clientSecret`. */
const SECRET_ENDINGS =
  /(?:apikey|authorization|password|passphrase|secret|secretkey|privatekey|(?:access|refresh|id|auth|session|resume|resumption|bearer)token|credentials?)$/;

/** A handle as `redactHandle` of the sessions tells it is a hint, and no handle. */
const HANDLE_HINT = /^(?:none|.{0,4}… \(\d+ characters\))$/;

/** A value of any kind as it may be told: a copy, of plain values, without secrets, bounded in depth and size. */
export function redact(value: unknown): unknown {
  return new Telling().value(value, 0);
}

/** The fields of a log line without secrets. */
export function redactFields(fields: LogFields): LogFields {
  const told = redact(fields);
  return typeof told === 'object' && told !== null ? (told as LogFields) : {};
}

/**
 * A logger in front of another one that lets no secret through, in messages, fields, and errors with their causes.
 * `holdfast web` and `api-server` log through one; a program with a logger of its own puts it before that.
 */
export function redactingLogger(log: Logger): Logger {
  const isOn = (level: LogLevel): boolean => log.isEnabled?.(level) ?? true;
  const write =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (!isOn(level)) return;
      log[level](redactText(message), fields === undefined ? undefined : redactFields(fields));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    isEnabled: isOn,
  };
}

/** One value that is being told, and how much of it there has been. */
class Telling {
  readonly #within = new Set<object>();
  #values = 0;

  value(value: unknown, depth: number): unknown {
    this.#values += 1;
    if (this.#values > MAX_TOLD_VALUES) return '…';
    if (typeof value === 'string') return redactText(value);
    if (typeof value === 'bigint') return redactText(String(value));
    if (typeof value === 'symbol' || typeof value === 'function') return `[${typeof value}]`;
    if (typeof value !== 'object' || value === null) return value;
    if (this.#within.has(value)) return '[circular]';
    if (depth >= MAX_TOLD_DEPTH) return '…';
    this.#within.add(value);
    try {
      return this.#object(value, depth);
    } catch {
      // Foreign objects may throw at whoever looks at them.
      return '[unreadable]';
    } finally {
      this.#within.delete(value);
    }
  }

  #object(value: object, depth: number): unknown {
    if (value instanceof Error) return this.#error(value, depth);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) {
      return value.slice(0, MAX_TOLD_MEMBERS).map((each: unknown) => this.value(each, depth + 1));
    }
    if (value instanceof Map) return this.#members([...value], depth);
    if (value instanceof Set) return this.value([...value], depth);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.value(toJSON.call(value), depth + 1);
    return this.#members(Object.entries(value), depth);
  }

  #error(error: Error, depth: number): Record<string, unknown> {
    const { name, message, stack, cause } = error;
    const more = Object.entries(error).filter(
      ([each]) => !['name', 'message', 'stack', 'cause'].includes(each),
    );
    const errors = error instanceof AggregateError ? [['errors', error.errors as unknown] as const] : [];
    return this.#members(
      [
        ['name', name],
        ['message', message],
        ...more,
        ...errors,
        ...(stack === undefined ? [] : [['stack', stack] as const]),
        ...(cause === undefined ? [] : [['cause', cause] as const]),
      ],
      depth,
    );
  }

  #members(members: readonly (readonly [unknown, unknown])[], depth: number): Record<string, unknown> {
    const told: Record<string, unknown> = {};
    for (const [name, value] of members.slice(0, MAX_TOLD_MEMBERS)) {
      const key = String(name);
      // A name that is a secret itself is no name.
      told[redactText(key)] = isSecret(key, value) ? REDACTED : this.value(value, depth + 1);
    }
    return told;
  }
}

function isSecret(name: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return false;
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (!SECRET_NAMES.has(plain) && !SECRET_ENDINGS.test(plain)) return false;
  return !(typeof value === 'string' && HANDLE_HINT.test(value));
}
