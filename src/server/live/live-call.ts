import type { Context } from '@opentelemetry/api';
import { describeError, randomId } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AgentSession, LiveRequestQueue } from '../../session/index.ts';
import type { RunConfig, SessionCloseReport, SessionKey, StoredSession } from '../../session/index.ts';
import type { Content, LiveEvent, ResumeRequest } from '../../protocol/index.ts';
import { ClientSeat, acceptClient } from '../client/index.ts';
import type { ServedAgent } from '../apps/index.ts';
import type { Identity } from '../auth/index.ts';
import type { Call, CallEnd, CallSnapshot, ClientWire } from '../calls/index.ts';
import { callSessionHook, sessionKey } from '../calls/index.ts';
import type { AcceptedSocket, LegEnd, SeatedClient } from '../client/index.ts';
import { AppNotFoundError, LimitReachedError, textForClients } from '../errors.ts';
import { Job } from './job.ts';
import type { ServerContext } from '../server-context.ts';
import { StateBound } from './state-bound.ts';

export interface LiveCallOptions {
  readonly context: ServerContext;
  readonly wire: ClientWire;
  readonly key: SessionKey;
  readonly runConfig: RunConfig;
  /** Who was let in; undefined on a server that does not ask. */
  readonly identity: Identity | undefined;
  /** Let in to go on with a live session of this server, where no new one is taken. */
  readonly mayOnlyResume: boolean;
  /** The trace that its request is a part of. */
  readonly caller: Context;
  /** Where its client is, as far as it is known. */
  readonly address: string | undefined;
}

/** How often a client may change the state before its session is live: what it knows when it comes, it says at once. */
const MAX_EARLY_CHANGES = 16;

/** Told of a live session by the side, until it is taken away. */
export interface LiveTap {
  event(event: LiveEvent): void;
  closed(report: SessionCloseReport): void;
}

/**
 * One live session and the client it has at a time, from the accepted socket to the stored history.
 *
 * It owns the client's socket and the AgentSession between two ends of one scope: whichever side ends, the other is
 * closed with the reason, and `ended` settles when both are gone and the session is saved, in bounded time. A client that
 * vanishes is waited for, and may come back on another socket: that one is accepted by a call of its own, which hands it
 * over and is done.
 */
export class LiveCall implements Call {
  readonly kind = 'run_live';
  readonly startedAtMs: number;
  readonly ended: Promise<void>;
  readonly over: Promise<void>;
  readonly live: Promise<void>;
  /** What its live session is called in events of the ADK. */
  readonly invocationId: string;
  readonly #options: LiveCallOptions;
  readonly #job: Job;
  readonly #scope: Lifetime;
  readonly #queue = new LiveRequestQueue();
  readonly #ready = Promise.withResolvers<void>();
  /** What its client has changed of the state before there was a live session. */
  readonly #early: Readonly<Record<string, unknown>>[] = [];
  readonly #isLive = Promise.withResolvers<void>();
  readonly #seat: ClientSeat;
  /** Made when a client first changes the state. */
  #stateBound: StateBound | undefined;
  #session: AgentSession | undefined;
  /** Whether it has a live session of its own, or has handed its client over to the one that belongs to. */
  #part: 'coming' | 'own' | 'joined' = 'coming';
  /** How the client is told of the end; the first one counts. */
  #end: LegEnd | undefined;

