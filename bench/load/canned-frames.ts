import { cannedAudio } from '../canned-audio.ts';
import { DOWN_BYTES, HEADER_BYTES, UP_BYTES } from '../wires.ts';
import type { ClientWire } from '../wires.ts';
import { nowMicros, writeStampBytes, writeStampText } from './stamp.ts';
import { OPCODE, encodeFrame } from './ws-frames.ts';

/** A frame of audio ready to be written, but for its stamp. */
interface FrameForm {
  readonly frame: Buffer;
  readonly stampAt: number;
  readonly isText: boolean;
}

/**
 * One frame for all sessions of a kind: stamped and written again and again. A socket that did not take it at once
 * keeps it, and the next one gets a copy.
 */
export class CannedFrame {
  readonly #stampAt: number;
  readonly #isText: boolean;
  #frame: Buffer;

  constructor({ frame, stampAt, isText }: FrameForm) {
    this.#frame = frame;
    this.#stampAt = stampAt;
    this.#isText = isText;
  }

  /** The frame with the time it is now. */
  stamped(): Buffer {
    if (this.#isText) writeStampText(this.#frame, this.#stampAt, nowMicros());
    else writeStampBytes(this.#frame, this.#stampAt, nowMicros());
    return this.#frame;
  }

  /** A socket still holds the frame: it must not be written into any more. */
  leave(): void {
    this.#frame = Buffer.from(this.#frame);
  }
}

/** What a client sends. */
export function clientFrame(wire: ClientWire): CannedFrame {
  const audio = cannedAudio(UP_BYTES);
  return new CannedFrame(
    wire === 'adk'
      ? textForm(OPCODE.text, '{"blob":{"mime_type":"audio/pcm;rate=16000","data":"', audio, '"}}', true)
      : binaryForm(1, audio, true),
  );
}

/** What a provider sends: Gemini sends its JSON in binary frames. */
export function providerFrame(wire: 'gemini' | 'binary'): CannedFrame {
  const audio = cannedAudio(DOWN_BYTES);
  const head =
    '{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"';
  return new CannedFrame(
    wire === 'gemini' ? textForm(OPCODE.binary, head, audio, '"}}]}}}', false) : binaryForm(2, audio, false),
  );
}

function textForm(opcode: number, head: string, audio: Buffer, tail: string, isMasked: boolean): FrameForm {
  const payload = Buffer.from(head + audio.toString('base64') + tail);
  const frame = encodeFrame(opcode, payload, isMasked);
  return { frame, stampAt: frame.length - payload.length + head.length, isText: true };
}

/** Positions stay at zero: no relay does anything with those of a client but read them. */
function binaryForm(kind: number, audio: Buffer, isMasked: boolean): FrameForm {
  const payload = Buffer.concat([Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]), audio]);
  const frame = encodeFrame(OPCODE.binary, payload, isMasked);
  return { frame, stampAt: frame.length - payload.length + HEADER_BYTES, isText: false };
}

const DATA = Buffer.from('"data":"');

/** Where the payload of an audio message in JSON begins; -1 where there is none. */
export function dataAt(bytes: Buffer, start: number, end: number): number {
  const found = bytes.indexOf(DATA, start);
  return found < 0 || found >= end ? -1 : found + DATA.length;
}
