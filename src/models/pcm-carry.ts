import { BYTES_PER_SAMPLE } from '../protocol/index.ts';

/** Fewer bytes do not tell speech from noise. */
const TELLING_BYTES = 64;

/** How much rougher noise is at least: bytes of speech in the wrong pairs are rougher by far more. */
const CLEARLY = 2;

/**
 * Makes whole samples of bytes of PCM16 that come in pieces of any length: a sample that is cut in two waits for its other
 * half.
 */
export class PcmCarry {
  #half: number | undefined;

  /** Whether half a sample waits. */
  get isSplit(): boolean {
    return this.#half !== undefined;
  }

  /** The whole samples that are there with this piece, as bytes. The piece itself where nothing is to be moved. */
  push(piece: Uint8Array): Uint8Array {
    if (piece.byteLength === 0) return piece;
    let bytes = piece;
    if (this.#half !== undefined) {
      bytes = new Uint8Array(piece.byteLength + 1);
      bytes[0] = this.#half;
      bytes.set(piece, 1);
      this.#half = undefined;
    }
    if (bytes.byteLength % BYTES_PER_SAMPLE === 0) return bytes;
    this.#half = bytes.at(-1);
    return bytes.subarray(0, -1);
  }

  /**
   * The same of pieces of which one may have lost its last byte, as messages may and a stream of bytes may not: where
   * `piece` sounds like noise behind the half that waits, and like speech without it, the other half will never come.
   */
  pushMessage(piece: Uint8Array): Uint8Array {
    if (this.#half !== undefined && piece.byteLength >= TELLING_BYTES) {
      if (roughness(piece, 0) * CLEARLY < roughness(piece, 1)) this.#half = undefined;
    }
    return this.push(piece);
  }

  reset(): void {
    this.#half = undefined;
  }
}

/** How far samples are from their neighbours, where the first one begins at `offset`: bytes in the wrong pairs are noise. */
function roughness(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  let count = 0;
  for (let at = offset + BYTES_PER_SAMPLE; at + 1 < bytes.byteLength; at += BYTES_PER_SAMPLE) {
    sum += Math.abs(view.getInt16(at, true) - view.getInt16(at - BYTES_PER_SAMPLE, true));
    count += 1;
  }
  return count === 0 ? 0 : sum / count;
}
