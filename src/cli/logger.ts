import { pino } from 'pino';
import type { LogFields, Logger, LogLevel } from '../kernel/index.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/**
 * Log lines on stderr, which leaves stdout to what a program wants to read: JSON for machines, and one line of words
 * where a person looks at a terminal. Written synchronously, so that the last line before an exit is not lost.
 */
export function createLogger(level: LogLevel, isTerminal: boolean): Logger {
  return isTerminal ? terminalLogger(level) : jsonLogger(level);
}

function jsonLogger(level: LogLevel): Logger {
  const log = pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  const write =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      log[at](fields, message);
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function terminalLogger(level: LogLevel): Logger {
  const write =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return;
      const time = new Date().toISOString().slice(11, 19);
      process.stderr.write(`${time} ${at.padEnd(5)} ${message}${formatFields(fields)}\n`);
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function formatFields(fields: LogFields): string {
  return Object.entries(fields)
    .map(([name, value]) => `  ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
}
