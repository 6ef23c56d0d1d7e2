import { asPromise } from './thenable.ts';

/** Fields of one log line. Secrets (keys, tokens, resumption handles) never go in. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where log lines go. One line an event, the message constant, what varies in the fields. */
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

const nothing = (): void => undefined;

/** The default of everything that takes a logger: a library says nothing unless asked. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

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
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') };
}
