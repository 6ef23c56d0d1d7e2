import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from './errors.ts';
import { Mailbox } from './mailbox.ts';

describe('Mailbox', () => {
  it('takes as much as its capacity, in order, and says when it is full', () => {
    const mailbox = new Mailbox<number>(3);
    expect([1, 2, 3, 4].map((item) => mailbox.push(item))).toEqual([true, true, true, false]);
    expect(mailbox.shift()).toBe(1);
    expect(mailbox.push(5)).toBe(true);
    expect([mailbox.shift(), mailbox.shift(), mailbox.shift(), mailbox.shift()]).toEqual([
      2,
      3,
      5,
      undefined,
    ]);
    expect(mailbox.size).toBe(0);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses a capacity of %s', (capacity) => {
    expect(() => new Mailbox(capacity)).toThrow(InvalidOptionError);
  });

  it('hands an item to who has waited longest', async () => {
    const mailbox = new Mailbox<string>(1);
    const [first, second] = [mailbox.next(), mailbox.next()];
    mailbox.push('a');
    mailbox.push('b');
    mailbox.push('c');
    expect(await Promise.all([first, second, mailbox.next()])).toEqual(
      ['a', 'b', 'c'].map((value) => ({ done: false, value })),
    );
  });

  it('gives what it holds after end() and is then done; who waits is told at once', async () => {
    const mailbox = new Mailbox<string>(2);
    mailbox.push('last');
    mailbox.end();
    expect(mailbox.push('late')).toBe(false);
    const seen: string[] = [];
    for await (const item of mailbox) seen.push(item);
    expect(seen).toEqual(['last']);
    const empty = new Mailbox<string>(1);
    const parked = empty.next();
    empty.end();
    empty.end();
    expect(await parked).toEqual({ done: true, value: undefined });
  });

  it('C7 return(): unparks next() and drops what was queued', async () => {
    const mailbox = new Mailbox<string>(2);
    const parked = mailbox.next();
    await mailbox.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    const left = new Mailbox<number>(5);
    [1, 2, 3].forEach((item) => left.push(item));
    for await (const item of left) if (item === 1) break;
    expect([left.size, left.ended, left.push(4)]).toEqual([0, true, false]);
  });

  it('clear() returns what was queued and leaves it usable', () => {
    const mailbox = new Mailbox<number>(3);
    [1, 2, 3].forEach((item) => mailbox.push(item));
    mailbox.shift();
    expect(mailbox.clear()).toEqual([2, 3]);
    expect(mailbox.push(4)).toBe(true);
    expect(mailbox.shift()).toBe(4);
  });

  it('moves a million items through in constant memory, at any fill level', () => {
    for (const fill of [0, 1, 7, 999]) {
      const mailbox = new Mailbox<number>(1_000);
      for (let item = 0; item < fill; item += 1) mailbox.push(item);
      const before = process.memoryUsage().heapUsed;
      let expected = 0;
      for (let item = fill; item < 250_000; item += 1) {
        mailbox.push(item);
        if (mailbox.shift() !== expected) expect.unreachable(`item ${expected} came out of order`);
        expected += 1;
      }
      expect(mailbox.size).toBe(fill);
      // Kept items would be 250 000 numbers of eight bytes each, plus their arrays.
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(64_000_000);
    }
  });
});
