import { asPromise } from './thenable.ts';

/** Fields of one log line. Secrets (keys, tokens, resumption handles) never go in. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where log lines go. One line an event, the message constant, what varies in the fields. */
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>> & {
  /** Whether lines of this level go anywhere; those that do not are not made. Without it, all of them do. */
  readonly isEnabled?: (level: LogLevel) => boolean;
};

const nothing = (): void => undefined;

/** The default of everything that takes a logger: a library says nothing unless asked. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  isEnabled: () => false,
};

/** Whether lines of this level go anywhere. */
export function isEnabled(log: Logger, level: LogLevel): boolean {
  return log.isEnabled?.(level) ?? true;
}

/**
 * The same logger with fields that stand on every line: whose line it is. A line's own fields come after them, and win. They
 * are put together for lines that are written, and for no others.
 */
export function withFields(log: Logger, bound: LogFields): Logger {
  return new BoundLogger(log, bound);
}

/** A class, because every live session has five of them: closures for each level would be half a kilobyte a piece. */
class BoundLogger implements Logger {
  readonly #log: Logger;
  readonly #bound: LogFields;

  constructor(log: Logger, bound: LogFields) {
    this.#log = log;
    this.#bound = bound;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  isEnabled(level: LogLevel): boolean {
    return isEnabled(this.#log, level);
  }

  #write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!isEnabled(this.#log, level)) return;
    this.#log[level](message, fields === undefined ? this.#bound : { ...this.#bound, ...fields });
  }
}

/** The same logger, unable to break who logs: what a call throws, or rejects with, is dropped (clause C8). */
export function guardLogger(log: Logger): Logger {
  const guard =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      try {
        // A logger may turn out to be an async function; its rejection must not end the process either.
        const written: unknown = log[level](message, fields);
        asPromise(written)?.catch(nothing);
      } catch {
        // A logger that throws has nowhere left to say so.
      }
    };
  const isOn = (level: LogLevel): boolean => {
    try {
      return isEnabled(log, level);
    } catch {
      return true;
    }
  };
  return {
    debug: guard('debug'),
    info: guard('info'),
    warn: guard('warn'),
    error: guard('error'),
    isEnabled: isOn,
  };
}
