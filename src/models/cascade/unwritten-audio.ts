import { AudioChunk, BYTES_PER_SAMPLE } from '../../protocol/index.ts';
import { LEAD_IN_MS, QUIET_TAIL_MS } from '../../session/input-ring.ts';
import { isAudible } from '../../session/kept-inputs.ts';

interface Kept {
  readonly audio: AudioChunk;
  /** The place of its first sample, counted from the first one that was ever heard. */
  readonly at: number;
  wasSent: boolean;
}

/** From some place on, the samples of a connection are those of the stream, moved by `by`. */
interface Shift {
  /** From this sample of the connection on. */
  readonly from: number;
  readonly by: number;
}

/**
 * The user's audio that no final transcript covers yet, in order: first what was sent, then what waits to be sent. It is
 * what a new connection has to hear. More than fits is forgotten from its oldest end, and counted.
 *
 * Places are in the stream: they count from the first audio that was heard, over all connections. A recogniser counts
 * from the first audio of its connection, and what it says is translated here.
 */
export class UnwrittenAudio {
  readonly #rateHz: number;
  readonly #maxSamples: number;
  readonly #kept: Kept[] = [];
  /** The index of the next one to be sent. */
  #next = 0;
  /** Where the stream ends. */
  #end = 0;
  /** What lies before this is written down. */
  #written = 0;
  #keptSamples = 0;
  /** How much the connection was sent, and how its samples lie in the stream. */
  #sentSamples = 0;
  #shifts: Shift[] = [];
  /** Dropped since something was written down: what had been sent, and what no connection has had. */
  #droppedSent = 0;
  #lost = 0;

  constructor(rateHz: number, maxAudioMs: number) {
    this.#rateHz = rateHz;
    this.#maxSamples = (maxAudioMs * rateHz) / 1_000;
  }

  /** The end of what was heard. */
  get endMs(): number {
    return this.#ms(this.#end);
  }

  /** Up to where it is written down. */
  get writtenMs(): number {
    return this.#ms(this.#written);
  }

  /** Whether anything waits to be sent. */
  get isWaiting(): boolean {
    return this.#next < this.#kept.length;
  }

  /** Whether anything that was sent and is not written down can be heard. */
  get hasAudibleSent(): boolean {
    return this.#kept.slice(0, this.#next).some(({ audio }) => isAudible(audio));
  }

  /** Whether anything at all that is not written down can be heard. */
  get hasAudible(): boolean {
    return this.#kept.some(({ audio }) => isAudible(audio));
  }

  /** Whether nobody is speaking, as far as the latest audio tells. */
  get isQuiet(): boolean {
    let tail = 0;
    for (let index = this.#kept.length - 1; index >= 0 && this.#ms(tail) < QUIET_TAIL_MS; index -= 1) {
      const { audio } = this.#kept[index] as Kept;
      if (isAudible(audio)) return false;
      tail += audio.sampleCount;
    }
    return true;
  }

