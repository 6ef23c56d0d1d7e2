import type { Clock, Timer } from './clock.ts';

interface VirtualTimer extends Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** What a virtual clock's wall time starts at, so that timestamps in tests are the same on every run. */
const VIRTUAL_EPOCH_MS = Date.UTC(2030, 0, 1);

/**
 * A clock that stands still until it is told to move. Two hours pass in the time it takes to run what was due in them.
 *
 * Timers fire in the order of their due times, and of their making where those are equal. Between two timers every
 * microtask runs, as it would in a real process.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  // Node's setTimeout(…, 0) takes a whole millisecond, which would make two hours of 20 ms frames last six minutes;
  // browsers have no setImmediate. Taken once: a test that fakes timers later must not stop a clock that needs turns.
  readonly #soon: (then: () => void) => unknown =
    (globalThis as { setImmediate?: (then: () => void) => unknown }).setImmediate ?? setTimeout;
  readonly #timers = new Set<VirtualTimer>();

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return VIRTUAL_EPOCH_MS + this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer: VirtualTimer = {
      dueMs: this.#nowMs + (delayMs > 0 ? delayMs : 0),
      order: this.#order++,
      fire,
      cancel: () => this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  /** How many timers are set. Zero after a close is what clause C6 asks for. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets everything that is due now run, without moving time. */
  async settle(): Promise<void> {
    await this.advance(0);
  }

  /** Moves time by `durationMs`, running every timer that falls due on the way, at its own time. */
  async advance(durationMs: number): Promise<void> {
    const targetMs = this.#nowMs + durationMs;
    await this.#turn();
    for (let next = this.#nextDue(targetMs); next !== undefined; next = this.#nextDue(targetMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fire();
      await this.#turn();
    }
    // Somebody else may have moved it further meanwhile; time never goes back.
    this.#nowMs = Math.max(this.#nowMs, targetMs);
  }

  /** One turn of the real event loop: every microtask that is due has run when it resolves. */
  #turn(): Promise<void> {
    const soon = this.#soon;
    return new Promise((resolve) => soon(resolve));
  }

  #nextDue(targetMs: number): VirtualTimer | undefined {
    let earliest: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > targetMs) continue;
      const before =
        earliest === undefined ||
        timer.dueMs < earliest.dueMs ||
        (timer.dueMs === earliest.dueMs && timer.order < earliest.order);
      if (before) earliest = timer;
    }
    return earliest;
  }
}
