import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConsumedInputs } from './consumed-inputs.ts';

it('R8 gemini: an index of frames is told as the last input that is consumed as a whole', () => {
  const consumed = new ConsumedInputs(1);
  for (const frames of [1, 1, 0, 2, 1]) consumed.sent(frames);
  // Frame 0 is the history; then the inputs 0, 1 and 2 (no frame), 3 (two frames), 4.
  expect([0, 1, 2, 3, 4, 5].map((frame) => consumed.lastUpTo(frame))).toEqual([-1, 0, 2, 2, 3, 4]);
});

it('R8 gemini: never tells an input as consumed of which a frame is not', () => {
  const script = fc.array(fc.record({ frames: fc.integer({ min: 0, max: 3 }), ask: fc.boolean() }));
  fc.assert(
    fc.property(fc.nat(1), script, (before, steps) => {
      const consumed = new ConsumedInputs(before);
      const ends: number[] = [];
      let total = before;
      let told = -1;
      for (const { frames, ask } of steps) {
        total += frames;
        ends.push(total);
        consumed.sent(frames);
        if (!ask || total === 0) continue;
        told = Math.max(told, Math.floor((told + total - 1) / 2));
        expect(consumed.lastUpTo(told)).toBe(ends.findLastIndex((end) => end <= told + 1));
      }
    }),
  );
});
