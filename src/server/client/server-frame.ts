/** How RFC 6455 5.2 writes the length of a payload: in the second byte, or after it in 16 or 64 bits. */
const LENGTH_IN_BYTE = 126;
const LENGTH_IN_16_BITS = 0x1_0000;

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;

/**
 * One unmasked frame of a server, header and payload in one buffer, so that it costs the socket one write of one
 * piece. The library hands both over as two, and gathering them is dearer than copying a frame of audio: it was a
 * fifteenth of what relaying one costs.
 */
export function serverFrame(data: string | Uint8Array): Buffer {
  const isText = typeof data === 'string';
  const payloadBytes = isText ? Buffer.byteLength(data) : data.byteLength;
  const headerBytes = payloadBytes < LENGTH_IN_BYTE ? 2 : payloadBytes < LENGTH_IN_16_BITS ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes);
  frame[0] = isText ? FINAL_TEXT : FINAL_BINARY;
  if (headerBytes === 2) {
    frame[1] = payloadBytes;
  } else if (headerBytes === 4) {
    frame[1] = LENGTH_IN_BYTE;
    frame[2] = payloadBytes >>> 8;
    frame[3] = payloadBytes;
  } else {
    frame[1] = LENGTH_IN_BYTE + 1;
    frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
  if (isText) frame.write(data, headerBytes);
  else frame.set(data, headerBytes);
  return frame;
}
