import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AudioChunk } from './audio-chunk.ts';
import { decodeBase64, encodeBase64, encodeUrlSafeBase64, isBase64, urlSafeBase64 } from './base64.ts';

/** Texts that are base64 as often as not: either alphabet, some padding, and now and then what belongs to neither. */
const nearlyBase64 = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom(...'ABxyz019+/-_'.split('')) },
        fc.constantFrom(...'= \né日'.split('')),
      ),
    ),
    fc.constantFrom('', '', '=', '==', '==='),
  )
  .map(([characters, padding]) => characters.join('') + padding);

describe('base64', () => {
  it('P33 decoding takes exactly what is base64, judged character by character', () => {
    fc.assert(
      fc.property(nearlyBase64, (text) => {
        expect(decodeBase64(text) !== undefined).toBe(isBase64(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('P37 audio is written in the URL-safe alphabet with padding, whichever form it came in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const wanted = urlSafeBase64(encodeBase64(bytes));
        expect(wanted).toMatch(/^[A-Za-z0-9_-]*={0,2}$/);
        expect(encodeUrlSafeBase64(bytes)).toBe(wanted);
        expect(AudioChunk.fromPcm(bytes, 24_000).urlSafeBase64).toBe(wanted);
        expect(AudioChunk.fromBase64(encodeBase64(bytes), 24_000).urlSafeBase64).toBe(wanted);
      }),
    );
  });
});
