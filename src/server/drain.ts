import type { Lifetime, Timer } from '../kernel/index.ts';
import type { Calls } from './calls.ts';

/** How far a server has come with its end. It only ever moves downwards in this list. */
export type DrainStage =
  | { readonly tag: 'serving' }
  /** /ready says no; new sessions are still accepted, because load balancers need seconds to notice (clause D1). */
  | { readonly tag: 'announced'; readonly sinceMs: number }
  /** New sessions are refused; those under way go on. */
  | { readonly tag: 'refusing'; readonly sinceMs: number; readonly deadlineMs: number }
  /** `sinceMs` is when the drain began, or the close where there was none. */
  | { readonly tag: 'closing'; readonly sinceMs: number; readonly cut: number };

/** How far a drain has come, as its log line, its metrics and administration tell it (clause D6). Times in milliseconds. */
export interface DrainProgress {
  readonly stage: DrainStage['tag'];
  readonly calls: number;
  readonly oldestMs: number;
  /** Since it began. */
  readonly elapsedMs?: number;
  /** Until calls are cut; while calls are let finish only. */
  readonly deadlineInMs?: number;
  /** How many calls were cut; once it closes only. */
  readonly cut?: number;
}

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

  /** How far it has come, at this moment. */
  get progress(): DrainProgress {
    const { calls, preDrainDelayMs, drainTimeoutMs } = this.#options;
    const stage = this.#stage;
    const common = { stage: stage.tag, calls: calls.size, oldestMs: Math.round(calls.oldestMs) };
    if (stage.tag === 'serving') return common;
    const elapsedMs = Math.round(this.#now() - stage.sinceMs);
    if (stage.tag === 'closing') return { ...common, elapsedMs, cut: stage.cut };
    const deadlineMs =
      stage.tag === 'refusing' ? stage.deadlineMs : stage.sinceMs + preDrainDelayMs + drainTimeoutMs;
    return { ...common, elapsedMs, deadlineInMs: Math.round(Math.max(0, deadlineMs - this.#now())) };
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
    const sinceMs = this.#stage.tag === 'serving' ? this.#now() : this.#stage.sinceMs;
    this.#stage = { tag: 'closing', sinceMs, cut };
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
    const { scope, drainProgressMs } = this.#options;
    const { tag } = this.#stage;
    if (tag !== 'announced' && tag !== 'refusing') return;
    scope.log.info('draining', { ...this.progress });
    this.#progress = scope.timer('drain progress', drainProgressMs, () => this.#tellProgress());
  }

  #now(): number {
    return this.#options.scope.clock.now();
  }
}
