import { describeError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { FunctionCall, FunctionResponse } from '../protocol/index.ts';
import { ToolTimeoutError } from './errors.ts';
import type { Tool, ToolContext } from './tool.ts';

/** How a call ended, exactly once. `answer`: the model waits for the result; a call it took back gets none. */
export interface SettledCall {
  readonly response: FunctionResponse;
  readonly answer: boolean;
}

/** How many answered calls are remembered, in case the model asks for one of them again. */
const REMEMBERED_ANSWERS = 100;

/** How long a cancelled tool may take to unwind before it is named in the report and left behind. */
export const TOOL_UNWIND_MS = 1_000;

const SESSION_ENDED = 'cancelled, the session ended';

interface RunningCall {
  readonly call: FunctionCall;
  readonly scope: Lifetime;
}

/**
 * Runs tools off the receive path. Each call has a lifetime of its own: its signal fires when the result is no longer
 * wanted, and a tool that ignores it is abandoned by name while everything else goes on (clause R10).
 */
export class ToolCalls {
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #owner: Lifetime;
  readonly #state: Record<string, unknown>;
  readonly #settled: (settled: SettledCall) => void;
  readonly #running = new Map<string, RunningCall>();
  readonly #answers = new Map<string, FunctionResponse>();

  constructor(
    tools: readonly Tool[],
    owner: Lifetime,
    state: Record<string, unknown>,
    settled: (settled: SettledCall) => void,
  ) {
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    this.#owner = owner;
    this.#state = state;
    this.#settled = settled;
  }

  /** Whether a call of this id runs, or has settled a short while ago. */
  knows(id: string): boolean {
    return this.#running.has(id) || this.#answers.has(id);
  }

  /** The calls that have not settled. */
  get running(): readonly FunctionCall[] {
    return [...this.#running.values()].map(({ call }) => call);
  }

  /** How a call settled, if it has. */
  answerOf(id: string): FunctionResponse | undefined {
    return this.#answers.get(id);
  }

  /** Starts a call of an id that is not known. */
  start(call: FunctionCall): void {
    const tool = this.#tools.get(call.name);
    if (this.#owner.isClosing) {
      // The model's message itself led to the close: the history must not end in the middle of a call.
      this.#tell(failure(call, SESSION_ENDED), false);
      return;
    }
    if (tool === undefined) {
      const known = [...this.#tools.keys()].join(', ') || 'none';
      this.#tell(failure(call, `There is no tool named '${call.name}'. Known: ${known}.`), true);
      return;
    }
    const scope = this.#owner.child(`tool ${call.name}`, { phase: 'settle', drain: (child) => child.closed });
    this.#running.set(call.id, { call, scope });
    const { timeoutMs } = tool;
    scope.timer('time-out', timeoutMs, () => {
      const error = new ToolTimeoutError(`Tool '${call.name}' did not settle within ${timeoutMs} ms.`);
      this.settle(call.id, failure(call, error.message), 'timed out');
    });
    ToolCalls.#run(tool, call, this.#state, scope, new WeakRef(this));
  }

  /**
   * Starts the tool. What outlives the call holds the calls weakly, and this function is static so that no closure in
   * it holds them by accident: a tool that never settles must not keep its session in memory (clause C6).
   */
  static #run(
    tool: Tool,
    call: FunctionCall,
    state: ToolContext['state'],
    scope: Lifetime,
    calls: WeakRef<ToolCalls>,
  ): void {
    const { signal } = scope;
    const run = Promise.resolve().then(() => tool.execute(call.args, { signal, callId: call.id, state }));
    void scope.own('run', run, {
      phase: 'settle',
      boundMs: TOOL_UNWIND_MS,
      // In the instant the session closes the call settles: the history must not end in the middle of one.
      stop: () => calls.deref()?.cancel([call.id], SESSION_ENDED),
      close: (running) => running.catch(() => undefined),
    });
    run.then(
      (value) => calls.deref()?.settle(call.id, success(call, value), 'settled'),
      (error: unknown) => calls.deref()?.settle(call.id, failure(call, describeError(error)), 'failed'),
    );
  }

  /** Takes calls back: their signals fire, and the model gets no answer. */
  cancel(ids: readonly string[], why = 'cancelled by the model'): void {
    for (const id of ids) {
      const running = this.#running.get(id);
      if (running === undefined) continue;
      this.#running.delete(id);
      this.#tell(failure(running.call, why), false);
      void running.scope.close(why);
    }
  }

  /** Settles a call, unless it has settled otherwise. */
  settle(id: string, response: FunctionResponse, reason: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    this.#tell(response, true);
    void running.scope.close(reason);
  }

  #tell(response: FunctionResponse, answer: boolean): void {
    this.#answers.set(response.id, response);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > REMEMBERED_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
    this.#settled({ response, answer });
  }
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
