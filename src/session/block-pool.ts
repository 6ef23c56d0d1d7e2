/** Half a second of 16 kHz, a third of 24 kHz: what a caller who says nothing holds fits in one of them. */
export const BLOCK_BYTES = 16_384;

/** Bytes of several pieces, one after the other. It is used again when none of its pieces is kept any more. */
export interface Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the next piece begins. */
  used: number;
  pieces: number;
}

/**
 * Copies of many small pieces of bytes that are kept for a while and let go of in about their order.
 *
 * A frame of audio is mostly a few hundred bytes cut from a pool that all sessions share, so who keeps one keeps its
 * neighbours with it: several times of what was meant to be kept. A copy in a block of one's own costs what it is.
 */
export class BlockPool {
  #block: Block | undefined;
  #spare: Block | undefined;

  /** Copies a piece to the end of a block, which is returned; `lastPieceStart` says where it begins. */
  keep(piece: Uint8Array): Block {
    const block = this.#blockFor(piece.length);
    block.bytes.set(piece, block.used);
    block.used += roomFor(piece.length);
    block.pieces += 1;
    return block;
  }

  /** One of its pieces is not kept any more. */
  letGo(block: Block): void {
    block.pieces -= 1;
    if (block.pieces > 0 || block.bytes.length !== BLOCK_BYTES) return;
    block.used = 0;
    if (block !== this.#block) this.#spare = block;
  }

  /** Nothing is kept now: one block is held for what comes next, and no other. */
  rest(): void {
    this.#spare = undefined;
  }

  clear(): void {
    this.#block = undefined;
    this.#spare = undefined;
  }

  #blockFor(bytes: number): Block {
    const block = this.#block;
    if (block !== undefined && block.used + bytes <= block.bytes.length) return block;
    if (bytes > BLOCK_BYTES) return { bytes: new Uint8Array(bytes), used: 0, pieces: 0 };
    const next = this.#spare ?? { bytes: new Uint8Array(BLOCK_BYTES), used: 0, pieces: 0 };
    this.#spare = undefined;
    this.#block = next;
    return next;
  }
}

/** Where the piece begins that was kept last in this block. */
export function lastPieceStart(block: Block, bytes: number): number {
  return block.used - roomFor(bytes);
}

/** Every piece begins at an even address, as samples have to. */
function roomFor(bytes: number): number {
  return bytes + (bytes & 1);
}
