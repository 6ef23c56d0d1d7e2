import {
  ClosedError,
  DEFAULT_CLOSE_TIMEOUT_MS,
  Emitter,
  HoldfastError,
  InvalidOptionError,
  Lifetime,
  describeError,
} from '../kernel/index.ts';
import { systemClock, systemRandom } from '../kernel/index.ts';
import type { CloseReport, Clock, Listener, ListenerErrorHandler, Logger, Random } from '../kernel/index.ts';
import type {
  ConnectionEventBody,
  FunctionCall,
  FunctionResponse,
  LimitName,
  LiveEvent,
  LiveEventBody,
  Usage,
} from '../protocol/index.ts';
import type { Agent } from './agent.ts';
import { ConnectionCounter } from './connection-counts.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import { ConnectionLog } from './connection-log.ts';
import { Continuity } from './continuity.ts';
import { Conversation } from './conversation.ts';
import { InputPump } from './input-pump.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS, LimitWatch } from './limits.ts';
import type { SessionLimits } from './limits.ts';
import type { LiveModel, LiveSetup, ModelInput, ModelOutput } from './live-model.ts';
import { JournalWriter } from './journal-writer.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, ModelLeg } from './model-leg.ts';
import type { Recovered } from './model-leg.ts';
import { resolveReconnect } from './reconnect-policy.ts';
import type { ReconnectOptions } from './reconnect-policy.ts';
import { Resumption } from './resumption.ts';
import type { Resuming } from './resumption.ts';
import { liveSetup } from './run-config.ts';
import type { Knowledge, RunConfig } from './run-config.ts';
import { endReasonOf } from './session-end.ts';
import type { EndReason, SessionCloseReport } from './session-end.ts';
import { newSession } from './session-store.ts';
import type { Journal, StoredSession } from './session-store.ts';
import { ToolCalls } from './tool-calls.ts';
import type { SettledCall } from './tool-calls.ts';
import { NO_USAGE, addUsage } from './usage.ts';

/** What was queued before a close goes out within a second, or its receiver is not taking it (clause C11). */
export const DEFAULT_FLUSH_TIMEOUT_MS = 1_000;

/** How long a drain waits for an answer that was asked for and has not begun. */
export const DRAIN_ANSWER_TIMEOUT_MS = 10_000;

export interface AgentSessionOptions {
  readonly agent: Agent;
  /** Default: the agent's own. */
  readonly model?: LiveModel | undefined;
  /** The stored session this is a live run of; its history is continued. Default: a new one. */
  readonly session?: StoredSession | undefined;
  /** Where the client's requests come from. Default: a new one, see `queue`. */
  readonly queue?: LiveRequestQueue | undefined;
  readonly runConfig?: RunConfig | undefined;
  /** Where what happens is written down as it happens, under the name of `session`. Default: nowhere. */
  readonly journal?: Journal | undefined;
  /** Who owns the live session, and ends it when it ends itself. Default: nobody. */
  readonly owner?: Lifetime | undefined;
  /** Default `DEFAULT_CLOSE_TIMEOUT_MS`. */
  readonly closeTimeoutMs?: number | undefined;
  /** Default `DEFAULT_FLUSH_TIMEOUT_MS`. */
  readonly flushTimeoutMs?: number | undefined;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number | undefined;
  readonly limits?: Partial<SessionLimits> | undefined;
  /** How a lost connection is had again. Default: see `ReconnectPolicy`; `false` turns it off. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** These three are the owner's where there is one. */
  readonly clock?: Clock | undefined;
  readonly log?: Logger | undefined;
  readonly random?: Random | undefined;
}

interface AgentSessionEvents extends Record<string, readonly unknown[]> {
  event: readonly [event: LiveEvent];
  close: readonly [report: SessionCloseReport];
}

export type AgentSessionState = 'new' | 'connecting' | 'live' | 'draining' | 'closing' | 'closed';

/**
 * One live run of a session: an agent, a model, and whoever talks to it.
 *
 * ```ts
 * const session = new AgentSession({ agent, model: echo() });
 * session.on('event', (event) => …);
 * await session.start();
 * session.queue.sendContent(textContent('user', 'Hello'));
 * await session.drain();
 * ```
 *
 * `drain()` lets the answer under way finish, `close()` stops politely, `abort()` at once; each resolves with the
 * report, which `closed` and the event `close` give as well, once and in bounded time (clause C3).
 */
export class AgentSession implements AsyncDisposable {
  readonly agent: Agent;
  readonly model: LiveModel;
  readonly session: StoredSession;
  readonly queue: LiveRequestQueue;
  /** Resolves, and never rejects, when the live session has ended. */
  readonly closed: Promise<SessionCloseReport>;

