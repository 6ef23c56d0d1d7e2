import { kaiserBeta, kaiserWindow, sinc } from '../speech/kaiser.ts';

/**
 * The part of the band that is compared. Resamplers roll off towards the edge of the band, so what lies there may
 * differ between a perfect echo and what was sent.
 */
const COMPARED_BAND = 0.8;
const BAND_FILTER_HALF = 16;
const BAND_FILTER_STOP_DB = 50;

/** The first search runs at about this rate: a 64th of the work at 16 kHz, and the pitch is still plain. */
const COARSE_RATE_HZ = 2_000;

/** Peaks of the first search that are looked at closely: those of neighbouring pitch periods are nearly as high. */
const CANDIDATES = 12;

/** Places that match as well as this are equally good; the earliest is taken. */
const TIE = 0.002;

/** A recording made ready for being searched: band-limited, with a coarse copy and running sums of its energy. */
export class SearchableAudio {
  readonly rateHz: number;
  readonly fine: Float32Array;
  readonly coarse: Float32Array;
  /** Fine samples a coarse one stands for. */
  readonly factor: number;
  readonly #fineEnergy: Float64Array;
  readonly #coarseEnergy: Float64Array;

  /** `padding` samples of silence are put before and after the recording. */
  constructor(samples: Int16Array, rateHz: number, padding = 0) {
    this.rateHz = rateHz;
    this.factor = Math.max(1, Math.round(rateHz / COARSE_RATE_HZ));
    this.fine = bandLimited(samples, padding);
    this.coarse = averaged(this.fine, this.factor);
    this.#fineEnergy = runningEnergy(this.fine);
    this.#coarseEnergy = runningEnergy(this.coarse);
  }

  get length(): number {
    return this.fine.length;
  }

