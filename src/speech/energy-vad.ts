import { InvalidOptionError } from '../kernel/errors.ts';
import { checkedRateHz } from './sample-rate.ts';

/** Length of one measurement, in milliseconds: at least one period of a deep voice. */
export const VAD_WINDOW_MS = 10;

/** How far over the noise floor speech begins, in decibels: steady noise wanders by some 6 dB from window to window. */
export const START_THRESHOLD_DB = 12;

/** How far over the noise floor speech goes on, in decibels: lower than the start, so that soft endings stay inside. */
export const END_THRESHOLD_DB = 8;

/** What is quieter than this is never speech, in decibels of full scale: a microphone's own hiss lies below. */
export const QUIETEST_SPEECH_DBFS = -50;

/** How much of loudness makes a beginning, in milliseconds: clicks and key strokes are shorter. */
export const MINIMUM_SPEECH_MS = 60;

/** How long a lapse a beginning survives, in milliseconds: the closure of a stop consonant. */
export const START_LAPSE_MS = 50;

/** How much silence ends a turn, in milliseconds: what realtime providers use, long enough for a breath. */
export const END_SILENCE_MS = 500;

/** How much before the first loud window belongs to the speech, in milliseconds: soft consonants come first. */
export const PREFIX_PADDING_MS = 300;

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

export interface EnergyVadOptions {
  /** Samples a second. */
  readonly rateHz: number;
  /** Default {@link START_THRESHOLD_DB}. */
  readonly startThresholdDb?: number;
  /** Default {@link END_THRESHOLD_DB}. */
  readonly endThresholdDb?: number;
  /** Default {@link QUIETEST_SPEECH_DBFS}. */
  readonly quietestSpeechDbfs?: number;
  /** Default {@link MINIMUM_SPEECH_MS}. */
  readonly minimumSpeechMs?: number;
  /** Default {@link END_SILENCE_MS}. */
  readonly endSilenceMs?: number;
  /** Default {@link PREFIX_PADDING_MS}. */
  readonly prefixPaddingMs?: number;
}

/** Positions count samples from the first one the detector was given. */
export type VadEvent =
  /** Speech began at `speechAt`, with padding at `position`; `detectedAt` is the sample after the deciding window. */
  | {
      readonly type: 'start';
      readonly position: number;
      readonly speechAt: number;
      readonly detectedAt: number;
    }
  /** The last loud window ended at `position`; `detectedAt` is the end of the silence that decided it. */
  | { readonly type: 'end'; readonly position: number; readonly detectedAt: number };

const NO_EVENTS: readonly VadEvent[] = Object.freeze([]);

type Phase =
  | { readonly kind: 'silence' }
  /** Loud windows were heard, not yet enough of them. Mutable, so that a frame allocates nothing. */
  | { readonly kind: 'beginning'; readonly since: number; loudSamples: number; lastLoudEnd: number }
  | { readonly kind: 'speech'; lastLoudEnd: number };

