import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settledBytes } from '../../test/support/garbage.ts';
import { AudioChunk, encodeBase64, textContent } from '../protocol/index.ts';
import { KeptInputs } from './kept-inputs.ts';
import type { ClientInput } from './kept-inputs.ts';

interface Kept {
  readonly input: ClientInput;
  readonly position: number;
  readonly isVoice: boolean;
  sentAs: number;
  wasSent: boolean;
}

type Step =
  | readonly ['push', 'audio', byteLength: number, isVoice: boolean, isBase64: boolean]
  | readonly ['push', 'text' | 'image']
  | readonly ['send' | 'remove', share: number]
  | readonly ['clear'];

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 2, 3, 640, 641, 9_000, 17_001), fc.boolean(), fc.boolean())
      .map(([bytes, isVoice, isBase64]): Step => ['push', 'audio', bytes, isVoice, isBase64]),
  },
  { weight: 2, arbitrary: fc.constantFrom('text', 'image').map((kind): Step => ['push', kind]) },
  { weight: 20, arbitrary: share.map((at): Step => ['send', at]) },
  { weight: 8, arbitrary: share.map((at): Step => ['remove', at]) },
  { weight: 12, arbitrary: fc.constant<Step>(['remove', 0]) },
  { weight: 1, arbitrary: fc.constant<Step>(['clear']) },
);

/** Bytes that no two pieces have alike, loud at their end or quiet. */
function audioOf(position: number, byteLength: number, isVoice: boolean, isBase64: boolean): ClientInput {
  const pcm = new Uint8Array(byteLength);
  for (let index = 0; index + 1 < byteLength; index += 2) pcm[index] = (position + index) % 200;
  if (isVoice && byteLength >= 2) pcm[(byteLength & ~1) - 1] = 40;
  const rateHz = 8_000 + (position % 3) * 8_000;
  const audio = isBase64 ? AudioChunk.fromBase64(encodeBase64(pcm), rateHz) : AudioChunk.fromPcm(pcm, rateHz);
  return { type: 'audio', audio };
}

function inputOf(step: Extract<Step, readonly ['push', ...unknown[]]>, position: number): ClientInput {
  if (step[1] === 'audio') return audioOf(position, step[2], step[3], step[4]);
  if (step[1] === 'image') return { type: 'image', mimeType: 'image/png', data: '' };
  return { type: 'content', content: textContent('user', `${position}`), turnComplete: true };
}

function told(input: ClientInput | undefined): unknown {
  if (input?.type !== 'audio') return input;
  return {
    rateHz: input.audio.rateHz,
    pcm: Buffer.from(input.audio.pcm).toString('latin1'),
    durationMs: input.audio.durationMs,
  };
}

function expectSame(kept: KeptInputs, reference: readonly Kept[]): void {
  expect(kept.length).toBe(reference.length);
  for (const [index, { input, position, isVoice, sentAs, wasSent }] of reference.entries()) {
    const isAudio = input.type === 'audio';
    expect([kept.position(index), kept.sentAs(index), kept.wasSent(index)]).toEqual([
      position,
      sentAs,
      wasSent,
    ]);
    expect([kept.isAudio(index), kept.isImage(index)]).toEqual([isAudio, input.type === 'image']);
    expect(kept.isWord(index)).toBe(!isAudio || isVoice);
    expect(told(kept.input(index))).toEqual(told(input));
  }
}

describe('KeptInputs', () => {
  it('R8 gives back what an array would, sample for sample', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 250, size: 'max' }), (steps) => {
        const kept = new KeptInputs();
        const reference: Kept[] = [];
        for (const [position, each] of steps.entries()) {
          if (each[0] === 'push') {
            const input = inputOf(each, position);
            const isVoice = each[1] === 'audio' && each[3] && each[2] >= 2;
            reference.push({ input, position, isVoice, sentAs: -1, wasSent: false });
            kept.push(input, position);
          } else if (each[0] === 'clear') {
            reference.length = 0;
            kept.clear();
          } else if (reference.length > 0) {
            const index = Math.floor(each[1] * reference.length);
            if (each[0] === 'remove') {
              reference.splice(index, 1);
              kept.remove(index);
            } else {
              Object.assign(reference[index]!, { sentAs: position, wasSent: true });
              kept.markSent(index, position);
              kept.pack(index);
            }
          }
        }
        expectSame(kept, reference);
      }),
      { numRuns: 100 },
    );
  });

  it('gives copies: what is sent again does not change when its room is used anew', () => {
    const kept = new KeptInputs();
    const taken: AudioChunk[] = [];
    for (let position = 0; position < 200; position += 1) {
      kept.push(audioOf(position, 640, true, false), position);
      kept.pack(kept.length - 1);
      const input = kept.input(kept.length - 1);
      if (input?.type === 'audio') taken.push(input.audio);
      if (kept.length > 20) kept.remove(0);
    }
    for (const [position, audio] of taken.entries()) {
      expect(told({ type: 'audio', audio })).toEqual(told(audioOf(position, 640, true, false)));
    }
  });

  it('S5 holds little more than the samples, and nothing when they are gone', async () => {
    const frames = 1_500;
    const before = await settledBytes();
    const kept = Array.from({ length: 20 }, () => new KeptInputs());
    for (let position = 0; position < frames; position += 1) {
      for (const each of kept) {
        each.push(audioOf(position, 640, true, true), position);
        each.pack(each.length - 1);
      }
    }
    const perFrame = ((await settledBytes()) - before) / frames / kept.length;
    expect(perFrame).toBeLessThan(640 * 1.25);
    for (const each of kept) while (each.length > 0) each.remove(0);
    const left = ((await settledBytes()) - before) / kept.length;
    expect(left).toBeLessThan(40_000);
    expect(kept.every(({ length }) => length === 0)).toBe(true);
  });
});