  /** Sum of squares in `[from, to)`. */
  energy(from: number, to: number): number {
    return (this.#fineEnergy[to] as number) - (this.#fineEnergy[from] as number);
  }

  coarseEnergy(from: number, to: number): number {
    return (this.#coarseEnergy[to] as number) - (this.#coarseEnergy[from] as number);
  }
}

/** How much searching is left, in multiplications; a comparison of hopeless recordings ends too. */
export interface SearchBudget {
  left: number;
}

export interface Match {
  /** Position in the searched recording minus position in the sought one. */
  readonly lag: number;
  /** Normalised correlation there, −1 to 1. */
  readonly correlation: number;
}

/** The normalised correlation of `part` in `[from, to)` with `whole`, `lag` samples further on. */
export function correlationAt(
  part: SearchableAudio,
  from: number,
  to: number,
  whole: SearchableAudio,
  lag: number,
): number {
  if (from + lag < 0 || to + lag > whole.length) return 0;
  const energies = part.energy(from, to) * whole.energy(from + lag, to + lag);
  return energies <= 0 ? 0 : dot(part.fine, from, whole.fine, from + lag, to - from) / Math.sqrt(energies);
}

/**
 * Finds where `part` in `[from, to)` lies in `whole`, looking at the lags of `[lowestLag, highestLag]`:
 * coarsely over all of them, then closely around the best. Undefined when the budget is used up.
 */
export function findInAudio(
  part: SearchableAudio,
  from: number,
  to: number,
  whole: SearchableAudio,
  lowestLag: number,
  highestLag: number,
  budget: SearchBudget,
): Match | undefined {
  const { factor } = part;
  const coarseFrom = Math.ceil(from / factor);
  const coarseLength = Math.floor(to / factor) - coarseFrom;
  const first = Math.max(Math.floor(lowestLag / factor), -coarseFrom);
  const last = Math.min(Math.ceil(highestLag / factor), whole.coarse.length - coarseLength - coarseFrom);
  if (coarseLength < 1 || last < first) return undefined;
  budget.left -= (last - first + 1) * coarseLength;
  if (budget.left < 0) return undefined;

  const scores = new Float32Array(last - first + 1);
  const partEnergy = part.coarseEnergy(coarseFrom, coarseFrom + coarseLength);
  for (let i = 0; i < scores.length; i++) {
    const at = coarseFrom + first + i;
    const energy = whole.coarseEnergy(at, at + coarseLength);
    // Where it is far quieter than the part it is not the place, and a quotient of two near-zeros says nothing.
    if (energy * 100 < partEnergy) continue;
    scores[i] = dot(part.coarse, coarseFrom, whole.coarse, at, coarseLength) / Math.sqrt(energy * partEnergy);
  }
  const matches = highestPeaks(scores).map((index) =>
    closeUp(part, from, to, whole, (first + index) * factor),
  );
  const highest = matches.reduce((best, match) => Math.max(best, match.correlation), 0);
  // The same recording may have been sent twice: of places that match equally well, the earliest.
  return matches
    .filter((match) => match.correlation > 0 && match.correlation >= highest - TIE)
    .reduce<Match | undefined>(
      (early, match) => (match.lag < (early?.lag ?? Infinity) ? match : early),
      undefined,
    );
}

/** The best lag within one coarse sample of `middle`. */
function closeUp(
  part: SearchableAudio,
  from: number,
  to: number,
  whole: SearchableAudio,
  middle: number,
): Match {
  let best: Match = { lag: middle, correlation: 0 };
  for (let lag = middle - part.factor; lag <= middle + part.factor; lag++) {
    const correlation = correlationAt(part, from, to, whole, lag);
    if (correlation > best.correlation) best = { lag, correlation };
  }
  return best;
}

function highestPeaks(scores: Float32Array): number[] {
  const peaks: number[] = [];
  while (peaks.length < CANDIDATES) {
    let best = -1;
    let bestScore = 0;
    for (let i = 0; i < scores.length; i++) {
      if ((scores[i] as number) > bestScore) {
        best = i;
        bestScore = scores[i] as number;
      }
    }
    if (best < 0) break;
    peaks.push(best);
    // Its neighbours are the same peak, and the close-up covers them.
    scores.fill(0, Math.max(0, best - 1), best + 2);
  }
  return peaks;
}

function dot(a: Float32Array, aFrom: number, b: Float32Array, bFrom: number, length: number): number {
  let sum = 0;
  let other = 0;
  let i = 0;
  for (; i + 1 < length; i += 2) {
    sum += (a[aFrom + i] as number) * (b[bFrom + i] as number);
    other += (a[aFrom + i + 1] as number) * (b[bFrom + i + 1] as number);
  }
  if (i < length) sum += (a[aFrom + i] as number) * (b[bFrom + i] as number);
  return sum + other;
}

function bandLimited(samples: Int16Array, padding: number): Float32Array {
  const taps = new Float64Array(2 * BAND_FILTER_HALF + 1);
  const beta = kaiserBeta(BAND_FILTER_STOP_DB);
  let sum = 0;
  for (let i = 0; i < taps.length; i++) {
    const x = i - BAND_FILTER_HALF;
    taps[i] = sinc(COMPARED_BAND * x) * kaiserWindow(x / (BAND_FILTER_HALF + 1), beta);
    sum += taps[i] as number;
  }
  const source = new Float32Array(samples.length + 2 * (padding + BAND_FILTER_HALF));
  source.set(samples, padding + BAND_FILTER_HALF);
  const limited = new Float32Array(samples.length + 2 * padding);
  for (let i = 0; i < limited.length; i++) {
    let value = 0;
    for (let tap = 0; tap < taps.length; tap++) value += (source[i + tap] as number) * (taps[tap] as number);
    limited[i] = value / sum;
  }
  return limited;
}

function averaged(samples: Float32Array, factor: number): Float32Array {
  const coarse = new Float32Array(Math.floor(samples.length / factor));
  for (let i = 0; i < coarse.length; i++) {
    let sum = 0;
    for (let k = 0; k < factor; k++) sum += samples[i * factor + k] as number;
    coarse[i] = sum / factor;
  }
  return coarse;
}

function runningEnergy(samples: Float32Array): Float64Array {
  const sums = new Float64Array(samples.length + 1);
  let sum = 0;
  for (let i = 0; i < samples.length; i++) {
    sum += (samples[i] as number) ** 2;
    sums[i + 1] = sum;
  }
  return sums;
}
