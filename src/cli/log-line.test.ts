import { expect, it } from 'vitest';
import { formatLogLine } from './log-line.ts';

const AT = new Date('2026-03-01T10:42:07.123Z');

it('a line for a terminal: the time, the level, the message, then the fields, with quotes where they are needed', () => {
  const fields = { session: 's1', owner: 'server/live call', afterMs: 3, gone: undefined, steps: ['a'] };
  expect(formatLogLine(AT, 'info', 'closed', fields)).toBe(
    '10:42:07 info  closed  afterMs=3 steps=["a"] owner="server/live call" session=s1',
  );
  expect(formatLogLine(AT, 'error', 'it failed', {})).toBe('10:42:07 error it failed');
});

it('a line for a terminal: does not name the live session twice', () => {
  const line = (owner: string): string =>
    formatLogLine(AT, 'info', 'closed', { owner, leg: 'model', session: 's 1' });
  expect(line('server/live call/session s 1/model leg')).toBe(
    '10:42:07 info  closed  leg=model owner="model leg" session="s 1"',
  );
  expect(line('server/live call/session s 1')).toBe('10:42:07 info  closed  leg=model session="s 1"');
});

it('a line for a terminal: what comes from outside begins no line of its own, and does not speak to the terminal', () => {
  const line = formatLogLine(AT, 'warn', 'bad\n10:42:08 info  all is well', {
    reason: '\u001b[2Jgone',
    'na\u0007me': 'a\u0085b\u202ec',
  });
  expect(line).toBe(
    String.raw`10:42:07 warn  bad\u000a10:42:08 info  all is well  reason=\u001b[2Jgone na\u0007me=a\u0085b\u202ec`,
  );
});
