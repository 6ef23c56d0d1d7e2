import type { Clock, Timer } from './clock.ts';
import type { Deadline } from './deadline.ts';
import { describeError, withWrittenFrames } from './errors.ts';
import { GiveUp } from './give-up.ts';
import type { Logger } from './log.ts';
import { asPromise } from './thenable.ts';

/**
 * The order in which an owner lets go of what it holds. Steps of one phase run side by side; a phase begins when the
 * one before it has ended or overrun. On an abort every step begins at once, `release` before all others.
 *
 * - `flush`: what was accepted before the close is still sent.
 * - `release`: sockets and other things the world outside holds for us (first of what can cost or block; clause C5).
 * - `settle`: work of our own that was cancelled and now unwinds: tool calls, speeches, tasks.
 * - `hooks`: user code that wants to hear of the end.
 */
export const CLOSE_PHASES = ['flush', 'release', 'settle', 'hooks'] as const;
export type ClosePhase = (typeof CLOSE_PHASES)[number];

/** There is nothing to flush into once the sockets are destroyed, and nothing may hold their destruction up (C5). */
const ABORT_PHASES: readonly ClosePhase[] = ['release', 'settle', 'hooks', 'flush'];

/** `close` is polite and bounded, `abort` does not wait. */
export type CloseVerb = 'close' | 'abort';

/** What a step's `close` is given. */
export interface StepContext {
  /** Fires when the step has overrun its bound or the close became an abort: give up now. */
  readonly signal: AbortSignal;
  /** Why the owner closes. */
  readonly reason: string;
  /** The end of the whole close; a step's own bound may be earlier. */
  readonly deadline: Deadline;
}

/**
 * How one resource is let go. The functions are given the resource, so that a step holds what it closes and nothing
 * else: an owner can be collected while one of its steps still hangs (clause C6).
 */
export interface ClosingStep<Resource> {
  /** Default `release`. */
  readonly phase?: ClosePhase | undefined;
  /** How long `close` may take, in milliseconds. Default `DEFAULT_STEP_BOUND_MS`. */
  readonly boundMs?: number | undefined;
  /** Called synchronously the moment the owner begins to close, before anything else: cancel a timer, refuse input. */
  stop?(resource: Resource): void;
  /** Lets what is under way finish. Called on `drain()`; has no bound of its own, a harder verb ends the waiting. */
  drain?: ((resource: Resource) => PromiseLike<unknown> | undefined) | undefined;
  /** Lets go politely. */
  close?(resource: Resource, context: StepContext): PromiseLike<unknown> | undefined | void;
  /** Lets go at once. Called instead of `close` on an abort or where there is no `close`, and after one that overran. */
  abort?(resource: Resource): PromiseLike<unknown> | undefined | void;
}

/** The step of an owner inside the owner: it closes by a plan of its own. */
export interface NestedStep<Owner> extends ClosingStep<Owner> {
  /**
   * Called instead of `abort` on one that overran. The nested plan names what hangs in it, and turns hard: so the log
   * has one line for it, with the name that helps, and not one more for each owner above (clause C4).
   */
  overrun(owner: Owner): void;
}

/** One in five of a close's default deadline, so that one hanging step a phase still leaves every phase its time. */
export const DEFAULT_STEP_BOUND_MS = 1_000;

/**
 * - `done`, `failed`: ended, well or by throwing, without having overrun.
 * - `overran`: reached its bound, was told to give up, and then ended.
 * - `abandoned`: was told to give up and had not ended when the report was made. Whatever it does later is observed
 *   and ignored.
 */
export type StepOutcome = 'done' | 'failed' | 'overran' | 'abandoned';

export interface StepReport {
  /** The step's name; steps of nested owners carry their owners' names before theirs. */
  readonly name: string;
  readonly outcome: StepOutcome;
  readonly durationMs: number;
  /** What the step threw. */
  readonly error?: unknown;
}

/** How an owner ended. */
export interface CloseReport {
  /** The owner's name. */
  readonly name: string;
  /** The hardest verb that was used. */
  readonly verb: CloseVerb;
  readonly reason: string;
  /** The error the owner was closed for, when the end was not intended. */
  readonly error?: unknown;
  readonly durationMs: number;
  readonly steps: readonly StepReport[];
}

/** A resource with its step, as an owner keeps them and a plan takes them over. */
export interface PlannedStep {
  readonly name: string;
  readonly resource: object;
  readonly step: ClosingStep<never> & Partial<Pick<NestedStep<never>, 'overrun'>>;
  /** Set when the step's `stop` threw. */
  stopFailure?: { readonly error: unknown };
}

