import { polyphaseTable, type PolyphaseTable } from './polyphase-table.ts';
import { checkedRateHz } from './sample-rate.ts';

/**
 * Input samples taken into the working buffer at a time. It holds a 20 ms frame of 48 kHz, and keeps the memory
 * of an instance near 4 kB however long the arrays are that it is given.
 */
const BLOCK_SAMPLES = 960;

/**
 * Converts a stream of PCM16 mono samples from one rate to another.
 *
 * The filter's state is kept over calls, so a stream may be cut into frames anywhere: the result is the same,
 * bit for bit, as converting it in one piece. Output sample k lies at the time k / toHz of the input: the filter's
 * delay is taken off, and what is still inside at the end comes with {@link flush}. `n` samples in give exactly
 * `round(n * toHz / fromHz)` samples out.
 *
 * With equal rates nothing is computed, and `process` gives back the very array it was given.
 */
export class Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  readonly #filter: PolyphaseFilter | undefined;

  /** @throws SampleRateError when a rate is not a whole number of hertz in the range. */
  constructor(fromHz: number, toHz: number) {
    this.fromHz = checkedRateHz(fromHz);
    this.toHz = checkedRateHz(toHz);
    this.#filter = fromHz === toHz ? undefined : new PolyphaseFilter(fromHz, toHz);
  }

  /** Takes the next samples of the stream and gives what can be computed from all samples so far. */
  process(samples: Int16Array): Int16Array {
    return this.#filter === undefined ? samples : this.#filter.process(samples);
  }

  /** Ends the stream: gives its last samples, and is ready for a new stream. */
  flush(): Int16Array {
    return this.#filter === undefined ? new Int16Array(0) : this.#filter.flush();
  }

  /** Forgets the stream without giving the rest of it: for an interruption. */
  reset(): void {
    this.#filter?.reset();
  }
}

/**
 * Converts a whole recording at once; see {@link Resampler}. The result is always a new array.
 *
 * @throws SampleRateError when a rate is not a whole number of hertz in the range.
 */
export function resample(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  const resampler = new Resampler(fromHz, toHz);
  if (fromHz === toHz) return samples.slice();
  const body = resampler.process(samples);
  const tail = resampler.flush();
  const whole = new Int16Array(body.length + tail.length);
  whole.set(body);
  whole.set(tail, body.length);
  return whole;
}

class PolyphaseFilter {
  readonly #up: number;
  readonly #down: number;
  readonly #table: PolyphaseTable;
  /** Half the filter: samples needed beyond the moment of an output sample, and (less one) before it. */
  readonly #halfTaps: number;
  /** What an output step adds to the whole input samples and to the fraction (in parts of `#up`). */
  readonly #stepWhole: number;
  readonly #stepFraction: number;
  /** The samples still needed, oldest first, with room for one block more. */
  readonly #window: Float32Array;
  #windowLength = 0;
  /** Where in the window the next output's filter begins. */
  #next = 0;
  #fraction = 0;
  #inputCount = 0;
  #outputCount = 0;

  constructor(fromHz: number, toHz: number) {
    const divisor = greatestCommonDivisor(fromHz, toHz);
    this.#up = toHz / divisor;
    this.#down = fromHz / divisor;
    this.#table = polyphaseTable(this.#up, this.#down);
    this.#halfTaps = this.#table.taps / 2;
    this.#stepWhole = Math.floor(this.#down / this.#up);
    this.#stepFraction = this.#down % this.#up;
    this.#window = new Float32Array(this.#table.taps + BLOCK_SAMPLES);
    this.reset();
  }

  reset(): void {
    // Before the first sample there was silence.
    this.#windowLength = this.#halfTaps - 1;
    this.#window.fill(0, 0, this.#windowLength);
    this.#next = 0;
    this.#fraction = 0;
    this.#inputCount = 0;
    this.#outputCount = 0;
  }

  process(samples: Int16Array): Int16Array {
    this.#inputCount += samples.length;
    const output = new Int16Array(this.#outputsFor(this.#inputCount - this.#halfTaps) - this.#outputCount);
    let written = 0;
    for (let from = 0; from < samples.length; from += BLOCK_SAMPLES) {
      const block = Math.min(BLOCK_SAMPLES, samples.length - from);
      this.#window.set(samples.subarray(from, from + block), this.#windowLength);
      this.#windowLength += block;
      written = this.#drainWindow(output, written);
    }
    this.#outputCount += written;
    return output;
  }

  flush(): Int16Array {
    const total = Math.round((this.#inputCount * this.#up) / this.#down);
    const output = new Int16Array(total - this.#outputCount);
    let written = 0;
    // After the last sample there is silence, as much as the filter looks ahead.
    for (let left = this.#halfTaps; left > 0 && written < output.length; left -= BLOCK_SAMPLES) {
      const block = Math.min(BLOCK_SAMPLES, left);
      this.#window.fill(0, this.#windowLength, this.#windowLength + block);
      this.#windowLength += block;
      written = this.#drainWindow(output, written);
    }
    this.reset();
    return output;
  }

  /** Output samples that lie before input sample `end`. */
  #outputsFor(end: number): number {
    return end <= 0 ? 0 : Math.ceil((end * this.#up) / this.#down);
  }

  /** Writes every output the window suffices for, then moves what is still needed to the window's start. */
  #drainWindow(output: Int16Array, from: number): number {
    const { taps, phases, coefficients } = this.#table;
    const window = this.#window;
    const up = this.#up;
    const stepWhole = this.#stepWhole;
    const stepFraction = this.#stepFraction;
    const last = this.#windowLength - taps;
    let next = this.#next;
    let fraction = this.#fraction;
    let written = from;
    while (next <= last && written < output.length) {
      let value: number;
      if (up === phases) {
        value = convolve(window, next, coefficients, fraction * taps, taps);
      } else {
        const position = (fraction * phases) / up;
        const phase = Math.floor(position);
        const below = convolve(window, next, coefficients, phase * taps, taps);
        const above = convolve(window, next, coefficients, (phase + 1) * taps, taps);
        value = below + (position - phase) * (above - below);
      }
      output[written++] = saturated(value);
      next += stepWhole;
      fraction += stepFraction;
      if (fraction >= up) {
        fraction -= up;
        next++;
      }
    }
    const drop = Math.min(next, this.#windowLength);
    window.copyWithin(0, drop, this.#windowLength);
    this.#windowLength -= drop;
    this.#next = next - drop;
    this.#fraction = fraction;
    return written;
  }
}

/** The sum of products, in four lanes: the processor need not wait for one addition before the next. */
function convolve(
  window: Float32Array,
  at: number,
  coefficients: Float32Array,
  row: number,
  taps: number,
): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let tap = 0; tap < taps; tap += 4) {
    a += (window[at + tap] as number) * (coefficients[row + tap] as number);
    b += (window[at + tap + 1] as number) * (coefficients[row + tap + 1] as number);
    c += (window[at + tap + 2] as number) * (coefficients[row + tap + 2] as number);
    d += (window[at + tap + 3] as number) * (coefficients[row + tap + 3] as number);
  }
  return a + b + (c + d);
}

function saturated(value: number): number {
  if (value >= 32_767) return 32_767;
  if (value <= -32_768) return -32_768;
  return Math.round(value);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
