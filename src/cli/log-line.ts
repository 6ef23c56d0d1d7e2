import type { LogFields, LogLevel } from '../kernel/index.ts';

/** A line of a log for a person at a terminal: `10:42:07 info  closed  reason=drained owner="server/live call"`. */
export function formatLogLine(at: Date, level: LogLevel, message: string, fields: LogFields): string {
  const time = at.toISOString().slice(11, 19);
  const told = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${plain(name)}=${formatValue(value)}`],
  );
  const line = `${time} ${level.padEnd(5)} ${plain(message)}`;
  return told.length === 0 ? line : `${line}  ${told.join(' ')}`;
}

/** Words stand as they are; what has spaces or quotes in it is JSON, so that one sees where it ends. */
function formatValue(value: unknown): string {
  if (typeof value === 'string')
    return /^[^\s"=]+$/.test(value) ? plain(value) : plain(JSON.stringify(value));
  return plain(JSON.stringify(value));
}

/** What comes from outside must neither begin a line of its own nor speak to the terminal. */
function plain(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for.
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