class RunningStep {
  readonly planned: PlannedStep;
  readonly phase: ClosePhase;
  /** What the report will say if nothing changes it. */
  outcome: StepOutcome = 'abandoned';
  late = false;
  startedAtMs = 0;
  durationMs = 0;
  error: unknown;
  bound: Timer | undefined;
  giveUp: GiveUp | undefined;

  constructor(planned: PlannedStep) {
    this.planned = planned;
    this.phase = planned.step.phase ?? 'release';
  }

  get report(): StepReport {
    const { outcome, durationMs, error } = this;
    return { name: this.planned.name, outcome, durationMs, ...(error === undefined ? {} : { error }) };
  }
}

export interface ClosePlanOptions {
  /** The owner's path, for log lines. */
  readonly owner: string;
  readonly reason: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly steps: readonly PlannedStep[];
  /** Called once, with every step's report, in the order the steps were registered. */
  finished(steps: readonly StepReport[]): void;
}

/**
 * Runs the steps of one close. It is the only place where anything of Holdfast is torn down.
 *
 * A step's state is the collection it is in: waiting, running, told to give up, or none of them once it has ended.
 * Every callback may call back into the owner, so no loop here counts on anything but what these hold right now.
 *
 * A plan knows steps and their resources, never the owner, and forgets them when it has reported: what an abandoned
 * step still holds is that step's resource alone.
 */
export class ClosePlan {
  readonly #options: Omit<ClosePlanOptions, 'steps' | 'finished'>;
  #stage: 'planned' | 'polite' | 'hard' | 'reported' = 'planned';
  #finished: ClosePlanOptions['finished'] | undefined;
  #steps: readonly RunningStep[];
  /** The next one last, because that is where an array gives up an element for free. */
  #waiting: RunningStep[];
  readonly #running = new Set<RunningStep>();
  readonly #told = new Set<RunningStep>();
  /** Resources that ended by themselves; a set, because ten thousand sessions may do so in one close. */
  readonly #released = new Set<object>();
  /** The phase of the step that was started last. */
  #phase: ClosePhase | undefined;
  #deadline: Deadline | undefined;
  #deadlineTimer: Timer | undefined;
  #lastTurn: Timer | undefined;

  constructor(options: ClosePlanOptions) {
    const { steps, finished, ...rest } = options;
    this.#options = rest;
    this.#finished = finished;
    this.#steps = steps.map((planned) => new RunningStep(planned));
    this.#waiting = inOrder(this.#steps, CLOSE_PHASES);
  }

  /** Begins, once. With `abort` it begins hard, or turns hard if it has begun; the deadline that counts is the first. */
  run(verb: CloseVerb, deadline: Deadline): void {
    if (this.#stage !== 'planned') {
      if (verb === 'abort') this.#harden();
      return;
    }
    this.#deadline = deadline;
    this.#stage = 'polite';
    if (verb === 'abort') {
      this.#harden();
      return;
    }
    this.#advance();
    // Set last: where nothing is left to wait for there is no timer.
    if (this.#stage === 'polite') {
      this.#deadlineTimer = this.#options.clock.setTimer(deadline.remainingMs, () => this.overrun());
    }
  }

