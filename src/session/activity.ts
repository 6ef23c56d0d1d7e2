import { ClosedError } from '../kernel/index.ts';
import type { CloseReport, ClosingStep, Lifetime, StepContext } from '../kernel/index.ts';
import type { AgentTask } from './agent-task.ts';
import type { Agent, AgentContext, AgentHook, DrainNotice } from './agent.ts';
import type { AgentSession } from './agent-session.ts';
import type { CallArtifacts } from './call-artifacts.ts';
import type { PreparedAgent } from './prepared-agent.ts';
import type { UserData } from './tool.ts';

/** How long an `onExit` may take, in milliseconds: long enough to say a word of goodbye. The next agent waits for it. */
export const EXIT_TIMEOUT_MS = 5_000;

/** How long an `onEnter` or `onDrain` may take to heed its signal before it is named in the report and left behind. */
export const ENTER_UNWIND_MS = 1_000;

/** What hooks are given, in a form that holds no live session. */
export interface HookEnvironment {
  readonly session: WeakRef<AgentSession>;
  readonly state: Record<string, unknown>;
  readonly userData: UserData;
  /** The session's artifacts, for one call. */
  artifacts(): CallArtifacts;
}

/** @throws ClosedError when the live session is gone. */
export function sessionOf(session: WeakRef<AgentSession>): AgentSession {
  const held = session.deref();
  if (held === undefined) throw new ClosedError('The live session has ended.');
  return held;
}

/** What one agent is doing in a live session, from when it becomes the one who speaks until it is not any more. */
export class Activity {
  readonly agent: Agent;
  /** Set where it is a task: the activity that goes on after it. */
  readonly under: Activity | undefined;
  /** As it was prepared last; undefined before the first connection. */
  prepared: PreparedAgent | undefined;
  /** Whether results of its tools came while somebody else had the conversation: nobody has answered to them. */
  isUnanswered = false;
  /** Whether it was gone back to after a task: the connection it has now may not know calls that were made before. */
  hadTask = false;
  #isToldOfDrain = false;
  readonly #owner: Lifetime;
  readonly #environment: HookEnvironment;
  #scope: Lifetime | undefined;

  constructor(agent: Agent, owner: Lifetime, environment: HookEnvironment, under?: Activity) {
    this.agent = agent;
    this.under = under;
    this.#owner = owner;
    this.#environment = environment;
  }

  /** Where it is a task, that. */
  get task(): AgentTask | undefined {
    return this.under === undefined ? undefined : (this.agent as AgentTask);
  }

  /** How deep in tasks it is: 0 for an agent of its own. */
  get depth(): number {
    return this.under === undefined ? 0 : this.under.depth + 1;
  }

  /**
   * Runs `onEnter`, where there is one, and holds `onExit` ready for the end of it. Not to be called when the owner closes.
   * `settled` is told how `onEnter` ended, unless the activity ended first.
   */
  enter(settled: (error: unknown) => void): void {
    const { onEnter, onExit, onDrain } = this.agent;
    if (onEnter === undefined && onExit === undefined && onDrain === undefined) {
      settled(undefined);
      return;
    }
    const scope = this.#owner.child(`activity ${this.agent.name}`, {
      phase: 'hooks',
      closeTimeoutMs: EXIT_TIMEOUT_MS,
    });
    this.#scope = scope;
    if (onExit !== undefined) scope.own('on exit', new ExitHook(onExit, this.#environment), EXIT_STEP);
    if (onEnter === undefined) settled(undefined);
    else runHook('on enter', onEnter, [new HookContext(this.#environment, scope)], scope, { settled });
  }

  /** Runs `onDrain`, where there is one, once. Before it was entered there is nobody to be told. `failed` is told what it threw. */
  drain(notice: DrainNotice, failed: (error: unknown) => void): void {
    const { onDrain } = this.agent;
    const scope = this.#scope;
    if (this.#isToldOfDrain || onDrain === undefined || scope === undefined || scope.isClosing) return;
    this.#isToldOfDrain = true;
    const settled = (error: unknown): void => {
      if (error !== undefined) failed(error);
    };
    runHook('on drain', onDrain, [new HookContext(this.#environment, scope), notice], scope, { settled });
  }

  /** Ends it: its `onEnter` is told, its `onExit` runs. Settles in bounded time. */
  exit(reason: string): Promise<CloseReport> | undefined {
    return this.#scope?.close(reason);
  }
}

class HookContext implements AgentContext {
  readonly state: Record<string, unknown>;
  readonly userData: UserData;
  readonly #session: WeakRef<AgentSession>;
  readonly #signals: { readonly signal: AbortSignal };

  constructor({ session, state, userData }: HookEnvironment, signals: { readonly signal: AbortSignal }) {
    this.state = state;
    this.userData = userData;
    this.#session = session;
    this.#signals = signals;
  }

  get session(): AgentSession {
    return sessionOf(this.#session);
  }

  get signal(): AbortSignal {
    return this.#signals.signal;
  }
}

/** Who is told that a hook has settled; emptied at the end of the activity, so that one that hangs holds nobody. */
interface Running {
  settled: ((error: unknown) => void) | undefined;
}

/** A function of its own, so that a hook that never settles knows its context and nothing else (clause C6). */
function runHook<Parameters extends readonly unknown[]>(
  name: string,
  hook: (...parameters: Parameters) => unknown,
  parameters: Parameters,
  scope: Lifetime,
  running: Running,
): void {
  const run = Promise.resolve().then(() => hook(...parameters));
  void scope.own(name, run, {
    phase: 'settle',
    boundMs: ENTER_UNWIND_MS,
    stop: () => {
      running.settled = undefined;
    },
    close: (under) => under.catch(() => undefined),
  });
  const over = (error: unknown): void => {
    scope.release(run);
    running.settled?.(error);
  };
  run.then(
    () => over(undefined),
    (error: unknown) => over(error ?? new Error(`A hook (${name}) has failed.`)),
  );
}

/** An `onExit` that waits for the end. */
class ExitHook {
  readonly #hook: AgentHook;
  readonly #environment: HookEnvironment;

  constructor(hook: AgentHook, environment: HookEnvironment) {
    this.#hook = hook;
    this.#environment = environment;
  }

  async run(step: StepContext): Promise<void> {
    await this.#hook(new HookContext(this.#environment, step));
  }
}

const EXIT_STEP: ClosingStep<ExitHook> = {
  phase: 'hooks',
  boundMs: EXIT_TIMEOUT_MS,
  close: (hook, step) => hook.run(step),
};
