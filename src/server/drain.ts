import type { Lifetime, Timer } from '../kernel/index.ts';
import type { Calls } from './calls.ts';

/** How far a server has come with its end. It only ever moves downwards in this list. */
export type DrainStage =
  | { readonly tag: 'serving' }
  /** /ready says no; new sessions are still accepted, because load balancers need seconds to notice (clause D1). */
  | { readonly tag: 'announced'; readonly sinceMs: number }
  /** New sessions are refused; those under way go on. */
  | { readonly tag: 'refusing'; readonly sinceMs: number; readonly deadlineMs: number }
  | { readonly tag: 'closing'; readonly cut: number };

export interface DrainOptions {
  readonly scope: Lifetime;
  readonly calls: Calls;
  readonly preDrainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly drainProgressMs: number;
}

/**
 * The way from serving to closing (clauses D1, D3, D5, D6). `close` is called once: when the last call has ended, or
 * at the deadline with the number of calls it cuts.
 */
export class Drain {
  readonly #options: DrainOptions;
  readonly #close: (reason: 'drained' | 'shutdown') => void;
  #stage: DrainStage = { tag: 'serving' };
  #progress: Timer | undefined;

  constructor(options: DrainOptions, close: (reason: 'drained' | 'shutdown') => void) {
    this.#options = options;
    this.#close = close;
  }

  get stage(): DrainStage {
    return this.#stage;
  }

  /** How long a client that is refused should wait before it asks again, in seconds; at least one. */
  get retryAfterS(): number {
    // Whoever comes back after the last call here has ended finds this process gone and another in its place.
    return this.#stage.tag === 'refusing'
      ? Math.max(1, Math.min(30, Math.ceil((this.#stage.deadlineMs - this.#now()) / 1_000)))
      : 1;
  }

  begin(): void {
    if (this.#stage.tag !== 'serving') return;
    const { scope, preDrainDelayMs } = this.#options;
    this.#stage = { tag: 'announced', sinceMs: this.#now() };
    this.#tellProgress();
    if (preDrainDelayMs === 0) this.#refuse();
    else scope.timer('pre-drain delay', preDrainDelayMs, () => this.#refuse());
  }

  /** The server closes, by this drain or without it: nothing of it fires any more. Returns how many calls are cut. */
  end(): number {
    if (this.#stage.tag === 'closing') return this.#stage.cut;
    const cut = this.#options.calls.size;
    this.#stage = { tag: 'closing', cut };
    this.#options.calls.whenEmpty(undefined);
    this.#progress?.cancel();
    return cut;
  }

  #refuse(): void {
    if (this.#stage.tag !== 'announced') return;
    const { scope, calls, drainTimeoutMs } = this.#options;
    this.#stage = { tag: 'refusing', sinceMs: this.#stage.sinceMs, deadlineMs: this.#now() + drainTimeoutMs };
    if (calls.isEmpty) {
      this.#close('drained');
      return;
    }
    calls.whenEmpty(() => this.#close('drained'));
    calls.goAway(drainTimeoutMs);
    scope.timer('drain timeout', drainTimeoutMs, () => this.#close('shutdown'));
  }

  #tellProgress(): void {
    const { scope, calls, preDrainDelayMs, drainTimeoutMs, drainProgressMs } = this.#options;
    const stage = this.#stage;
    if (stage.tag !== 'announced' && stage.tag !== 'refusing') return;
    const deadlineMs =
      stage.tag === 'refusing' ? stage.deadlineMs : stage.sinceMs + preDrainDelayMs + drainTimeoutMs;
    scope.log.info('draining', {
      stage: stage.tag,
      calls: calls.size,
      oldestMs: Math.round(calls.oldestMs),
      elapsedMs: Math.round(this.#now() - stage.sinceMs),
      deadlineInMs: Math.round(Math.max(0, deadlineMs - this.#now())),
    });
    this.#progress = scope.timer('drain progress', drainProgressMs, () => this.#tellProgress());
  }

  #now(): number {
    return this.#options.scope.clock.now();
  }
}
