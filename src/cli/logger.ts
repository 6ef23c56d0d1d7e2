import { pino } from 'pino';
import { redactingLogger } from '../kernel/index.ts';
import type { LogFields, Logger, LogLevel } from '../kernel/index.ts';
import { formatLogLine } from './log-line.ts';
import { logDestination } from './lost-output.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/**
 * Log lines on stderr, which leaves stdout to what a program wants to read: JSON for machines, and one line of words
 * where a person looks at a terminal. Written synchronously, so that the last line before an exit is not lost. No secret
 * comes through.
 */
export function createLogger(level: LogLevel, isTerminal: boolean): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const write = isTerminal ? terminalWriter() : jsonWriter(level);
  const at =
    (line: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      write(line, message, fields);
  return redactingLogger({
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isEnabled: (line) => LOG_LEVELS.indexOf(line) >= least,
  });
}

type Writer = (level: LogLevel, message: string, fields: LogFields) => void;

function jsonWriter(level: LogLevel): Writer {
  const log = pino({ level, base: null }, logDestination());
  return (line, message, fields) => log[line](fields, message);
}

function terminalWriter(): Writer {
  return (line, message, fields) =>
    void process.stderr.write(`${formatLogLine(new Date(), line, message, fields)}\n`);
}