  /** The time is up, this plan's own or that of the one it is a step of: what still runs is named, and told to give up. */
  overrun(): void {
    if (this.#stage !== 'polite') return;
    for (const step of this.#running) this.#markLate(step);
    this.#harden();
  }

  /** The resource ended by itself. If its turn has not come, it will not. */
  release(resource: object): void {
    if (this.#stage !== 'reported') this.#released.add(resource);
  }

  /** Stops waiting: what runs is told to give up, what has not begun is started, and the report follows at once. */
  #harden(): void {
    if (this.#stage !== 'polite') return;
    this.#stage = 'hard';
    this.#waiting = inOrder(this.#waiting.toReversed(), ABORT_PHASES);
    for (const step of [...this.#running]) this.#tellToGiveUp(step);
    this.#advance();
  }

  /** Starts every step whose turn has come; reports when none is left to wait for. */
  #advance(): void {
    for (let next = this.#waiting.at(-1); next !== undefined; next = this.#waiting.at(-1)) {
      if (this.#running.size > 0 && next.phase !== this.#phase) return;
      this.#waiting.pop();
      this.#phase = next.phase;
      if (this.#released.has(next.planned.resource)) next.outcome = 'done';
      else this.#start(next);
    }
    if (this.#running.size > 0) return;
    // One turn of the event loop lets what was just told to give up do so, before it is called abandoned.
    if (this.#told.size === 0) this.#report();
    else this.#lastTurn ??= this.#options.clock.setTimer(0, () => this.#report());
  }

  #start(step: RunningStep): void {
    const { clock } = this.#options;
    const { boundMs = DEFAULT_STEP_BOUND_MS } = step.planned.step;
    (this.#stage === 'hard' ? this.#told : this.#running).add(step);
    step.startedAtMs = clock.now();
    let ending: Promise<unknown> | undefined;
    try {
      ending = asPromise(this.#letGo(step));
    } catch (error) {
      this.#settle(step, 'failed', error);
      return;
    }
    if (ending === undefined) {
      this.#settle(step, 'done', undefined);
      return;
    }
    if (this.#running.has(step) && boundMs < (this.#deadline?.remainingMs ?? 0)) {
      step.bound = clock.setTimer(boundMs, () => this.#boundReached(step));
    }
    ending.then(
      () => this.#settleLater(step, 'done', undefined),
      (error: unknown) => this.#settleLater(step, 'failed', error),
    );
  }

  #letGo(step: RunningStep): unknown {
    const { resource, step: closing } = step.planned;
    const isHard = this.#told.has(step);
    if (isHard || closing.close === undefined) {
      if (closing.abort !== undefined) return closing.abort(resource as never);
    }
    if (closing.close === undefined || this.#deadline === undefined) return undefined;
    const giveUp = new GiveUp(this.#options, step.planned.name);
    step.giveUp = giveUp;
    if (isHard) giveUp.tell();
    return closing.close(resource as never, {
      get signal() {
        return giveUp.signal;
      },
      reason: this.#options.reason,
      deadline: this.#deadline,
    });
  }

  #settleLater(step: RunningStep, outcome: 'done' | 'failed', error: unknown): void {
    if (this.#settle(step, outcome, error)) this.#advance();
  }

  /** Returns false when the step had ended, or the report was made, before. */
  #settle(step: RunningStep, outcome: 'done' | 'failed', error: unknown): boolean {
    if (!this.#running.delete(step) && !this.#told.delete(step)) return false;
    const { stopFailure } = step.planned;
    step.bound?.cancel();
    step.durationMs = this.#options.clock.now() - step.startedAtMs;
    step.outcome = step.late ? 'overran' : outcome;
    if (outcome === 'failed') {
      // A step that was told to give up and says that it did has not failed anybody.
      if (step.giveUp?.isTold === true) step.error = withWrittenFrames(error);
      else this.#failed(step, error);
    } else if (stopFailure !== undefined && step.outcome === 'done') {
      step.outcome = 'failed';
      step.error = withWrittenFrames(stopFailure.error);
    }
    return true;
  }

  #boundReached(step: RunningStep): void {
    this.#markLate(step);
    this.#tellToGiveUp(step);
    this.#advance();
  }

  #markLate(step: RunningStep): void {
    step.late = true;
    if (step.planned.step.overrun === undefined) this.#warn('close step overran', step, {});
  }

  #tellToGiveUp(step: RunningStep): void {
    const { resource, step: closing } = step.planned;
    if (!this.#running.delete(step)) return;
    this.#told.add(step);
    step.bound?.cancel();
    // What has no `close` was asked to let go at once already; asking twice would help nobody.
    if (closing.close === undefined) return;
    step.giveUp?.tell();
    if (step.late && closing.overrun !== undefined) {
      closing.overrun(resource as never);
      return;
    }
    try {
      asPromise(closing.abort?.(resource as never))?.catch((error: unknown) => this.#failed(step, error));
    } catch (error) {
      this.#failed(step, error);
    }
  }

  #report(): void {
    const finished = this.#finished;
    if (finished === undefined) return;
    const now = this.#options.clock.now();
    for (const step of this.#told) step.durationMs = now - step.startedAtMs;
    const reports = this.#steps.map((step) => step.report);
    this.#stage = 'reported';
    this.#deadlineTimer?.cancel();
    this.#lastTurn?.cancel();
    this.#finished = undefined;
    this.#steps = [];
    this.#told.clear();
    this.#released.clear();
    finished(reports);
  }

  #failed(step: RunningStep, error: unknown): void {
    if (this.#stage === 'reported') return;
    step.error = withWrittenFrames(error);
    this.#warn('close step failed', step, { error: describeError(error) });
  }

  #warn(message: string, step: RunningStep, fields: Record<string, unknown>): void {
    const { owner, reason, clock, log } = this.#options;
    const durationMs = Math.round(clock.now() - step.startedAtMs);
    log.warn(message, { owner, step: step.planned.name, reason, durationMs, ...fields });
  }
}

/** The steps by phase, within a phase as they were registered, the first of them last. */
function inOrder(steps: readonly RunningStep[], phases: readonly ClosePhase[]): RunningStep[] {
  return steps.toSorted((one, other) => phases.indexOf(one.phase) - phases.indexOf(other.phase)).reverse();
}
