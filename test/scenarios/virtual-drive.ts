import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from '../../src/kernel/index.ts';

/** How far time is moved at once: far below every delay a scenario tells apart. */
export const STEP_MS = 50;

/** Turns of the event loop without anything new, after which nothing is on its way over the loopback any more. */
const STILL_TURNS = 8;

/** Turns a dial is given to come about; one that a scenario leaves unanswered must not stop time. */
const DIAL_TURNS = 200;

/** What is going on over the real sockets. */
export interface Traffic {
  /** Counts everything that either side has seen. */
  activity(): number;
  /** Dials that are under way. */
  pendingDials(): number;
}

/**
 * Moves virtual time beside real sockets. What is written to the loopback can be read in the next turn of the event
 * loop, so time stands still until some turns have brought nothing new: a timer never overtakes a byte.
 */
export class VirtualDrive {
  readonly #clock: VirtualClock;
  readonly #traffic: Traffic;
  readonly #driving: Promise<void>;
  #isStopped = false;

  constructor(clock: VirtualClock, traffic: Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
    this.#driving = this.#drive();
  }

  /** Lets time stand still from here on. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#driving;
  }

  /** Resolves when nothing is on its way. */
  async quiet(): Promise<void> {
    let still = 0;
    let seen = this.#traffic.activity();
    for (let turns = 0; still < STILL_TURNS; turns += 1) {
      await turn();
      const now = this.#traffic.activity();
      const isStill = now === seen && (turns > DIAL_TURNS || this.#traffic.pendingDials() === 0);
      still = isStill ? still + 1 : 0;
      seen = now;
    }
  }

  async #drive(): Promise<void> {
    while (!this.#isStopped) {
      await this.quiet();
      if (!this.#isStopped) await this.#clock.advance(STEP_MS);
    }
  }
}
