import { AudioChunk } from '../protocol/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import { BlockPool, lastPieceStart } from './block-pool.ts';
import type { Block } from './block-pool.ts';

/** What of a client's requests is handed to a model. */
export type ClientInput = Exclude<LiveRequest, { readonly type: 'close' }>;

/** A picture counts as the second it is shown for, so that pictures are bounded as the audio beside them is. */
const PICTURE_MS = 1_000;

/** Quieter than this (−42 dB below full scale) is a room and not a voice. */
export const AUDIBLE_SAMPLE = 256;

/** A power of two, as all capacities are: the places of a ring are then a mask. */
const FIRST_CAPACITY = 16;

/** Smaller tables are not worth the work of making smaller ones. */
const SHRINKS_ABOVE = 64;

// The columns of the two tables.
const [POSITION, DURATION_MS, WIDE_COLUMNS] = [0, 1, 2];
const [SENT_AS, FLAGS, START, BYTES, RATE_HZ, NARROW_COLUMNS] = [0, 1, 2, 3, 4, 5];

// What FLAGS holds. Whether audio can be heard is looked at once, when it is first asked for.
const [AUDIO, IMAGE, SENT, PACKED, LISTENED, AUDIBLE] = [1, 2, 4, 8, 16, 32];

/**
 * Inputs in order, in as few objects as can be: a caller who talks without an answer leaves fifty a second, of hundreds of
 * callers, and each object more is looked at by every collection of garbage. Numbers stand in two tables, and the samples
 * of what was sent in blocks; an object stays one until then, and always where it is no audio.
 *
 * Indices count from the oldest one. All of them must be below `length`.
 */
export class KeptInputs {
  #length = 0;
  /** The place of the oldest one. */
  #head = 0;
  /** None before the first input: an idle session holds nothing. */
  #mask = -1;
  #wide = new Float64Array(0);
  #narrow = new Int32Array(0);
  #held: (ClientInput | Block | undefined)[] = [];
  readonly #blocks = new BlockPool();

  get length(): number {
    return this.#length;
  }

  /** Its number, counted from the beginning of the live session. */
  position(index: number): number {
    return this.#wide[this.#place(index) * WIDE_COLUMNS + POSITION] ?? NaN;
  }

  /** How long it lasts; 0 for what is neither audio nor a picture. */
  durationMs(index: number): number {
    return this.#wide[this.#place(index) * WIDE_COLUMNS + DURATION_MS] ?? NaN;
  }

