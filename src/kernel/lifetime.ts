import { ClosePlan, DEFAULT_STEP_BOUND_MS } from './close-plan.ts';
import type {
  ClosePhase,
  CloseReport,
  CloseVerb,
  ClosingStep,
  PlannedStep,
  StepReport,
} from './close-plan.ts';
import type { Clock, Timer } from './clock.ts';
import { systemClock } from './clock.ts';
import { Deadline } from './deadline.ts';
import { ClosedError, describeError } from './errors.ts';
import { guardLogger, silentLogger } from './log.ts';
import type { Logger } from './log.ts';

/** Why an owner is ending. `error` is set when the end was not intended. */
export interface Ending {
  readonly reason: string;
  readonly error?: unknown;
}

/** The one state of an owner. It only ever moves downwards in this list. */
export type LifetimeState =
  | { readonly tag: 'open' }
  | { readonly tag: 'draining'; readonly ending: Ending }
  | { readonly tag: 'closing'; readonly ending: Ending; readonly verb: CloseVerb }
  | { readonly tag: 'closed'; readonly report: CloseReport };

interface DrainWaiter {
  owner: Lifetime | undefined;
  left: number;
  readonly drained: Set<object>;
}

export interface LifetimeOptions {
  /** How long a close may take in all. Default `DEFAULT_CLOSE_TIMEOUT_MS`. */
  readonly closeTimeoutMs?: number;
  /** Where the pair `closing` / `closed` is logged. Default `debug`: one pair for every socket is too much to read. */
  readonly logLevel?: 'debug' | 'info';
}

export interface RootOptions extends LifetimeOptions {
  readonly name: string;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** How a child lifetime stands in its parent's closing plan. */
export interface ChildOptions extends LifetimeOptions {
  /** The phase of the parent's close in which this child's own close runs. Default `release`. */
  readonly phase?: ClosePhase;
  /** How long the parent waits for it. Default: to the end of the parent's deadline, which the child shares. */
  readonly boundMs?: number;
  /** What the parent's `drain()` waits for. Default: nothing, the child stays open until the parent closes. */
  drain?(child: Lifetime): PromiseLike<unknown>;
}

/** Long enough for every goodbye over a slow link, short enough that nobody who waits for it gives up (clause C3). */
export const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;

const LONGER_THAN_ANY_DEADLINE_MS = Number.MAX_SAFE_INTEGER;

/**
 * A named owner in a tree of owners. What it owns ends when it ends, in bounded time, with a reason.
 *
 * ```ts
 * const call = Lifetime.root({ name: 'call' });
 * const socket = call.own('socket', dial(), { close: (s) => s.goodbye(), abort: (s) => s.destroy() });
 * call.timer('idle', 60_000, () => void call.close('idle'));
 * const report = await call.close('hung up');
 * ```
 *
 * Three verbs, each harder than the one before, each escalating the one under way and otherwise joining it:
 * `drain()` lets work finish, `close()` is polite and bounded, `abort()` does not wait.
 */
export class Lifetime implements AsyncDisposable {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Resolves, and never rejects, when the owner has ended. */
  readonly closed: Promise<CloseReport>;

  #state: LifetimeState = { tag: 'open' };
  #entries = new Map<object, PlannedStep>();
  #plan: ClosePlan | undefined;
  #closingSinceMs = 0;
  #abort: AbortController | undefined;
  readonly #options: LifetimeOptions;
  #parent: Lifetime | undefined;
  #drainWaiter: DrainWaiter | undefined;
  readonly #resolveClosed: (report: CloseReport) => void;

