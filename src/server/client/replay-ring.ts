import { BYTES_PER_SAMPLE, decodeAudioFrame, encodeAudioFrame } from '../../protocol/index.ts';
import { BlockPool, lastPieceStart } from '../../session/block-pool.ts';
import type { Block } from '../../session/block-pool.ts';
import type { ReplayBudget } from './replay-budget.ts';

/** A message of `holdfast.v1` as it goes over the wire. */
export type WireMessage = string | Uint8Array;

/**
 * More than forty seconds of the agent's voice at 24 kHz: what it says while a client is away for the default grace, and
 * what was on its way to that client before. A client that acknowledges keeps it nearly empty.
 */
export const DEFAULT_MAX_REPLAY_BYTES = 2 * 1024 * 1024;

/** Forty seconds of frames of 20 ms, for a model whose messages are small. */
export const DEFAULT_MAX_REPLAY_MESSAGES = 2_000;

export interface ReplayLimits {
  readonly maxBytes: number;
  readonly maxMessages: number;
}

/** Up to where a client has everything. */
export interface ClientPosition {
  /** The last event it got. */
  readonly seq: number;
  /** How many samples of the agent's audio it got. */
  readonly positionSamples: number;
}

/** What a client that came back is given. */
export interface Missed {
  /** Whether that is all it missed. */
  readonly isComplete: boolean;
  /** Events that follow have greater numbers. */
  readonly seq: number;
  readonly messages: readonly WireMessage[];
}

interface Kept {
  readonly seq: number;
  /** The text of an event, or the block that a frame of audio was copied into. */
  readonly held: string | Block;
  readonly start: number;
  /** Of audio: how many samples there are with the end of this frame. */
  readonly endSamples: number | undefined;
  readonly bytes: number;
}

/** What an entry costs beside its message, by and large. */
const ENTRY_BYTES = 64;

/**
 * What a client was sent last, in its order, to be sent again when it comes back (clauses H2, L).
 *
 * Frames of audio are copied: they are small pieces of memory that others are cut from too. It knows the last message that it
 * has let go of, and so whether a client has missed more than is left.
 */
export class ReplayRing {
  readonly #limits: ReplayLimits;
  readonly #budget: ReplayBudget | undefined;
  readonly #blocks = new BlockPool();
  #kept: Kept[] = [];
  /** Where the oldest message stands. */
  #head = 0;
  #bytes = 0;
  #lastSeq = 0;
  #sentSamples = 0;
  #goneSeq = 0;
  #goneSamples = 0;
  #isClosed = false;

  constructor(
    limits: ReplayLimits = { maxBytes: DEFAULT_MAX_REPLAY_BYTES, maxMessages: DEFAULT_MAX_REPLAY_MESSAGES },
    budget?: ReplayBudget,
  ) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** The last event there was. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get messages(): number {
    return this.#kept.length - this.#head;
  }

  /** Begins in the middle of a live session, with a client that has nothing to come back to. */
  beginAt({ seq, positionSamples }: ClientPosition): void {
    this.#lastSeq = this.#goneSeq = seq;
    this.#sentSamples = this.#goneSamples = positionSamples;
  }

  push(seq: number, message: WireMessage, endSamples?: number): void {
    const isText = typeof message === 'string';
    const bytes = ENTRY_BYTES + (isText ? message.length * 2 : message.byteLength);
    const held = isText ? message : this.#blocks.keep(message);
    const start = typeof held === 'string' ? 0 : lastPieceStart(held, message.length);
    this.#kept.push({ seq, held, start, endSamples, bytes });
    this.#lastSeq = seq;
    this.#sentSamples = endSamples ?? this.#sentSamples;
    this.#changeBytes(bytes);
    if (this.#isClosed) this.shrinkTo(0);
    while (this.#bytes > this.#limits.maxBytes || this.messages > this.#limits.maxMessages) this.#drop();
  }

  /** The client has every event up to this one, and all audio before it. */
  acknowledged(seq: number): void {
    for (let oldest = this.#oldest; oldest !== undefined && oldest.seq <= seq; oldest = this.#oldest) {
      this.#drop();
    }
  }

  /** The client has heard so much, and so has it. */
  heard(positionSamples: number): void {
    for (let oldest = this.#oldest; oldest?.endSamples !== undefined; oldest = this.#oldest) {
      if (oldest.endSamples > positionSamples) return;
      this.#drop();
    }
  }

  /** What a client has not got that stands at `position`. */
  missedBy({ seq, positionSamples }: ClientPosition): Missed {
    // It claims what there has never been: what it has is not known.
    if (seq > this.#lastSeq || positionSamples > this.#sentSamples) {
      return { isComplete: false, seq: this.#lastSeq, messages: [] };
    }
    const isComplete = seq >= this.#goneSeq && positionSamples >= this.#goneSamples;
    const messages: WireMessage[] = [];
    for (const kept of this.#kept.slice(this.#head)) {
      const message =
        kept.endSamples === undefined ? eventAfter(kept, seq) : audioFrom(kept, positionSamples);
      if (message !== undefined) messages.push(message);
    }
    return { isComplete, seq: isComplete ? seq : Math.max(seq, this.#goneSeq), messages };
  }

  /** Nobody comes back to it any more: it lets go of everything, and keeps nothing from here on. */
  close(): void {
    this.#isClosed = true;
    this.shrinkTo(0);
  }

  /** Lets go of the oldest until no more than this is left. */
  shrinkTo(bytes: number): void {
    while (this.#bytes > bytes) this.#drop();
  }

  #changeBytes(by: number): void {
    this.#bytes += by;
    this.#budget?.changed(this, by);
  }

  get #oldest(): Kept | undefined {
    return this.#kept[this.#head];
  }

  #drop(): void {
    const oldest = this.#oldest;
    if (oldest === undefined) return;
    if (oldest.endSamples === undefined) this.#goneSeq = oldest.seq;
    else this.#goneSamples = oldest.endSamples;
    this.#changeBytes(-oldest.bytes);
    if (typeof oldest.held !== 'string') this.#blocks.letGo(oldest.held);
    this.#kept[this.#head] = GONE;
    this.#head += 1;
    if (this.messages === 0) this.#blocks.rest();
    // Moving the tail down once half the array is spent keeps both the work and the memory constant on average.
    if (this.#head * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#head);
    this.#head = 0;
  }
}

/** Stands where a message stood, so that the array does not hold it. */
const GONE: Kept = { seq: 0, held: '', start: 0, endSamples: undefined, bytes: 0 };

function eventAfter({ seq, held }: Kept, lastSeq: number): WireMessage | undefined {
  return seq > lastSeq && typeof held === 'string' ? held : undefined;
}

/** The rest of a frame of which the client has the beginning. */
function audioFrom(
  { held, start, bytes, endSamples = 0 }: Kept,
  fromSamples: number,
): WireMessage | undefined {
  if (endSamples <= fromSamples || typeof held === 'string') return undefined;
  const message = held.bytes.slice(start, start + bytes - ENTRY_BYTES);
  const frame = decodeAudioFrame(message);
  if (frame === undefined || frame.positionSamples >= fromSamples) return message;
  const known = fromSamples - frame.positionSamples;
  return encodeAudioFrame('output', fromSamples, frame.pcm.subarray(known * BYTES_PER_SAMPLE));
}
