import type { Clock, Timer } from './clock.ts';
import type { Deadline } from './deadline.ts';
import { describeError } from './errors.ts';
import type { Logger } from './log.ts';
import { isThenable } from './thenable.ts';

/**
 * The order in which an owner lets go of what it holds. Steps of one phase run side by side; a phase begins when the
 * one before it has ended or overrun.
 *
 * - `flush`: what was accepted before the close is still sent.
 * - `release`: sockets and other things the world outside holds for us (first of what can cost or block; clause C5).
 * - `settle`: work of our own that was cancelled and now unwinds: tool calls, speeches, tasks.
 * - `hooks`: user code that wants to hear of the end.
 */
export const CLOSE_PHASES = ['flush', 'release', 'settle', 'hooks'] as const;
export type ClosePhase = (typeof CLOSE_PHASES)[number];

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
  readonly phase?: ClosePhase;
  /** How long `close` may take, in milliseconds. Default `DEFAULT_STEP_BOUND_MS`. */
  readonly boundMs?: number;
  /** Called synchronously the moment the owner begins to close, before anything else: cancel a timer, refuse input. */
  stop?(resource: Resource): void;
  /** Lets what is under way finish. Called on `drain()`; has no bound of its own, a harder verb ends the waiting. */
  drain?(resource: Resource): PromiseLike<unknown> | undefined;
  /** Lets go politely. */
  close?(resource: Resource, context: StepContext): PromiseLike<unknown> | undefined | void;
  /** Lets go at once. Called instead of `close` on an abort, and after it when `close` overran. */
  abort?(resource: Resource): PromiseLike<unknown> | undefined | void;
}

/** One in five of a close's default deadline, so that one hanging step a phase still leaves every phase its time. */
export const DEFAULT_STEP_BOUND_MS = 1_000;

/**
 * - `done`, `failed`: ended in time, well or by throwing.
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
  readonly resource: unknown;
  readonly step: ClosingStep<never>;
}

/** `told` is a step that runs on although it was told to give up. */
type StepState = 'waiting' | 'running' | 'told' | 'ended';

class RunningStep {
  readonly planned: PlannedStep;
  readonly phase: ClosePhase;
  state: StepState = 'waiting';
  late = false;
  outcome: StepOutcome = 'abandoned';
  startedAtMs = 0;
  durationMs = 0;
  error: unknown;
  bound: Timer | undefined;
  readonly giveUp = new AbortController();

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
  readonly owner: string;
  readonly reason: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly deadline: Deadline;
  readonly steps: readonly PlannedStep[];
  /** Called once, with every step's report, in the order the steps were registered. */
  finished(steps: readonly StepReport[]): void;
}

/**
 * Runs the steps of one close. It is the only place where anything of Holdfast is torn down.
 *
 * It knows steps and their resources, never the owner, and forgets them when it has finished: what an abandoned step
 * still holds is that step's resource alone.
 */
export class ClosePlan {
  readonly #options: Omit<ClosePlanOptions, 'steps' | 'finished'>;
  #steps: RunningStep[];
  #finished: ClosePlanOptions['finished'] | undefined;
  #phase = -1;
  #aborting = false;
  #deadlineTimer: Timer | undefined;
  #lastTurn: Timer | undefined;

  constructor(options: ClosePlanOptions) {
    const { steps, finished, ...rest } = options;
    this.#options = rest;
    this.#finished = finished;
    this.#steps = steps.map((planned) => new RunningStep(planned));
  }

  /** Begins. With `abort()` called before it, every step starts hard and nothing is waited for. */
  run(): void {
    const { clock, deadline } = this.#options;
    if (!this.#aborting) {
      this.#deadlineTimer = clock.setTimer(deadline.remainingMs, () => this.#deadlineReached());
    }
    this.#advance();
  }

