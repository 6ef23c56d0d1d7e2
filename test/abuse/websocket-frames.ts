export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameShape {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly final?: boolean;
  /** The three reserved bits, as a number from 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the header says of the length, where that is not how long it is. */
  readonly claims?: bigint;
  /** In how many bits the length is written; default: as few as do. */
  readonly lengthBits?: 7 | 16 | 64;
}

/** One frame of a client, also one that no client may send. The mask is zero, which leaves the payload as it is. */
export function clientFrame(shape: FrameShape): Buffer {
  const { opcode, final = true, reserved = 0, masked = true } = shape;
  const payload = Buffer.from(shape.payload ?? '');
  const length = shape.claims ?? BigInt(payload.byteLength);
  const bits = shape.lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const mark = masked ? 0x80 : 0;
  const first = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  const header = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  header[0] = first;
  if (bits === 7) header[1] = mark | Number(length);
  else if (bits === 16) {
    header[1] = mark | 126;
    header.writeUInt16BE(Number(length), 2);
  } else {
    header[1] = mark | 127;
    header.writeBigUInt64BE(length, 2);
  }
  return Buffer.concat([header, Buffer.alloc(masked ? 4 : 0), payload]);
}

export const textFrame = (payload: string | Uint8Array): Buffer =>
  clientFrame({ opcode: OPCODE.text, payload });

/** The payload of a close frame. */
export function closePayload(code: number, reason: string | Uint8Array = ''): Buffer {
  return Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);
}

export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The whole frames that a server has sent; they are neither masked nor in pieces. */
export function serverFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  let at = 0;
  while (at + 2 <= bytes.byteLength) {
    const short = bytes[at + 1]! & 0x7f;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (start > bytes.byteLength) break;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    if (start + length > bytes.byteLength) break;
    frames.push({ opcode: bytes[at]! & 0x0f, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
