import { describe, expect, it } from 'vitest';
import { CONNECTION_EVENTS, RECOVERY } from '../../test/support/connection-events.ts';
import type { ConnectionCause, ConnectionEventBody } from '../protocol/index.ts';
import { describeConnection } from './describe-connection.ts';

const { connecting, connected, lost, waiting, resumed, reseeded, swapped, handleRejected, exhausted } =
  CONNECTION_EVENTS;
const FREE = { ...RECOVERY, cutTurn: false, replayedMs: 0 };

describe('a connection in words', () => {
  const cases: readonly (readonly [ConnectionEventBody, string])[] = [
    [connecting, 'connecting to the model'],
    [{ ...connecting, attempt: 3 }, 'connecting to the model, attempt 3'],
    [connected, 'connected to the model after 210 ms'],
    [lost, 'connection lost (1011 Internal error)'],
    [{ type: 'connection', state: 'lost', cause: 'lost', reason: '' }, 'connection lost'],
    [{ type: 'connection', state: 'lost', cause: 'lost', code: 1006, reason: '' }, 'connection lost (1006)'],
    [
      { type: 'connection', state: 'lost', cause: 'silent', reason: '' },
      'connection lost: the model does not answer',
    ],
    [waiting, 'attempt 2 in 2.3 s'],
    [{ ...waiting, delayMs: 16_000 }, 'attempt 2 in 16 s'],
    [resumed, 'resumed after 640 ms: 1.2 s of audio sent again, an answer was cut'],
    [{ ...resumed, ...FREE }, 'resumed after 640 ms'],
    [{ ...resumed, ...FREE, audioGapMs: 4_200 }, 'resumed after 640 ms: 4.2 s of audio lost'],
    [
      { ...reseeded, ...FREE, gapMs: 75_400 },
      'begun anew after 75 s, with the history, as the model no longer knew the session',
    ],
    [{ ...swapped, ...FREE, cause: 'age', gapMs: 310 }, "swapped before the provider's limit, gap 310 ms"],
    [
      { ...swapped, ...FREE, cause: 'goAway', gapMs: 310 },
      'swapped because the provider was about to close it, gap 310 ms',
    ],
    [handleRejected, 'the model no longer knows the session (no such session)'],
    [exhausted, 'given up after 10 attempts in 151 s'],
    [{ ...exhausted, attempts: 1, outageMs: 900 }, 'given up after 1 attempt in 900 ms'],
  ];

  it.each(cases)('R9 words: %o', (event, words) => {
    expect(describeConnection(event)).toBe(words);
  });

  it('lets a cause of a newer server stand for itself', () => {
    const cause = 'leaseLost' as ConnectionCause;
    expect(describeConnection({ ...lost, cause })).toBe('connection lost (1011 Internal error)');
    expect(describeConnection({ ...swapped, ...FREE, cause })).toBe('swapped (leaseLost), gap 640 ms');
    expect(describeConnection({ ...reseeded, ...FREE, why: 'moved' as never })).toBe(
      'begun anew after 640 ms, moved',
    );
  });
});
