import { Deadline } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { Calls } from '../calls/index.ts';
import { tellAllToGo } from './go-away-batches.ts';

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

/** How a drain went (clause D4). */
export interface DrainReport {
  /** How many calls were under way when it began, and accepted in the pre-drain delay. */
  readonly calls: number;
  /** How many of them ended by themselves. */
  readonly ended: number;
  /** How many were cut: at the deadline, or because somebody ended it sooner. */
  readonly cut: number;
  /** From its beginning until the last call had ended, or the rest was cut. */
  readonly durationMs: number;
}

export interface DrainOptions {
  readonly scope: Lifetime;
  readonly calls: Calls;
  readonly preDrainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly drainProgressMs: number;
}

/** What a drain makes of the server. Each is called once at most. */
export interface DrainEffects {
  /** No call can be resumed: nobody has anything to come for any more but to ask how the server is. */
  unreachable(): void;
  /** The last call has ended, or the deadline has come. */
  close(reason: 'drained' | 'shutdown'): void;
}

/** What had been when a drain began. */
interface Beginning {
  readonly underWay: number;
  readonly total: number;
  readonly atMs: number;
}

/**
 * The way from serving to closing (clauses D1, D3, D5, D6). It closes the server when the last call has ended, or at the
 * deadline with the number of calls that it cuts.
 */
export class Drain {
  readonly #options: DrainOptions;
  readonly #effects: DrainEffects;
  #stage: DrainStage = { tag: 'serving' };
  #beginning: Beginning | undefined;
  #report: DrainReport | undefined;
  #progress: Timer | undefined;
  #isUnreachable = false;

  constructor(options: DrainOptions, effects: DrainEffects) {
    this.#options = options;
    this.#effects = effects;
  }

  get stage(): DrainStage {
    return this.#stage;
  }

  /** How it went, once it is over; undefined where the server was closed without one. */
  get report(): DrainReport | undefined {
    return this.#report;
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
    const { size: underWay, total } = this.#options.calls;
    this.#beginning = { underWay, total, atMs: this.#now() };
    this.#stage = { tag: 'announced', sinceMs: this.#now() };
    if (preDrainDelayMs === 0) {
      this.#refuse();
      return;
    }
    this.#tellProgress();
    scope.timer('pre-drain delay', preDrainDelayMs, () => this.#refuse());
  }

  /** The server closes, by this drain or without it: nothing of it fires any more. Returns how many calls are cut. */
  end(): number {
    if (this.#stage.tag === 'closing') return this.#stage.cut;
    const { size, passing } = this.#options.calls;
    const cut = size - passing;
    const sinceMs = this.#stage.tag === 'serving' ? this.#now() : this.#stage.sinceMs;
    this.#stage = { tag: 'closing', sinceMs, cut };
    if (this.#beginning !== undefined) this.#report = this.#reportOf(this.#beginning, cut);
    this.#options.calls.whenOver(undefined);
    this.#progress?.cancel();
    return cut;
  }

  #refuse(): void {
    if (this.#stage.tag !== 'announced') return;
    const { scope, calls, drainTimeoutMs } = this.#options;
    this.#stage = { tag: 'refusing', sinceMs: this.#stage.sinceMs, deadlineMs: this.#now() + drainTimeoutMs };
    calls.whenOver(() => this.#callOver());
    this.#callOver();
    if (calls.isEmpty) return;
    this.#tellProgress();
    tellAllToGo(scope, calls, Deadline.after(scope.clock, drainTimeoutMs));
    scope.timer('drain timeout', drainTimeoutMs, () => this.#effects.close('shutdown'));
  }

  #callOver(): void {
    const { calls } = this.#options;
    if (!this.#isUnreachable && !calls.mayAnyBeResumed) {
      this.#isUnreachable = true;
      this.#effects.unreachable();
    }
    if (calls.isEmpty) this.#effects.close('drained');
  }

  #reportOf({ underWay, total, atMs }: Beginning, cut: number): DrainReport {
    const { total: totalNow, passing } = this.#options.calls;
    const calls = underWay + totalNow - total - passing;
    return { calls, ended: calls - cut, cut, durationMs: Math.round(this.#now() - atMs) };
  }

  #tellProgress(): void {
    const { scope, drainProgressMs } = this.#options;
    const { tag } = this.#stage;
    if (tag !== 'announced' && tag !== 'refusing') return;
    this.#progress?.cancel();
    scope.log.info('draining', { ...this.progress });
    this.#progress = scope.timer('drain progress', drainProgressMs, () => this.#tellProgress());
  }

  #now(): number {
    return this.#options.scope.clock.now();
  }
}
