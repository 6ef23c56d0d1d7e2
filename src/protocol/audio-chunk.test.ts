import { describe, expect, it } from 'vitest';
import { AudioChunk, rateOfMimeType } from './audio-chunk.ts';

const SAMPLES = Int16Array.of(1, -2, 300, -32_768, 32_767);
const BYTES = new Uint8Array(SAMPLES.buffer);

/** The same bytes at an odd address, as a frame cut out of what the network delivered may lie. */
function atOddAddress<Bytes extends Uint8Array>(room: Bytes): Uint8Array {
  const bytes = room.subarray(1, 1 + BYTES.byteLength);
  bytes.set(BYTES);
  return bytes;
}

describe('AudioChunk', () => {
  it('gives the samples of bytes at whatever address they lie', () => {
    const odd = atOddAddress(new Uint8Array(BYTES.byteLength + 1));
    expect(AudioChunk.fromPcm(odd, 16_000).samples).toEqual(SAMPLES);
    expect(AudioChunk.fromSamples(SAMPLES, 16_000).samples).toEqual(SAMPLES);
  });

  it('gives the samples of a Buffer at an odd address, whose slice() would be no copy', () => {
    const odd = atOddAddress(Buffer.from(new ArrayBuffer(BYTES.byteLength + 1)));
    expect(odd.byteOffset % 2).toBe(1);
    expect(AudioChunk.fromPcm(odd, 16_000).samples).toEqual(SAMPLES);
  });

  it('leaves half a sample at the end out of the samples and the count', () => {
    const chunk = AudioChunk.fromPcm(Uint8Array.of(1, 0, 7), 16_000);
    expect([chunk.sampleCount, ...chunk.samples]).toEqual([1, 1]);
  });

  it('holds the form it came in, and makes the other one of it', () => {
    const base64 = Buffer.from(BYTES).toString('base64');
    const fromText = AudioChunk.fromBase64(base64, 24_000);
    expect(fromText.byteLength).toBe(BYTES.byteLength);
    expect(fromText.samples).toEqual(SAMPLES);
    expect(AudioChunk.fromSamples(SAMPLES, 24_000).base64).toBe(base64);
    expect(fromText.durationMs).toBeCloseTo((5 * 1_000) / 24_000);
  });
});

describe('the rate of a MIME type', () => {
  it.each([
    ['audio/pcm;rate=24000', 24_000],
    ['audio/pcm', 16_000],
    ['AUDIO/PCM; Rate=8000; channels=1', 8_000],
    ['audio/pcm;rate=fast', 16_000],
    ['audio/wav', undefined],
    ['image/jpeg', undefined],
  ])('of %s is %s', (mimeType, rateHz) => {
    expect(rateOfMimeType(mimeType)).toBe(rateHz);
  });
});
