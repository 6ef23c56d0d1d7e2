import type { Content, FunctionCall, FunctionResponse } from '../protocol/index.ts';
import { ContextWatch } from './context-watch.ts';
import type { Conversation } from './conversation.ts';
import { InputRing } from './input-ring.ts';
import type { Replay } from './input-ring.ts';
import type { LiveCapabilities, ModelInput, ModelOutput } from './live-model.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';
import type { Resuming, Resumption } from './resumption.ts';
import { seedHistory } from './seed-history.ts';
import type { StoredSession } from './session-store.ts';

/** What the session does with a new connection, and tells of it. */
export interface Continued extends Replay {
  readonly cutTurn: boolean;
  readonly historyTurns: number;
  /** The turns the model does not know, and perhaps the question for the answer it owes; undefined where it knows all. */
  readonly first: ModelInput | undefined;
  /** Results that are told next, because they came too late to be among the turns. */
  readonly results: readonly FunctionResponse[];
  /** Whether what the user said was sent so often, and ended a connection each time, that it is not sent again. */
  readonly isGivenUp: boolean;
}

interface Cut {
  readonly atBoundary: boolean;
  readonly cutTurn: boolean;
  readonly owesAnswer: boolean;
  readonly isGivenUp: boolean;
}

export interface ContinuityOptions {
  readonly session: StoredSession;
  readonly conversation: Conversation;
  readonly resumption: Resumption;
  readonly model: { readonly capabilities: LiveCapabilities };
  readonly policy: ReconnectPolicy | undefined;
  /** The calls whose tools have not settled. */
  running(): readonly FunctionCall[];
}

/**
 * What has to be the same on both sides of a replaced connection: what the user said, what the model knows, and which
 * calls it waits for (clauses R2, R8, R10).
 */
export class Continuity {
  readonly ring: InputRing;
  readonly #options: ContinuityOptions;
  readonly #context = new ContextWatch();
  /** How many inputs the connection has taken. */
  #sentInputs = 0;
  /** Calls the connection knows and has had no result for. */
  #openCalls = new Set<string>();
  /** Calls that were left out of the history the connection was given, because their tools were running. */
  #leftOut: ReadonlySet<string> = new Set();
  /** The turns the connection still has to be told, and how much of the history it knows without them. */
  #untold: { readonly first: ModelInput; readonly historyLength: number } | undefined;
  /** What the connection that is gone has left behind, until there is another one. */
  #cut: Cut | undefined;

  constructor(options: ContinuityOptions) {
    this.#options = options;
    const { policy, model } = options;
    const keeps = policy !== undefined && model.capabilities.inProcess !== true;
    this.ring = new InputRing(keeps, policy?.bufferedAudioMs ?? Infinity);
  }

