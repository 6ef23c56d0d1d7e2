import { checkedRateHz } from './sample-rate.ts';

/** Length of one measurement, in milliseconds: ten periods of the lowest beep. */
export const BEEP_WINDOW_MS = 20;

/** The lowest beep, in hertz: above the tones of networks, which are 350 to 480 Hz (ITU-T E.180, supplement 2). */
export const MIN_BEEP_HZ = 500;

/** The highest beep, in hertz; those of voice mail are 600 to 2 000. */
export const MAX_BEEP_HZ = 2_500;

/** How long a beep sounds at least, in milliseconds: no vowel is one steady tone for so long, and few beeps are shorter. */
export const MIN_BEEP_MS = 140;

/** The least part of all energy that the one tone has. Keys of a telephone are two tones, with half of it each. */
const MIN_PURITY = 0.85;

/** How far the tone may wander from one measurement to the next, as a part of its frequency. Whistling wanders more. */
const MAX_WANDER = 0.015;

/** The quietest beep, in decibels of full scale. */
const MIN_LEVEL_DBFS = -40;

/** Positions count samples from the first one the detector was given. */
export type BeepEvent =
  /** A tone sounds since `position`, and has for {@link MIN_BEEP_MS}. */
  | {
      readonly type: 'start';
      readonly position: number;
      readonly frequencyHz: number;
      readonly detectedAt: number;
    }
  /** It ended at `position`: now the machine listens. */
  | {
      readonly type: 'end';
      readonly position: number;
      readonly frequencyHz: number;
      readonly detectedAt: number;
    };

const NO_EVENTS: readonly BeepEvent[] = Object.freeze([]);

type Phase =
  | { readonly kind: 'none' }
  /** One steady tone was heard; mutable, so that a window allocates nothing. */
  | { readonly kind: 'tone'; readonly since: number; frequencyHz: number; told: boolean };

const NONE: Phase = { kind: 'none' };

/**
 * Hears beeps in PCM16 mono: one steady tone, as answering machines make when they begin to record. Fax machines and the
 * tones before "the number you have dialled" are beeps as well. The same samples give the same events, however cut.
 */
export class BeepDetector {
  readonly rateHz: number;
  readonly #window: Int16Array;
  readonly #minSamples: number;
  #fill = 0;
  #position = 0;
  #phase: Phase = NONE;

  /** @throws SampleRateError for an impossible rate. */
  constructor(options: { readonly rateHz: number }) {
    this.rateHz = checkedRateHz(options.rateHz);
    this.#window = new Int16Array(Math.round((BEEP_WINDOW_MS * this.rateHz) / 1_000));
    this.#minSamples = (MIN_BEEP_MS * this.rateHz) / 1_000;
  }

  /** Listens to the next samples. What it gives when nothing happens is one shared empty array. */
  process(samples: Int16Array): readonly BeepEvent[] {
    let events: BeepEvent[] | undefined;
    for (let at = 0; at < samples.length;) {
      const piece = samples.subarray(at, at + this.#window.length - this.#fill);
      this.#window.set(piece, this.#fill);
      this.#fill += piece.length;
      at += piece.length;
      if (this.#fill < this.#window.length) break;
      const event = this.#finishWindow();
      if (event !== undefined) (events ??= []).push(event);
    }
    return events ?? NO_EVENTS;
  }

  #finishWindow(): BeepEvent | undefined {
    const from = this.#position;
    this.#position += this.#window.length;
    this.#fill = 0;
    const frequencyHz = toneIn(this.#window, this.rateHz);
    const phase = this.#phase;
    if (phase.kind === 'tone') {
      const isSteady =
        frequencyHz !== undefined &&
        Math.abs(frequencyHz - phase.frequencyHz) <= MAX_WANDER * phase.frequencyHz;
      if (isSteady) return this.#goOn(phase, frequencyHz);
    }
    this.#phase = frequencyHz === undefined ? NONE : { kind: 'tone', since: from, frequencyHz, told: false };
    if (phase.kind === 'none' || !phase.told) return undefined;
    return { type: 'end', position: from, frequencyHz: phase.frequencyHz, detectedAt: this.#position };
  }

  #goOn(phase: Phase & { kind: 'tone' }, frequencyHz: number): BeepEvent | undefined {
    phase.frequencyHz = frequencyHz;
    if (phase.told || this.#position - phase.since < this.#minSamples) return undefined;
    phase.told = true;
    return { type: 'start', position: phase.since, frequencyHz, detectedAt: this.#position };
  }
}

/** The frequency of the one tone that the samples are, or undefined. */
function toneIn(samples: Int16Array, rateHz: number): number | undefined {
  let energy = 0;
  let first = -1;
  let last = -1;
  let periods = -1;
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[i] as number;
    energy += sample * sample;
    const before = i === 0 ? 0 : (samples[i - 1] as number);
    if (i === 0 || before >= 0 || sample < 0) continue;
    // Where, between the two samples, it goes through zero.
    last = i - sample / (sample - before);
    if (first < 0) first = last;
    periods += 1;
  }
  if (energy / samples.length < (32_768 * 10 ** (MIN_LEVEL_DBFS / 20)) ** 2 / 2) return undefined;
  if (periods < 1) return undefined;
  const frequencyHz = (periods * rateHz) / (last - first);
  if (frequencyHz < MIN_BEEP_HZ || frequencyHz > MAX_BEEP_HZ) return undefined;
  return energyAt(samples, frequencyHz / rateHz) >= MIN_PURITY * energy ? frequencyHz : undefined;
}

/** The energy of the samples at one frequency, in periods a sample (Goertzel). */
function energyAt(samples: Int16Array, frequency: number): number {
  const factor = 2 * Math.cos(2 * Math.PI * frequency);
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < samples.length; i += 1) {
    const s0 = (samples[i] as number) + factor * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (2 * (s1 * s1 + s2 * s2 - factor * s1 * s2)) / samples.length;
}
