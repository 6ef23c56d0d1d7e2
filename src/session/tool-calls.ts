import { ClosedError, InvalidOptionError, describeError } from '../kernel/index.ts';
import { withoutFrames } from '../kernel/errors.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';
import type { FunctionCall, FunctionResponse } from '../protocol/index.ts';
import { MAX_REFUSED_TASKS } from './activities.ts';
import type { Activities } from './activities.ts';
import { sessionOf } from './activity.ts';
import type { Activity, HookEnvironment } from './activity.ts';
import type { AgentSession } from './agent-session.ts';
import type { AgentTask } from './agent-task.ts';
import type { CallArtifacts, SessionArtifacts } from './call-artifacts.ts';
import { ToolTimeoutError } from './errors.ts';
import { Handoff } from './handoff.ts';
import type { Tool, ToolContext, UserData } from './tool.ts';

/** How a tool's call ended, for who watches. */
export interface EndedToolCall {
  readonly id: string;
  readonly name: string;
  /** `failed`: it threw, or there is no such tool. `cancelled`: nobody wants the result any more. */
  readonly outcome: 'done' | 'failed' | 'timedOut' | 'cancelled';
  readonly durationMs: number;
}

/** How a call ended, exactly once. `answer`: the model waits for the result; a call it took back gets none. */
export interface SettledCall {
  readonly response: FunctionResponse;
  readonly answer: boolean;
  /** Whose tool it was. */
  readonly activity: Activity;
  readonly ended: EndedToolCall;
  /** Whom it gives the conversation to. */
  readonly handoff?: PreparedHandoff;
  /** The artifacts it has saved, with their versions. */
  readonly artifactDelta?: Readonly<Record<string, number>> | undefined;
}

/** An agent who is ready to have the conversation. */
export interface PreparedHandoff {
  readonly to: Activity;
  readonly reply: boolean;
}

/** How many answered calls are remembered, in case the model asks for one of them again. */
const REMEMBERED_ANSWERS = 100;

/** How long a cancelled tool may take to unwind before it is named in the report and left behind. */
export const TOOL_UNWIND_MS = 1_000;

const SESSION_ENDED = 'cancelled, the session ended';

/** What comes of a call, by the reason its scope is closed with. */
const OUTCOMES = { settled: 'done', failed: 'failed', 'timed out': 'timedOut' } as const;

interface RunningCall {
  readonly call: FunctionCall;
  readonly scope: Lifetime;
  readonly tool: Tool;
  readonly activity: Activity;
  readonly artifacts: CallArtifacts;
  /** Undefined while a task has the conversation. */
  timeout: Timer | undefined;
  timeoutAtMs: number;
  readonly startedAtMs: number;
  /** Whether the model has taken it back, and the tool goes on nevertheless. */
  isUnwanted: boolean;
}

export interface ToolCallsOptions {
  readonly owner: Lifetime;
  readonly environment: HookEnvironment;
  /** Whose tools are called now, and who prepares what they hand over to. */
  activities(): Pick<Activities, 'current' | 'prepare' | 'runTask' | 'isLeaving'>;
  settled(settled: SettledCall): void;
}

/**
 * Runs tools off the receive path. Each call has a lifetime of its own: its signal fires when the result is no longer
 * wanted, and a tool that ignores it is abandoned by name while everything else goes on (clause R10).
 */
export class ToolCalls {
  readonly #options: ToolCallsOptions;
  readonly #owner: Lifetime;
  readonly #running = new Map<string, RunningCall>();
  readonly #answers = new Map<string, FunctionResponse>();

  constructor(options: ToolCallsOptions) {
    this.#options = options;
    this.#owner = options.owner;
  }

