import { InvalidOptionError } from '../kernel/index.ts';
import { BYTES_PER_SAMPLE } from './audio-chunk.ts';
import { allocateBytes } from './node-buffer.ts';

/**
 * A binary frame of `holdfast.v1`:
 *
 * | byte | meaning                                                                |
 * | ---- | ---------------------------------------------------------------------- |
 * | 0    | kind: 1 the user's audio, 2 the agent's                                |
 * | 1    | flags, 0 for now; a receiver ignores those it does not know            |
 * | 2–7  | position of the first sample in its stream: unsigned, 48 bits, big end first |
 * | 8–   | samples: PCM16, little end first, one channel                          |
 */
export const AUDIO_FRAME_HEADER_BYTES = 8;

/** The user's audio, client to server; the agent's, server to client. */
export type AudioFrameKind = 'input' | 'output';

const KIND_INPUT = 1;
const KIND_OUTPUT = 2;

const TWO_TO_THE_32 = 0x1_0000_0000;

/** 48 bits of samples: 371 years at 24 kHz. */
export const MAX_POSITION_SAMPLES = 2 ** 48 - 1;

export interface AudioFrame {
  readonly kind: AudioFrameKind;
  readonly flags: number;
  /** How many samples of the same stream come before this frame. */
  readonly positionSamples: number;
  /** A view of the frame's bytes, not a copy. */
  readonly pcm: Uint8Array;
}

/**
 * One frame, in one allocation.
 * @throws InvalidOptionError when `pcm` is empty or half a sample long, or the position does not fit 48 bits.
 */
export function encodeAudioFrame(
  kind: AudioFrameKind,
  positionSamples: number,
  pcm: Uint8Array,
  flags = 0,
): Uint8Array<ArrayBuffer> {
  if (pcm.byteLength === 0 || pcm.byteLength % BYTES_PER_SAMPLE !== 0) {
    throw new InvalidOptionError(
      `Audio is sent in whole samples of two bytes; there were ${pcm.byteLength} bytes.`,
    );
  }
  if (!Number.isInteger(positionSamples) || positionSamples < 0 || positionSamples > MAX_POSITION_SAMPLES) {
    throw new InvalidOptionError(
      `A position is a whole number of samples up to 2^48 - 1; it was ${positionSamples}.`,
    );
  }
  const frame = allocateBytes(AUDIO_FRAME_HEADER_BYTES + pcm.byteLength);
  const high = Math.floor(positionSamples / TWO_TO_THE_32);
  const low = positionSamples >>> 0;
  frame[0] = kind === 'input' ? KIND_INPUT : KIND_OUTPUT;
  frame[1] = flags;
  frame[2] = high >>> 8;
  frame[3] = high;
  frame[4] = low >>> 24;
  frame[5] = low >>> 16;
  frame[6] = low >>> 8;
  frame[7] = low;
  frame.set(pcm, AUDIO_FRAME_HEADER_BYTES);
  return frame;
}

/** The frame's parts; undefined when it is too short, ends in half a sample, or is of an unknown kind. */
export function decodeAudioFrame(frame: Uint8Array): AudioFrame | undefined {
  const { byteLength } = frame;
  if (byteLength < AUDIO_FRAME_HEADER_BYTES + BYTES_PER_SAMPLE || byteLength % BYTES_PER_SAMPLE !== 0) {
    return undefined;
  }
  const kind = frame[0];
  if (kind !== KIND_INPUT && kind !== KIND_OUTPUT) return undefined;
  const high = byte(frame, 2) * 0x100 + byte(frame, 3);
  const low = byte(frame, 4) * 0x100_0000 + ((byte(frame, 5) << 16) | (byte(frame, 6) << 8) | byte(frame, 7));
  return {
    kind: kind === KIND_INPUT ? 'input' : 'output',
    flags: byte(frame, 1),
    positionSamples: high * TWO_TO_THE_32 + low,
    pcm: frame.subarray(AUDIO_FRAME_HEADER_BYTES),
  };
}

function byte(frame: Uint8Array, index: number): number {
  return frame[index] ?? 0;
}
