import { checkedRateHz } from './sample-rate.ts';
import { notNegative, SpeechGate, type SpeechTiming, type VadEvent } from './speech-gate.ts';

/** Length of one measurement, in milliseconds: at least one period of a deep voice. */
export const VAD_WINDOW_MS = 10;

/** How far over the noise floor speech begins, in decibels: steady noise wanders by some 6 dB from window to window. */
export const START_THRESHOLD_DB = 12;

/** How far over the noise floor speech goes on, in decibels: lower than the start, so that soft endings stay inside. */
export const END_THRESHOLD_DB = 8;

/** What is quieter than this is never speech, in decibels of full scale: a microphone's own hiss lies below. */
export const QUIETEST_SPEECH_DBFS = -50;

/** Where the noise floor begins and its lowest value, in decibels of full scale: digital silence must not make it −∞. */
const LOWEST_FLOOR_DBFS = -65;

/**
 * The loudest first window taken for the room's noise, in decibels of full scale: nobody waits for the detector to
 * learn a noisy room, and whoever speaks from the first sample on is louder.
 */
const LOUDEST_FIRST_NOISE_DBFS = -40;

/** How fast the floor follows louder noise in a pause, in decibels a second: a fan is learnt in a few seconds. */
const FLOOR_RISE_IN_SILENCE_DB_PER_S = 5;

/** … and during speech, where only a noise that never pauses can lift it: so a fan cannot hold a turn open for ever. */
const FLOOR_RISE_IN_SPEECH_DB_PER_S = 1;

/** How much of the way down the floor goes in one quieter window. */
const FLOOR_FALL = 0.3;

export interface EnergyVadOptions extends SpeechTiming {
  /** Samples a second. */
  readonly rateHz: number;
  /** Default {@link START_THRESHOLD_DB}. */
  readonly startThresholdDb?: number;
  /** Default {@link END_THRESHOLD_DB}. */
  readonly endThresholdDb?: number;
  /** Default {@link QUIETEST_SPEECH_DBFS}. */
  readonly quietestSpeechDbfs?: number;
}

const NO_EVENTS: readonly VadEvent[] = Object.freeze([]);

/**
 * Finds speech in PCM16 mono by its energy over an adaptive noise floor.
 *
 * It knows nothing of voices: a loud enough door is speech to it. It is the default because it needs no model,
 * no thread and under a microsecond a frame; the same samples always give the same events, however they are cut.
 */
export class EnergyVad {
  readonly rateHz: number;
  readonly #windowSamples: number;
  readonly #startThresholdDb: number;
  readonly #endThresholdDb: number;
  readonly #quietestSpeechDbfs: number;
  readonly #gate: SpeechGate;
  #floorDbfs = LOWEST_FLOOR_DBFS;
  /** Sum of squares and number of samples of the window under way. */
  #energy = 0;
  #windowFill = 0;
  /** Samples in finished windows. */
  #position = 0;

  /**
   * @throws SampleRateError for an impossible rate.
   * @throws InvalidOptionError when an option is not a number of zero or more (levels in dBFS: any number).
   */
  constructor(options: EnergyVadOptions) {
    this.rateHz = checkedRateHz(options.rateHz);
    this.#windowSamples = Math.round((VAD_WINDOW_MS * options.rateHz) / 1000);
    this.#startThresholdDb = notNegative('startThresholdDb', options.startThresholdDb ?? START_THRESHOLD_DB);
    this.#endThresholdDb = Math.min(
      this.#startThresholdDb,
      notNegative('endThresholdDb', options.endThresholdDb ?? END_THRESHOLD_DB),
    );
    this.#quietestSpeechDbfs = options.quietestSpeechDbfs ?? QUIETEST_SPEECH_DBFS;
    this.#gate = new SpeechGate(options.rateHz, options);
  }

  /** Whether a start was told and its end was not. */
  get speaking(): boolean {
    return this.#gate.speaking;
  }

  /** Samples given so far. */
  get position(): number {
    return this.#position + this.#windowFill;
  }

  /** The earliest sample that a later start can name: what lies before may be thrown away. */
  get earliestStart(): number {
    return this.#gate.earliestStart(this.#position);
  }

  /** Listens to the next samples. What it gives when nothing happens is one shared empty array. */
  process(samples: Int16Array): readonly VadEvent[] {
    let events: VadEvent[] | undefined;
    for (let at = 0; at < samples.length;) {
      const end = Math.min(samples.length, at + this.#windowSamples - this.#windowFill);
      let energy = 0;
      for (let i = at; i < end; i++) energy += (samples[i] as number) * (samples[i] as number);
      this.#energy += energy;
      this.#windowFill += end - at;
      at = end;
      if (this.#windowFill < this.#windowSamples) break;
      const event = this.#finishWindow();
      if (event !== undefined) (events ??= []).push(event);
    }
    return events ?? NO_EVENTS;
  }

  /**
   * Ends what is under way, here: the speech, or a beginning too short to be one. The noise floor is kept.
   * Gives the end of the speech when there was one.
   */
  end(): VadEvent | undefined {
    this.#position = this.position;
    this.#windowFill = 0;
    this.#energy = 0;
    return this.#gate.end(this.#position);
  }

  #finishWindow(): VadEvent | undefined {
    const levelDbfs = 10 * Math.log10(this.#energy / this.#windowSamples / (32_768 * 32_768) + 1e-12);
    const start = this.#position;
    const end = start + this.#windowSamples;
    this.#position = end;
    this.#energy = 0;
    this.#windowFill = 0;
    if (start === 0 && levelDbfs <= LOUDEST_FIRST_NOISE_DBFS)
      this.#floorDbfs = Math.max(LOWEST_FLOOR_DBFS, levelDbfs);
    const event = this.#judge(levelDbfs, start, end);
    this.#followFloor(levelDbfs);
    return event;
  }

  #judge(levelDbfs: number, start: number, end: number): VadEvent | undefined {
    const thresholdDb = this.#gate.speaking ? this.#endThresholdDb : this.#startThresholdDb;
    const loud = levelDbfs >= Math.max(this.#quietestSpeechDbfs, this.#floorDbfs + thresholdDb);
    return this.#gate.judge(loud, start, end);
  }

  #followFloor(levelDbfs: number): void {
    if (levelDbfs <= this.#floorDbfs) {
      this.#floorDbfs += (levelDbfs - this.#floorDbfs) * FLOOR_FALL;
      this.#floorDbfs = Math.max(LOWEST_FLOOR_DBFS, this.#floorDbfs);
      return;
    }
    const risePerS = this.#gate.silent ? FLOOR_RISE_IN_SILENCE_DB_PER_S : FLOOR_RISE_IN_SPEECH_DB_PER_S;
    this.#floorDbfs = Math.min(levelDbfs, this.#floorDbfs + (risePerS * VAD_WINDOW_MS) / 1000);
  }
}