  /** Whether a call of this id runs, or has settled a short while ago. */
  knows(id: string): boolean {
    return this.#running.has(id) || this.#answers.has(id);
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  /** The calls that have not settled. */
  get running(): readonly FunctionCall[] {
    return [...this.#running.values()].map(({ call }) => call);
  }

  /** How a call settled, if it has. */
  answerOf(id: string): FunctionResponse | undefined {
    return this.#answers.get(id);
  }

  /** How many calls of an activity's tools have not settled. */
  countOf(activity: Activity): number {
    let count = 0;
    for (const running of this.#running.values()) if (running.activity === activity) count += 1;
    return count;
  }

  /** Starts a call of an id that is not known. */
  start(call: FunctionCall): void {
    const activity = this.#options.activities().current;
    const tools = activity.prepared?.tools;
    const tool = tools?.get(call.name);
    if (this.#owner.isClosing) {
      // The model's message itself led to the close: the history must not end in the middle of a call.
      const ended = endedAtOnce(call, 'cancelled');
      this.#tell({ response: failure(call, SESSION_ENDED), answer: false, activity, ended });
      return;
    }
    if (tool === undefined) {
      const known = Array.from(tools?.keys() ?? []).join(', ') || 'none';
      const response = failure(call, `There is no tool named '${call.name}'. Known: ${known}.`);
      this.#tell({ response, answer: true, activity, ended: endedAtOnce(call, 'failed') });
      return;
    }
    const scope = this.#owner.child(`tool ${call.name}`, {
      phase: 'settle',
      drain: (child) => child.closed,
      logFields: { tool: call.name },
    });
    const artifacts = this.#options.environment.artifacts();
    const running = {
      ...{ call, scope, tool, activity, artifacts },
      ...{ timeout: undefined, timeoutAtMs: 0, isUnwanted: false },
      startedAtMs: this.#owner.clock.now(),
    };
    this.#running.set(call.id, running);
    this.#arm(running, tool.timeoutMs);
    ToolCalls.#run(running, this.#options.environment, new WeakRef(this));
  }

  /**
   * Starts the tool. What outlives the call holds the calls weakly, and this function is static so that no closure in
   * it holds them by accident: a tool that never settles must not keep its session in memory (clause C6).
   */
  static #run(
    { call, scope, tool, artifacts }: RunningCall,
    environment: HookEnvironment,
    calls: WeakRef<ToolCalls>,
  ): void {
    const context = new CallContext(call.id, scope, environment, artifacts, calls);
    const run = Promise.resolve().then(() => tool.execute(call.args, context));
    void scope.own('run', run, {
      phase: 'settle',
      boundMs: TOOL_UNWIND_MS,
      // In the instant the session closes the call settles: the history must not end in the middle of one.
      stop: () => calls.deref()?.cancel([call.id], SESSION_ENDED),
      close: (running) => running.catch(() => undefined),
    });
    run.then(
      (value) => calls.deref()?.finished(call.id, value),
      (error: unknown) => calls.deref()?.settle(call.id, failure(call, describeError(error)), 'failed'),
    );
  }

