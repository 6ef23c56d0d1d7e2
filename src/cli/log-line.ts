import type { LogFields, LogLevel } from '../kernel/index.ts';

/** Whose line it is: for a person, that stands behind what happened. */
const WHOSE = ['leg', 'tool', 'owner', 'kind', 'app', 'session'] as const;

/** A line of a log for a person at a terminal: `10:42:07 info  closed  reason=drained durationMs=3 session=s1`. */
export function formatLogLine(at: Date, level: LogLevel, message: string, fields: LogFields): string {
  const time = at.toISOString().slice(11, 19);
  const { leg, tool, owner, kind, app, session, ...rest } = fields;
  const whose = { leg, tool, owner: withinSession(owner, session), kind, app, session };
  const ordered = [...Object.entries(rest), ...WHOSE.map((name) => [name, whose[name]] as const)];
  const told = ordered.flatMap(([name, value]) =>
    value === undefined ? [] : [`${plain(name)}=${formatValue(value)}`],
  );
  const line = `${time} ${level.padEnd(5)} ${plain(message)}`;
  return told.length === 0 ? line : `${line}  ${told.join(' ')}`;
}

/** The path of an owner from the live session on, which is named beside it; undefined for the live session itself. */
function withinSession(owner: unknown, session: unknown): unknown {
  if (typeof owner !== 'string' || typeof session !== 'string') return owner;
  const [, within] = owner.split(`session ${session}`, 2);
  if (within === undefined) return owner;
  return within === '' ? undefined : within.slice(1);
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
