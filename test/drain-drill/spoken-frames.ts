import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeAudioFrame } from '../../src/protocol/index.ts';
import { parseWav } from '../../src/speech/index.ts';
import { CHECKOUT } from '../support/checkout.ts';

/** Fifty frames a second, as microphones send them. */
export const FRAME_MS = 20;

export const INPUT_RATE_HZ = 16_000;
const FRAME_SAMPLES = (INPUT_RATE_HZ * FRAME_MS) / 1_000;

/** One frame, in the words of both wires. */
interface Frame {
  readonly pcm: Uint8Array;
  /** Of the ADK's wire; made once, because the load has to be cheap to make. */
  readonly adk: string;
}

/** A recorded sentence, cut into frames, and silence. */
export class SpokenFrames {
  readonly spoken: readonly Frame[];
  readonly #silence: Frame;

  constructor() {
    const { samples } = parseWav(new Uint8Array(readFileSync(join(CHECKOUT, 'test/fixtures/hello.wav'))));
    const count = Math.floor(samples.length / FRAME_SAMPLES);
    this.spoken = Array.from({ length: count }, (_, index) =>
      frameOf(samples.slice(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES)),
    );
    this.#silence = frameOf(new Int16Array(FRAME_SAMPLES));
  }

  /** Frame `index` of the sentence, and silence behind its end. */
  adk(index: number): string {
    return this.#at(index).adk;
  }

  /** The same for `holdfast.v1`, as frame `position` of the call. */
  holdfast(index: number, position: number): Uint8Array {
    return encodeAudioFrame('input', position * FRAME_SAMPLES, this.#at(index).pcm);
  }

  #at(index: number): Frame {
    return this.spoken[index] ?? this.#silence;
  }
}

function frameOf(samples: Int16Array): Frame {
  const pcm = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  const data = Buffer.from(pcm).toString('base64');
  return { pcm, adk: JSON.stringify({ blob: { mimeType: `audio/pcm;rate=${INPUT_RATE_HZ}`, data } }) };
}