  /** The tool has given its result. */
  finished(id: string, value: unknown): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    if (value instanceof Handoff) void this.#handOver(running, value);
    else this.settle(id, success(running.call, value), 'settled');
  }

  /** Lets a task have the conversation in the middle of a call, whose time does not run meanwhile. */
  async runTask<Result>(id: string, task: AgentTask<Result>): Promise<Result> {
    const running = this.#running.get(id);
    if (running === undefined) throw new ClosedError('The call is over: no task can be run for it.');
    running.timeout?.cancel();
    const leftMs = running.timeoutAtMs - this.#owner.clock.now();
    running.timeout = undefined;
    const fate = { task };
    running.scope.own('task', fate, {
      stop: (held) => held.task.fail(new ClosedError('The call the task was run for is over.')),
    });
    try {
      return await this.#options.activities().runTask(task, running.activity);
    } finally {
      running.scope.release(fate);
      if (this.#running.get(id) === running && !running.scope.isClosing) this.#arm(running, leftMs);
    }
  }

  /** The model takes calls back: their signals fire, and it gets no answer. */
  takenBack(ids: readonly string[]): void {
    const isCancellable = (id: string): boolean => this.#running.get(id)?.tool.cancellable !== false;
    this.cancel(ids.filter(isCancellable), 'cancelled by the model');
    for (const id of ids) {
      const running = this.#running.get(id);
      if (running !== undefined) running.isUnwanted = true;
    }
  }

  /** Ends calls: their signals fire, and the model gets no answer. */
  cancel(ids: readonly string[], why: string): void {
    for (const id of ids) {
      const running = this.#running.get(id);
      if (running === undefined) continue;
      this.#running.delete(id);
      const ended = this.#endedNow(running, 'cancelled');
      const { activity, call, artifacts } = running;
      const { delta: artifactDelta } = artifacts;
      this.#tell({ response: failure(call, why), answer: false, activity, ended, artifactDelta });
      void running.scope.close(why);
    }
  }

  /** Settles a call, unless it has settled otherwise. */
  settle(
    id: string,
    response: FunctionResponse,
    reason: keyof typeof OUTCOMES,
    handoff?: PreparedHandoff,
  ): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    const { activity, isUnwanted, artifacts } = running;
    this.#tell({
      response,
      answer: !isUnwanted,
      activity,
      ended: this.#endedNow(running, OUTCOMES[reason]),
      artifactDelta: artifacts.delta,
      ...(handoff === undefined || isUnwanted ? {} : { handoff }),
    });
    void running.scope.close(reason);
  }

  async #handOver({ call, activity }: RunningCall, { agent, reply, result }: Handoff): Promise<void> {
    try {
      const to = await this.#options.activities().prepare(agent);
      if (this.#options.activities().isLeaving(activity)) {
        throw new InvalidOptionError(`The conversation is being given away, and not to '${agent.name}'.`);
      }
      this.settle(call.id, success(call, result), 'settled', { to, reply });
    } catch (error) {
      this.settle(call.id, failure(call, describeError(error)), 'failed');
    }
  }

  #arm(running: RunningCall, timeoutMs: number): void {
    const { call, scope, tool } = running;
    running.timeoutAtMs = this.#owner.clock.now() + timeoutMs;
    running.timeout = scope.timer('time-out', timeoutMs, () => {
      const error = new ToolTimeoutError(`Tool '${call.name}' did not settle within ${tool.timeoutMs} ms.`);
      this.settle(call.id, failure(call, error.message), 'timed out');
    });
  }

  #endedNow({ call, startedAtMs }: RunningCall, outcome: EndedToolCall['outcome']): EndedToolCall {
    return { id: call.id, name: call.name, outcome, durationMs: this.#owner.clock.now() - startedAtMs };
  }

  #tell(settled: SettledCall): void {
    const { response } = settled;
    this.#answers.set(response.id, response);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > REMEMBERED_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
    this.#options.settled(settled);
  }
}

function endedAtOnce({ id, name }: FunctionCall, outcome: EndedToolCall['outcome']): EndedToolCall {
  return { id, name, outcome, durationMs: 0 };
}

/** What a tool is told; it holds no live session. */
class CallContext implements ToolContext {
  readonly callId: string;
  readonly state: Record<string, unknown>;
  readonly userData: UserData;
  readonly artifacts: SessionArtifacts;
  readonly #scope: Lifetime;
  readonly #session: WeakRef<AgentSession>;
  readonly runTask: ToolContext['runTask'];

  constructor(
    callId: string,
    scope: Lifetime,
    { state, userData, session }: HookEnvironment,
    artifacts: SessionArtifacts,
    calls: WeakRef<ToolCalls>,
  ) {
    this.callId = callId;
    this.state = state;
    this.userData = userData;
    this.artifacts = artifacts;
    this.#scope = scope;
    this.#session = session;
    this.runTask = runTaskOf(callId, calls);
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  get session(): AgentSession {
    return sessionOf(this.#session);
  }
}

/** A function, because a tool takes what it needs out of its context. */
function runTaskOf(callId: string, calls: WeakRef<ToolCalls>): ToolContext['runTask'] {
  let refused = 0;
  return (task) => {
    const held = calls.deref();
    if (held?.isRunning(callId) === true) return held.runTask(callId, task);
    refused += 1;
    if (refused > MAX_REFUSED_TASKS) return new Promise(() => undefined);
    const error = new ClosedError('The call is over, or the live session: no task can be run for it.');
    return Promise.reject(withoutFrames(error));
  };
}

/** Results are JSON objects; anything else is wrapped as `{ output }`, and what JSON cannot hold is an error. */
function success({ id, name }: FunctionCall, value: unknown): FunctionResponse {
  try {
    const json: unknown = value === undefined ? null : JSON.parse(JSON.stringify(value));
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return { id, name, response: isObject ? (json as Record<string, unknown>) : { output: json } };
  } catch (error) {
    return failure({ id, name, args: {} }, `The result of '${name}' is not JSON: ${describeError(error)}`);
  }
}

function failure({ id, name }: FunctionCall, error: string): FunctionResponse {
  return { id, name, response: { error } };
}
