import { BYTES_PER_SAMPLE } from '../../../../protocol/index.ts';

/** Forms of audio the emulator understands: 16-bit samples, little endian, or telephone audio of 8 bits. */
export type AudioEncoding = 'linear16' | 'mulaw';

/** Turns the bytes of a stream into samples. A sample that two pieces share is put together again. */
export class AudioInput {
  readonly #encoding: AudioEncoding;
  #rest: Buffer = Buffer.alloc(0);

  constructor(encoding: AudioEncoding) {
    this.#encoding = encoding;
  }

  take(bytes: Buffer): Int16Array {
    if (this.#encoding === 'mulaw') return Int16Array.from(bytes, (byte) => MULAW[byte] ?? 0);
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const samples = new Int16Array(Math.floor(all.length / BYTES_PER_SAMPLE));
    for (let index = 0; index < samples.length; index += 1) {
      samples[index] = all.readInt16LE(index * BYTES_PER_SAMPLE);
    }
    this.#rest = all.subarray(samples.length * BYTES_PER_SAMPLE);
    return samples;
  }
}

/** The sample of each µ-law byte: a sign, three bits for the segment, four for the step in it (ITU-T G.711). */
const MULAW = Int16Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84;
  return (bits & 0x80) === 0 ? magnitude : -magnitude;
});
