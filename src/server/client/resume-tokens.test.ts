import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/index.ts';
import { ResumeTokens } from './resume-tokens.ts';

describe('ResumeTokens', () => {
  it('H4 token: 128 bits, and nothing but it is taken', () => {
    const tokens = new ResumeTokens(seededRandom(1));
    expect(tokens.current).toMatch(/^[0-9a-f]{32}$/);
    expect(tokens.accepts(tokens.current)).toBe(true);
    for (const wrong of ['', 'x', tokens.current.slice(1), `${tokens.current}0`, 'undefined']) {
      expect(tokens.accepts(wrong)).toBe(false);
    }
  });

  it('H4 token: a use makes the next, and the one before is good until that is confirmed', () => {
    const tokens = new ResumeTokens(seededRandom(1));
    const first = tokens.current;
    tokens.rotate(first);
    const second = tokens.current;
    expect(second).not.toBe(first);
    expect([first, second].map((token) => tokens.accepts(token))).toEqual([true, true]);
    // The answer to the second use of the first was lost again: what it told is worth nothing.
    tokens.rotate(first);
    const third = tokens.current;
    expect([first, second, third].map((token) => tokens.accepts(token))).toEqual([true, false, true]);
    tokens.confirmed();
    expect([first, second, third].map((token) => tokens.accepts(token))).toEqual([false, false, true]);
  });
});
