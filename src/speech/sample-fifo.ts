/** Samples an empty buffer makes room for: 400 ms at 16 kHz, what a listener holds while nobody speaks. */
const INITIAL_SAMPLES = 6_400;

/**
 * Samples in the order they came: put in at the end, taken from the front.
 *
 * It grows as needed (its owner sets the bound) and gives the room back once it is nearly empty, so that a long
 * utterance does not cost its memory for the rest of the session.
 */
export class SampleFifo {
  #buffer = new Int16Array(INITIAL_SAMPLES);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies the samples in: the caller may use its array again. */
  push(samples: Int16Array): void {
    if (this.#end + samples.length > this.#buffer.length) this.#makeRoom(samples.length);
    this.#buffer.set(samples, this.#end);
    this.#end += samples.length;
  }

  /** Takes the first `count` samples, or as many as there are, as an array of their own. */
  shift(count: number): Int16Array {
    const taken = this.#buffer.slice(this.#start, this.#start + Math.min(count, this.length));
    this.drop(taken.length);
    return taken;
  }

  /**
   * Takes the first `count` samples, or as many as there are, into `target`: the first to the index `at`, each further
   * one `stride` after the one before it. Gives how many it took.
   */
  shiftInto(target: Int16Array, at: number, stride: number, count: number): number {
    const taken = Math.min(count, this.length);
    for (let i = 0; i < taken; i++) target[at + i * stride] = this.#buffer[this.#start + i] as number;
    this.drop(taken);
    return taken;
  }

  /** Keeps the first `length` samples and forgets those behind them. */
  truncate(length: number): void {
    if (length >= this.length) return;
    this.#end = this.#start + Math.max(0, length);
    this.drop(0);
  }

  /** Forgets the first `count` samples, or as many as there are. */
  drop(count: number): void {
    this.#start += Math.min(count, this.length);
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#buffer.length > 4 * INITIAL_SAMPLES && this.length <= INITIAL_SAMPLES)
      this.#move(INITIAL_SAMPLES);
  }

  #makeRoom(count: number): void {
    const needed = this.length + count;
    // Moving to the front is worth it only if it frees half; otherwise it would be done at every push.
    if (needed * 2 <= this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    } else {
      this.#move(Math.max(needed, this.#buffer.length) * 2);
    }
  }

  #move(capacity: number): void {
    const buffer = new Int16Array(capacity);
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = buffer;
  }
}
