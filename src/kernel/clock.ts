/** A timer that has been set. Cancelling one that fired or was cancelled does nothing. */
export interface Timer {
  cancel(): void;
}

/** Where time comes from. Nothing outside the kernel reads a clock or sets a timer in any other way. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Use it for durations. */
  now(): number;
  /** Milliseconds since the Unix epoch. Use it for timestamps people read. */
  wallTime(): number;
  /** Calls `fire` once, `delayMs` from now, unless cancelled. A `delayMs` of 0 fires on a later turn of the event loop. */
  setTimer(delayMs: number, fire: () => void): Timer;
}

/** The longest delay `setTimeout` takes (a signed 32-bit count); anything longer would fire at once. */
const LONGEST_NATIVE_DELAY_MS = 2_147_483_647;

class SystemTimer implements Timer {
  #handle: ReturnType<typeof setTimeout> | undefined;
  #fire: (() => void) | undefined;
  #remainingMs: number;

  constructor(delayMs: number, fire: () => void) {
    this.#fire = fire;
    this.#remainingMs = delayMs;
    this.#arm();
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
    // Who keeps a spent timer must not keep what it would have called.
    this.#fire = undefined;
  }

  #arm(): void {
    const delayMs = Math.min(this.#remainingMs, LONGEST_NATIVE_DELAY_MS);
    this.#remainingMs -= delayMs;
    this.#handle = setTimeout(() => {
      if (this.#remainingMs > 0) {
        this.#arm();
        return;
      }
      const fire = this.#fire;
      this.cancel();
      fire?.();
    }, delayMs);
  }
}

/** `setTimeout` cuts fractions off, which would fire a timer before its time. What is no delay at all fires soon. */
function wholeDelayMs(delayMs: number): number {
  return delayMs > 0 ? Math.ceil(delayMs) : 0;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (delayMs, fire) => new SystemTimer(wholeDelayMs(delayMs), fire),
};
