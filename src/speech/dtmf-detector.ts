import { DTMF_HIGH_HZ, DTMF_KEYS, DTMF_LOW_HZ, checkedDtmfRateHz } from './dtmf-tones.ts';

/**
 * Length of one measurement, in milliseconds: long enough to tell 697 from 770 Hz, and short enough that four of them,
 * each half over the one before, lie within a tone of 40 ms wherever it begins.
 */
export const DTMF_WINDOW_MS = 12.75;

/**
 * Measurements in a row that make a key, and that end one. Each is half a window after the one before: a tone of 40 ms
 * always has four, one of 23 ms never, and an interruption of 10 ms never lacks four, as ITU-T Q.24 (table A.1) lists it.
 */
export const DTMF_MIN_WINDOWS = 4;

/** How much louder the high tone may be, in decibels (ITU-T Q.24, table A.1: 4 in North America, 5 in Japan). */
export const DTMF_MAX_HIGH_OVER_LOW_DB = 4;

/** How much louder the low tone may be, in decibels: lines weaken high tones more (ITU-T Q.24, table A.1: 8). */
export const DTMF_MAX_LOW_OVER_HIGH_DB = 8;

/**
 * How far a tone may be from its frequency, as a part of it: 1.5 % have to be taken and 3.5 % not (ITU-T Q.24, table A.1);
 * this is the middle.
 */
export const DTMF_MAX_DEVIATION = 0.025;

/**
 * The weakest tone heard, in decibels of full scale. −25 dBm have to be heard (ITU-T Q.24, table A.1), which is −28 dBFS;
 * the rest is for what a tone loses at the edge of its tolerance.
 */
export const DTMF_MIN_LEVEL_DBFS = -31;

/** What a tone at the edge of its tolerance is measured too weak by, in decibels: room for the bounds of twist. */
const MEASURING_ERROR_DB = 1.5;

/**
 * The least part of all energy that the two tones have. At the edge of tolerance and twist nearly 0.8 of a clean key is
 * seen; a voice spreads its energy over many harmonics and rarely has more than half of it on two such frequencies.
 */
export const DTMF_MIN_PURITY = 0.7;

/** Positions count samples from the first one the detector was given. */
export type DtmfEvent =
  /** A key sounds since about `position`; `detectedAt` is the sample after the deciding measurement. */
  | { readonly type: 'start'; readonly key: string; readonly position: number; readonly detectedAt: number }
  /** It sounded to about `position`. */
  | { readonly type: 'end'; readonly key: string; readonly position: number; readonly detectedAt: number };

const NO_EVENTS: readonly DtmfEvent[] = Object.freeze([]);
const FREQUENCIES_HZ = [...DTMF_LOW_HZ, ...DTMF_HIGH_HZ];
const COUNT = FREQUENCIES_HZ.length;
const NO_KEY = -1;

/** The Goertzel filters of one window: two numbers of state a frequency, and the energy of the window. */
interface Bank {
  readonly s1: Float64Array;
  readonly s2: Float64Array;
  energy: number;
}

const newBank = (): Bank => ({ s1: new Float64Array(COUNT), s2: new Float64Array(COUNT), energy: 0 });

/**
 * Hears the keys of a telephone (DTMF) in PCM16 mono, with the tolerances of ITU-T Q.24. The same samples always give the
 * same events, however they are cut.
 *
 * A key is told when it has sounded for about 35 ms, while it still does. Frequencies are measured by Goertzel's filters,
 * and how far off they are by the phase between two measurements: that is what tells a key from a voice.
 */
export class DtmfDetector {
  readonly rateHz: number;
  readonly #hop: number;
  readonly #cosine = new Float64Array(COUNT);
  readonly #sine = new Float64Array(COUNT);
  /** By how much the phase of each frequency goes on in half a window. */
  readonly #advance = new Float64Array(COUNT);
  readonly #maxDeviation = new Float64Array(COUNT);
  /** What was measured last, and before it: real and imaginary parts. */
  #real = new Float64Array(COUNT);
  #imaginary = new Float64Array(COUNT);
  #realBefore = new Float64Array(COUNT);
  #imaginaryBefore = new Float64Array(COUNT);
  readonly #leastEnergy: number;
  /** The window that ends next, and the one half a window after it. */
  #first = newBank();
  #second = newBank();
  /** Samples until the end of the first. */
  #left: number;
  #position = 0;
  /** The key measured last, and how many times in a row. */
  #candidate = NO_KEY;
  #seen = 0;
  /** The key that sounds, and how many times in a row it was missed. */
  #sounding = NO_KEY;
  #missed = 0;
  #lastHeardAt = 0;

  /** @throws SampleRateError for an impossible rate; InvalidOptionError for one below 8 000. */
  constructor(options: { readonly rateHz: number }) {
    this.rateHz = checkedDtmfRateHz(options.rateHz);
    this.#hop = Math.round((DTMF_WINDOW_MS * this.rateHz) / 2_000);
    this.#left = 2 * this.#hop;
    for (let i = 0; i < COUNT; i += 1) {
      const frequencyHz = FREQUENCIES_HZ[i] as number;
      const step = (2 * Math.PI * frequencyHz) / this.rateHz;
      this.#cosine[i] = Math.cos(step);
      this.#sine[i] = Math.sin(step);
      this.#advance[i] = step * this.#hop;
      this.#maxDeviation[i] = DTMF_MAX_DEVIATION * step * this.#hop;
    }
    // |X|² of a sine of amplitude a over n samples is (a·n/2)².
    const amplitude = 32_768 * 10 ** (DTMF_MIN_LEVEL_DBFS / 20);
    this.#leastEnergy = (amplitude * this.#hop) ** 2;
  }

  /** Samples given so far. */
  get position(): number {
    return this.#position;
  }

