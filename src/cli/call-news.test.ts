import { describe, expect, it } from 'vitest';
import { CONNECTION_EVENTS } from '../../test/support/connection-events.ts';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import type { LiveEventBody } from '../protocol/index.ts';
import { ConnectionCounter, NO_CONNECTIONS } from '../session/index.ts';
import { LiveLine } from './call-display.ts';
import { connectionNews, connectionSummary } from './call-news.ts';

const STAMP = { seq: 1, atMs: 0, author: 'agent', turn: 1 };
const newsOf = (body: LiveEventBody): string | undefined => connectionNews({ ...STAMP, ...body });

describe('news of the connection in a call', () => {
  it('R9 call: the words of a connection are those of describeConnection', () => {
    expect(newsOf(CONNECTION_EVENTS.waiting)).toBe('attempt 2 in 2.3 s');
  });

  it('tells a goAway of the model, with its time where there is one', () => {
    expect(newsOf({ type: 'goAway', timeLeftMs: 50_000 })).toBe(
      'the model will close its connection in 50 s',
    );
    expect(newsOf({ type: 'goAway' })).toBe('the model will close its connection soon');
  });

  it('names a state that it does not know, and says nothing of other unknown events', () => {
    const message = { type: 'connection', state: 'migrated', to: 'elsewhere' };
    expect(newsOf({ type: 'unknown', message })).toBe('connection: migrated');
    for (const other of [
      null,
      'text',
      { type: 'applause', state: 'loud' },
      { type: 'connection', state: 1 },
    ]) {
      expect(newsOf({ type: 'unknown', message: other })).toBeUndefined();
    }
    expect(newsOf({ type: 'generationComplete' })).toBeUndefined();
  });

  it('R9 call: sums up what changed, and says nothing of a call with one connection', () => {
    expect(connectionSummary({ ...NO_CONNECTIONS, dials: 1, connects: 1 })).toBe('');
    const counter = new ConnectionCounter();
    const { resumed, swapped } = CONNECTION_EVENTS;
    counter.note(resumed);
    counter.note({ ...swapped, replayedMs: 0, audioGapMs: 300 });
    expect(connectionSummary(counter.counts)).toBe(
      'resumed 1 ×, swapped 1 ×, 1280 ms without it, 1.2 s of audio sent again, 0.3 s of audio lost',
    );
  });
});

describe('the line that changes', () => {
  it.each([
    [true, '\r\u001B[Kconnection lost\nsent 0.0 s · received 0.0 s · turns 0'],
    [false, 'connection lost\n'],
  ])('lets news pass above it (terminal: %s)', async (isTTY, expected) => {
    const scope = Lifetime.root({ name: 'test', clock: new VirtualClock() });
    const written: string[] = [];
    const stream = { isTTY, write: (text: string) => written.push(text) > 0 };
    const line = new LiveLine([], scope, stream as unknown as NodeJS.WriteStream);
    line.say('connection lost');
    expect(written.at(-1)).toBe(expected);
    await scope.close();
  });
});
