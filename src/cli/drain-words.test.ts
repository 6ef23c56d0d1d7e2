import { describe, expect, it } from 'vitest';
import { endInWords } from './drain-words.ts';

const ended = (calls: number, cut: number): string | undefined =>
  endInWords({
    cutCalls: cut,
    drain: { calls, ended: calls - cut, cut, durationMs: 72_400 },
  });

describe('D4 how a server ended, in words', () => {
  it.each([
    [0, 0, undefined],
    [1, 0, 'The call has ended by itself, after 1 min 12 s.'],
    [3, 0, 'All 3 calls have ended by themselves, after 1 min 12 s.'],
    [1, 1, '1 call was cut, after 1 min 12 s.'],
    [4, 4, '4 calls were cut, after 1 min 12 s.'],
    [4, 1, '3 calls ended by themselves, 1 call was cut, after 1 min 12 s.'],
    [3, 2, '1 call ended by itself, 2 calls were cut, after 1 min 12 s.'],
  ])('D4 %i calls, %i cut: %s', (calls, cut, words) => {
    expect(ended(calls, cut)).toBe(words);
  });

  it('D4 a close without a drain tells only what was cut', () => {
    expect(endInWords({ cutCalls: 0 })).toBeUndefined();
    expect(endInWords({ cutCalls: 2 })).toBe('2 calls were cut.');
  });
});