  readonly #lifetime: Lifetime;
  readonly #emitter: Emitter<AgentSessionEvents>;
  readonly #conversation: Conversation;
  readonly #continuity: Continuity;
  readonly #connectionLog: ConnectionLog;
  readonly #journal: JournalWriter | undefined;
  /** What the answers of earlier live sessions have cost. */
  readonly #usageBefore: Usage;
  readonly #connections = new ConnectionCounter();
  readonly #leg: ModelLeg;
  readonly #pump: InputPump;
  readonly #tools: ToolCalls;
  readonly #options: AgentSessionOptions;
  #startedAtMs: number | undefined;
  #connectingAtMs: number | undefined;
  #limits: LimitWatch | undefined;
  #lastSeq = 0;

  /** @throws InvalidOptionError without a model, or when the queue feeds another live session. */
  constructor(options: AgentSessionOptions) {
    const { agent, owner, clock = systemClock, log, random = systemRandom } = options;
    const model = options.model ?? agent.model;
    if (model === undefined) {
      throw new InvalidOptionError(
        `Agent '${agent.name}' has no model. Give one: new AgentSession({ agent, model: echo() }).`,
      );
    }
    checkTimes({ ...options, ...options.limits });
    const policy = resolveReconnect(options.reconnect, model.capabilities);
    owner?.throwIfClosing();
    this.agent = agent;
    this.model = model;
    this.session = options.session ?? newSession(clock, random);
    this.queue = options.queue ?? new LiveRequestQueue();
    this.#options = options;
    // Before anything is made that would have to be let go of when the queue is somebody else's.
    const detach = this.queue.attach({ queued: () => this.#queued(), closed: () => this.#queueClosed() });

    const name = `session ${this.session.id}`;
    const lifetimeOptions = {
      closeTimeoutMs: options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS,
      logLevel: 'info',
    } as const;
    const lifetime =
      owner === undefined
        ? Lifetime.root({ name, clock, ...(log === undefined ? {} : { log }), ...lifetimeOptions })
        : owner.child(name, { ...lifetimeOptions, drain: (child) => child.closed });
    this.#lifetime = lifetime;
    lifetime.own('request queue', this.queue, {
      stop: (queue) => {
        detach();
        queue.close();
      },
    });
    this.#emitter = new Emitter(listenerFailed(lifetime.log, name));
    this.#conversation = new Conversation(this.session.history, (event) => this.#emit(event));
    this.#tools = new ToolCalls(agent.tools, lifetime, this.session.state, (settled) =>
      this.#toolSettled(settled),
    );
    const { session } = this;
    const handles = { modelId: model.id, lifetimeMs: model.capabilities.handleLifetimeMs ?? Infinity };
    this.#connectionLog = new ConnectionLog(lifetime.log, name);
    this.#connectionLog.handleUpdated(session.resumption?.handle);
    const resumption = new Resumption(handles, session.resumption, session.history.length, (stored) => {
      session.resumption = stored;
      this.#connectionLog.handleUpdated(stored?.handle);
      this.#journal?.changed();
    });
    this.#usageBefore = session.usage ?? NO_USAGE;
    const { journal } = options;
    this.#journal =
      journal === undefined
        ? undefined
        : new JournalWriter({ journal, session, owner: lifetime, pendingCalls: () => this.#tools.running });
    this.#continuity = new Continuity({
      session,
      conversation: this.#conversation,
      resumption,
      capabilities: model.capabilities,
      policy,
      running: () => this.#tools.running,
    });
    this.#leg = new ModelLeg({
      model,
      owner: lifetime,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      policy,
      random,
      resumption,
      setup: (resuming) => liveSetup(agent, session, options.runConfig, this.#knowledge(resuming)),
      mayReconnect: () => this.isOpen,
      isAtBoundary: () => this.#continuity.isAtBoundary,
      isQuiet: () => this.#continuity.ring.isQuiet,
      changed: (event) => this.#connectionChanged(event),
      disconnected: () => this.#continuity.cut(),
      connected: (setup, resuming, recovered) => this.#connected(setup, resuming, recovered),
      ready: () => void this.#pump.pump(),
      output: (message) => this.#received(message),
      sent: (input) => this.#sent(input),
      refused: (input, error) => this.#refused(input, error),
      failed: (error) => this.#failed(error),
    });
    this.#pump = new InputPump(this.queue, this.#continuity.ring, this.#leg, lifetime);
    this.closed = lifetime.closed.then((report) => this.#finish(report));
  }

  get state(): AgentSessionState {
    const { tag } = this.#lifetime.state;
    if (tag !== 'open') return tag;
    if (this.#startedAtMs === undefined) return 'new';
    return this.#leg.isConnected ? 'live' : 'connecting';
  }

  /** Whether anything new is welcome: false from the first verb on. */
  get isOpen(): boolean {
    return this.#lifetime.isOpen;
  }

  /** The agent's turn in which what is said now will be answered, as events are stamped with it. */
  get answerTurn(): number {
    return this.#conversation.answerTurn;
  }

  on<Name extends 'event' | 'close'>(event: Name, listener: Listener<AgentSessionEvents[Name]>): () => void {
    return this.#emitter.on(event, listener);
  }

  /** What the connections to the model have come to so far. */
  get connections(): ConnectionCounts {
    return this.#connections.counts;
  }

  /** What the live session holds outside memory; empty once it has closed (clause C6). */
  resources(): string[] {
    return this.#lifetime.resources();
  }

  /**
   * Connects to the model. Resolves when it is ready for input. A failure ends the live session.
   * @throws the typed error of the failure; ClosedError when the session is ended meanwhile or was before;
   * InvalidOptionError when it was started before.
   */
  async start(): Promise<void> {
    if (this.#startedAtMs !== undefined)
      throw new InvalidOptionError('This live session was started already; make a new AgentSession.');
    this.#startedAtMs = this.#lifetime.clock.now();
    if (this.queue.isClosed) this.#queueClosed();
    this.#throwIfEnding();
    this.#settleLostCalls();
    try {
      await this.#leg.start();
    } catch (error) {
      this.#throwIfEnding();
      void this.close('error', error);
      throw error;
    }
    this.#throwIfLost();
    this.#pump.pump();
  }

  /** Takes nothing new, sends what is queued, lets the answer and the tools under way finish, then closes. */
  drain(reason: EndReason = 'drained'): Promise<SessionCloseReport> {
    if (this.#lifetime.isOpen) {
      this.#lifetime.own('drain', {}, { drain: () => this.#conversationEnds() });
      void this.#lifetime.drain(reason);
      this.queue.close();
    }
    return this.closed;
  }

  /** Stops now: refuses input, says goodbye to the model, ends tools, within `closeTimeoutMs`. */
  close(reason: EndReason = 'user_initiated', error?: unknown): Promise<SessionCloseReport> {
    void this.#lifetime.close(reason, error);
    return this.closed;
  }

  /** Stops now, without waiting for anybody. */
  abort(reason: EndReason = 'aborted'): Promise<SessionCloseReport> {
    void this.#lifetime.abort(reason);
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** Nothing is dialled for a session that has been told to end, however gently (clause C1). */
  #throwIfEnding(): void {
    this.#throwIfLost();
    if (this.isOpen) return;
    throw new ClosedError(`Session '${this.session.id}' is ending or has ended; make a new AgentSession.`);
  }

  #throwIfLost(): void {
    const { state } = this.#lifetime;
    const ending = state.tag === 'closing' ? state.ending : state.tag === 'closed' ? state.report : undefined;
    if (ending?.reason === 'error' && ending.error instanceof Error) throw ending.error;
  }

  #queued(): void {
    this.#limits?.active();
    this.#pump.pump();
  }

  /** The client has closed its queue: what it held is sent if the connection takes it, and the session ends. */
  #queueClosed(): void {
    if (!this.isOpen) return;
    if (this.#pump.pump() || !this.#leg.isConnected) {
      void this.close('user_initiated');
      return;
    }
    // The close does not wait for what else a drain would wait for: answers, tools.
    const flushed = (): Promise<unknown> => this.#flush().then(() => void this.close('user_initiated'));
    this.#lifetime.own('flush', {}, { drain: flushed });
    void this.#lifetime.drain('user_initiated');
  }

