import { describe, expect, it } from 'vitest';
import { CONNECTION_EVENTS, OUTAGE, RECOVERY } from '../../test/support/connection-events.ts';
import type { LogFields, LogLevel, Logger } from '../kernel/index.ts';
import { ConnectionLog, redactHandle, withoutHandle } from './connection-log.ts';

const OWNER = 'session s';
const HANDLE = 'CihjZzNkNXl1cXZ6aG9mYXN0LXNlY3JldC1oYW5kbGU';

type Line = readonly [LogLevel, string, LogFields | undefined];

function logged(): { readonly log: ConnectionLog; readonly lines: Line[] } {
  const lines: Line[] = [];
  const write =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void =>
      void lines.push([level, message, fields]);
  const logger: Logger = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
  return { log: new ConnectionLog(logger, OWNER), lines };
}

describe('the log of a connection', () => {
  it('R9 log: an outage that ends well is information, from the loss to what it cost', () => {
    const { log, lines } = logged();
    log.handleUpdated(HANDLE);
    for (const event of OUTAGE) log.note(event);
    const owner = OWNER;
    const handle = `Cihj… (${HANDLE.length} characters)`;
    expect(lines).toEqual([
      ['info', 'resumption handle updated', { owner, handle }],
      ['info', 'connection lost', { owner, cause: 'lost', code: 1011, reason: 'Internal error', handle }],
      ['info', 'establishing connection', { owner, attempt: 1 }],
      ['info', 'waiting to reconnect', { owner, attempt: 2, delayMs: 2_300.5 }],
      ['info', 'establishing connection', { owner, attempt: 2 }],
      ['info', 'connection established', { owner, resumed: false, historyTurns: 3, afterMs: 210 }],
      ['info', 'connection resumed', { owner, ...RECOVERY }],
    ]);
  });

  it('R9 log: a rejected handle and lost speech are warnings, and what ends the session is told by its own error', () => {
    const { handleRejected, reseeded, swapped, exhausted } = CONNECTION_EVENTS;
    const { log, lines } = logged();
    log.note(handleRejected);
    log.note(reseeded);
    log.note({ ...reseeded, audioGapMs: 20 });
    log.note({ ...swapped, audioGapMs: 20 });
    log.note(swapped);
    log.note(exhausted);
    expect(lines.map(([level, message]) => `${level} ${message}`)).toEqual([
      'warn resumption handle rejected',
      'info connection reseeded',
      'warn connection reseeded',
      'warn connection swapped',
      'info connection swapped',
      'info reconnecting given up',
    ]);
  });

  it('R7 log: a goAway is told with the time it leaves', () => {
    const { log, lines } = logged();
    log.note({ type: 'goAway', timeLeftMs: 50_000 });
    log.note({ type: 'goAway' });
    expect(lines).toEqual([
      ['info', 'connection will be closed by the model', { owner: OWNER, timeLeftMs: 50_000 }],
      ['info', 'connection will be closed by the model', { owner: OWNER }],
    ]);
  });

  it('H4 log: no line holds a handle, also where the provider quotes it', () => {
    const { log, lines } = logged();
    const { lost, handleRejected } = CONNECTION_EVENTS;
    log.handleUpdated(HANDLE);
    log.note({ ...lost, reason: `session ${HANDLE} expired` });
    log.note({ ...handleRejected, reason: `unknown handle '${HANDLE}'` });
    expect(JSON.stringify(lines)).not.toContain(HANDLE);
    expect(lines.at(-1)?.[2]).toMatchObject({
      reason: expect.stringMatching(/^unknown handle 'Cihj… /) as string,
    });
  });

  it('H4 log: a handle that is given up is quoted by what rejects it, and told of as the one it was', () => {
    const { log, lines } = logged();
    log.handleUpdated(HANDLE);
    log.handleUpdated(undefined);
    expect(log.withoutHandle(`unknown handle ${HANDLE}`)).not.toContain(HANDLE);
    log.note({ ...CONNECTION_EVENTS.handleRejected, reason: `unknown handle ${HANDLE}` });
    expect(JSON.stringify(lines)).not.toContain(HANDLE);
    expect(lines.at(-1)?.[2]).toMatchObject({ handle: expect.stringMatching(/^Cihj/) as string });
  });

  it('tells a handle once, and that there is none after it was rejected', () => {
    const { log, lines } = logged();
    log.handleUpdated(undefined);
    log.handleUpdated(HANDLE);
    log.handleUpdated(HANDLE);
    expect(lines).toHaveLength(1);
    log.note(CONNECTION_EVENTS.handleRejected);
    log.note(CONNECTION_EVENTS.lost);
    expect(lines.at(-1)?.[2]).toMatchObject({ handle: 'none' });
    log.handleUpdated(HANDLE);
    log.handleUpdated(undefined);
    expect(lines.at(-1)?.[2]).toMatchObject({ handle: 'none' });
  });
});

describe('a redacted handle', () => {
  it('H4 log: shows four characters and the length of a long one, and the length alone of a short one', () => {
    expect(redactHandle('0123456789abcdef')).toBe('0123… (16 characters)');
    expect(redactHandle('0123456789')).toBe('… (10 characters)');
    expect(redactHandle('')).toBe('… (0 characters)');
  });

  it('leaves a text alone where there is no handle', () => {
    expect(withoutHandle('as it was', undefined)).toBe('as it was');
    expect(withoutHandle('as it was', '')).toBe('as it was');
  });
});
