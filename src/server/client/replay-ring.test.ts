import { describe, expect, it } from 'vitest';
import { isCollected } from '../../../test/support/garbage.ts';
import { AudioChunk, decodeAudioFrame, encodeAudioFrame } from '../../protocol/index.ts';
import { ReplayBudget } from './replay-budget.ts';
import { ReplayRing } from './replay-ring.ts';
import type { WireMessage } from './replay-ring.ts';

const LARGE = { maxBytes: 1_000_000, maxMessages: 1_000 };

/** Pushes what comes one after the other: a word is an event, a number so many samples of audio. */
function filled(items: readonly (string | number)[], limits = LARGE): ReplayRing {
  const ring = new ReplayRing(limits);
  let samples = 0;
  for (const [index, item] of items.entries()) {
    if (typeof item === 'string') ring.push(index + 1, item);
    else {
      const { pcm } = AudioChunk.fromSamples(new Int16Array(item).fill(index), 24_000);
      const frame = encodeAudioFrame('output', samples, pcm);
      samples += item;
      ring.push(index + 1, frame, samples);
    }
  }
  return ring;
}

function read(messages: readonly WireMessage[]): (string | readonly [number, number])[] {
  return messages.map((message) => {
    if (typeof message === 'string') return message;
    const frame = decodeAudioFrame(message);
    return [frame?.positionSamples ?? -1, (frame?.pcm.byteLength ?? 0) / 2] as const;
  });
}

const missed = (ring: ReplayRing, seq: number, positionSamples: number) => {
  const { isComplete, seq: from, messages } = ring.missedBy({ seq, positionSamples });
  return { isComplete, seq: from, messages: read(messages) };
};

describe('ReplayRing', () => {
  const ITEMS = ['a', 480, 'b', 480, 240, 'c'] as const;

  it('H2 ring: gives what lies behind a position, in its order', () => {
    const ring = filled(ITEMS);
    expect(missed(ring, 0, 0)).toEqual({
      isComplete: true,
      seq: 0,
      messages: ['a', [0, 480], 'b', [480, 480], [960, 240], 'c'],
    });
    expect(missed(ring, 3, 480)).toMatchObject({ messages: [[480, 480], [960, 240], 'c'] });
    expect(missed(ring, 3, 700)).toMatchObject({ messages: [[700, 260], [960, 240], 'c'] });
    expect(missed(ring, 6, 1_200)).toEqual({ isComplete: true, seq: 6, messages: [] });
  });

  it('H2 ring: lets go of what was acknowledged, and of audio that was heard', () => {
    const ring = filled(ITEMS);
    ring.acknowledged(3);
    expect(ring.messages).toBe(3);
    expect(missed(ring, 3, 480)).toMatchObject({ isComplete: true, messages: [[480, 480], [960, 240], 'c'] });
    ring.heard(960);
    expect(ring.messages).toBe(2);
    ring.heard(5_000);
    // An event is not heard, but acknowledged.
    expect(ring.messages).toBe(1);
    ring.acknowledged(6);
    expect([ring.messages, ring.bytes]).toEqual([0, 0]);
    expect(missed(ring, 6, 1_200).isComplete).toBe(true);
    expect(missed(ring, 5, 1_200).isComplete).toBe(false);
  });

  it.each([
    ['messages', { maxBytes: 1_000_000, maxMessages: 3 }, 3],
    ['bytes', { maxBytes: 2_000, maxMessages: 1_000 }, 4],
    ['nothing at all', { maxBytes: 0, maxMessages: 0 }, 0],
  ])('L H2 ring: is bounded in %s, and says who has missed more than is left', (_name, limits, kept) => {
    const ring = filled(ITEMS, limits);
    expect(ring.messages).toBe(kept);
    expect(ring.bytes).toBeLessThanOrEqual(limits.maxBytes);
    expect(missed(ring, 0, 0).isComplete).toBe(false);
    expect(missed(ring, 0, 0).messages).toHaveLength(kept);
    expect(missed(ring, 6, 1_200)).toEqual({ isComplete: true, seq: 6, messages: [] });
  });

  it('L ring: holds nothing of what it has let go of, however long it runs', () => {
    const ring = new ReplayRing({ maxBytes: 1_000_000, maxMessages: 100 });
    for (let seq = 1; seq <= 100_000; seq += 1) ring.push(seq, 'x');
    expect(ring.messages).toBe(100);
    expect(ring.bytes).toBe(100 * 66);
  });

  it('L H2 ring: keeps a frame, and not the memory around it', async () => {
    const ring = new ReplayRing(LARGE);
    const push = (): WeakRef<object> => {
      const pool = new Uint8Array(100_000);
      const frame = pool.subarray(40_000, 40_008 + 960);
      frame.set(encodeAudioFrame('output', 0, new Uint8Array(960).fill(7)));
      ring.push(1, frame, 480);
      return new WeakRef(pool.buffer);
    };
    expect(await isCollected(push())).toBe(true);
    const { messages } = ring.missedBy({ seq: 0, positionSamples: 0 });
    expect(read(messages)).toEqual([[0, 480]]);
  });

  it('H2 ring: gives copies, which later frames do not write into', () => {
    const ring = filled([480]);
    const [first] = ring.missedBy({ seq: 0, positionSamples: 0 }).messages;
    const before = Uint8Array.from(first as Uint8Array);
    ring.heard(480);
    for (let seq = 2; seq < 100; seq += 1) {
      ring.push(seq, encodeAudioFrame('output', (seq - 1) * 480, new Uint8Array(960).fill(seq)), seq * 480);
    }
    expect(Uint8Array.from(first as Uint8Array)).toEqual(before);
  });

  it('H2 ring: what there never was is not known', () => {
    const ring = filled(ITEMS);
    expect(missed(ring, 7, 0)).toEqual({ isComplete: false, seq: 6, messages: [] });
    expect(missed(ring, 6, 1_201)).toEqual({ isComplete: false, seq: 6, messages: [] });
  });

  it('H2 ring: one that begins in the middle counts from there', () => {
    const ring = new ReplayRing(LARGE);
    ring.beginAt({ seq: 40, positionSamples: 9_600 });
    ring.push(41, 'next');
    expect(missed(ring, 40, 9_600)).toEqual({ isComplete: true, seq: 40, messages: ['next'] });
    expect(missed(ring, 39, 9_600).isComplete).toBe(false);
  });
});

