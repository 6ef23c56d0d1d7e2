import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleFifo } from './sample-fifo.ts';

describe('SampleFifo', () => {
  it('gives every sample once and in order, whatever is put in, taken and dropped', () => {
    const action = fc.record({
      kind: fc.constantFrom('push' as const, 'push' as const, 'shift' as const, 'drop' as const),
      count: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 60_000 })),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const fifo = new SampleFifo();
        let put = 0;
        let taken = 0;
        for (const { kind, count } of actions) {
          if (kind === 'push') {
            fifo.push(Int16Array.from({ length: count }, (_, i) => put + i));
            put += count;
          } else {
            const expected = Math.min(count, put - taken);
            if (kind === 'drop') fifo.drop(count);
            else
              expect(fifo.shift(count)).toEqual(Int16Array.from({ length: expected }, (_, i) => taken + i));
            taken += expected;
          }
          expect(fifo.length).toBe(put - taken);
        }
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it('copies what it is given', () => {
    const fifo = new SampleFifo();
    const samples = Int16Array.from([1, 2]);
    fifo.push(samples);
    samples.fill(9);
    expect([...fifo.shift(2)]).toEqual([1, 2]);
  });
});