  async #conversationEnds(): Promise<void> {
    await this.#flush();
    if (this.#lifetime.isClosing) return;
    const unanswered = this.#lifetime.timer('answer', DRAIN_ANSWER_TIMEOUT_MS, () => {
      if (!this.#conversation.isAgentSpeaking) this.#conversation.stopWaiting();
    });
    await this.#conversation.whenIdle();
    unanswered.cancel();
  }

  #flush(): Promise<void> {
    return this.#pump.flush(this.#options.flushTimeoutMs ?? DEFAULT_FLUSH_TIMEOUT_MS);
  }

  #knowledge(resuming: Resuming): Knowledge {
    if (resuming.tag === 'reseed') return { history: this.#continuity.seed() };
    return { history: [], resumptionHandle: resuming.handle.handle };
  }

  /** The model is there, or is there again: what it does not know goes first, and what that means is told (R9). */
  #connected({ history }: LiveSetup, resuming: Resuming, recovered: Recovered | undefined): void {
    const { clock } = this.#lifetime;
    this.#limits ??= new LimitWatch(this.#lifetime, this.#sessionLimits(), (limit, afterMs) =>
      this.#limit(limit, afterMs),
    );
    const unsent = this.#pump.takeResults();
    const { first, results, isGivenUp, ...told } = this.#continuity.continued(
      resuming,
      history.length,
      unsent,
    );
    this.#pump.beginWith(first);
    for (const result of results) this.#answer(result);
    const { historyTurns } = told;
    const afterMs = Math.round(clock.now() - (this.#connectingAtMs ?? clock.now()));
    const resumed = resuming.tag === 'resume';
    this.#connectionChanged({ type: 'connection', state: 'connected', resumed, historyTurns, afterMs });
    if (isGivenUp) {
      this.#emit({
        type: 'warning',
        code: 'HOLDFAST_INPUT_GIVEN_UP',
        message: 'What the user said has ended every connection it was sent to, and is not sent again.',
      });
    }
    if (recovered === undefined) return;
    const { isSwap, ...replaced } = recovered;
    const recovery = { type: 'connection', ...replaced, ...told } as const;
    if (isSwap) {
      this.#connectionChanged({ ...recovery, state: 'swapped', how: resumed ? 'resumed' : 'reseeded' });
    } else if (resuming.tag === 'resume') {
      this.#connectionChanged({ ...recovery, state: 'resumed' });
    } else {
      this.#connectionChanged({ ...recovery, state: 'reseeded', why: resuming.why });
    }
  }

  #connectionChanged(event: ConnectionEventBody): void {
    if (event.state === 'connecting') this.#connectingAtMs = this.#lifetime.clock.now();
    // A provider's own words may quote the handle they are about, and what is emitted goes to clients.
    const told =
      'reason' in event ? { ...event, reason: this.#connectionLog.withoutHandle(event.reason) } : event;
    this.#connectionLog.note(told);
    this.#connections.note(told);
    this.#emit(told);
  }

  /** Calls whose tools ran in a process that is no more: the history must not end in the middle of one (R10). */
  #settleLostCalls(): void {
    const { session } = this;
    for (const { id, name } of session.pendingCalls ?? []) {
      const response = { id, name, response: { error: 'lost with the process that ran it' } };
      session.history.push({ role: 'user', parts: [{ functionResponse: response }] });
    }
    session.pendingCalls = undefined;
    this.#journal?.changed();
  }

  #sent(input: ModelInput): void {
    this.#continuity.sent(input);
    if (input.type === 'audio') {
      this.session.inputMs = (this.session.inputMs ?? 0) + input.audio.durationMs;
      return;
    }
    this.#conversation.sent(input);
    this.#journal?.changed();
  }

  #sessionLimits(): SessionLimits {
    return {
      idleTimeoutMs: this.#options.limits?.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
      maxDurationMs: this.#options.limits?.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
    };
  }

  #received(message: ModelOutput): void {
    this.#limits?.active();
    this.#continuity.receiving(message);
    switch (message.type) {
      case 'toolCall':
        this.#toolsCalled(message.calls);
        return;
      case 'toolCallCancellation':
        this.#tools.cancel(message.ids);
        this.#continuity.settled(message.ids);
        break;
      case 'resumption':
        this.#continuity.resumable(message, this.#lifetime.clock.wallTime());
        return;
      case 'goAway':
        this.#connectionLog.note(message);
        this.#leg.goAway(message.timeLeftMs);
        break;
      default:
    }
    this.#conversation.received(message);
    if (message.type === 'audio') return;
    if (message.type === 'turnComplete') this.#leg.turnEnded();
    if (message.type === 'usage') this.session.usage = addUsage(this.#usageBefore, this.#conversation.usage);
    if (this.#continuity.received(message)) this.#leg.contextLost();
    this.#journal?.changed();
  }

  #refused(input: ModelInput, error: unknown): void {
    if (input.type !== 'toolResponse' && input.type !== 'history') this.#continuity.ring.refused();
    this.#emit({
      type: 'warning',
      code: error instanceof HoldfastError ? error.code : 'HOLDFAST_INPUT_REFUSED',
      message: `${this.model.id} cannot take this '${input.type}'; it was dropped: ${describeError(error)}`,
    });
  }

  #toolsCalled(calls: readonly FunctionCall[]): void {
    const ids = new Set<string>();
    const fresh = calls.filter(({ id }) => !this.#tools.knows(id) && !ids.has(id) && ids.add(id));
    if (fresh.length > 0) {
      this.#conversation.received({ type: 'toolCall', calls: fresh });
      this.#continuity.called(fresh);
    }
    for (const call of fresh) this.#tools.start(call);
    this.#journal?.changed();
    for (const call of calls) if (!fresh.includes(call)) this.#calledAgain(call);
  }

  /** The model repeats a call. Running it twice could do twice what it does; who has its answer gives it again. */
  #calledAgain({ id, name }: FunctionCall): void {
    const answer = this.#tools.answerOf(id);
    this.#emit({
      type: 'warning',
      code: 'HOLDFAST_DUPLICATE_TOOL_CALL',
      message: `The model repeated call '${id}' of '${name}', which was not run twice.`,
    });
    if (answer === undefined) return;
    this.#continuity.called([{ id, name, args: {} }]);
    this.#answer(answer);
  }

  #toolSettled({ response, answer }: SettledCall): void {
    this.session.history.push({ role: 'user', parts: [{ functionResponse: response }] });
    this.#emit({ type: 'toolResult', result: response });
    this.#journal?.changed();
    if (answer) this.#answer(response);
  }

  /** A result goes to the connection that knows its call, or is told as history, or is lost and said to be (R10). */
  #answer(response: FunctionResponse): void {
    const input = this.#continuity.answerOf(response);
    if (input !== undefined) {
      this.#pump.answer(input);
      return;
    }
    this.#emit({
      type: 'warning',
      code: 'HOLDFAST_TOOL_RESULT_LOST',
      message: `The result of '${response.name}' does not reach the model, whose connection no longer knows the call. It stands in the history.`,
    });
  }

  /** There will be no connection any more. */
  #failed(error: Error): void {
    // Who has asked for the end gets it, sooner than thought: that is no failure (clause R1).
    const { state } = this.#lifetime;
    void this.close(state.tag === 'draining' ? endReasonOf(state.ending.reason) : 'error', error);
  }

  #limit(limit: LimitName, afterMs: number): void {
    this.#emit({ type: 'limit', limit, afterMs });
    void this.close('limit');
  }

  #emit(body: LiveEventBody): void {
    const isUser = body.type === 'transcript' && body.speaker === 'user';
    this.#lastSeq += 1;
    const seq = this.#lastSeq;
    const atMs = this.#lifetime.clock.wallTime();
    const author = isUser ? 'user' : this.agent.name;
    const { turn } = this.#conversation;
    if (body.type === 'audio') {
      // Written out, because there are fifty a second of this one, and a copy of unknown fields is ten times as slow.
      const { type, audio, positionSamples } = body;
      this.#emitter.emit('event', { type, audio, positionSamples, seq, atMs, author, turn });
    } else {
      this.#emitter.emit('event', { ...body, seq, atMs, author, turn });
    }
  }

  #finish(report: CloseReport): SessionCloseReport {
    this.#conversation.finish();
    this.#journal?.changed();
    this.session.updatedAtMs = this.#lifetime.clock.wallTime();
    // An error keeps every `this` of its stack alive until the stack is first read; whoever keeps the report has it.
    if (report.error instanceof Error) this.#lifetime.log.debug('ended', { stack: report.error.stack });
    if (report.reason === 'error') {
      const { name, log } = this.#lifetime;
      log.error('session failed', { owner: name, error: describeError(report.error) });
    }
    const whole: SessionCloseReport = {
      ...report,
      reason: endReasonOf(report.reason),
      unsent: this.#pump.abandon(),
      usage: this.#conversation.usage,
      connections: this.connections,
    };
    this.#emitter.emit('close', whole);
    this.#emitter.clear();
    return whole;
  }
}

/** A function of its own, so that a listener whose promise never settles holds a logger and no session (clause C6). */
function listenerFailed(log: Logger, owner: string): ListenerErrorHandler {
  return (error, event) => log.error('listener failed', { owner, event, error: describeError(error) });
}

function checkTimes(options: AgentSessionOptions & Partial<SessionLimits>): void {
  const { closeTimeoutMs, flushTimeoutMs, connectTimeoutMs, idleTimeoutMs, maxDurationMs } = options;
  const times = { closeTimeoutMs, flushTimeoutMs, connectTimeoutMs, idleTimeoutMs, maxDurationMs };
  for (const [name, ms] of Object.entries(times)) {
    if (ms === undefined || ms > 0) continue;
    throw new InvalidOptionError(`${name} must be above 0 milliseconds; it was ${ms}.`);
  }
}
