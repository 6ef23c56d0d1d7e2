import type { Clock } from '../kernel/index.ts';
import type { AudioChunk } from '../protocol/index.ts';

/**
 * For how long a client that tells what it has heard may be behind the clock. What it has not told by then counts as
 * heard: it tells five times a second, so it is not playing any more, or no longer tells.
 */
export const PLAYOUT_REPORT_GRACE_MS = 2_000;

/**
 * How many pieces of what sounds beside the voice are told apart, so that it does not count as heard of it: more than a turn
 * has gaps. Of older ones only the sum is known.
 */
export const MAX_BESIDE_PIECES = 256;

/** How often somebody asks again who waits for a voice that nobody listens to. */
const PAUSED_LOOK_MS = 1_000;

/** How much of the agent's voice has been heard, in samples of the session's output. */
export interface PlayoutPosition {
  readonly rateHz: number;
  /** How much was sent so far. */
  readonly sentSamples: number;
  /** How much of it has been heard, or dropped because of an interruption. */
  readonly heardSamples: number;
  /** How much had been heard when the agent was last interrupted: what was sent then and lies behind it, nobody hears. */
  readonly cutAtSamples: number;
  /** Who plays it tells how much of it has been heard. From then on the clock is only asked when that falls silent. */
  reported(positionSamples: number): void;
  /** Nobody listens: what has not been heard by now stays unheard, whatever is sent. */
  pause(): void;
  /** Somebody listens again, and hears what was not heard, at its own pace. */
  resume(): void;
}

interface Report {
  readonly positionSamples: number;
  readonly atMs: number;
}

/**
 * How much of the agent's voice has been heard, in samples of the session's output.
 *
 * Who plays it tells by `reported`. As long as nobody does it is taken to be played as it comes, at its own pace: late by
 * what the network takes, and never by more. A frame costs a look at the clock, and neither a timer nor a promise (S5).
 */
export class Playout implements PlayoutPosition {
  readonly rateHz: number;
  readonly #clock: Clock;
  #reportedTo: (() => void) | undefined;
  #sentSamples = 0;
  /** Where the agent's voice ends, in what was sent. */
  #saidSamples = 0;
  #cutAtSamples = 0;
  /** When everything will have been heard, at the pace of the clock; and when the agent's voice will. */
  #endsAtMs = 0;
  #voiceEndsAtMs = 0;
  #report: Report | undefined;
  /** What lies before has been heard or dropped. */
  #settledSamples = 0;
  /** What was sent beside the voice, piece by piece, and how much that was before the first of them. */
  readonly #beside: { readonly from: number; to: number }[] = [];
  #besideBefore = 0;
  /** How much had been heard when nobody listened any more; undefined while somebody does. */
  #pausedSamples: number | undefined;

  constructor(clock: Clock, rateHz: number) {
    this.#clock = clock;
    this.rateHz = rateHz;
  }

  get sentSamples(): number {
    return this.#sentSamples;
  }

  /** Where the agent's voice ends so far: what was sent behind that was sent beside it. */
  get saidSamples(): number {
    return this.#saidSamples;
  }

  get cutAtSamples(): number {
    return this.#cutAtSamples;
  }

  /** How much of what was sent cannot have been heard yet, at the pace of the clock. */
  get aheadMs(): number {
    return Math.max(0, this.#endsAtMs - this.#clock.now());
  }

  get heardSamples(): number {
    if (this.#pausedSamples !== undefined) return this.#pausedSamples;
    const nowMs = this.#clock.now();
    const report = this.#report;
    if (report === undefined) {
      const leftMs = Math.max(0, this.#endsAtMs - nowMs);
      const heard = this.#sentSamples - Math.ceil((leftMs * this.rateHz) / 1_000);
      return Math.max(this.#settledSamples, heard);
    }
    if (nowMs >= this.#overdueAtMs(report)) return this.#sentSamples;
    return Math.max(this.#settledSamples, report.positionSamples);
  }

  /** How long it takes until `positionSamples` have been heard, as far as that can be known. */
  leftMs(positionSamples: number): number {
    if (this.heardSamples >= positionSamples) return 0;
    if (this.#pausedSamples !== undefined) return PAUSED_LOOK_MS;
    const nowMs = this.#clock.now();
    const report = this.#report;
    if (report !== undefined) return this.#overdueAtMs(report) - nowMs;
    return Math.max(0, this.#endsAtMs - nowMs - this.msOf(this.#sentSamples - positionSamples));
  }

  /** How much of what was sent before a position is the voice, in samples. */
  voiceUpTo(positionSamples: number): number {
    let voice = positionSamples - this.#besideBefore;
    for (const { from, to } of this.#beside) {
      if (from >= positionSamples) break;
      voice -= Math.min(to, positionSamples) - from;
    }
    return Math.max(0, voice);
  }

  /** So many samples in milliseconds. */
  msOf(samples: number): number {
    return (samples * 1_000) / this.rateHz;
  }

  reported(positionSamples: number): void {
    const positionNow = Math.max(this.#report?.positionSamples ?? 0, positionSamples);
    this.#report = { positionSamples: Math.min(positionNow, this.#sentSamples), atMs: this.#clock.now() };
    this.#reportedTo?.();
  }

  pause(): void {
    this.#pausedSamples ??= this.heardSamples;
  }

  resume(): void {
    const heardSamples = this.#pausedSamples;
    if (heardSamples === undefined) return;
    const nowMs = this.#clock.now();
    this.#pausedSamples = undefined;
    this.#settledSamples = Math.max(this.#settledSamples, heardSamples);
    this.#endsAtMs = nowMs + this.msOf(this.#sentSamples - heardSamples);
    if (this.#report !== undefined) this.#report = { ...this.#report, atMs: nowMs };
    this.#reportedTo?.();
  }

  /** Calls `told` after each report, until it is given nothing. */
  onReport(told: (() => void) | undefined): void {
    this.#reportedTo = told;
  }

  /** More of the voice is on its way to whoever plays it. */
  sent(audio: AudioChunk): void {
    this.#given(audio);
    this.#saidSamples = this.#sentSamples;
    this.#voiceEndsAtMs = this.#endsAtMs;
  }

  /** More is on its way that is not the voice, and that nobody waits for. */
  beside(audio: AudioChunk): void {
    const from = this.#sentSamples;
    this.#given(audio);
    const last = this.#beside.at(-1);
    if (last?.to === from) last.to = this.#sentSamples;
    else this.#beside.push({ from, to: this.#sentSamples });
    if (this.#beside.length <= MAX_BESIDE_PIECES) return;
    const oldest = this.#beside.shift();
    if (oldest !== undefined) this.#besideBefore += oldest.to - oldest.from;
  }

  #given(audio: AudioChunk): void {
    this.#endsAtMs = Math.max(this.#endsAtMs, this.#clock.now()) + audio.durationMs;
    this.#sentSamples += audio.sampleCount;
  }

  /** What has not been heard will not be. */
  dropped(): void {
    this.#cutAtSamples = this.heardSamples;
    this.#endsAtMs = this.#clock.now();
    this.#voiceEndsAtMs = this.#endsAtMs;
    this.#settledSamples = this.#sentSamples;
    if (this.#pausedSamples !== undefined) this.#pausedSamples = this.#sentSamples;
  }

  #overdueAtMs({ atMs }: Report): number {
    return Math.max(this.#voiceEndsAtMs, atMs) + PLAYOUT_REPORT_GRACE_MS;
  }
}