  /** Stops waiting: what runs is told to give up, what has not begun is started, and the report follows at once. */
  abort(): void {
    if (this.#aborting) return;
    this.#aborting = true;
    for (const step of this.#steps) {
      if (step.state === 'running') this.#tellToGiveUp(step);
    }
    if (this.#phase >= 0) this.#advance();
  }

  #deadlineReached(): void {
    for (const step of this.#steps) {
      if (step.state === 'running') this.#overrun(step);
    }
    this.abort();
  }

  /** Starts every phase whose turn has come; reports when none is left. */
  #advance(): void {
    while (this.#finished !== undefined && !this.#steps.some((step) => step.state === 'running')) {
      this.#phase += 1;
      const phase = CLOSE_PHASES[this.#phase];
      if (phase === undefined) {
        this.#reportSoon();
        return;
      }
      for (const step of this.#steps) {
        if (step.phase === phase && step.state === 'waiting') this.#start(step);
      }
    }
  }

  #start(step: RunningStep): void {
    const { clock, deadline, reason } = this.#options;
    const { resource, step: closing } = step.planned;
    step.startedAtMs = clock.now();
    step.state = this.#aborting ? 'told' : 'running';
    if (this.#aborting) step.giveUp.abort();
    let ending: PromiseLike<unknown> | undefined | void;
    try {
      ending =
        this.#aborting && closing.abort !== undefined
          ? closing.abort(resource as never)
          : closing.close?.(resource as never, { signal: step.giveUp.signal, reason, deadline });
    } catch (error) {
      this.#settle(step, 'failed', error);
      return;
    }
    if (!isThenable(ending)) {
      this.#settle(step, 'done', undefined);
      return;
    }
    if (!this.#aborting) {
      step.bound = clock.setTimer(closing.boundMs ?? DEFAULT_STEP_BOUND_MS, () => this.#boundReached(step));
    }
    ending.then(
      () => this.#settleLater(step, 'done', undefined),
      (error: unknown) => this.#settleLater(step, 'failed', error),
    );
  }

  #settleLater(step: RunningStep, outcome: 'done' | 'failed', error: unknown): void {
    this.#settle(step, outcome, error);
    this.#advance();
  }

  #settle(step: RunningStep, outcome: 'done' | 'failed', error: unknown): void {
    if (this.#finished === undefined) return;
    step.bound?.cancel();
    step.state = 'ended';
    step.durationMs = this.#options.clock.now() - step.startedAtMs;
    step.outcome = step.late ? 'overran' : outcome;
    if (outcome === 'failed') this.#failed(step, error);
  }

  #boundReached(step: RunningStep): void {
    this.#overrun(step);
    this.#advance();
  }

  #overrun(step: RunningStep): void {
    step.late = true;
    this.#log('close step overran', step, {});
    this.#tellToGiveUp(step);
  }

  #tellToGiveUp(step: RunningStep): void {
    step.bound?.cancel();
    step.state = 'told';
    step.giveUp.abort();
    try {
      const ending = step.planned.step.abort?.(step.planned.resource as never);
      if (isThenable(ending)) ending.then(undefined, (error: unknown) => this.#failed(step, error));
    } catch (error) {
      this.#failed(step, error);
    }
  }

  /** One turn of the event loop lets what was just told to give up do so, before it is called abandoned. */
  #reportSoon(): void {
    if (this.#steps.some((step) => step.state === 'told')) {
      this.#lastTurn ??= this.#options.clock.setTimer(0, () => this.#report());
    } else {
      this.#report();
    }
  }

  #report(): void {
    const finished = this.#finished;
    if (finished === undefined) return;
    this.#deadlineTimer?.cancel();
    this.#lastTurn?.cancel();
    for (const step of this.#steps) {
      if (step.state === 'told') step.durationMs = this.#options.clock.now() - step.startedAtMs;
    }
    const reports = this.#steps.map((step) => step.report);
    this.#finished = undefined;
    this.#steps = [];
    finished(reports);
  }

  #failed(step: RunningStep, error: unknown): void {
    if (this.#finished === undefined) return;
    step.error = error;
    this.#log('close step failed', step, { error: describeError(error) });
  }

  #log(message: string, step: RunningStep, fields: Record<string, unknown>): void {
    const { owner, reason, clock, log } = this.#options;
    const durationMs = Math.round(clock.now() - step.startedAtMs);
    log.warn(message, { owner, step: step.planned.name, reason, durationMs, ...fields });
  }
}
