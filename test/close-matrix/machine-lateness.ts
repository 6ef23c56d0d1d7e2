/** How finely it is looked at, in milliseconds. */
export const LATE_RESOLUTION_MS = 5;

/** How late the machine is with its timers, in all: what it does besides counts against nobody. */
export class MachineLateness {
  #lateMs = 0;
  #lastMs = performance.now();
  readonly #ticks = setInterval(() => this.#tick(), LATE_RESOLUTION_MS);

  /** Gives the sum since it was made. */
  stop(): number {
    clearInterval(this.#ticks);
    this.#tick();
    return this.#lateMs;
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#lateMs += Math.max(0, nowMs - this.#lastMs - LATE_RESOLUTION_MS);
    this.#lastMs = nowMs;
  }
}
