import { ClosePlan, DEFAULT_STEP_BOUND_MS } from './close-plan.ts';
import type {
  ClosePhase,
  CloseReport,
  CloseVerb,
  ClosingStep,
  NestedStep,
  PlannedStep,
  StepContext,
  StepReport,
} from './close-plan.ts';
import type { Clock, Timer } from './clock.ts';
import { systemClock } from './clock.ts';
import { Deadline } from './deadline.ts';
import { DrainWait } from './drain-wait.ts';
import { ClosedError, InvalidOptionError, describeError, withoutFrames } from './errors.ts';
import { OPEN, endingOf } from './lifetime-state.ts';
import type { Ending, InnerState, LifetimeState } from './lifetime-state.ts';
import { guardLogger, isEnabled, silentLogger, withFields } from './log.ts';
import type { LogFields, Logger } from './log.ts';
import { OWNED_TIMER_STEP, OwnedTimer } from './owned-timer.ts';
import { asPromise } from './thenable.ts';

export interface LifetimeOptions {
  /**
   * How long a close may take in all, in milliseconds. Default `DEFAULT_CLOSE_TIMEOUT_MS`. A child closed by its parent
   * has this long from when its phase begins, and never longer than the parent.
   */
  readonly closeTimeoutMs?: number;
  /** Where the pair `closing` / `closed` is logged. Default `debug`: one pair for every socket is too much to read. */
  readonly logLevel?: 'debug' | 'info';
  /** What stands on every line that this owner, or one inside it, logs. Default: what stands on its parent's. */
  readonly logFields?: LogFields;
}

export interface RootOptions extends LifetimeOptions {
  readonly name: string;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** How a child lifetime stands in its parent's closing plan. */
export interface ChildOptions extends LifetimeOptions {
  /** The phase of the parent's close in which this child's own close runs. Default `release`. */
  readonly phase?: ClosePhase | undefined;
  /** How long the parent waits for it. Default: to the end of the parent's deadline, which the child shares. */
  readonly boundMs?: number | undefined;
  /** What the parent's `drain()` waits for. Default: nothing, the child stays open until the parent closes. */
  drain?: ((child: Lifetime) => PromiseLike<unknown>) | undefined;
}

/** Long enough for every goodbye over a slow link, short enough that nobody who waits for it gives up (clause C3). */
export const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;

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

  #state: InnerState = OPEN;
  readonly #entries = new Map<object, PlannedStep>();
  #parent: Lifetime | undefined;
  readonly #options: LifetimeOptions;
  // Made when first asked for: most owners are never asked, and there are many of them.
  #signal: AbortController | undefined;
  #closed: PromiseWithResolvers<CloseReport> | undefined;

  private constructor(name: string, clock: Clock, log: Logger, options: LifetimeOptions, parent?: Lifetime) {
    this.name = name;
    this.clock = clock;
    this.log = log;
    this.#options = options;
    this.#parent = parent;
  }

  /** An owner that nobody owns: a server, a client, a test. */
  static root(options: RootOptions): Lifetime {
    const guarded = guardLogger(options.log ?? silentLogger);
    const log = options.logFields === undefined ? guarded : withFields(guarded, options.logFields);
    return new Lifetime(options.name, options.clock ?? systemClock, log, options);
  }

