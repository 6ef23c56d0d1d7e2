import {
  ClosedError,
  DEFAULT_CLOSE_TIMEOUT_MS,
  Deadline,
  InvalidOptionError,
  Lifetime,
  describeError,
  systemClock,
  systemRandom,
  withFields,
  withWrittenFrames,
} from '../kernel/index.ts';
import type { ChildOptions, Clock, CloseReport, ClosingStep, Listener } from '../kernel/index.ts';
import type { LimitName, LiveEventBody, LiveRequest } from '../protocol/index.ts';
import { DEFAULT_FLUSH_TIMEOUT_MS, checkTimes, limitsOf } from './agent-session-options.ts';
import type { AgentSessionOptions } from './agent-session-options.ts';
import { AgentSpeech } from './agent-speech.ts';
import type { AgentTask } from './agent-task.ts';
import { Activities } from './activities.ts';
import type { Activity, HookEnvironment } from './activity.ts';
import type { Agent } from './agent.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import { ConnectionStory } from './connection-story.ts';
import { artifactsOf } from './call-artifacts.ts';
import { Continuity } from './continuity.ts';
import { Conversation } from './conversation.ts';
import { CurrentModel } from './current-model.ts';
import type { HandoffOptions } from './handoff.ts';
import { InputPump } from './input-pump.ts';
import { JournalWriter } from './journal-writer.ts';
import { LimitWatch } from './limits.ts';
import type { LiveConnection, LiveModel, LiveSetup, ModelInput, ModelOutput } from './live-model.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { ModelTraffic } from './model-traffic.ts';
import { Playout } from './playout.ts';
import type { PlayoutPosition } from './playout.ts';
import type { PreparedAgent } from './prepared-agent.ts';
import { isProgress } from './progress.ts';
import { resolveReconnect } from './reconnect-policy.ts';
import { Resumption } from './resumption.ts';
import type { Resuming } from './resumption.ts';
import { liveSetup } from './run-config.ts';
import type { Knowledge, RunConfig } from './run-config.ts';
import { conversationEnds } from './session-drain.ts';
import { SessionEvents } from './session-events.ts';
import type { AgentSessionEventName, AgentSessionEvents } from './session-events.ts';
import { endReasonOf } from './session-end.ts';
import type { EndReason, SessionCloseReport } from './session-end.ts';
import { Output } from './session-output.ts';
import type { SessionOutput } from './session-output.ts';
import type { SpeechHandle } from './speech-handle.ts';
import type { GenerateReplyOptions, SayOptions } from './speech-requests.ts';
import { StateChanges } from './state-changes.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, SupervisedLeg, legFields } from './supervised-leg.ts';
import type { Recovered } from './supervised-leg.ts';
import { newSession } from './session-store.ts';
import type { StoredSession } from './session-store.ts';
import { ToolExchange } from './tool-exchange.ts';
import type { UserData } from './tool.ts';
import { Toolsets } from './toolsets.ts';