  /** The key that sounds, or undefined. */
  get sounding(): string | undefined {
    return this.#sounding === NO_KEY ? undefined : DTMF_KEYS.charAt(this.#sounding);
  }

  /** Listens to the next samples. What it gives when nothing happens is one shared empty array. */
  process(samples: Int16Array): readonly DtmfEvent[] {
    let events: DtmfEvent[] | undefined;
    for (let at = 0; at < samples.length;) {
      const end = Math.min(samples.length, at + this.#left);
      // The second window begins in the middle of the first: this far they run side by side.
      const middle = Math.min(end, at + Math.max(0, this.#left - this.#hop));
      this.#filter(this.#first, samples, at, end);
      if (middle < end) this.#filter(this.#second, samples, middle, end);
      this.#position += end - at;
      this.#left -= end - at;
      at = end;
      if (this.#left > 0) break;
      const event = this.#finishWindow();
      if (event !== undefined) (events ??= []).push(event);
    }
    return events ?? NO_EVENTS;
  }

  #filter(bank: Bank, samples: Int16Array, from: number, to: number): void {
    for (let i = 0; i < COUNT; i += 1) {
      const factor = 2 * (this.#cosine[i] as number);
      let s1 = bank.s1[i] as number;
      let s2 = bank.s2[i] as number;
      for (let at = from; at < to; at += 1) {
        const s0 = (samples[at] as number) + factor * s1 - s2;
        s2 = s1;
        s1 = s0;
      }
      bank.s1[i] = s1;
      bank.s2[i] = s2;
    }
    let energy = 0;
    for (let at = from; at < to; at += 1) energy += (samples[at] as number) * (samples[at] as number);
    bank.energy += energy;
  }

  #finishWindow(): DtmfEvent | undefined {
    const bank = this.#first;
    [this.#real, this.#realBefore] = [this.#realBefore, this.#real];
    [this.#imaginary, this.#imaginaryBefore] = [this.#imaginaryBefore, this.#imaginary];
    for (let i = 0; i < COUNT; i += 1) {
      const s1 = bank.s1[i] as number;
      const s2 = bank.s2[i] as number;
      this.#real[i] = s1 - s2 * (this.#cosine[i] as number);
      this.#imaginary[i] = s2 * (this.#sine[i] as number);
    }
    const key = this.#keyOf(bank.energy);
    bank.s1.fill(0);
    bank.s2.fill(0);
    bank.energy = 0;
    this.#first = this.#second;
    this.#second = bank;
    this.#left = this.#hop;
    return this.#heed(key);
  }

  /** The key whose two tones are the window, or none. */
  #keyOf(energy: number): number {
    const low = this.#strongest(0);
    const high = this.#strongest(COUNT / 2);
    const lowEnergy = this.#energyOf(low);
    const highEnergy = this.#energyOf(high);
    if (Math.min(lowEnergy, highEnergy) < this.#leastEnergy) return NO_KEY;
    const twistDb = 10 * Math.log10(highEnergy / lowEnergy);
    if (twistDb > DTMF_MAX_HIGH_OVER_LOW_DB + MEASURING_ERROR_DB) return NO_KEY;
    if (-twistDb > DTMF_MAX_LOW_OVER_HIGH_DB + MEASURING_ERROR_DB) return NO_KEY;
    // The energy of a sine over n samples is 2·|X|²/n.
    if ((lowEnergy + highEnergy) / this.#hop < DTMF_MIN_PURITY * energy) return NO_KEY;
    const key = low * (COUNT / 2) + (high - COUNT / 2);
    // The first measurement of a tone has none before it to be compared with.
    if (key === this.#candidate && !(this.#isInTune(low) && this.#isInTune(high))) return NO_KEY;
    return key;
  }

  #strongest(from: number): number {
    let best = from;
    for (let i = from + 1; i < from + COUNT / 2; i += 1) {
      if (this.#energyOf(i) > this.#energyOf(best)) best = i;
    }
    return best;
  }

  #energyOf(i: number): number {
    return (this.#real[i] as number) ** 2 + (this.#imaginary[i] as number) ** 2;
  }

  /** Whether the phase went on by what the frequency gives in half a window. */
  #isInTune(i: number): boolean {
    const phase = Math.atan2(this.#imaginary[i] as number, this.#real[i] as number);
    const before = Math.atan2(this.#imaginaryBefore[i] as number, this.#realBefore[i] as number);
    const off = phase - before - (this.#advance[i] as number);
    return Math.abs(off - 2 * Math.PI * Math.round(off / (2 * Math.PI))) <= (this.#maxDeviation[i] as number);
  }

  #heed(key: number): DtmfEvent | undefined {
    this.#seen = key !== NO_KEY && key === this.#candidate ? this.#seen + 1 : 1;
    this.#candidate = key;
    if (this.#sounding !== NO_KEY) {
      if (key === this.#sounding) {
        this.#missed = 0;
        this.#lastHeardAt = this.#position;
        return undefined;
      }
      this.#missed += 1;
      return this.#missed < DTMF_MIN_WINDOWS ? undefined : this.#end();
    }
    if (key === NO_KEY || this.#seen < DTMF_MIN_WINDOWS) return undefined;
    this.#sounding = key;
    this.#missed = 0;
    this.#lastHeardAt = this.#position;
    const position = Math.max(0, this.#position - (DTMF_MIN_WINDOWS + 1) * this.#hop);
    return { type: 'start', key: DTMF_KEYS.charAt(key), position, detectedAt: this.#position };
  }

  #end(): DtmfEvent {
    const key = DTMF_KEYS.charAt(this.#sounding);
    this.#sounding = NO_KEY;
    return { type: 'end', key, position: this.#lastHeardAt, detectedAt: this.#position };
  }
}