  /**
   * An owner inside this one. It flips to closing in the same instant as its parent, and is waited for in the
   * parent's phase `options.phase`.
   * @throws ClosedError when this owner has begun to close.
   */
  child(name: string, options: ChildOptions = {}): Lifetime {
    this.throwIfClosing();
    const { phase, boundMs = Infinity, drain } = options;
    const log = options.logFields === undefined ? this.log : withFields(this.log, options.logFields);
    const child = new Lifetime(name, this.clock, log, options, this);
    const step: NestedStep<Lifetime> = { phase, boundMs, drain, ...Lifetime.#childStep };
    return this.own(name, child, step);
  }

  /** One for all children, so that a child costs no closure. A child that ends at once is not waited for. */
  static readonly #childStep = {
    close(child: Lifetime, { deadline }: StepContext): Promise<CloseReport> | undefined {
      child.#run(deadline);
      return child.#state.tag === 'closed' ? undefined : child.closed;
    },
    abort(child: Lifetime): Promise<CloseReport> | undefined {
      const closed = child.abort();
      return child.#state.tag === 'closed' ? undefined : closed;
    },
    overrun(child: Lifetime): void {
      if (child.#state.tag === 'closing') child.#state.plan?.overrun();
    },
  };

  /** Resolves, and never rejects, when the owner has ended. */
  get closed(): Promise<CloseReport> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#state.tag === 'closed') this.#closed.resolve(this.#state.report);
    }
    return this.#closed.promise;
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
    if (this.#signal === undefined) {
      this.#signal = new AbortController();
      if (this.isClosing) this.#signal.abort(withoutFrames(this.#closedError()));
    }
    return this.#signal.signal;
  }

  /**
   * Takes ownership of `resource`, in the statement that creates it, together with how to let go of it.
   * If the close has already begun, the resource is let go of at once.
   * @throws ClosedError when this owner has begun to close; InvalidOptionError when it owns `resource` already.
   */
  own<Resource extends object>(name: string, resource: Resource, step: ClosingStep<Resource>): Resource {
    if (this.isClosing) {
      this.#discard({ name, resource, step });
      throw this.#closedError(name);
    }
    const earlier = this.#entries.get(resource);
    if (earlier !== undefined) {
      throw new InvalidOptionError(
        `'${this.name}' owns '${name}' already, as '${earlier.name}'. Release it before owning it anew.`,
      );
    }
    this.#entries.set(resource, { name, resource, step });
    if (this.#state.tag === 'draining') this.#state.wait.added();
    return resource;
  }

  /** Gives up ownership, because the resource ended by itself. Unknown resources are ignored. */
  release(resource: object): void {
    const entry = this.#entries.get(resource);
    if (entry === undefined) return;
    this.#entries.delete(resource);
    if (this.#state.tag === 'closing') this.#state.plan?.release(resource);
    if (this.#state.tag === 'draining') this.#state.wait.release(entry);
  }

  /**
   * Calls `fire` after `delayMs` unless cancelled, or this owner closes, first.
   * @throws ClosedError when this owner has begun to close.
   */
  timer(name: string, delayMs: number, fire: () => void): Timer {
    return this.own(name, new OwnedTimer(this, delayMs, fire), OWNED_TIMER_STEP);
  }

  /**
   * Closes this owner when `signal` fires, or at once if it has. The listener is owned like everything else: a signal
   * that outlives this owner keeps nothing of it. (`AbortSignal.any` would, in Node: see `docs/kernel.md`.)
   * @throws ClosedError when this owner has begun to close.
   */
  closeOn(signal: AbortSignal, reason = 'signal aborted'): void {
    this.throwIfClosing();
    if (signal.aborted) {
      void this.close(reason);
      return;
    }
    const listener = (): void => void this.close(reason);
    signal.addEventListener('abort', listener);
    this.own('abort signal', listener, { stop: (held) => signal.removeEventListener('abort', held) });
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
          reject(withoutFrames(this.#closedError()));
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

  /**
   * How many resources there are, without their names: for who asks often, of many. Each counts under what `label` calls the
   * nearest owner above it that it has a word for, and under `below` where it has none.
   */
  countResources(
    label: (owner: string) => string | undefined,
    below: string,
    counts: Map<string, number> = new Map(),
  ): ReadonlyMap<string, number> {
    for (const { name, resource } of this.#entries.values()) {
      const isOwner = resource instanceof Lifetime;
      const under = (isOwner ? label(name) : undefined) ?? below;
      if (isOwner && resource.#entries.size > 0) resource.countResources(label, under, counts);
      else counts.set(under, (counts.get(under) ?? 0) + 1);
    }
    return counts;
  }

  /** Takes nothing new, lets what is under way finish, then closes. Joins whatever end is already under way. */
  drain(reason = 'drained'): Promise<CloseReport> {
    if (this.#state.tag === 'open') {
      const wait = new DrainWait(this.path, this.log, () => this.#drainMore());
      this.#state = { tag: 'draining', ending: { reason }, wait };
      this.#drainMore();
    }
    return this.closed;
  }

  /** Stops now, politely and within the deadline. Escalates a drain; joins a close or an abort. */
  close(reason = 'closed', error?: unknown): Promise<CloseReport> {
    if (this.#flip('close', { reason, ...(error === undefined ? {} : { error }) })) this.#run();
    return this.closed;
  }

  /** Stops now without waiting. Escalates a drain or a close, whose reason then stays; joins an abort. */
  abort(reason = 'aborted', error?: unknown): Promise<CloseReport> {
    if (!this.#flip('abort', { reason, ...(error === undefined ? {} : { error }) })) {
      if (this.#state.tag === 'closing') this.#state.verb = 'abort';
    }
    this.#run();
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
    if (this.#state.tag === 'closing' || this.#state.tag === 'closed') return false;
    if (this.#state.tag === 'draining') this.#state.wait.cut();
    const closing: InnerState = {
      tag: 'closing',
      ending,
      verb,
      sinceMs: this.clock.now(),
      path: this.path,
      plan: undefined,
    };
    this.#state = closing;
    this.#logPair('closing', ending, {});
    // What a `stop` releases is skipped, and nothing can be added any more: a map may be changed while it is walked.
    for (const entry of this.#entries.values()) {
      const { resource } = entry;
      if (resource instanceof Lifetime && resource.#parent === this) resource.#flip(verb, ending);
      else this.#stop(entry);
    }
    this.#signal?.abort(withoutFrames(this.#closedError()));
    const planned = [...this.#entries.values()];
    closing.plan = new ClosePlan({
      owner: this.path,
      reason: ending.reason,
      clock: this.clock,
      log: this.log,
      steps: planned,
      finished: (steps) => this.#finish(steps.flatMap((step, index) => withNested(step, planned[index]))),
    });
    // A `stop` called abort(): a child would otherwise go on waiting for its phase.
    if (closing.verb !== verb) this.#run();
    return true;
  }

  /** Begins the closing plan, or hardens it. A parent calls it when the turn of this child's phase has come. */
  #run(deadline?: Deadline): void {
    if (this.#state.tag !== 'closing') return;
    const timeoutMs = this.#options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS;
    const { plan, verb } = this.#state;
    plan?.run(verb, deadline?.within(timeoutMs) ?? Deadline.after(this.clock, timeoutMs));
  }

  #finish(steps: readonly StepReport[]): void {
    if (this.#state.tag !== 'closing') return;
    const { ending, verb, sinceMs } = this.#state;
    const durationMs = this.clock.now() - sinceMs;
    const report: CloseReport = { name: this.name, verb, ...ending, durationMs, steps };
    const abandoned = steps.filter((step) => step.outcome === 'abandoned').map((step) => step.name);
    this.#logPair('closed', ending, {
      verb,
      durationMs: Math.round(durationMs),
      ...(abandoned.length === 0 ? {} : { abandoned }),
    });
    this.#state = { tag: 'closed', report };
    this.#entries.clear();
    this.#parent?.release(this);
    this.#parent = undefined;
    this.#closed?.resolve(report);
  }

  /** Drains what is held and has not been asked yet; closes when there is nothing left to wait for. */
  #drainMore(): void {
    if (this.#state.tag === 'draining' && this.#state.wait.takeMore()) {
      // Walked live, because a drain may take on more work, and by the state, because it may close its owner.
      for (const entry of this.#entries.values()) {
        if (this.#state.tag === 'draining') this.#state.wait.ask(entry);
      }
    }
    if (this.#state.tag === 'draining' && this.#state.wait.isOver) void this.close(this.#state.ending.reason);
  }

  #stop(entry: PlannedStep): void {
    const { name, resource, step } = entry;
    const warn = warnOf(this.log, 'close step failed', this.path, name);
    try {
      asPromise(step.stop?.(resource as never))?.catch(warn);
    } catch (error) {
      entry.stopFailure = { error };
      warn(error);
    }
    // What only had to be stopped has ended with that; what could not be is in the report.
    const isOver = step.close === undefined && step.abort === undefined && entry.stopFailure === undefined;
    if (isOver) this.#entries.delete(resource);
  }

  /** Lets go of something that was created too late: it is stopped, then aborted or closed, unwaited but observed. */
  #discard(entry: PlannedStep): void {
    this.#stop(entry);
    new ClosePlan({
      owner: this.path,
      reason: 'created after the close began',
      clock: this.clock,
      log: this.log,
      steps: [entry],
      finished: () => undefined,
    }).run('abort', Deadline.after(this.clock, DEFAULT_STEP_BOUND_MS));
  }

  #logPair(message: 'closing' | 'closed', { reason, error }: Ending, fields: Record<string, unknown>): void {
    const level = this.#options.logLevel ?? 'debug';
    if (!isEnabled(this.log, level)) return;
    this.log[level](message, {
      owner: this.path,
      reason,
      ...(error === undefined ? {} : { error: describeError(error) }),
      ...fields,
    });
  }

  /** The names from the root down to this owner, for log lines. */
  get path(): string {
    if (this.#state.tag === 'closing') return this.#state.path;
    return this.#parent === undefined ? this.name : `${this.#parent.path}/${this.name}`;
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

/** A function of its own, so that what waits for an error holds these four and nothing else. */
function warnOf(log: Logger, message: string, owner: string, step: string): (error: unknown) => void {
  return (error) => log.warn(message, { owner, step, error: describeError(error) });
}
