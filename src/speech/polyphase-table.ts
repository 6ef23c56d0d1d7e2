import { kaiserBeta, kaiserWindow, sinc } from './kaiser.ts';

/**
 * How much what lies beyond the new band is weakened, in decibels. 70 dB is under the noise of 16-bit speech
 * as microphones deliver it; every further 10 dB would cost a sixth more work.
 */
export const STOP_BAND_DB = 70;

/**
 * Zero crossings of the filter on each side: its length. 24 give a transition of about a fifth of the band,
 * so that at 16 kHz all is kept up to nearly 7 kHz, beyond which speech has little left.
 */
export const ZERO_CROSSINGS = 24;

/** Where the filter halves the amplitude, as a part of the narrower band: the transition ends just above its edge. */
export const CUTOFF = 0.95;

/**
 * The most phases a table holds. Rates without a large common divisor (44 101 → 48 000) have tens of thousands
 * of phases; beyond this number two neighbouring phases are interpolated, with an error under −100 dB.
 */
export const MAX_PHASES = 512;

/** Tables kept for later instances. A server knows a handful of rates; what a peer declares must not pile up. */
export const MAX_TABLES = 16;

/** The filter of one ratio, cut into phases. Shared between instances and never written after its making. */
export interface PolyphaseTable {
  /** Coefficients a phase: a multiple of four. */
  readonly taps: number;
  /** Phases in the table. One more row follows the last, so that interpolation needs no wrap. */
  readonly phases: number;
  /** Row after row: phase p begins at `p * taps`. */
  readonly coefficients: Float32Array;
}

const tables = new Map<string, PolyphaseTable>();

/** The table for `up` outputs for every `down` inputs (a reduced fraction). The least recently used one leaves. */
export function polyphaseTable(up: number, down: number): PolyphaseTable {
  const key = `${up}/${down}`;
  const table = tables.get(key) ?? makeTable(up, down);
  tables.delete(key);
  tables.set(key, table);
  if (tables.size > MAX_TABLES) {
    const [oldest] = tables.keys();
    if (oldest !== undefined) tables.delete(oldest);
  }
  return table;
}

function makeTable(up: number, down: number): PolyphaseTable {
  // Going down, the band that must survive is narrower than the input's: the filter is stretched by as much.
  const stretch = Math.max(1, down / up);
  const halfTaps = 2 * Math.ceil((ZERO_CROSSINGS * stretch) / 2);
  const taps = 2 * halfTaps;
  const phases = Math.min(up, MAX_PHASES);
  const coefficients = new Float32Array((phases + 1) * taps);
  const row = new Float64Array(taps);
  const beta = kaiserBeta(STOP_BAND_DB);
  const cutoff = CUTOFF / stretch;
  for (let phase = 0; phase <= phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      // Distance, in input samples, from this tap to the moment of the output sample.
      const distance = tap - (halfTaps - 1) - phase / phases;
      const value = sinc(cutoff * distance) * kaiserWindow(distance / halfTaps, beta);
      row[tap] = value;
      sum += value;
    }
    // Every phase passes a constant signal unchanged; otherwise the phases' differences would be heard as a tone.
    for (let tap = 0; tap < taps; tap++) coefficients[phase * taps + tap] = (row[tap] as number) / sum;
  }
  return { taps, phases, coefficients };
}
