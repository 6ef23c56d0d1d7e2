import type { Lifetime } from '../kernel/index.ts';
import type { FunctionCall, FunctionResponse, LiveEventBody } from '../protocol/index.ts';
import type { Activities } from './activities.ts';
import type { Activity, HookEnvironment } from './activity.ts';
import { CallIds } from './call-ids.ts';
import type { Continuity } from './continuity.ts';
import type { Conversation } from './conversation.ts';
import type { ModelInput } from './live-model.ts';
import type { StoredSession } from './session-store.ts';
import type { StateChanges } from './state-changes.ts';
import { ToolCalls } from './tool-calls.ts';
import type { EndedToolCall, SettledCall } from './tool-calls.ts';

export interface ToolExchangeOptions {
  readonly owner: Lifetime;
  readonly session: StoredSession;
  readonly conversation: Conversation;
  /** What the connection knows. */
  readonly continuity: Continuity;
  readonly environment: HookEnvironment;
  /** What is told of the session's state. */
  readonly state: StateChanges;
  activities(): Activities;
  emit(event: LiveEventBody): void;
  /** A call has settled. */
  ended(call: EndedToolCall): void;
  /** Sends what the model waits for. */
  send(input: ModelInput): void;
  /** Something of the session is to be written down. */
  changed(): void;
}

/**
 * The model's calls and their results, over however many connections: each call is run once and settles once, its result
 * stands in the history, and goes to the connection that knows the call (clause R10).
 */
export class ToolExchange {
  readonly #options: ToolExchangeOptions;
  readonly #calls: ToolCalls;
  readonly #ids = new CallIds((id) => this.#calls.knows(id));

  constructor(options: ToolExchangeOptions) {
    this.#options = options;
    const { owner, environment, activities } = options;
    this.#calls = new ToolCalls({
      owner,
      environment,
      activities,
      settled: (settled) => this.#settled(settled),
    });
  }

  /** The calls whose tools have not settled. */
  get running(): readonly FunctionCall[] {
    return this.#calls.running;
  }

  /** How many calls of an activity's tools have not settled. */
  countOf(activity: Activity): number {
    return this.#calls.countOf(activity);
  }

  /** Whoever calls from here on knows the calls before from the history alone. */
  fresh(): void {
    this.#ids.fresh();
  }

  /** What calls are called here that a connection has made under these ids. */
  namesOf(ids: readonly string[]): readonly string[] {
    return this.#ids.namesOf(ids);
  }

  /** An input as the connection is to have it. */
  outgoing(input: ModelInput): ModelInput {
    return this.#ids.outgoing(input);
  }

  called(made: readonly FunctionCall[]): void {
    const { conversation, continuity, changed } = this.#options;
    const calls = made.map((call) => {
      const id = this.#ids.nameOf(call.id);
      return id === call.id ? call : { ...call, id };
    });
    const ids = new Set<string>();
    const fresh = calls.filter(({ id }) => !this.#calls.knows(id) && !ids.has(id) && ids.add(id));
    if (fresh.length > 0) {
      conversation.received({ type: 'toolCall', calls: fresh });
      continuity.called(fresh);
    }
    for (const call of fresh) this.#calls.start(call);
    changed();
    for (const call of calls) if (!fresh.includes(call)) this.#calledAgain(call);
  }

  cancelled(ids: readonly string[]): void {
    this.#calls.takenBack(ids);
    this.#options.continuity.settled(ids);
  }

  /** Calls whose tools ran in a process that is no more: the history must not end in the middle of one. */
  settleLost(): void {
    const { session, changed } = this.#options;
    for (const { id, name } of session.pendingCalls ?? []) {
      const response = { id, name, response: { error: 'lost with the process that ran it' } };
      session.history.push({ role: 'user', parts: [{ functionResponse: response }] });
    }
    session.pendingCalls = undefined;
    changed();
  }

  /**
   * A result goes to the connection that knows its call, or is told as history, with a new connection where the model takes
   * that in no other way; or it is lost and said to be.
   */
  answer(response: FunctionResponse): void {
    const input = this.#options.continuity.answerOf(response);
    if (input !== undefined) {
      this.#options.send(input);
      return;
    }
    if (this.#options.activities().tellAnew()) return;
    this.#options.emit({
      type: 'warning',
      code: 'HOLDFAST_TOOL_RESULT_LOST',
      message: `The result of '${response.name}' does not reach the model, whose connection no longer knows the call. It stands in the history.`,
    });
  }

  /** The model repeats a call. Running it twice could do twice what it does; who has its answer gives it again. */
  #calledAgain({ id, name }: FunctionCall): void {
    const answer = this.#calls.answerOf(id);
    this.#options.emit({
      type: 'warning',
      code: 'HOLDFAST_DUPLICATE_TOOL_CALL',
      message: `The model repeated call '${id}' of '${name}', which was not run twice.`,
    });
    if (answer === undefined) return;
    this.#options.continuity.called([{ id, name, args: {} }]);
    this.answer(answer);
  }

  #settled({ response, answer, activity, handoff, ended, artifactDelta }: SettledCall): void {
    const { session, state, emit, changed } = this.#options;
    const activities = this.#options.activities();
    session.history.push({
      role: 'user',
      parts: [{ functionResponse: response }],
      ...(artifactDelta === undefined ? {} : { artifacts: artifactDelta }),
    });
    const stateDelta = state.take();
    emit({
      type: 'toolResult',
      result: response,
      ...(stateDelta === undefined ? {} : { stateDelta }),
      ...(artifactDelta === undefined ? {} : { artifactDelta }),
    });
    this.#options.ended(ended);
    changed();
    if (handoff !== undefined) activities.handOver(activity, handoff.to, handoff.reply);
    // Who does not stay gives the result to the next one as history.
    else if (activities.isStaying(activity)) {
      if (answer) this.answer(response);
    } else if (answer) activity.isUnanswered = true;
    activities.moveOn();
  }
}