const SILENCE: Phase = { kind: 'silence' };

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
  readonly #minimumSpeechSamples: number;
  readonly #startLapseSamples: number;
  readonly #endSilenceSamples: number;
  readonly #prefixPaddingSamples: number;
  #phase: Phase = SILENCE;
  #floorDbfs = LOWEST_FLOOR_DBFS;
  /** Sum of squares and number of samples of the window under way. */
  #energy = 0;
  #windowFill = 0;
  /** Samples in finished windows. */
  #position = 0;
  /** Padding never reaches back into the speech before. */
  #earliestStart = 0;

  /**
   * @throws SampleRateError for an impossible rate.
   * @throws InvalidOptionError when an option is not a number of zero or more (levels in dBFS: any number).
   */
  constructor(options: EnergyVadOptions) {
    this.rateHz = checkedRateHz(options.rateHz);
    const samplesOf = (name: string, ms: number): number =>
      Math.round((notNegative(name, ms) * options.rateHz) / 1000);
    this.#windowSamples = samplesOf('VAD_WINDOW_MS', VAD_WINDOW_MS);
    this.#startThresholdDb = notNegative('startThresholdDb', options.startThresholdDb ?? START_THRESHOLD_DB);
    this.#endThresholdDb = Math.min(
      this.#startThresholdDb,
      notNegative('endThresholdDb', options.endThresholdDb ?? END_THRESHOLD_DB),
    );
    this.#quietestSpeechDbfs = options.quietestSpeechDbfs ?? QUIETEST_SPEECH_DBFS;
    this.#minimumSpeechSamples = samplesOf('minimumSpeechMs', options.minimumSpeechMs ?? MINIMUM_SPEECH_MS);
    this.#startLapseSamples = samplesOf('START_LAPSE_MS', START_LAPSE_MS);
    this.#endSilenceSamples = samplesOf('endSilenceMs', options.endSilenceMs ?? END_SILENCE_MS);
    this.#prefixPaddingSamples = samplesOf('prefixPaddingMs', options.prefixPaddingMs ?? PREFIX_PADDING_MS);
  }

  /** Whether a start was told and its end was not. */
  get speaking(): boolean {
    return this.#phase.kind === 'speech';
  }

  /** Samples given so far. */
  get position(): number {
    return this.#position + this.#windowFill;
  }

  /** The earliest sample that a later start can name: what lies before may be thrown away. */
  get earliestStart(): number {
    const first = this.#phase.kind === 'beginning' ? this.#phase.since : this.#position;
    return Math.max(this.#earliestStart, first - this.#prefixPaddingSamples);
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
    const phase = this.#phase;
    const detectedAt = this.position;
    this.#position = detectedAt;
    this.#windowFill = 0;
    this.#energy = 0;
    this.#phase = SILENCE;
    this.#earliestStart = detectedAt;
    return phase.kind === 'speech' ? { type: 'end', position: phase.lastLoudEnd, detectedAt } : undefined;
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
    const phase = this.#phase;
    const thresholdDb = phase.kind === 'speech' ? this.#endThresholdDb : this.#startThresholdDb;
    const loud = levelDbfs >= Math.max(this.#quietestSpeechDbfs, this.#floorDbfs + thresholdDb);
    switch (phase.kind) {
      case 'silence': {
        if (!loud) return undefined;
        const beginning: Phase = {
          kind: 'beginning',
          since: start,
          loudSamples: this.#windowSamples,
          lastLoudEnd: end,
        };
        this.#phase = beginning;
        return this.#startWhenEnough(beginning, end);
      }
      case 'beginning': {
        if (loud) {
          phase.loudSamples += this.#windowSamples;
          phase.lastLoudEnd = end;
          return this.#startWhenEnough(phase, end);
        }
        if (end - phase.lastLoudEnd > this.#startLapseSamples) this.#phase = SILENCE;
        return undefined;
      }
      case 'speech': {
        if (loud) phase.lastLoudEnd = end;
        return end - phase.lastLoudEnd >= this.#endSilenceSamples && !loud ? this.end() : undefined;
      }
    }
  }

  #startWhenEnough(beginning: Phase & { kind: 'beginning' }, end: number): VadEvent | undefined {
    if (beginning.loudSamples < this.#minimumSpeechSamples) return undefined;
    const position = this.earliestStart;
    this.#phase = { kind: 'speech', lastLoudEnd: end };
    return { type: 'start', position, speechAt: beginning.since, detectedAt: end };
  }

  #followFloor(levelDbfs: number): void {
    if (levelDbfs <= this.#floorDbfs) {
      this.#floorDbfs += (levelDbfs - this.#floorDbfs) * FLOOR_FALL;
      this.#floorDbfs = Math.max(LOWEST_FLOOR_DBFS, this.#floorDbfs);
      return;
    }
    const risePerS =
      this.#phase.kind === 'silence' ? FLOOR_RISE_IN_SILENCE_DB_PER_S : FLOOR_RISE_IN_SPEECH_DB_PER_S;
    this.#floorDbfs = Math.min(levelDbfs, this.#floorDbfs + (risePerS * VAD_WINDOW_MS) / 1000);
  }
}

function notNegative(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidOptionError(`${name} is ${value}; give a number of 0 or more.`);
}