  push(audio: AudioChunk): void {
    this.#kept.push({ audio, at: this.#end, wasSent: false });
    this.#end += audio.sampleCount;
    this.#keptSamples += audio.sampleCount;
    while (this.#keptSamples > this.#maxSamples && this.#kept.length > 1) this.#dropOldest();
  }

  /** The next to be sent, and where it begins. */
  peek(): { readonly audio: AudioChunk; readonly atMs: number } | undefined {
    const next = this.#kept[this.#next];
    return next === undefined ? undefined : { audio: next.audio, atMs: this.#ms(next.at) };
  }

  /** The connection has taken what `peek` gave. */
  sent(): void {
    const next = this.#kept[this.#next];
    if (next === undefined) return;
    next.wasSent = true;
    this.#next += 1;
    const by = next.at - this.#sentSamples;
    if (this.#shifts.at(-1)?.by !== by) this.#shifts.push({ from: this.#sentSamples, by });
    this.#sentSamples += next.audio.sampleCount;
  }

  /** What `peek` gave cannot be sent, ever. */
  refused(): void {
    const [refused] = this.#kept.splice(this.#next, 1);
    this.#keptSamples -= refused?.audio.sampleCount ?? 0;
  }

  /** A time of the connection as one of the stream. Never beyond what was sent. */
  streamMs(connectionMs: number): number {
    const sample = Math.min(Math.round((connectionMs * this.#rateHz) / 1_000), this.#sentSamples);
    const shift = this.#shifts.findLast(({ from }) => from < sample) ?? this.#shifts[0];
    return this.#ms(sample + (shift?.by ?? 0));
  }

  /** What lies before this place of the stream is written down, as far as it was sent. */
  writtenUntil(streamMs: number): void {
    this.#forgetSentBefore(Math.round((streamMs * this.#rateHz) / 1_000));
  }

  /**
   * Something was written down, and nobody says up to where: up to the last pause, after which somebody may have begun to
   * speak again, or everything, where there was none.
   */
  writtenUntilPause(): void {
    let quiet = 0;
    for (let index = this.#next - 1; index >= 0; index -= 1) {
      const { audio, at } = this.#kept[index] as Kept;
      quiet = isAudible(audio) ? 0 : quiet + audio.sampleCount;
      if (this.#ms(quiet) < QUIET_TAIL_MS) continue;
      const pauseEnd = at + quiet;
      const hasSpoken = this.#kept.slice(0, index).some((earlier) => isAudible(earlier.audio));
      if (!hasSpoken) break;
      this.#forgetSentBefore(pauseEnd);
      return;
    }
    this.forgetSent();
  }

  /** All that was sent is done with. */
  forgetSent(): void {
    this.#forgetSentBefore(this.#kept[this.#next]?.at ?? this.#end);
  }

  /** The connection is gone: what it was sent is sent again, but for the silence before the first sound. */
  rewind(): void {
    const first = this.#kept[0];
    // A voice at the very beginning was there before: what was dropped before it is missing. After a pause it is not.
    if (first?.wasSent === true && isAudible(first.audio)) this.#lost += this.#droppedSent;
    this.#droppedSent = 0;
    const word = this.#kept.findIndex(({ audio, wasSent }) => !wasSent || isAudible(audio));
    const start = word === -1 || word >= this.#next ? this.#next : this.#withLeadIn(word);
    for (const { audio } of this.#kept.splice(0, start)) this.#keptSamples -= audio.sampleCount;
    this.#next = 0;
  }

  /** A connection begins. Tells what it gets again, and what no connection gets; what is lost is told once. */
  connected(): { readonly replayedMs: number; readonly audioGapMs: number } {
    this.#sentSamples = 0;
    this.#shifts = [];
    let replayed = 0;
    for (const { audio, wasSent } of this.#kept) if (wasSent) replayed += audio.sampleCount;
    const audioGapMs = this.#ms(this.#lost);
    this.#lost = 0;
    return { replayedMs: this.#ms(replayed), audioGapMs };
  }

  #withLeadIn(word: number): number {
    let [index, leadIn] = [word, 0];
    while (index > 0 && this.#ms(leadIn) < LEAD_IN_MS) {
      index -= 1;
      leadIn += this.#kept[index]?.audio.sampleCount ?? 0;
    }
    return index;
  }

  #forgetSentBefore(place: number): void {
    const sentEnd = this.#kept[this.#next]?.at ?? this.#end;
    const written = Math.min(place, sentEnd);
    if (written <= this.#written) return;
    this.#written = written;
    this.#droppedSent = 0;
    let first = this.#kept[0];
    while (first?.wasSent === true && this.#next > 0 && first.at < written) {
      this.#removeFirst();
      const rest = first.at + first.audio.sampleCount - written;
      if (rest > 0) this.#putBack(first, rest);
      first = rest > 0 ? undefined : this.#kept[0];
    }
  }

  /** The last samples of a piece that was written down in part. */
  #putBack({ audio }: Kept, samples: number): void {
    const pcm = audio.pcm.subarray((audio.sampleCount - samples) * BYTES_PER_SAMPLE);
    this.#kept.unshift({
      audio: AudioChunk.fromPcm(pcm, this.#rateHz),
      at: this.#written,
      wasSent: true,
    });
    this.#keptSamples += samples;
    this.#next += 1;
  }

  #dropOldest(): void {
    const dropped = this.#removeFirst();
    if (dropped === undefined) return;
    if (dropped.wasSent) this.#droppedSent += dropped.audio.sampleCount;
    else this.#lost += dropped.audio.sampleCount;
  }

  #removeFirst(): Kept | undefined {
    const first = this.#kept.shift();
    this.#keptSamples -= first?.audio.sampleCount ?? 0;
    if (this.#next > 0) this.#next -= 1;
    return first;
  }

  #ms(samples: number): number {
    return Math.round((samples * 1_000) / this.#rateHz);
  }
}
