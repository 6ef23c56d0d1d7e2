/** The part of Node's Buffer used here. Read from the global, so that it needs no import and runs in browsers. */
interface NodeBuffer {
  allocUnsafe(byteLength: number): Uint8Array<ArrayBuffer>;
  from(
    text: string,
    encoding: 'base64',
  ): Uint8Array<ArrayBuffer> & { toString(encoding: 'base64url'): string };
  from(
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ): { toString(encoding: 'base64' | 'base64url'): string };
}

/** Undefined in browsers. */
export const nodeBuffer = (globalThis as { Buffer?: NodeBuffer }).Buffer;

/**
 * Bytes that the caller writes every one of: what was there before may still be in them.
 *
 * On Node they are cut from a pool. A buffer of its own for every frame would be memory outside the heap, and enough
 * of that makes the collector look through the whole heap several times a second: a third of a relay's CPU.
 */
export function allocateBytes(byteLength: number): Uint8Array<ArrayBuffer> {
  return nodeBuffer === undefined ? new Uint8Array(byteLength) : nodeBuffer.allocUnsafe(byteLength);
}
