import { InvalidOptionError } from '../kernel/errors.ts';

/** Positions count samples from the first one the detector was given. */
export type VadEvent =
  /** Speech began at `speechAt`, with padding at `position`; `detectedAt` is the sample after the deciding window. */
  | {
      readonly type: 'start';
      readonly position: number;
      readonly speechAt: number;
      readonly detectedAt: number;
    }
  /** The last window of speech ended at `position`; `detectedAt` is the end of the silence that decided it. */
  | { readonly type: 'end'; readonly position: number; readonly detectedAt: number };

/** How much speech makes a beginning, in milliseconds: clicks and key strokes are shorter. */
export const MINIMUM_SPEECH_MS = 60;

/** How long a lapse a beginning survives, in milliseconds: the closure of a stop consonant. */
const START_LAPSE_MS = 50;

/** How much silence ends a turn, in milliseconds: what realtime providers use, long enough for a breath. */
export const END_SILENCE_MS = 500;

/** How much before the first window of speech belongs to it, in milliseconds: soft consonants come first. */
export const PREFIX_PADDING_MS = 300;

/** What makes a start and an end of speech. */
export interface SpeechTiming {
  /** Default {@link MINIMUM_SPEECH_MS}. */
  readonly minimumSpeechMs?: number;
  /** Default {@link END_SILENCE_MS}. */
  readonly endSilenceMs?: number;
  /** Default {@link PREFIX_PADDING_MS}. */
  readonly prefixPaddingMs?: number;
}

type Phase =
  | { readonly kind: 'silence' }
  /** Windows of speech were heard, not yet enough of them. Mutable, so that a frame allocates nothing. */
  | { readonly kind: 'beginning'; readonly since: number; speech: number; lastSpeechEnd: number }
  | { readonly kind: 'speech'; lastSpeechEnd: number };

const SILENCE: Phase = { kind: 'silence' };

/** Makes starts and ends of speech out of windows of which somebody knows whether they are speech. */
export class SpeechGate {
  /** All in samples. */
  readonly #minimumSpeech: number;
  readonly #startLapse: number;
  readonly #endSilence: number;
  readonly #prefixPadding: number;
  #phase: Phase = SILENCE;
  /** Padding never reaches back into the speech before. */
  #earliestStart = 0;

  /** @throws InvalidOptionError when a time is not a number of 0 or more. */
  constructor(rateHz: number, timing: SpeechTiming = {}) {
    const samplesOf = (name: string, ms: number): number =>
      Math.round((notNegative(name, ms) * rateHz) / 1000);
    this.#minimumSpeech = samplesOf('minimumSpeechMs', timing.minimumSpeechMs ?? MINIMUM_SPEECH_MS);
    this.#startLapse = samplesOf('START_LAPSE_MS', START_LAPSE_MS);
    this.#endSilence = samplesOf('endSilenceMs', timing.endSilenceMs ?? END_SILENCE_MS);
    this.#prefixPadding = samplesOf('prefixPaddingMs', timing.prefixPaddingMs ?? PREFIX_PADDING_MS);
  }

  /** Whether a start was told and its end was not. */
  get speaking(): boolean {
    return this.#phase.kind === 'speech';
  }

  /** Whether nothing has been heard that may be the beginning of speech. */
  get silent(): boolean {
    return this.#phase.kind === 'silence';
  }

  /** The earliest sample that a later start can name, where `position` samples were judged. */
  earliestStart(position: number): number {
    const first = this.#phase.kind === 'beginning' ? this.#phase.since : position;
    return Math.max(this.#earliestStart, first - this.#prefixPadding);
  }

  /** Takes the window from `start` to `end`, which follows the one before. */
  judge(isSpeech: boolean, start: number, end: number): VadEvent | undefined {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'silence': {
        if (!isSpeech) return undefined;
        const beginning: Phase = {
          kind: 'beginning',
          since: start,
          speech: end - start,
          lastSpeechEnd: end,
        };
        this.#phase = beginning;
        return this.#startWhenEnough(beginning, end);
      }
      case 'beginning': {
        if (isSpeech) {
          phase.speech += end - start;
          phase.lastSpeechEnd = end;
          return this.#startWhenEnough(phase, end);
        }
        if (end - phase.lastSpeechEnd > this.#startLapse) this.#phase = SILENCE;
        return undefined;
      }
      case 'speech': {
        if (isSpeech) phase.lastSpeechEnd = end;
        return end - phase.lastSpeechEnd >= this.#endSilence && !isSpeech ? this.end(end) : undefined;
      }
    }
  }

  /** Ends what is under way at `position`. Gives the end of the speech when there was one. */
  end(position: number): VadEvent | undefined {
    const phase = this.#phase;
    this.#phase = SILENCE;
    this.#earliestStart = position;
    return phase.kind === 'speech'
      ? { type: 'end', position: phase.lastSpeechEnd, detectedAt: position }
      : undefined;
  }

  #startWhenEnough(beginning: Phase & { kind: 'beginning' }, end: number): VadEvent | undefined {
    if (beginning.speech < this.#minimumSpeech) return undefined;
    const position = this.earliestStart(end);
    this.#phase = { kind: 'speech', lastSpeechEnd: end };
    return { type: 'start', position, speechAt: beginning.since, detectedAt: end };
  }
}

/** @throws InvalidOptionError for what is not a number of 0 or more. */
export function notNegative(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidOptionError(`${name} is ${value}; give a number of 0 or more.`);
}
