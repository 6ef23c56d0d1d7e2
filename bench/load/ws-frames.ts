import { unmasked } from './stamp.ts';
import type { Mask } from './stamp.ts';

/** Just enough of RFC 6455 for a load that costs less than what it loads: no fragments, no extensions. */
export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const EMPTY = Buffer.alloc(0);
const FINAL = 0x80;
const MASKED = 0x80;
const KEY_BYTES = 4;

/**
 * A whole frame. A client's frame must be masked; its key is zero here, so that the payload can be changed in place.
 * The relay unmasks it all the same.
 */
export function encodeFrame(opcode: number, payload: Uint8Array, isMasked: boolean): Buffer {
  const { byteLength } = payload;
  const lengthBytes = byteLength < 126 ? 0 : byteLength < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + lengthBytes + (isMasked ? KEY_BYTES : 0) + byteLength);
  frame[0] = FINAL | opcode;
  frame[1] = (isMasked ? MASKED : 0) | (lengthBytes === 0 ? byteLength : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(byteLength, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(byteLength), 2);
  frame.set(payload, frame.length - byteLength);
  return frame;
}

/** Called for each frame; the bytes from `start` to `end` are only valid during the call, and still masked. */
export type FrameListener = (
  opcode: number,
  bytes: Buffer,
  start: number,
  end: number,
  mask: Mask | undefined,
) => void;

/** Cuts a stream of bytes into frames, without copying them. */
export class FrameReader {
  readonly #listener: FrameListener;
  readonly #mask: Mask = { keyAt: 0, payloadAt: 0 };
  #rest: Buffer = EMPTY;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = this.#frame(bytes, at); end > at; end = this.#frame(bytes, at)) at = end;
    // Copied: the chunk may be one that is read into again.
    this.#rest = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
  }

  /** Reads the frame at `at`; returns its end, or `at` where it is not all there. */
  #frame(bytes: Buffer, at: number): number {
    if (bytes.length < at + 2) return at;
    const second = bytes[at + 1] ?? 0;
    const short = second & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const keyAt = at + 2 + lengthBytes;
    const isMasked = (second & MASKED) !== 0;
    const start = keyAt + (isMasked ? KEY_BYTES : 0);
    if (bytes.length < start) return at;
    let length = short;
    if (lengthBytes === 2) length = bytes.readUInt16BE(at + 2);
    if (lengthBytes === 8) length = Number(bytes.readBigUInt64BE(at + 2));
    const end = start + length;
    if (bytes.length < end) return at;
    this.#mask.keyAt = keyAt;
    this.#mask.payloadAt = start;
    this.#listener((bytes[at] ?? 0) & 0x0f, bytes, start, end, isMasked ? this.#mask : undefined);
    return end;
  }
}

/** A frame's payload, unmasked and copied. For what is rare. */
export function payloadOf(bytes: Buffer, start: number, end: number, mask: Mask | undefined): Buffer {
  const payload = Buffer.alloc(end - start);
  for (let at = start; at < end; at += 1) payload[at - start] = unmasked(bytes, at, mask);
  return payload;
}
