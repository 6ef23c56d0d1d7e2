import { describe, expect, it } from 'vitest';
import { slotOf } from './slots.ts';

const keys = Array.from({ length: 4_000 }, (_, index) => ({
  appName: 'default',
  userId: `user-${index % 97}`,
  id: `session-${index}`,
}));

describe('the slot of a session', () => {
  it('is the same in every process, and tells names apart where they only look alike', () => {
    // Written down once: a change of it would move every live session of a rolling update.
    expect(keys.slice(0, 12).map((key) => slotOf(key, 4))).toEqual([3, 1, 3, 3, 3, 2, 1, 1, 3, 2, 1, 3]);
    const one = { appName: 'a', userId: 'b,c', id: 'd' };
    const other = { appName: 'a', userId: 'b', id: 'c,d' };
    const differ = [2, 3, 5, 7, 11, 13, 17].some((count) => slotOf(one, count) !== slotOf(other, count));
    expect(differ).toBe(true);
  });

  it.each([1, 2, 3, 8])('spreads sessions evenly over %i', (count) => {
    const held = Array.from({ length: count }, () => 0);
    for (const key of keys) held[slotOf(key, count)]! += 1;
    for (const number of held) {
      expect(number).toBeGreaterThan((keys.length / count) * 0.85);
      expect(number).toBeLessThan((keys.length / count) * 1.15);
    }
  });

  it('changes for a few only when there is one more, and only to that one', () => {
    const moved = keys.filter((key) => slotOf(key, 4) !== slotOf(key, 5));
    expect(moved.length).toBeGreaterThan(keys.length * 0.15);
    expect(moved.length).toBeLessThan(keys.length * 0.25);
    expect(new Set(moved.map((key) => slotOf(key, 5)))).toEqual(new Set([4]));
  });
});