  private constructor(name: string, clock: Clock, log: Logger, options: LifetimeOptions, parent?: Lifetime) {
    this.name = name;
    this.clock = clock;
    this.log = log;
    this.#options = options;
    this.#parent = parent;
    const { promise, resolve } = Promise.withResolvers<CloseReport>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** An owner that nobody owns: a server, a client, a test. */
  static root(options: RootOptions): Lifetime {
    const log = guardLogger(options.log ?? silentLogger);
    return new Lifetime(options.name, options.clock ?? systemClock, log, options);
  }

  /**
   * An owner inside this one. It flips to closing in the same instant as its parent, and is waited for in the
   * parent's phase `options.phase`.
   * @throws ClosedError when this owner has begun to close.
   */
  child(name: string, options: ChildOptions = {}): Lifetime {
    this.throwIfClosing();
    const { phase, boundMs, drain } = options;
    return this.own(name, new Lifetime(name, this.clock, this.log, options, this), {
      ...(phase === undefined ? {} : { phase }),
      ...(drain === undefined ? {} : { drain }),
      boundMs: boundMs ?? LONGER_THAN_ANY_DEADLINE_MS,
      close: (child, context) => child.#runPlan(context.deadline),
      abort: (child) => child.abort(),
    });
  }

  get state(): LifetimeState {
    return this.#state;
  }

  /** True until the first verb: new work is welcome. */
  get isOpen(): boolean {
    return this.#state.tag === 'open';
  }

  /** True once `close()` or `abort()` was called, by anyone, or a drain has finished. */
  get isClosing(): boolean {
    return this.#state.tag === 'closing' || this.#state.tag === 'closed';
  }

  /** @throws ClosedError when this owner has begun to close. */
  throwIfClosing(): void {
    if (this.isClosing) throw this.#closedError();
  }

  /**
   * Fires when closing begins. For code that only understands signals; what belongs to this owner registers with
   * `own` instead, which needs no listener that could be left behind.
   */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.isClosing) this.#abort.abort(this.#closedError());
    }
    return this.#abort.signal;
  }

  /**
   * Takes ownership of `resource`, in the statement that creates it, together with how to let go of it.
   * If the close has already begun, the resource is let go of at once.
   * @throws ClosedError when this owner has begun to close.
   */
  own<Resource extends object>(name: string, resource: Resource, step: ClosingStep<Resource>): Resource {
    if (this.isClosing) {
      this.#discard({ name, resource, step });
      throw this.#closedError(name);
    }
    this.#entries.set(resource, { name, resource, step });
    return resource;
  }

  /** Gives up ownership, because the resource ended by itself. Unknown resources are ignored. */
  release(resource: object): void {
    this.#entries.delete(resource);
  }

  /**
   * Calls `fire` after `delayMs` unless cancelled, or this owner closes, first.
   * @throws ClosedError when this owner has begun to close.
   */
  timer(name: string, delayMs: number, fire: () => void): Timer {
    const timer = this.clock.setTimer(delayMs, () => {
      this.release(owned);
      fire();
    });
    const owned: Timer = {
      cancel: () => {
        timer.cancel();
        this.release(owned);
      },
    };
    return this.own(name, owned, { stop: (held) => held.cancel() });
  }

  /**
   * Resolves after `delayMs`; rejects with a ClosedError at once when this owner begins to close.
   */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimer(delayMs, () => {
        this.release(timer);
        resolve();
      });
      this.own('sleep', timer, {
        stop: (held) => {
          held.cancel();
          reject(this.#closedError());
        },
      });
    });
  }

  /** What this owner holds outside memory, by path: `leg/socket`. Empty after a close (clause C6). */
  resources(): string[] {
    return [...this.#entries.values()].flatMap(({ name, resource }) => {
      if (!(resource instanceof Lifetime)) return [name];
      const nested = resource.resources();
      return nested.length === 0 ? [name] : nested.map((path) => `${name}/${path}`);
    });
  }

  /** Takes nothing new, lets what is under way finish, then closes. Joins whatever end is already under way. */
  drain(reason = 'drained'): Promise<CloseReport> {
    if (this.#state.tag === 'open') {
      this.#state = { tag: 'draining', ending: { reason } };
      this.#drainEntries(new Set());
    }
    return this.closed;
  }

  /** Stops now, politely and within the deadline. Escalates a drain; joins a close or an abort. */
  close(reason = 'closed', error?: unknown): Promise<CloseReport> {
    if (this.#flip('close', { reason, ...(error === undefined ? {} : { error }) })) this.#begin();
    return this.closed;
  }

  /** Stops now without waiting. Escalates a drain or a close; joins an abort. */
  abort(reason = 'aborted', error?: unknown): Promise<CloseReport> {
    if (this.#flip('abort', { reason, ...(error === undefined ? {} : { error }) })) {
      this.#begin();
    } else if (this.#state.tag === 'closing' && this.#state.verb === 'close') {
      this.#state = { ...this.#state, verb: 'abort' };
      // A child whose plan has not begun begins it here, already hard.
      if (this.#plan === undefined) this.#begin();
      else this.#plan.abort();
    }
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /**
   * The synchronous part of every close (clause C1): the state changes, and everything below stops taking input,
   * before the first await. Returns false when that had already happened.
   */
  #flip(verb: CloseVerb, ending: Ending): boolean {
    if (this.isClosing) return false;
    this.#state = { tag: 'closing', ending, verb };
    this.#closingSinceMs = this.clock.now();
    if (this.#drainWaiter !== undefined) this.#drainWaiter.owner = undefined;
    this.#logPair('closing', ending, {});
    for (const entry of [...this.#entries.values()]) {
      if (entry.resource instanceof Lifetime) entry.resource.#flip(verb, ending);
      else this.#stop(entry);
    }
    this.#abort?.abort(this.#closedError());
    return true;
  }

  #begin(): void {
    const timeoutMs = this.#options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS;
    void this.#runPlan(Deadline.after(this.clock, timeoutMs));
  }

  /** Runs the closing plan, once; a parent calls it when the turn of this child's phase has come. */
  #runPlan(deadline: Deadline): Promise<CloseReport> {
    if (this.#state.tag !== 'closing' || this.#plan !== undefined) return this.closed;
    const { ending, verb } = this.#state;
    const planned = [...this.#entries.values()];
    this.#plan = new ClosePlan({
      owner: this.name,
      reason: ending.reason,
      clock: this.clock,
      log: this.log,
      deadline: deadline.within(this.#options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS),
      steps: planned,
      finished: (steps) => this.#finish(steps.flatMap((step, index) => withNested(step, planned[index]))),
    });
    if (verb === 'abort') this.#plan.abort();
    this.#plan.run();
    return this.closed;
  }

  #finish(steps: readonly StepReport[]): void {
    if (this.#state.tag !== 'closing') return;
    const { ending, verb } = this.#state;
    const durationMs = this.clock.now() - this.#closingSinceMs;
    const report: CloseReport = { name: this.name, verb, ...ending, durationMs, steps };
    this.#state = { tag: 'closed', report };
    this.#entries.clear();
    this.#plan = undefined;
    this.#parent?.release(this);
    this.#parent = undefined;
    const abandoned = steps.filter((step) => step.outcome === 'abandoned').map((step) => step.name);
    this.#logPair('closed', ending, {
      verb,
      durationMs: Math.round(durationMs),
      ...(abandoned.length === 0 ? {} : { abandoned }),
    });
    this.#resolveClosed(report);
  }

  /** Drains what is held, and what was taken on meanwhile, until nothing is left to wait for; then closes. */
  #drainEntries(drained: Set<object>): void {
    const due = [...this.#entries.entries()].filter(
      ([resource, { step }]) => step.drain !== undefined && !drained.has(resource),
    );
    if (due.length === 0) {
      const { reason } = endingOf(this.#state);
      void this.close(reason);
      return;
    }
    for (const [resource] of due) drained.add(resource);
    // The waiting holds this owner by a string that the close cuts: a drain that hangs must not keep it in memory.
    const waiter: DrainWaiter = { owner: this, left: due.length, drained };
    this.#drainWaiter = waiter;
    for (const [, entry] of due) this.#drainEntry(entry, waiter);
  }

  #drainEntry({ name, resource, step }: PlannedStep, waiter: DrainWaiter): void {
    const { log, name: owner } = this;
    const ended = (): void => {
      waiter.left -= 1;
      if (waiter.left === 0 && waiter.owner?.state.tag === 'draining')
        waiter.owner.#drainEntries(waiter.drained);
    };
    const failed = (error: unknown): void => {
      log.warn('drain step failed', { owner, step: name, error: describeError(error) });
      ended();
    };
    // Starting inside a promise turns a synchronous throw into the same failure.
    Promise.resolve(resource)
      .then(() => step.drain?.(resource as never))
      .then(ended, failed);
  }

  #stop(entry: PlannedStep): void {
    const { name, resource, step } = entry;
    try {
      step.stop?.(resource as never);
    } catch (error) {
      this.log.warn('close step failed', { owner: this.name, step: name, error: describeError(error) });
    }
    // What only had to be stopped has ended with that.
    if (step.close === undefined && step.abort === undefined) this.#entries.delete(resource as object);
  }

  /** Lets go of something that was created too late: it is stopped, then aborted or closed, unwaited but observed. */
  #discard(entry: PlannedStep): void {
    const { clock, log } = this;
    this.#stop(entry);
    const plan = new ClosePlan({
      owner: this.name,
      reason: 'created after the close began',
      clock,
      log,
      deadline: Deadline.after(clock, DEFAULT_STEP_BOUND_MS),
      steps: [entry],
      finished: () => undefined,
    });
    plan.abort();
    plan.run();
  }

  #logPair(message: 'closing' | 'closed', ending: Ending, fields: Record<string, unknown>): void {
    this.log[this.#options.logLevel ?? 'debug'](message, {
      owner: this.name,
      reason: ending.reason,
      ...fields,
    });
  }

  #closedError(wanted?: string): ClosedError {
    const { reason } = endingOf(this.#state);
    const consequence = wanted === undefined ? '' : ` '${wanted}' was not started.`;
    return new ClosedError(`'${this.name}' has been closed (${reason}).${consequence}`);
  }
}

/** A child's step is told as the steps inside it, so that what hangs is named wherever it hangs. */
function withNested(step: StepReport, planned: PlannedStep | undefined): readonly StepReport[] {
  const child = planned?.resource;
  if (!(child instanceof Lifetime)) return [step];
  const nested =
    child.state.tag === 'closed'
      ? child.state.report.steps
      : child.resources().map((name) => ({ ...step, name }) satisfies StepReport);
  if (nested.length === 0) return [step];
  return nested.map((inner) => ({ ...inner, name: `${step.name}/${inner.name}` }));
}

function endingOf(state: LifetimeState): Ending {
  if (state.tag === 'open') return { reason: 'open' };
  return state.tag === 'closed' ? state.report : state.ending;
}
