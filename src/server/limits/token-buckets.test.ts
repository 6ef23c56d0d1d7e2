import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { MAX_TOKEN_BUCKETS, TokenBuckets } from './token-buckets.ts';

function rig(perMinute: number) {
  const clock = new VirtualClock();
  const owner = Lifetime.root({ name: 'test', clock });
  return { clock, owner, buckets: new TokenBuckets(owner, 'rates', perMinute) };
}

describe('token buckets', () => {
  it('L rates: so many at once, then as many as are earned, and it says when', async () => {
    const { clock, buckets } = rig(60);
    for (let taken = 0; taken < 60; taken += 1) expect(buckets.take('a')).toBe(0);
    expect(buckets.take('a')).toBe(1_000);
    expect(buckets.take('b')).toBe(0);
    await clock.advance(999);
    expect(buckets.take('a')).toBeCloseTo(1);
    await clock.advance(1);
    expect(buckets.take('a')).toBe(0);
    expect(buckets.take('a')).toBeGreaterThan(0);
  });

  it('L rates: a flood of names keeps no more than the bound, and nothing once it is over', async () => {
    const { clock, owner, buckets } = rig(10);
    for (let name = 0; name < MAX_TOKEN_BUCKETS * 3; name += 1) buckets.take(`address ${name}`);
    expect(buckets.size).toBe(MAX_TOKEN_BUCKETS);
    expect(owner.resources()).toHaveLength(1);
    await clock.advance(60_000);
    expect(buckets.size).toBe(0);
    expect(owner.resources()).toEqual([]);
    await owner.close();
  });

  it('L rates: who is asking all the time is not forgotten by the sweep', async () => {
    const { clock, buckets } = rig(10);
    for (let taken = 0; taken < 10; taken += 1) buckets.take('busy');
    buckets.take('once');
    await clock.advance(59_000);
    for (let taken = 0; taken < 9; taken += 1) expect(buckets.take('busy')).toBe(0);
    await clock.advance(1_000);
    expect(buckets.size).toBe(1);
    expect(buckets.take('busy')).toBe(0);
    expect(buckets.take('busy')).toBeGreaterThan(0);
  });
});