  isAudio(index: number): boolean {
    return (this.#flags(index) & AUDIO) !== 0;
  }

  isImage(index: number): boolean {
    return (this.#flags(index) & IMAGE) !== 0;
  }

  wasSent(index: number): boolean {
    return (this.#flags(index) & SENT) !== 0;
  }

  /** Which input of its connection it was, counted from 0; −1 where it was none. */
  sentAs(index: number): number {
    return this.#narrow[this.#place(index) * NARROW_COLUMNS + SENT_AS] ?? -1;
  }

  /** Whether it is a mark, a message, a picture, or audio in which somebody can be heard. */
  isWord(index: number): boolean {
    const flags = this.#flags(index);
    if ((flags & AUDIO) === 0) return true;
    if ((flags & LISTENED) === 0) return this.#listen(index);
    return (flags & AUDIBLE) !== 0;
  }

  /** The input itself. Of audio that was sent it is a copy. */
  input(index: number): ClientInput | undefined {
    const place = this.#place(index);
    const held = this.#held[place];
    if (held === undefined || !('bytes' in held)) return held;
    const row = place * NARROW_COLUMNS;
    const start = this.#narrow[row + START] ?? 0;
    const pcm = held.bytes.slice(start, start + (this.#narrow[row + BYTES] ?? 0));
    return { type: 'audio', audio: AudioChunk.fromPcm(pcm, this.#narrow[row + RATE_HZ] ?? 0) };
  }

  /** Takes one more. Returns how long it lasts. */
  push(input: ClientInput, position: number): number {
    if (this.#length > this.#mask) this.#resize(Math.max(FIRST_CAPACITY, this.#length * 2));
    const place = this.#place(this.#length);
    this.#length += 1;
    const durationMs = durationOf(input);
    this.#held[place] = input;
    this.#wide[place * WIDE_COLUMNS + POSITION] = position;
    this.#wide[place * WIDE_COLUMNS + DURATION_MS] = durationMs;
    this.#narrow[place * NARROW_COLUMNS + SENT_AS] = -1;
    this.#narrow[place * NARROW_COLUMNS + FLAGS] =
      input.type === 'audio' ? AUDIO : input.type === 'image' ? IMAGE : 0;
    return durationMs;
  }

  /** It was sent, as input number `sentAs` of its connection. */
  markSent(index: number, sentAs: number): void {
    const row = this.#place(index) * NARROW_COLUMNS;
    this.#narrow[row + SENT_AS] = sentAs;
    this.#narrow[row + FLAGS] = (this.#narrow[row + FLAGS] ?? 0) | SENT;
  }

  /** Keeps its samples and lets go of the rest, where it is audio. */
  pack(index: number): void {
    const place = this.#place(index);
    const held = this.#held[place];
    if (held === undefined || 'bytes' in held || held.type !== 'audio') return;
    const { pcm, rateHz } = held.audio;
    const block = this.#blocks.keep(pcm);
    const row = place * NARROW_COLUMNS;
    this.#narrow[row + START] = lastPieceStart(block, pcm.length);
    this.#narrow[row + BYTES] = pcm.length;
    this.#narrow[row + RATE_HZ] = rateHz;
    this.#narrow[row + FLAGS] = (this.#narrow[row + FLAGS] ?? 0) | PACKED;
    this.#held[place] = block;
  }

  /** Of the oldest one it costs nothing, of any other one the moving of what came after it. */
  remove(index: number): void {
    this.#letGo(this.#place(index));
    if (index === 0) {
      this.#head = (this.#head + 1) & this.#mask;
    } else {
      for (let next = index + 1; next < this.#length; next += 1) {
        this.#move(this.#place(next), this.#place(next - 1));
      }
      this.#held[this.#place(this.#length - 1)] = undefined;
    }
    this.#length -= 1;
    if (this.#length === 0) this.#blocks.rest();
    // After half a minute without an answer a session must not hold the room for it to its end.
    const capacity = this.#mask + 1;
    if (capacity > SHRINKS_ABOVE && this.#length * 8 <= capacity) this.#resize(capacity / 4);
  }

  clear(): void {
    this.#length = 0;
    this.#head = 0;
    this.#mask = -1;
    this.#wide = new Float64Array(0);
    this.#narrow = new Int32Array(0);
    this.#held = [];
    this.#blocks.clear();
  }

  #place(index: number): number {
    return (this.#head + index) & this.#mask;
  }

  #flags(index: number): number {
    return this.#narrow[this.#place(index) * NARROW_COLUMNS + FLAGS] ?? 0;
  }

  #listen(index: number): boolean {
    const place = this.#place(index);
    const row = place * NARROW_COLUMNS;
    const held = this.#held[place];
    let isVoice = false;
    if (held !== undefined && 'bytes' in held) {
      const start = this.#narrow[row + START] ?? 0;
      const samples = Math.floor((this.#narrow[row + BYTES] ?? 0) / 2);
      isVoice = isLoud(new Int16Array(held.bytes.buffer, start, samples));
    } else if (held?.type === 'audio') {
      isVoice = isAudible(held.audio);
    }
    this.#narrow[row + FLAGS] = (this.#narrow[row + FLAGS] ?? 0) | LISTENED | (isVoice ? AUDIBLE : 0);
    return isVoice;
  }

  #letGo(place: number): void {
    const held = this.#held[place];
    this.#held[place] = undefined;
    if (held !== undefined && 'bytes' in held) this.#blocks.letGo(held);
  }

  #move(from: number, to: number): void {
    this.#held[to] = this.#held[from];
    this.#wide.copyWithin(to * WIDE_COLUMNS, from * WIDE_COLUMNS, (from + 1) * WIDE_COLUMNS);
    this.#narrow.copyWithin(to * NARROW_COLUMNS, from * NARROW_COLUMNS, (from + 1) * NARROW_COLUMNS);
  }

  /** `capacity` is a power of two, and more than there are. */
  #resize(capacity: number): void {
    const wide = new Float64Array(capacity * WIDE_COLUMNS);
    const narrow = new Int32Array(capacity * NARROW_COLUMNS);
    const held: (ClientInput | Block | undefined)[] = [];
    for (let index = 0; index < capacity; index += 1) {
      const place = this.#place(index);
      held.push(index < this.#length ? this.#held[place] : undefined);
      if (index >= this.#length) continue;
      const [wideRow, narrowRow] = [place * WIDE_COLUMNS, place * NARROW_COLUMNS];
      wide.set(this.#wide.subarray(wideRow, wideRow + WIDE_COLUMNS), index * WIDE_COLUMNS);
      narrow.set(this.#narrow.subarray(narrowRow, narrowRow + NARROW_COLUMNS), index * NARROW_COLUMNS);
    }
    this.#wide = wide;
    this.#narrow = narrow;
    this.#held = held;
    this.#head = 0;
    this.#mask = capacity - 1;
  }
}

function durationOf(input: ClientInput): number {
  if (input.type === 'audio') return input.audio.durationMs;
  return input.type === 'image' ? PICTURE_MS : 0;
}

/** Whether somebody, or something, can be heard in it. */
export function isAudible(audio: AudioChunk): boolean {
  return isLoud(audio.samples);
}

function isLoud(samples: Int16Array): boolean {
  for (const sample of samples) if (sample > AUDIBLE_SAMPLE || sample < -AUDIBLE_SAMPLE) return true;
  return false;
}
