import type { Clock } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';

/**
 * How much of an answer's audio is kept behind what the clock says was heard, in milliseconds: whoever plays it may be so
 * far behind, and tells it when the answer pauses. As long as a session waits for such a report (`PLAYOUT_REPORT_GRACE_MS`).
 */
export const KEPT_BEHIND_MS = 2_000;

/** What of an answer's audio was sent, how much of it has been heard, and what is to be sent again after a pause. */
export class ReplyPlayout {
  readonly #clock: Clock;
  readonly #send: (audio: AudioChunk) => void;
  #rateHz = 1;
  #sentSamples = 0;
  /** When everything will have been heard, at the pace of the clock. */
  #endsAtMs = 0;
  /** The last of what was sent. */
  #kept: AudioChunk[] = [];
  #keptSamples = 0;
  /** How much was heard when it stopped, by the clock or as it was told. */
  #stoppedAtMs: number | undefined;
  /** Whether whoever plays it has said how much was heard, and has forgotten the rest. */
  #isTold = false;

  constructor(clock: Clock, send: (audio: AudioChunk) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  get isEmpty(): boolean {
    return this.#sentSamples === 0;
  }

  /** How much has been heard, in milliseconds of its audio. */
  get heardMs(): number {
    return this.#stoppedAtMs ?? this.#msOf(this.#sentSamples) - this.leftMs;
  }

  /** How long until all of it has been heard. */
  get leftMs(): number {
    return Math.max(0, this.#endsAtMs - this.#clock.now());
  }

  send(audio: AudioChunk): void {
    this.#rateHz = audio.rateHz;
    this.#sentSamples += audio.sampleCount;
    this.#endsAtMs = Math.max(this.#endsAtMs, this.#clock.now()) + audio.durationMs;
    this.#keep(audio);
    this.#send(audio);
  }

  /** Nothing more of it is heard for now. */
  pause(): void {
    this.#stoppedAtMs = this.heardMs;
    this.#isTold = false;
  }

  /** So much had been heard when it stopped. */
  heardUntil(playedMs: number): void {
    this.#stoppedAtMs = Math.min(Math.max(0, playedMs), this.#msOf(this.#sentSamples));
    this.#isTold = true;
  }

  /** It goes on. Returns what was forgotten before it was heard, to be sent again. */
  resume(): readonly AudioChunk[] {
    const stoppedAtMs = this.#stoppedAtMs ?? 0;
    this.#stoppedAtMs = undefined;
    // Who was not told of the pause goes on playing what it has.
    if (!this.#isTold) return [];
    this.#isTold = false;
    this.#endsAtMs = this.#clock.now();
    let at = this.#sentSamples - this.#keptSamples;
    const from = Math.round((stoppedAtMs * this.#rateHz) / 1_000);
    const unheard: AudioChunk[] = [];
    for (const audio of this.#kept) {
      const skip = from - at;
      at += audio.sampleCount;
      if (skip >= audio.sampleCount) continue;
      unheard.push(skip <= 0 ? audio : AudioChunk.fromSamples(audio.samples.subarray(skip), audio.rateHz));
    }
    this.#sentSamples -= unheard.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
    this.#kept = [];
    this.#keptSamples = 0;
    return unheard;
  }

  /** Nothing will be sent again. How much was heard stays known. */
  forget(): void {
    this.#stoppedAtMs = this.heardMs;
    this.#kept = [];
    this.#keptSamples = 0;
  }

  #keep(audio: AudioChunk): void {
    this.#kept.push(audio);
    this.#keptSamples += audio.sampleCount;
    const neededSamples = ((this.leftMs + KEPT_BEHIND_MS) * this.#rateHz) / 1_000;
    let drop = 0;
    for (const { sampleCount } of this.#kept) {
      if (this.#keptSamples - sampleCount < neededSamples) break;
      this.#keptSamples -= sampleCount;
      drop += 1;
    }
    if (drop > 0) this.#kept.splice(0, drop);
  }

  #msOf(samples: number): number {
    return (samples * 1_000) / this.#rateHz;
  }
}