describe('what all rings keep together', () => {
  const message = 'x'.repeat(1_000);

  it('L rings: the one that keeps most makes room, and the others keep what they have', () => {
    let full = 0;
    const budget = new ReplayBudget(200_000, () => (full += 1));
    const limits = { maxBytes: 150_000, maxMessages: 1_000 };
    const [hoarder, others] = [
      new ReplayRing(limits, budget),
      [1, 2, 3, 4].map(() => new ReplayRing(limits, budget)),
    ];
    for (let seq = 1; seq <= 60; seq += 1) hoarder.push(seq, message);
    for (const ring of others) for (let seq = 1; seq <= 20; seq += 1) ring.push(seq, message);
    expect(full).toBeGreaterThan(0);
    expect(budget.bytes).toBeLessThanOrEqual(200_000);
    expect(others.map(({ messages }) => messages)).toEqual([20, 20, 20, 20]);
    expect(hoarder.messages).toBeLessThan(60);
    expect(hoarder.missedBy({ seq: 0, positionSamples: 0 }).isComplete).toBe(false);
    expect(others[0]?.missedBy({ seq: 0, positionSamples: 0 }).isComplete).toBe(true);
  });

  it('L rings: what is acknowledged, and what is let go of, is given back to the last byte', () => {
    const budget = new ReplayBudget(1_000_000);
    const rings = [1, 2, 3].map(() => new ReplayRing(undefined, budget));
    for (const ring of rings) for (let seq = 1; seq <= 20; seq += 1) ring.push(seq, message);
    expect(budget.bytes).toBe(rings.reduce((sum, { bytes }) => sum + bytes, 0));
    rings[0]?.acknowledged(20);
    rings[1]?.shrinkTo(0);
    rings[2]?.acknowledged(10);
    expect(budget).toMatchObject({ bytes: rings[2]?.bytes, rings: 1 });
    rings[2]?.close();
    rings[2]?.push(21, message);
    expect(budget).toMatchObject({ bytes: 0, rings: 0 });
  });

  it('L rings: one message that is larger than everything is not kept', () => {
    const budget = new ReplayBudget(100);
    const ring = new ReplayRing(undefined, budget);
    ring.push(1, message);
    expect(budget).toMatchObject({ bytes: 0, rings: 0 });
    expect(ring.missedBy({ seq: 0, positionSamples: 0 })).toMatchObject({ isComplete: false, messages: [] });
  });
});
