import { describe, expect, it } from 'vitest';
import { randomId, seededRandom, systemRandom } from './random.ts';

describe('random', () => {
  it('repeats for the same seed and differs for neighbouring ones', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return [...Array.from({ length: 20 }, () => random.next()), ...random.fill(new Uint8Array(20))];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(new Set([0, 1, 2, 3, -1].map((seed) => draw(seed).join())).size).toBe(5);
  });

  it('stays in [0, 1) and spreads evenly', () => {
    for (const random of [seededRandom(42), systemRandom]) {
      const tenths = Array.from({ length: 10 }, () => 0);
      for (let count = 0; count < 20_000; count += 1) {
        const tenth = Math.floor(random.next() * 10);
        tenths[tenth] = (tenths[tenth] ?? Number.NaN) + 1;
      }
      expect(tenths).toHaveLength(10);
      for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(300);
    }
  });

  it('makes ids of 32 hexadecimal digits that do not meet', () => {
    for (const random of [seededRandom(1), systemRandom]) {
      const ids = Array.from({ length: 10_000 }, () => randomId(random));
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
    }
  });
});
