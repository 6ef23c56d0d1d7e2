import {
  DEFAULT_CLOSE_TIMEOUT_MS,
  Emitter,
  InvalidOptionError,
  Lifetime,
  describeError,
} from '../kernel/index.ts';
import { randomId, systemClock, systemRandom } from '../kernel/index.ts';
import type { CloseReport, Clock, Listener, Logger, Random } from '../kernel/index.ts';
import type { LimitName, LiveEvent, LiveEventBody } from '../protocol/index.ts';
import type { Agent } from './agent.ts';
import { Conversation } from './conversation.ts';
import { InputPump } from './input-pump.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS, LimitWatch } from './limits.ts';
import type { SessionLimits } from './limits.ts';
import type { ConnectionEnd, LiveModel, LiveSetup, ModelInput, ModelOutput } from './live-model.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, ModelLeg } from './model-leg.ts';
import { liveSetup } from './run-config.ts';
import type { RunConfig } from './run-config.ts';
import type { EndReason, SessionCloseReport } from './session-end.ts';
import type { StoredSession } from './session-store.ts';
import { ToolCalls } from './tool-calls.ts';
import type { SettledCall } from './tool-calls.ts';

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
  /** Who owns the live session, and ends it when it ends itself. Default: nobody. */
  readonly owner?: Lifetime | undefined;
  /** Default `DEFAULT_CLOSE_TIMEOUT_MS`. */
  readonly closeTimeoutMs?: number | undefined;
  /** Default `DEFAULT_FLUSH_TIMEOUT_MS`. */
  readonly flushTimeoutMs?: number | undefined;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number | undefined;
  readonly limits?: Partial<SessionLimits> | undefined;
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
  readonly #leg: ModelLeg;
  readonly #pump: InputPump;
  readonly #tools: ToolCalls;
  readonly #options: AgentSessionOptions;
  #started = false;
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
    this.agent = agent;
    this.model = model;
    this.session = options.session ?? newSession(clock, random);
    this.queue = options.queue ?? new LiveRequestQueue();
    this.#options = options;

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
    this.#emitter = new Emitter((error, event) => {
      lifetime.log.error('listener failed', { owner: name, event, error: describeError(error) });
    });
    this.#conversation = new Conversation(this.session.history, (event) => this.#emit(event));
    this.#tools = new ToolCalls(agent.tools, lifetime, this.session.state, (settled) =>
      this.#toolSettled(settled),
    );
    this.#leg = new ModelLeg({
      model,
      owner: lifetime,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      output: (message) => this.#received(message),
      lost: (end, error) => this.#lost(end, error),
    });
    this.#pump = new InputPump(this.queue, this.#leg, lifetime, (input) => this.#sent(input));
    this.#attachQueue();
    this.closed = lifetime.closed.then((report) => this.#finish(report));
  }

  get state(): AgentSessionState {
    const { tag } = this.#lifetime.state;
    if (tag !== 'open') return tag;
    if (!this.#started) return 'new';
    return this.#leg.isConnected ? 'live' : 'connecting';
  }

  /** Whether anything new is welcome: false from the first verb on. */
  get isOpen(): boolean {
    return this.#lifetime.isOpen;
  }

  on<Name extends 'event' | 'close'>(event: Name, listener: Listener<AgentSessionEvents[Name]>): () => void {
    return this.#emitter.on(event, listener);
  }

  /** What the live session holds outside memory; empty once it has closed (clause C6). */
  resources(): string[] {
    return this.#lifetime.resources();
  }

  /**
   * Connects to the model. Resolves when it is ready for input. A failure ends the live session.
   * @throws the typed error of the failure; ClosedError when the session is closed meanwhile or was before;
   * InvalidOptionError when it was started before.
   */
  async start(): Promise<void> {
    if (this.#started)
      throw new InvalidOptionError('This live session was started already; make a new AgentSession.');
    this.#started = true;
    if (this.queue.isClosed) this.#queueClosed();
    this.#lifetime.throwIfClosing();
    const startedAtMs = this.#lifetime.clock.now();
    this.#emit({ type: 'connection', state: 'connecting', attempt: 1 });
    try {
      const setup = await this.#leg.connect(() => this.#setup());
      const afterMs = Math.round(this.#lifetime.clock.now() - startedAtMs);
      this.#emit({ type: 'connection', state: 'connected', historyTurns: setup.history.length, afterMs });
    } catch (error) {
      this.#lifetime.throwIfClosing();
      void this.close('error', error);
      throw error;
    }
    this.#limits = new LimitWatch(this.#lifetime, this.#sessionLimits(), (limit, afterMs) =>
      this.#limit(limit, afterMs),
    );
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

  #attachQueue(): void {
    const detach = this.queue.attach({
      queued: () => {
        this.#limits?.active();
        this.#pump.pump();
      },
      closed: () => this.#queueClosed(),
    });
    this.#lifetime.own('request queue', this.queue, {
      stop: (queue) => {
        detach();
        queue.close();
      },
    });
  }

  /** The client has closed its queue: what it held is sent if the connection takes it, and the session ends. */
  #queueClosed(): void {
    if (!this.#lifetime.isOpen) return;
    if (this.#pump.pump() || !this.#leg.isConnected) {
      void this.close('user_initiated');
      return;
    }
    this.#lifetime.own('flush', {}, { drain: () => this.#flush() });
    void this.#lifetime.drain('user_initiated');
  }

  async #conversationEnds(): Promise<void> {
    await this.#flush();
    const unanswered = this.#lifetime.timer('answer', DRAIN_ANSWER_TIMEOUT_MS, () => {
      if (!this.#conversation.isAgentSpeaking) this.#conversation.stopWaiting();
    });
    await this.#conversation.whenIdle();
    unanswered.cancel();
  }

  #flush(): Promise<void> {
    return this.#pump.flush(this.#options.flushTimeoutMs ?? DEFAULT_FLUSH_TIMEOUT_MS);
  }

  async #setup(): Promise<LiveSetup> {
    const { instructions } = this.agent;
    const text = typeof instructions === 'function' ? await instructions(this.session) : instructions;
    return liveSetup(this.agent, text, this.session.history, this.#options.runConfig);
  }

  #sessionLimits(): SessionLimits {
    return {
      idleTimeoutMs: this.#options.limits?.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
      maxDurationMs: this.#options.limits?.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
    };
  }

  #sent(input: ModelInput): void {
    if (input.type !== 'audio') this.#conversation.sent(input);
  }

  #received(message: ModelOutput): void {
    this.#limits?.active();
    this.#conversation.received(message);
    if (message.type === 'toolCall') this.#startTools(message.calls);
    else if (message.type === 'toolCallCancellation') this.#tools.cancel(message.ids);
    else if (message.type === 'resumption') this.#keepHandle(message.handle);
  }

  #startTools(calls: Extract<ModelOutput, { type: 'toolCall' }>['calls']): void {
    if (this.#lifetime.isClosing) return;
    for (const call of calls) {
      if (this.#tools.start(call)) continue;
      this.#emit({
        type: 'warning',
        code: 'HOLDFAST_DUPLICATE_TOOL_CALL',
        message: `The model repeated call '${call.id}' of '${call.name}'; it is running already and was not run twice.`,
      });
    }
  }

  #toolSettled({ response, answer }: SettledCall): void {
    this.session.history.push({ role: 'user', parts: [{ functionResponse: response }] });
    this.#emit({ type: 'toolResult', result: response });
    if (answer) this.#leg.send({ type: 'toolResponse', responses: [response] });
  }

  #keepHandle(handle: string | undefined): void {
    if (handle === undefined) return;
    this.session.resumption = { handle, atMs: this.#lifetime.clock.wallTime(), modelId: this.model.id };
  }

  #lost({ code, reason }: ConnectionEnd, error: Error): void {
    this.#emit({ type: 'connection', state: 'lost', reason, ...(code === undefined ? {} : { code }) });
    void this.close('error', error);
  }

  #limit(limit: LimitName, afterMs: number): void {
    this.#emit({ type: 'limit', limit, afterMs });
    void this.close('limit');
  }

  #emit(body: LiveEventBody): void {
    const isUser = body.type === 'transcript' && body.speaker === 'user';
    this.#lastSeq += 1;
    // The body was made for this event alone, so it becomes the event: nothing is copied for every audio frame.
    const event = body as { -readonly [Key in keyof LiveEvent]: LiveEvent[Key] };
    event.seq = this.#lastSeq;
    event.atMs = this.#lifetime.clock.wallTime();
    event.author = isUser ? 'user' : this.agent.name;
    event.turn = this.#conversation.turn;
    this.#emitter.emit('event', event as LiveEvent);
  }

  #finish(report: CloseReport): SessionCloseReport {
    this.#conversation.finish();
    this.session.updatedAtMs = this.#lifetime.clock.wallTime();
    const whole: SessionCloseReport = {
      ...report,
      // Only this class and its owner end the lifetime, with reasons of this list.
      reason: report.reason as EndReason,
      unsent: this.#pump.abandon(),
      usage: this.#conversation.usage,
    };
    this.#emitter.emit('close', whole);
    this.#emitter.clear();
    return whole;
  }
}

function newSession(clock: Clock, random: Random): StoredSession {
  const nowMs = clock.wallTime();
  const id = randomId(random);
  return {
    id,
    appName: 'default',
    userId: 'user',
    state: {},
    history: [],
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}