/** What the leg to the model is called. */
const MODEL_LEG = 'model leg';

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
  /** Who the conversation begins with; `currentAgent` is who has it. */
  readonly agent: Agent;
  /** What the program shares with tools and hooks. */
  readonly userData: UserData;
  readonly session: StoredSession;
  readonly queue: LiveRequestQueue;
  /** How much of the agent's voice was heard; who plays it may tell it. */
  readonly playout: PlayoutPosition;
  /** What clients are given to hear, and may be given besides the agent's voice. */
  readonly output: SessionOutput;
  /** Resolves, and never rejects, when the live session has ended. */
  readonly closed: Promise<SessionCloseReport>;

  readonly #lifetime: Lifetime;
  /** What it is called in logs. */
  readonly #path: string;
  readonly #events: SessionEvents;
  readonly #conversation: Conversation;
  readonly #continuity: Continuity;
  readonly #story: ConnectionStory;
  readonly #journal: JournalWriter | undefined;
  readonly #leg: SupervisedLeg<LiveSetup, ModelInput, ModelOutput, LiveConnection>;
  readonly #pump: InputPump;
  readonly #resumption: Resumption;
  readonly #model: CurrentModel;
  readonly #tools: ToolExchange;
  readonly #stateChanges: StateChanges;
  readonly #activities: Activities;
  /** For whom the connection is set up, or is being set up. */
  #setUpFor: Activity | undefined;
  readonly #speech: AgentSpeech;
  readonly #traffic: ModelTraffic;
  readonly #options: AgentSessionOptions;
  /** What was handed over by `attach`. */
  readonly #attached = new WeakSet<object>();
  #startedAtMs: number | undefined;
  #limits: LimitWatch | undefined;

  /** @throws InvalidOptionError without a model, or when the queue feeds another live session. */
  constructor(options: AgentSessionOptions) {
    const { agent, owner, clock = systemClock, random = systemRandom, userData = {} } = options;
    const given = options.model ?? agent.model;
    if (given === undefined) {
      throw new InvalidOptionError(
        `Agent '${agent.name}' has no model. Give one: new AgentSession({ agent, model: echo() }).`,
      );
    }
    checkTimes({ ...options, ...options.limits });
    const model = new CurrentModel(given);
    const policy = resolveReconnect(options.reconnect, model.capabilities);
    owner?.throwIfClosing();
    this.agent = agent;
    this.#model = model;
    this.userData = userData;
    this.session = options.session ?? newSession(clock, random);
    this.queue = options.queue ?? new LiveRequestQueue();
    this.#options = options;
    // Before anything is made that would have to be let go of when the queue is somebody else's.
    const detach = this.queue.attach({
      queued: (request) => this.#queued(request),
      closed: () => this.#queueClosed(),
    });

    const name = `session ${this.session.id}`;
    const lifetime = lifetimeOf(options, name, this.session, clock);
    this.#lifetime = lifetime;
    this.#path = lifetime.path;
    lifetime.own('request queue', this.queue, {
      stop: (queue) => {
        detach();
        queue.close();
      },
    });
    this.#events = new SessionEvents({
      clock: lifetime.clock,
      log: lifetime.log,
      owner: this.#path,
      agentName: () => this.#activities.current.agent.name,
      answer: () => (this.#conversation.isAgentSpeaking ? this.#conversation.answers : undefined),
      modelId: () => model.id,
      turn: () => this.#conversation.turn,
    });
    const playout = new Playout(lifetime.clock, model.capabilities.outputRateHz);
    this.playout = playout;
    const { session } = this;
    const events = this.#events;
    const emit = (event: LiveEventBody): void => events.emit(event);
    const tell = (event: LiveEventBody): void => {
      this.#speech.told(event);
      emit(event);
    };
    this.#conversation = new Conversation(session.history, tell, playout);
    const output = new Output({ owner: lifetime, conversation: this.#conversation, playout, emit });
    this.output = output;
    const legLog = withFields(lifetime.log, legFields(MODEL_LEG));
    this.#story = new ConnectionStory({ clock: lifetime.clock, log: legLog, owner: this.#path, emit });
    this.#story.handleUpdated(session.resumption?.handle);
    const resumption = new Resumption(model, session.resumption, session.history.length, (stored) => {
      session.resumption = stored;
      this.#story.handleUpdated(stored?.handle);
      this.#journal?.changed();
    });
    this.#resumption = resumption;
    const { journal } = options;
    this.#journal =
      journal === undefined
        ? undefined
        : new JournalWriter({ journal, session, owner: lifetime, pendingCalls: () => this.#tools.running });
    this.#continuity = new Continuity({
      session,
      conversation: this.#conversation,
      resumption,
      model,
      policy,
      running: () => this.#tools.running,
    });
    const environment: HookEnvironment = {
      session: new WeakRef(this),
      state: session.state,
      userData,
      artifacts: artifactsOf(options.artifacts, session),
    };
    this.#stateChanges = new StateChanges(session.state);
    this.#tools = new ToolExchange({
      owner: lifetime,
      environment,
      state: this.#stateChanges,
      activities: () => this.#activities,
      session,
      conversation: this.#conversation,
      continuity: this.#continuity,
      emit,
      ended: (call) => events.toolEnded(call),
      send: (input) => this.#pump.answer(input),
      changed: () => this.#journal?.changed(),
    });
    this.#leg = new SupervisedLeg({
      name: MODEL_LEG,
      port: model,
      owner: lifetime,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      policy,
      random,
      resumption,
      setup: (resuming) => this.#setUp(resuming),
      mayReconnect: () => this.isOpen,
      isAtBoundary: () => this.#continuity.isAtBoundary,
      isQuiet: () => this.#continuity.ring.isQuiet,
      changed: (event) => this.#story.changed(event),
      disconnected: () => this.#disconnected(),
      connected: (setup, resuming, recovered) => this.#connected(setup, resuming, recovered),
      ready: () => this.#ready(),
      output: (message) => this.#traffic.received(message),
      isProgress,
      outgoing: (input) => this.#tools.outgoing(input),
      sent: (input) => this.#traffic.sent(input),
      refused: (input, error) => this.#traffic.refused(input, error),
      failed: (error) => this.#failed(error),
    });
    this.#pump = new InputPump(this.queue, this.#continuity.ring, this.#leg, lifetime);
    this.#speech = new AgentSpeech({
      owner: lifetime,
      model,
      conversation: this.#conversation,
      playout,
      leg: this.#leg,
      pump: this.#pump,
      session: options,
      emit,
      tell: (event, speech, how) => events.speech(event, speech, how),
      refused: (what, error) => events.refused(what, error),
    });
    this.#activities = new Activities({
      root: agent,
      owner: lifetime,
      session,
      model: given,
      current: model,
      toolsets: new Toolsets(lifetime),
      environment,
      calls: (activity) => this.#tools.countOf(activity),
      isAnswering: () => this.#conversation.isAgentSpeaking,
      answerTurn: () => this.#conversation.answerTurn,
      isAnswered: (turn) => this.#speech.isAsked || this.#conversation.isAnswered(turn),
      configure: () => this.#configure(),
      reply: () => this.#speech.goOn(),
      emit,
    });
    this.#traffic = new ModelTraffic({
      session,
      activities: this.#activities,
      conversation: this.#conversation,
      continuity: this.#continuity,
      speech: this.#speech,
      tools: this.#tools,
      story: this.#story,
      events,
      output,
      leg: this.#leg,
      wallTime: () => lifetime.clock.wallTime(),
      active: () => this.#limits?.active(),
      changed: () => this.#journal?.changed(),
    });
    this.closed = lifetime.closed.then((report) => this.#finish(report));
  }

  /** The model of the agent who has the conversation. */
  get model(): LiveModel {
    return this.#model.model;
  }

  /** Who has the conversation: the agent it began with, one it was given to, or a task. */
  get currentAgent(): Agent {
    return this.#activities.current.agent;
  }

  get state(): AgentSessionState {
    const { tag } = this.#lifetime.state;
    if (tag !== 'open') return tag;
    if (this.#startedAtMs === undefined) return 'new';
    return this.#leg.isConnected ? 'live' : 'connecting';
  }

  /** Whether its connection to the model is there, also while it ends. */
  get isConnected(): boolean {
    return this.#leg.isConnected;
  }

  /** Whether anything new is welcome: false from the first verb on. */
  get isOpen(): boolean {
    return this.#lifetime.isOpen;
  }

  /** The agent's turn in which what is said now will be answered, as events are stamped with it. */
  get answerTurn(): number {
    return this.#conversation.answerTurn;
  }

  /** Whether no answer is owed or being given, nothing waits to be said, and the conversation is not being given away. */
  get isSettled(): boolean {
    return this.#conversation.isFloorOpen && !this.#speech.isAsked && !this.#activities.isChanging;
  }

  /** What the agent is saying: until it was heard, and from when the model was asked for it. */
  get currentSpeech(): SpeechHandle | undefined {
    return this.#speech.current;
  }

  on<Name extends AgentSessionEventName>(
    event: Name,
    listener: Listener<AgentSessionEvents[Name]>,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /** What the connections to the model have come to so far. */
  get connections(): ConnectionCounts {
    return this.#story.counts;
  }

  /** The time it goes by. */
  get clock(): Clock {
    return this.#lifetime.clock;
  }

  /**
   * Hands a resource to the live session: it is let go of with it, by `step`, under that name in the close report. A step
   * that hangs or throws holds up nobody (clause C4); it should use the resource it is given, and not the session.
   * @returns the resource.
   * @throws ClosedError when the live session closes or has closed; the resource is let go of at once. InvalidOptionError
   * when it was handed over before.
   */
  attach<Resource extends object>(name: string, resource: Resource, step: ClosingStep<Resource>): Resource {
    this.#attached.add(this.#lifetime.own(name, resource, step));
    return resource;
  }

  /** Takes a resource back, because it has ended by itself. Unknown ones are ignored. */
  detach(resource: object): void {
    if (this.#attached.delete(resource)) this.#lifetime.release(resource);
  }

  /**
   * An owner inside the live session, which ends with it: for what has timers, or more than one resource.
   * @throws ClosedError when the live session closes or has closed.
   */
  child(name: string, options: ChildOptions = {}): Lifetime {
    return this.#lifetime.child(name, options);
  }

  /**
   * The user has pressed a key of a telephone: for transports that are told so beside the audio. Emits `key`; does nothing
   * once the live session closes.
   * @throws InvalidOptionError when it is no key.
   */
  press(key: string): void {
    if (!/^[0-9*#A-D]$/.test(key)) throw new InvalidOptionError(`'${key}' is no key; give 0–9, *, # or A–D.`);
    if (this.#lifetime.isClosing) return;
    this.#limits?.active();
    this.#events.key(key);
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
    this.#tools.settleLost();
    this.#limits = new LimitWatch(this.#lifetime, limitsOf(this.#options), (limit, afterMs) =>
      this.#limit(limit, afterMs),
    );
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

  /**
   * Says a text word for word, after what is being said and waits already. For models with `saysText`.
   * @throws InvalidOptionError for other models and an empty text; QueueFullError when too much waits; ClosedError when the
   * live session is ending.
   */
  say(text: string, options: SayOptions = {}): SpeechHandle {
    this.#throwIfEnding();
    return this.#speech.say(text, options);
  }

  /**
   * Lets the model speak, after what is being said and waits already: in answer to `userInput`, or of its own accord.
   * @throws InvalidOptionError for what the model cannot be asked; QueueFullError and ClosedError as `say`.
   */
  generateReply(options: GenerateReplyOptions = {}): SpeechHandle {
    this.#throwIfEnding();
    return this.#speech.reply(options);
  }

  /**
   * Gives the conversation to another agent, when the answer under way is over and the calls under way have settled; the
   * event `agentChanged` tells. Resolves when that one is ready for it. A tool gives it away by returning `handoff(agent)`.
   * @throws ClosedError when the live session is ending; InvalidOptionError within a task, while it is being given away, or
   * for an agent whose model cannot go on; ToolsetError.
   */
  handoff(agent: Agent, { reply = false }: Pick<HandoffOptions, 'reply'> = {}): Promise<void> {
    return this.#activities.handoff(agent, reply);
  }

  /**
   * Lets a task have the conversation, and gives its result. In a tool, use `runTask` of its context instead.
   * @throws as that says.
   */
  runTask<Result>(task: AgentTask<Result>): Promise<Result> {
    return this.#activities.runTask(task);
  }

  /**
   * Changes the session's state from outside of the conversation: each field that is named gets the value given. Tools see it
   * at once, it is written down, and the event `stateChanged` tells it. False, and nothing is changed, once it closes.
   */
  updateState(delta: Readonly<Record<string, unknown>>): boolean {
    if (this.#lifetime.isClosing) return false;
    const stateDelta = structuredClone(delta);
    Object.assign(this.session.state, delta);
    this.#stateChanges.told(Object.keys(delta));
    this.#journal?.changed();
    this.#events.emit({ type: 'stateChanged', stateDelta });
    return true;
  }

  /**
   * Tells the agent who has the conversation that it will be ended from outside, by somebody who calls `close()` then: its
   * `onDrain` runs, and that of every agent who gets it until then. Ends nothing by itself; the first notice counts.
   */
  announceDrain(timeLeftMs: number): void {
    if (!this.isOpen) return;
    this.#activities.drainBy(Deadline.after(this.#lifetime.clock, timeLeftMs));
  }

  /** Stops what the agent is saying, and forgets what it was to say after that. */
  interrupt(): void {
    this.#speech.interrupt();
  }

  /** Takes nothing new, sends what is queued, lets answers be heard and tools finish, then closes. */
  drain(reason: EndReason = 'drained'): Promise<SessionCloseReport> {
    if (this.#lifetime.isOpen) {
      const parts = { pump: this.#pump, conversation: this.#conversation, speech: this.#speech };
      const ends = { owner: this.#lifetime, flushTimeoutMs: this.#flushTimeoutMs, ...parts };
      this.#lifetime.own('drain', {}, { drain: () => conversationEnds(ends) });
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

  #queued(request: LiveRequest): void {
    this.#limits?.active();
    this.#events.input(request);
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
    const flushed = (): Promise<unknown> =>
      this.#pump.flush(this.#flushTimeoutMs).then(() => void this.close('user_initiated'));
    this.#lifetime.own('flush', {}, { drain: flushed });
    void this.#lifetime.drain('user_initiated');
  }

  get #flushTimeoutMs(): number {
    return this.#options.flushTimeoutMs ?? DEFAULT_FLUSH_TIMEOUT_MS;
  }

  /** What the next connection is set up with. What comes of it is made elsewhere: it holds no live session (clause C6). */
  #setUp(resuming: Resuming): Promise<LiveSetup> {
    this.#setUpFor = this.#activities.current;
    return setUp(this.#activities.prepareCurrent(), this.#options.runConfig, this.#knowledge(resuming));
  }

  /** Somebody else has the conversation: the connection goes on for that one, or is replaced by one that does. */
  #configure(): void {
    const { current } = this.#activities;
    const { prepared } = current;
    if (prepared !== undefined) {
      this.#conversation.userWhole();
      const setup = liveSetup(prepared, this.#options.runConfig, { history: this.#continuity.seed() });
      const { model } = this.#model;
      if (this.#leg.ask((connection) => connection.reconfigure?.(setup, model)) === 'applied') {
        this.#setUpFor = current;
        this.#continuity.reconfigured();
        this.#tools.fresh();
        this.#ready();
        return;
      }
    }
    this.#resumption.drop('handoff');
    if (this.#leg.swapNow('handoff')) this.#traffic.handsOver(true);
  }

  #knowledge(resuming: Resuming): Knowledge {
    if (resuming.tag === 'reseed') return { history: this.#continuity.seed() };
    return { history: [], resumptionHandle: resuming.handle.handle };
  }

  /** The model is there, or is there again: what it does not know goes first, and what that means is told (R9). */
  #connected({ history }: LiveSetup, resuming: Resuming, recovered: Recovered | undefined): void {
    this.#speech.connected();
    if (resuming.tag === 'reseed') this.#tools.fresh();
    const unsent = this.#pump.takeResults();
    const continued = this.#continuity.continued(resuming, history.length, unsent);
    this.#pump.beginWith(continued.first);
    for (const result of continued.results) this.#tools.answer(result);
    this.#story.connected(resuming, recovered, continued);
    if (!continued.isGivenUp) return;
    this.#events.emit({
      type: 'warning',
      code: 'HOLDFAST_INPUT_GIVEN_UP',
      message: 'What the user said has ended every connection it was sent to, and is not sent again.',
    });
  }

  #disconnected(): void {
    this.#traffic.handsOver(false);
    this.#continuity.cut();
    this.#speech.disconnected();
  }

  #ready(): void {
    // Somebody else may have got the conversation while it was dialled.
    if (this.#setUpFor !== this.#activities.current) {
      this.#configure();
      return;
    }
    this.#activities.configured();
    this.#pump.pump();
    this.#speech.moveOn();
  }

  /** There will be no connection any more. */
  #failed(error: Error): void {
    // Who has asked for the end gets it, sooner than thought: that is no failure (clause R1).
    const { state } = this.#lifetime;
    void this.close(state.tag === 'draining' ? endReasonOf(state.ending.reason) : 'error', error);
  }

  #limit(limit: LimitName, afterMs: number): void {
    this.#events.emit({ type: 'limit', limit, afterMs });
    void this.close('limit');
  }

  #finish(report: CloseReport): SessionCloseReport {
    this.#conversation.finish();
    this.#journal?.changed();
    this.session.updatedAtMs = this.#lifetime.clock.wallTime();
    withWrittenFrames(report.error);
    if (report.error instanceof Error) this.#lifetime.log.debug('ended', { stack: report.error.stack });
    if (report.reason === 'error') {
      this.#lifetime.log.error('session failed', { owner: this.#path, error: describeError(report.error) });
    }
    const whole: SessionCloseReport = {
      ...report,
      reason: endReasonOf(report.reason),
      unsent: this.#pump.abandon(),
      usage: this.#conversation.usage,
      connections: this.connections,
    };
    this.#events.close(whole);
    return whole;
  }
}

/** A function of its own, so that an agent that is never ready holds no live session in memory. */
async function setUp(
  preparing: Promise<PreparedAgent>,
  runConfig: RunConfig | undefined,
  knowledge: Knowledge,
): Promise<LiveSetup> {
  return liveSetup(await preparing, runConfig, knowledge);
}

function lifetimeOf(
  { owner, log, closeTimeoutMs }: AgentSessionOptions,
  name: string,
  { id, appName }: StoredSession,
  clock: Clock,
): Lifetime {
  const common = {
    closeTimeoutMs: closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS,
    logLevel: 'info',
    logFields: { session: id, app: appName },
  } as const;
  if (owner !== undefined) return owner.child(name, { ...common, drain: (child) => child.closed });
  return Lifetime.root({ name, clock, ...(log === undefined ? {} : { log }), ...common });
}