  /** Before the conversation takes a message in: the agent may be about to take the floor. */
  receiving(message: ModelOutput): void {
    if (this.#options.conversation.isAgentSpeaking) return;
    const { type } = message;
    if (type === 'audio' || type === 'text' || type === 'content' || type === 'toolCall')
      this.ring.floorTaken();
  }

  /** After the conversation took it in. Returns whether it shows that the provider has forgotten the conversation. */
  received(message: ModelOutput): boolean {
    switch (message.type) {
      case 'generationComplete':
      case 'turnComplete':
      case 'interrupted':
        this.ring.answered();
        return false;
      case 'usage':
        return this.#context.prompted(message.usage.promptTokens);
      default:
        return false;
    }
  }

  /** The model has called: what led to the calls was acted on, and must not be acted on again. */
  called(calls: readonly FunctionCall[]): void {
    this.ring.answered();
    this.#options.resumption.fellBehind();
    for (const { id } of calls) this.#openCalls.add(id);
  }

  /** The connection took an input. */
  sent(input: ModelInput): void {
    const index = this.#sentInputs;
    this.#sentInputs += 1;
    if (input.type === 'toolResponse') this.settled(input.responses.map(({ id }) => id));
    else if (input.type !== 'history') this.ring.sent(index);
    else if (input === this.#untold?.first) this.#untold = undefined;
  }

  /** The connection has the result, or takes the call back. */
  settled(ids: readonly string[]): void {
    for (const id of ids) this.#openCalls.delete(id);
  }

  /** The provider issued a handle: what it knows is what was sent until now. Or it says that there is none now. */
  resumable(
    { handle, lastConsumedIndex }: Extract<ModelOutput, { readonly type: 'resumption' }>,
    wallTimeMs: number,
  ): void {
    if (handle === undefined) {
      this.#options.resumption.notNow();
      return;
    }
    if (lastConsumedIndex !== undefined) this.ring.isCounted();
    this.#options.resumption.issued({
      handle,
      atMs: wallTimeMs,
      historyLength: this.#untold?.historyLength ?? this.#options.session.history.length,
      position:
        lastConsumedIndex === undefined ? this.ring.position : this.ring.positionAfter(lastConsumedIndex),
      isCounted: lastConsumedIndex !== undefined,
      cameInQuiet: this.ring.isQuiet,
      calls: new Set(this.#openCalls),
      isBehind: this.#untold !== undefined,
    });
  }

  /** Whether nobody is in the middle of anything. */
  get isAtBoundary(): boolean {
    const { conversation, running } = this.#options;
    if (!conversation.isIdle || this.#openCalls.size > 0) return false;
    return running().length === 0;
  }

  /** What a result is sent as: to a connection that does not know its call, both are told as history. */
  answerOf(response: FunctionResponse): ModelInput | undefined {
    if (this.#openCalls.has(response.id)) return { type: 'toolResponse', responses: [response] };
    if (this.#options.model.capabilities.takesContent !== true) return undefined;
    const call = this.#options.session.history.findLast(({ parts }) =>
      parts.some(({ functionCall }) => functionCall?.id === response.id),
    );
    const result: Content = { role: 'user', parts: [{ functionResponse: response }] };
    return { type: 'history', turns: call === undefined ? [result] : [call, result], turnComplete: true };
  }

  /** The conversation so far, for a fresh connection: without what is sent to it again, and without running calls. */
  seed(): readonly Content[] {
    this.#leftOut = this.#runningCalls();
    return seedHistory(this.#options.session.history, this.#leftOut);
  }

  /** The connection goes on with the history it was given anew by `seed`. */
  reconfigured(): void {
    this.#openCalls = new Set();
  }

  /** The connection is gone: what it had not answered goes back into the ring. */
  cut(): void {
    const { conversation, resumption, model } = this.#options;
    const atBoundary = this.isAtBoundary && resumption.isCurrent;
    const rewinding = this.ring.rewind(resumption.handle?.isCounted);
    // What ended so many connections is not asked about once more in other words.
    const canAsk = model.capabilities.takesContent === true && rewinding !== 'givenUp';
    const again = rewinding === 'again' ? this.ring.contentsToSend : undefined;
    const { cutTurn, completed, owesAnswer } = conversation.cut(again, canAsk);
    if (completed) resumption.fellBehind();
    const earlier = this.#cut;
    const isGivenUp = rewinding === 'givenUp' || earlier?.isGivenUp === true;
    this.#cut = { atBoundary, cutTurn: cutTurn || earlier?.cutTurn === true, owesAnswer, isGivenUp };
  }

  /** The connection is a new one. `unsent` are the results that were waiting for it. */
  continued(resuming: Resuming, seededTurns: number, unsent: readonly FunctionResponse[]): Continued {
    const { session, model, conversation, resumption } = this.#options;
    const { atBoundary = true, cutTurn = false, owesAnswer = false, isGivenUp = false } = this.#cut ?? {};
    this.#cut = undefined;
    this.#sentInputs = 0;
    const handle = resuming.tag === 'resume' ? resuming.handle : undefined;
    if (handle === undefined) this.#context.restarted();
    else this.#context.resumed();
    // At a boundary the handle knows all that was heard, and a provider that counts knows what it has. Anywhere else
    // the moment of the handle says nothing of half an utterance, and neither does one that came in the middle of one:
    // the provider had issued it before it heard what was on its way.
    const isExact = handle !== undefined && (handle.isCounted || (atBoundary && handle.cameInQuiet));
    if (isExact) this.ring.skipTo(handle.position);
    conversation.goesOn(isExact ? this.ring.contentsToSend : undefined);
    resumption.historyShortened(session.history.length);
    const running = this.#runningCalls();
    const open = this.#openCalls;
    this.#openCalls = new Set([...open].filter((id) => handle?.calls.has(id)));
    const isBehind = handle !== undefined && (handle.isBehind || owesAnswer);
    const turns = isBehind ? seedHistory(session.history.slice(handle.historyLength), running) : [];
    const turnComplete = owesAnswer && running.size === 0;
    const canTell = model.capabilities.takesContent === true && (turns.length > 0 || turnComplete);
    // Fresh, it has those that were settled when it was seeded; resumed, those that are among the turns it is told.
    const told = new Set(canTell ? turns.flatMap(idsOfResults) : []);
    const results = unsent.filter(({ id }) =>
      handle === undefined ? this.#leftOut.has(id) : handle.calls.has(id) || !told.has(id),
    );
    const first: ModelInput | undefined = canTell ? { type: 'history', turns, turnComplete } : undefined;
    this.#untold =
      first === undefined || handle === undefined
        ? undefined
        : { first, historyLength: resumption.handle?.historyLength ?? 0 };
    return {
      ...this.ring.replay(),
      cutTurn,
      historyTurns: handle === undefined ? seededTurns : canTell ? turns.length : 0,
      first,
      results,
      isGivenUp,
    };
  }

  /** Calls whose results are told when there are any, where the model takes that. */
  #runningCalls(): ReadonlySet<string> {
    const { model, running } = this.#options;
    return new Set(model.capabilities.takesContent === true ? running().map(({ id }) => id) : []);
  }
}

function idsOfResults({ parts }: Content): string[] {
  return parts.flatMap(({ functionResponse }) => functionResponse?.id ?? []);
}
