import { Resampler } from './resample.ts';
import { SampleFifo } from './sample-fifo.ts';

/** Silence to be put in, a piece at a time. Never written to. */
const SILENCE = new Int16Array(4_800);

/**
 * One side of a recording: what was not written yet, without a hole, from the position that is written next.
 * Positions count samples at the recording's rate from its beginning.
 */
export class RecordingTrack {
  readonly rateHz: number;
  readonly #held = new SampleFifo();
  #resampler: Resampler | undefined;
  #from = 0;

  constructor(rateHz: number) {
    this.rateHz = rateHz;
  }

  /** The first position that was not taken. */
  get from(): number {
    return this.#from;
  }

  /** The position after the last sample held. */
  get end(): number {
    return this.#from + this.#held.length;
  }

  /** Whether nothing is held: whatever comes next comes after a pause. */
  get isDry(): boolean {
    return this.#held.length === 0;
  }

  /**
   * The samples at the rate of the recording, as one stream over all calls.
   * @throws SampleRateError for an impossible rate.
   */
  converted(samples: Int16Array, rateHz: number): Int16Array {
    if (this.#resampler?.fromHz !== rateHz) {
      const next = new Resampler(rateHz, this.rateHz);
      this.#finishConversion();
      this.#resampler = next;
    }
    return this.#resampler.process(samples);
  }

  /** Puts samples at a position, or behind what is there. The caller may use its array again. */
  place(samples: Int16Array, at: number): void {
    for (let gap = at - this.end; gap > 0; gap = at - this.end) {
      this.#held.push(SILENCE.subarray(0, Math.min(gap, SILENCE.length)));
    }
    this.#held.push(samples);
  }

  /** Forgets what lies at `position` and behind it. What was taken is written and stays. */
  cut(position: number): void {
    this.#resampler?.reset();
    this.#held.truncate(Math.max(0, position - this.#from));
  }

  /** Moves `count` samples into one channel of interleaved stereo, and leaves silence where there are not as many. */
  take(count: number, stereo: Int16Array, channel: 0 | 1): void {
    // The last samples of a speech are in the converter until more of it comes, and none has.
    if (this.#held.length < count) this.#finishConversion();
    this.#held.shiftInto(stereo, channel, 2, count);
    this.#from += count;
  }

  /** Goes over a pause. Nothing may be held. */
  skipTo(position: number): void {
    this.#resampler?.reset();
    this.#from = position;
  }

  #finishConversion(): void {
    const tail = this.#resampler?.flush();
    if (tail !== undefined) this.#held.push(tail);
  }
}
