import type { EventLoop, EventLoopTime, Lifetime, Timer } from '../../kernel/index.ts';

/**
 * From how much of its time on the event loop is too busy for new calls. What a server adds to the way of a frame stays the
 * same up to 85 % and multiplies within the next five, so nobody who looks at latency is warned in time; and calls that have just
 * been taken have not said anything yet.
 */
export const DEFAULT_MAX_EVENT_LOOP_UTILIZATION = 0.8;

/** How much less busy it has to be before new calls are taken again, so that one that ends does not let one in each time. */
export const RECOVERY_MARGIN = 0.05;

/** With fewer calls it is something else that keeps a server busy, and to refuse calls would end none of that. */
export const MIN_CALLS_TO_REFUSE = 8;

/** How often it is looked at, in milliseconds. */
export const LOAD_SAMPLE_MS = 500;

/** How long something has to last to count by two thirds, in milliseconds: a collection of garbage does not. */
export const LOAD_SMOOTHING_MS = 2_000;

export interface LoadWatchOptions {
  readonly owner: Lifetime;
  readonly eventLoop: EventLoop;
  /** 1: calls are never refused for it. */
  readonly maxUtilization: number;
  /** How many calls are under way. */
  calls(): number;
}

/** Knows whether the event loop is too busy for new calls. It looks only while there are as many as could make it so. */
export class LoadWatch {
  readonly #options: LoadWatchOptions;
  #timer: Timer | undefined;
  #last: EventLoopTime = { activeMs: 0, idleMs: 0 };
  #utilization = 0;
  #isOverloaded = false;

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /** How much of its time the event loop was busy lately, from 0 to 1; 0 while there are few calls. */
  get utilization(): number {
    return this.#utilization;
  }

  get isOverloaded(): boolean {
    return this.#isOverloaded;
  }

  /** A call has been taken. */
  callTaken(): void {
    const { owner, eventLoop, calls } = this.#options;
    if (this.#timer !== undefined || calls() < MIN_CALLS_TO_REFUSE || !owner.isOpen) return;
    this.#last = eventLoop.time();
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#options.owner.timer('event loop', LOAD_SAMPLE_MS, () => this.#look());
  }

  #look(): void {
    const { owner, eventLoop, calls, maxUtilization } = this.#options;
    this.#timer = undefined;
    if (calls() < MIN_CALLS_TO_REFUSE) {
      this.#utilization = 0;
      this.#isOverloaded = false;
      return;
    }
    const now = eventLoop.time();
    const activeMs = now.activeMs - this.#last.activeMs;
    const elapsedMs = activeMs + now.idleMs - this.#last.idleMs;
    this.#last = now;
    if (elapsedMs > 0) {
      const weight = 1 - Math.exp(-elapsedMs / LOAD_SMOOTHING_MS);
      this.#utilization += (activeMs / elapsedMs - this.#utilization) * weight;
    }
    const bound = this.#isOverloaded ? maxUtilization - RECOVERY_MARGIN : maxUtilization;
    const isOverloaded = maxUtilization < 1 && this.#utilization > bound;
    if (isOverloaded !== this.#isOverloaded) {
      this.#isOverloaded = isOverloaded;
      const utilization = Math.round(this.#utilization * 100) / 100;
      const words = isOverloaded ? 'too busy for new calls' : 'takes new calls again';
      owner.log.info(words, { utilization, calls: calls() });
    }
    this.#arm();
  }
}
