/** Opcodes of WebSocket frames (RFC 6455 11.8). */
export const OPCODES = { text: 0x1, binary: 0x2, close: 0x8 } as const;

const FINAL = 0x80;
/** What stands where a length would, when it follows in two or in eight bytes. */
const LENGTH_IN_TWO_BYTES = 126;
const LENGTH_IN_EIGHT_BYTES = 127;

/**
 * A whole frame of a server, for what no WebSocket library would send.
 * @see RFC 6455 5.2
 */
export function frameBytes(opcode: number, payload: Buffer): Buffer {
  const { byteLength } = payload;
  if (byteLength < LENGTH_IN_TWO_BYTES)
    return Buffer.concat([Buffer.of(FINAL | opcode, byteLength), payload]);
  const head = Buffer.alloc(byteLength < 0x1_0000 ? 4 : 10);
  head[0] = FINAL | opcode;
  if (head.length === 4) {
    head[1] = LENGTH_IN_TWO_BYTES;
    head.writeUInt16BE(byteLength, 2);
  } else {
    head[1] = LENGTH_IN_EIGHT_BYTES;
    head.writeBigUInt64BE(BigInt(byteLength), 2);
  }
  return Buffer.concat([head, payload]);
}

/** The payload of a close frame; without a code it is empty. */
export function closePayload(code: number | undefined, reason = ''): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}
