import type { LogFields, Logger } from '../../kernel/index.ts';

/** Names the worker on each of its lines: all of them write to one stream. */
export function workerLogger(log: Logger, worker: number): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void =>
      log[level](message, { worker, ...fields });
  return { ...log, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
