import {
  base64ByteLength,
  decodeBase64,
  encodeBase64,
  encodeUrlSafeBase64,
  urlSafeBase64,
} from './base64.ts';

/** PCM16 is two bytes a sample. */
export const BYTES_PER_SAMPLE = 2;

/**
 * A piece of audio: 16-bit little-endian mono PCM at a rate.
 *
 * It holds the form it came in, bytes or base64, and makes the other one only when asked: between two legs that both
 * speak base64 nothing is ever encoded again.
 */
export class AudioChunk {
  readonly rateHz: number;
  #pcm: Uint8Array | undefined;
  #base64: string | undefined;

  private constructor(rateHz: number, pcm: Uint8Array | undefined, base64: string | undefined) {
    this.rateHz = rateHz;
    this.#pcm = pcm;
    this.#base64 = base64;
  }

  /** From bytes, which are kept and not copied: do not change them afterwards. */
  static fromPcm(pcm: Uint8Array, rateHz: number): AudioChunk {
    return new AudioChunk(rateHz, pcm, undefined);
  }

  /** From samples, which are kept and not copied. */
  static fromSamples(samples: Int16Array, rateHz: number): AudioChunk {
    return AudioChunk.fromPcm(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), rateHz);
  }

  /** From base64 in either alphabet. Whoever takes it from outside checks it with `isBase64` first. */
  static fromBase64(base64: string, rateHz: number): AudioChunk {
    return new AudioChunk(rateHz, undefined, base64);
  }

  /** From both forms of the same bytes, where checking one has made the other. Both are kept and not copied. */
  static fromBoth(pcm: Uint8Array, base64: string, rateHz: number): AudioChunk {
    return new AudioChunk(rateHz, pcm, base64);
  }

  get byteLength(): number {
    return this.#pcm?.byteLength ?? base64ByteLength(this.#base64 ?? '');
  }

  get sampleCount(): number {
    return Math.floor(this.byteLength / BYTES_PER_SAMPLE);
  }

  get durationMs(): number {
    return (this.sampleCount * 1_000) / this.rateHz;
  }

  /** The bytes. Decoded on first use where the chunk came as base64. */
  get pcm(): Uint8Array {
    this.#pcm ??= decodeBase64(this.#base64 ?? '') ?? new Uint8Array(0);
    return this.#pcm;
  }

  /**
   * Base64, as it came where it came so, otherwise standard with padding. Not kept: it is asked for by the leg that sends
   * it, and chunks that may have to be sent again are kept by the thousand.
   */
  get base64(): string {
    return this.#base64 ?? encodeBase64(this.#pcm ?? new Uint8Array(0));
  }

  /** Base64 in the URL-safe alphabet, with padding. Not kept: it is asked for once, by the leg that sends it. */
  get urlSafeBase64(): string {
    return this.#pcm === undefined ? urlSafeBase64(this.#base64 ?? '') : encodeUrlSafeBase64(this.#pcm);
  }

  /** The samples; a copy only where the bytes do not lie on an even address. */
  get samples(): Int16Array {
    const bytes = this.pcm;
    // Not `bytes.slice()`: bytes from a socket are often a Buffer, whose slice is a view on the same odd address.
    const aligned = bytes.byteOffset % BYTES_PER_SAMPLE === 0 ? bytes : new Uint8Array(bytes);
    return new Int16Array(
      aligned.buffer,
      aligned.byteOffset,
      Math.floor(aligned.byteLength / BYTES_PER_SAMPLE),
    );
  }
}

/** What `audio/pcm` without a rate means: the rate every realtime model takes its input at (Gemini Live). */
export const DEFAULT_INPUT_RATE_HZ = 16_000;

/** The rate named in `audio/pcm;rate=24000`; `fallbackHz` where none is, undefined where it is not PCM audio. */
export function rateOfMimeType(mimeType: string, fallbackHz = DEFAULT_INPUT_RATE_HZ): number | undefined {
  const [type = '', ...parameters] = mimeType.split(';').map((part) => part.trim().toLowerCase());
  if (type !== 'audio/pcm' && type !== 'audio/l16') return undefined;
  for (const parameter of parameters) {
    const rate = /^rate=(\d{1,6})$/.exec(parameter)?.[1];
    if (rate !== undefined) return Number(rate);
  }
  return fallbackHz;
}