  constructor(options: LiveCallOptions) {
    const { context, key } = options;
    this.#options = options;
    this.invocationId = `e-${randomId(context.random)}`;
    this.#job = new Job({ context, kind: this.kind, name: 'live call', key, caller: options.caller });
    this.#scope = this.#job.scope;
    this.#seat = new ClientSeat({
      context,
      owner: this.#scope,
      queue: this.#queue,
      session: () => this.#session,
      greeted: (resume) => this.#greeted(resume),
      changeState: (delta) => this.#changeState(delta),
      left: (end) => this.#leave(end),
    });
    this.startedAtMs = this.#job.startedAtMs;
    this.ended = this.#job.ended;
    this.over = this.#job.over;
    this.live = this.#isLive.promise;
    void this.ended.then(this.#isLive.resolve);
    // The call is counted until its hook has run; what it has held is not held for that.
    void this.ended.then(() => this.#forget());
    // Whoever closes the scope, also the server from above, wakes up what waits for the client's hello.
    this.#scope.own('waiting for hello', this.#ready, { stop: ({ resolve: wake }) => wake() });
  }

  /** The upgrade came to nothing: there is no client. */
  dropped(): void {
    void this.#scope.close('participant_disconnected');
  }

  /** Takes the accepted socket. From here on, what the client says is kept, also while the session is not there yet. */
  run(socket: AcceptedSocket): void {
    void this.#conversation(socket)
      .catch((error: unknown) => {
        this.#scope.log.error('live call failed', { error: describeError(error) });
        this.#job.failed(error);
        this.#finish({ tag: 'failed', error });
      })
      .then(() => this.#scope.close(this.#reason()));
  }

  end(reason: CallEnd, words?: string): void {
    this.#finish({ tag: 'session', reason, ...(words === undefined ? {} : { words }) });
    if (this.#session === undefined) void this.#scope.close(reason);
    else void this.#session.close(reason);
  }

  goAway(timeLeftMs: number): void {
    this.#seat.goAway(timeLeftMs);
    this.#session?.announceDrain(timeLeftMs);
  }

  snapshot(): CallSnapshot {
    const session = this.#session;
    const seated = this.#seat.client?.wire ?? (session === undefined ? this.#options.wire : 'away');
    return {
      kind: this.kind,
      key: this.#options.key,
      state: session?.state ?? (this.#isOver ? 'closing' : 'starting'),
      startedAtMs: this.startedAtMs,
      client: seated,
      model: session === undefined ? 'none' : session.isConnected ? 'connected' : 'connecting',
      agent: session?.currentAgent.name,
      resources: () => this.#scope.resources(),
      isToldToGo: this.#seat.timeLeftMs !== undefined,
    };
  }

  /** Whether a client that has lost its connection could go on with this live session. */
  get isResumable(): boolean {
    return !this.#isOver && this.#seat.isResumable && this.#session !== undefined;
  }

  /** Let in to go on with what is there, it never had a live session of its own; or its client joined another one. */
  get isPassing(): boolean {
    return this.#part === 'joined' || (this.#part === 'coming' && this.#options.mayOnlyResume);
  }

  get mayBeResumed(): boolean {
    const { clientGraceMs, closeOnDisconnect } = this.#options.context.limits;
    return !this.#isOver && this.#seat.isResumable && (clientGraceMs > 0 || !closeOnDisconnect);
  }

  /** Whether nobody is about to say anything in the live session. */
  get isSettled(): boolean {
    return this.#session?.isSettled !== false;
  }

  /**
   * Says something in this live session from elsewhere, and gives `tap` its events from the answer to it on: what it
   * may interrupt was meant for somebody else. Returns the function that takes the tap away, or undefined when the
   * session is not there to talk to.
   * @throws QueueFullError when the model takes nothing.
   */
  say(content: Content, tap: LiveTap): (() => void) | undefined {
    const session = this.#session;
    if (session?.isOpen !== true) return undefined;
    const { answerTurn } = session;
    // Before it is said: a model may answer at once.
    const untaps = [
      session.on('event', (event) => {
        if (event.turn >= answerTurn) tap.event(event);
      }),
      session.on('close', (report) => tap.closed(report)),
    ];
    const untap = (): void => untaps.forEach((each) => each());
    try {
      this.#queue.sendContent(content);
    } catch (error) {
      untap();
      throw error;
    }
    return untap;
  }

  updateState(delta: Readonly<Record<string, unknown>>): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    this.#stateBound ??= new StateBound(this.#options.context, session.session.state);
    this.#stateBound.take(delta);
    return session.updateState(delta);
  }

  /** At once where the live session is there, otherwise in its beginning. */
  #changeState(delta: Readonly<Record<string, unknown>>): boolean {
    if (this.#session !== undefined) return succeeds(() => this.updateState(delta));
    if (this.#early.length >= MAX_EARLY_CHANGES) return false;
    this.#early.push(delta);
    return true;
  }

  async #conversation(accepted: AcceptedSocket): Promise<void> {
    const { context, key } = this.#options;
    const served = this.#findAgent();
    const { leg } = this.#takeIn(accepted, served);
    if (this.#end !== undefined) leg.end(this.#end);
    if (served === undefined || this.#isOver) return;
    // Who has not said hello yet has disturbed nobody: it may come to go on with what is there.
    await this.#ready.promise;
    if (this.#isOver) return;
    await context.calls.takeOver(sessionKey(key), this, 'replace');
    const stored = await context.store.get(key);
    // What was waited for may have come long after the call was over.
    if (this.#isOver) return;
    if (stored === undefined) {
      this.#finish({ tag: 'notFound', message: 'Session not found' });
      return;
    }
    await this.#live(served, stored);
  }

  get #isOver(): boolean {
    return this.#end !== undefined || this.#scope.isClosing;
  }

  /** The app's agent; without one the leg is told what it is and the call is over. */
  #findAgent(): ServedAgent | undefined {
    const { context, key } = this.#options;
    try {
      return context.serve(key.appName);
    } catch (error) {
      const unknown = error instanceof AppNotFoundError;
      this.#finish(unknown ? { tag: 'notFound', message: 'App not found' } : { tag: 'failed', error });
      return undefined;
    }
  }

  async #live({ agent, model }: ServedAgent, stored: StoredSession): Promise<void> {
    const { context, runConfig } = this.#options;
    const { closeTimeoutMs, idleTimeoutMs, maxDurationMs } = context.limits;
    this.#job.begins(stored);
    const session = new AgentSession({
      agent,
      model,
      session: stored,
      journal: context.store,
      artifacts: context.artifacts,
      reconnect: context.reconnect,
      queue: this.#queue,
      runConfig,
      owner: this.#scope,
      closeTimeoutMs,
      limits: {
        ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
        ...(maxDurationMs === undefined ? {} : { maxDurationMs }),
      },
    });
    this.#session = session;
    this.#isLive.resolve();
    this.#part = 'own';
    this.#job.holds(session);
    session.on('event', (event) => this.#seat.event(event));
    const { timeLeftMs } = this.#seat;
    if (timeLeftMs !== undefined) session.announceDrain(timeLeftMs);
    context.traces.watch(session, this.invocationId);
    for (const delta of this.#early.splice(0)) this.#changeState(delta);
    callSessionHook(context.onLiveSession, session, this.#scope.log);
    this.#seat.welcome({
      sessionId: stored.id,
      appName: stored.appName,
      agentName: session.currentAgent.name,
      modelId: model.id,
      inputRateHz: model.capabilities.inputRateHz,
      outputRateHz: model.capabilities.outputRateHz,
    });
    // A failed start ends the session with its error, which is where it is told.
    session.start().catch(() => undefined);
    const { reason, error } = await session.closed;
    this.#finish(reason === 'error' ? { tag: 'failed', error } : { tag: 'session', reason });
  }

  #takeIn(accepted: AcceptedSocket, served: ServedAgent | undefined): SeatedClient {
    const { context, wire, runConfig } = this.#options;
    const { clock } = this.#scope;
    const { invocationId } = this;
    const tellsVoiceActivity = runConfig.explicitVadSignal === true;
    const client = this.#seat.take(wire, (place) =>
      acceptClient(accepted, place, { context, wire, served, clock, invocationId, tellsVoiceActivity }),
    );
    // This wire has no hello: who is there wants a session.
    if (wire === 'adk' && !this.#isOver) this.#greeted(undefined);
    return client;
  }

  /** The client has said what it wants: to go on with a live session that is there, or one of its own. */
  #greeted(resume: ResumeRequest | undefined): void {
    const { context, key, mayOnlyResume, address } = this.#options;
    const { client } = this.#seat;
    const holder = context.calls.holding(sessionKey(key));
    if (client !== undefined && holder instanceof LiveCall) {
      const found = holder.#found(resume, this.#options.identity);
      if (found === 'joins') {
        this.#seat.leave();
        this.#part = 'joined';
        holder.#seat.join(client, resume);
        void this.#scope.close('joined');
        return;
      }
      if (found === 'refused') {
        context.metrics.clientReturned('refused');
        this.#scope.log.info('client refused: its token is not that of the live session', { leg: 'client' });
        this.#finish({ tag: 'resumeRefused' });
        void this.#scope.close('resume refused');
        return;
      }
    }
    try {
      // It is counted already, itself.
      if (mayOnlyResume) context.admission.liveSession({ userId: key.userId, address }, 1);
    } catch (error) {
      this.#finish({ tag: 'unavailable', message: textForClients(error) });
      void this.#scope.close('unavailable');
      return;
    }
    if (resume !== undefined) context.metrics.clientReturned('anew');
    this.#scope.release(this.#ready);
    this.#ready.resolve();
  }

  /** What a client finds here that comes with or without a token: this live session, no admission to it, or none. */
  #found(resume: ResumeRequest | undefined, identity: Identity | undefined): 'joins' | 'refused' | 'none' {
    // One that is ending is not disturbed either: the new one waits for it.
    if (this.#isOver || this.#session?.isOpen === false) return 'none';
    if (resume !== undefined) {
      // The token alone does not do: it comes from who was let in a moment ago, and that has to be the same one (H4).
      const isSame = identity?.subject === this.#options.identity?.subject;
      const isTheirs = this.#session !== undefined && this.#seat.accepts(resume.token) && isSame;
      return isTheirs ? 'joins' : 'refused';
    }
    const { closeOnDisconnect } = this.#options.context.limits;
    return closeOnDisconnect || this.#session === undefined ? 'none' : 'joins';
  }

  /** The client ends it: by going, or by breaking a bound. */
  #leave(end: LegEnd): void {
    this.#finish(end);
    if (this.#session === undefined) void this.#scope.close('participant_disconnected');
    else void this.#session.close('participant_disconnected');
  }

  /** Settles how the client is told of the end. Only the first end is told: the others follow from it. */
  #finish(end: LegEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#job.ending();
    this.#seat.end(end);
  }

  #forget(): void {
    this.#session = undefined;
    this.#early.length = 0;
    this.#stateBound = undefined;
    this.#seat.forget();
    this.#queue.clear();
  }

  #reason(): string {
    if (this.#end === undefined) return 'task_completed';
    return this.#end.tag === 'session' ? this.#end.reason : this.#end.tag;
  }
}

/** False also where a limit is reached, which has been counted. */
function succeeds(change: () => boolean): boolean {
  try {
    return change();
  } catch (error) {
    if (error instanceof LimitReachedError) return false;
    throw error;
  }
}
