import { describeError, randomId } from '../kernel/index.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';
import {
  DEFAULT_IDLE_TIMEOUT_MS,
  DEFAULT_MAX_DURATION_MS,
  AgentSession,
  LiveRequestQueue,
} from '../session/index.ts';
import type { RunConfig, SessionCloseReport, SessionKey, StoredSession } from '../session/index.ts';
import type { Content, LiveEvent, ResumeRequest } from '../protocol/index.ts';
import { AdkClientLeg } from './adk-client-leg.ts';
import type { ServedAgent } from './app-registry.ts';
import { sessionKey } from './calls.ts';
import type { Call, CallEnd } from './calls.ts';
import type { ClientLeg, LegOwner, LegPlace, LegWelcome } from './client-leg.ts';
import { ClientRecovery } from './client-recovery.ts';
import { ClientSocket } from './client-socket.ts';
import type { AcceptedSocket, Departure } from './client-socket.ts';
import { AppNotFoundError, textForClients } from './errors.ts';
import { HoldfastClientLeg } from './holdfast-client-leg.ts';
import { Job } from './job.ts';
import { adkGoodbye, holdfastGoodbye } from './leg-end.ts';
import type { LegEnd } from './leg-end.ts';
import { ReplayRing } from './replay-ring.ts';
import type { ServerContext } from './server-context.ts';
import { callSessionHook } from './session-hook.ts';

export type ClientWire = 'adk' | 'holdfast.v1';

export interface LiveCallOptions {
  readonly context: ServerContext;
  readonly wire: ClientWire;
  readonly key: SessionKey;
  readonly runConfig: RunConfig;
  /** Let in to go on with a live session of this server, where no new one is taken. */
  readonly mayOnlyResume: boolean;
}

/** Told of a live session by the side, until it is taken away. */
export interface LiveTap {
  event(event: LiveEvent): void;
  closed(report: SessionCloseReport): void;
}

/** The client of a live session: what it is spoken to with, and what its socket belongs to. */
interface Seat {
  readonly wire: ClientWire;
  readonly leg: ClientLeg;
  readonly scope: Lifetime;
}

const LEFT: LegEnd = { tag: 'session', reason: 'participant_disconnected' };
const REPLACED: LegEnd = { tag: 'session', reason: 'replaced' };

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
  readonly #options: LiveCallOptions;
  readonly #job: Job;
  readonly #scope: Lifetime;
  readonly #queue = new LiveRequestQueue();
  readonly #ready = Promise.withResolvers<void>();
  #seat: Seat | undefined;
  /** What the client may come back with. */
  #recovery: ClientRecovery | undefined;
  /** Runs while a client that vanished is waited for. */
  #grace: Timer | undefined;
  /** When the server will close the connection, once it has said so. */
  #goAwayAtMs: number | undefined;
  #session: AgentSession | undefined;
  /** The last event there was. */
  #lastSeq = 0;
  #welcome: LegWelcome | undefined;
  /** How the client is told of the end; the first one counts. */
  #end: LegEnd | undefined;

  constructor(options: LiveCallOptions) {
    const { context, key } = options;
    this.#options = options;
    this.#job = new Job({ context, kind: this.kind, name: 'live call', key });
    this.#scope = this.#job.scope;
    this.startedAtMs = this.#job.startedAtMs;
    this.ended = this.#job.ended;
    this.over = this.#job.over;
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

  end(reason: CallEnd): void {
    this.#finish({ tag: 'session', reason });
    if (this.#session === undefined) void this.#scope.close(reason);
    else void this.#session.close(reason);
  }

  goAway(timeLeftMs: number): void {
    this.#goAwayAtMs = this.#scope.clock.now() + timeLeftMs;
    this.#seat?.leg.goAway(timeLeftMs);
  }

  /** Whether a client that has lost its connection could go on with this live session. */
  get isResumable(): boolean {
    return !this.#isOver && this.#recovery !== undefined && this.#session !== undefined;
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
    this.#job.holds(session);
    session.on('event', (event) => this.#tell(event));
    callSessionHook(context.onLiveSession, session, this.#scope.log);
    this.#welcome = {
      sessionId: stored.id,
      appName: stored.appName,
      agentName: session.currentAgent.name,
      modelId: model.id,
      inputRateHz: model.capabilities.inputRateHz,
      outputRateHz: model.capabilities.outputRateHz,
    };
    this.#seat?.leg.welcome(this.#welcome);
    // A failed start ends the session with its error, which is where it is told.
    session.start().catch(() => undefined);
    const { reason, error } = await session.closed;
    this.#finish(reason === 'error' ? { tag: 'failed', error } : { tag: 'session', reason });
  }

  #tell(event: LiveEvent): void {
    this.#lastSeq = event.seq;
    if (this.#seat === undefined) this.#recovery?.keep(event);
    else this.#seat.leg.event(event);
  }

  /** A seat for a client: `take` gives it its leg. */
  #seatFor(wire: ClientWire, take: (place: LegPlace) => ClientLeg): Seat {
    const { context } = this.#options;
    // With the room to terminate a peer that does not answer, and after what the live session still says.
    const scope = this.#scope.child('client', { phase: 'hooks' });
    const isHere = (): boolean => this.#seat?.scope === scope;
    const owner: LegOwner = {
      ready: (resume) => this.#greeted(resume),
      played: (positionSamples) => this.#session?.playout.reported(positionSamples),
      gone: (departure) => {
        void scope.close('client gone');
        if (isHere()) this.#gone(departure);
      },
      broken: (end) => {
        if (isHere()) this.#broken(end);
      },
    };
    if (wire === 'adk') this.#recovery = undefined;
    else this.#recovery ??= new ClientRecovery(context.random, this.#newRing());
    const seat = { wire, scope, leg: take({ owner, queue: this.#queue, scope, recovery: this.#recovery }) };
    this.#seat = seat;
    // It was gone before it was listened to.
    if (scope.isClosing) this.#gone('left');
    return seat;
  }

  #newRing(): ReplayRing {
    const { clientGraceMs, maxReplayBytes, maxReplayMessages } = this.#options.context.limits;
    // Without a grace nobody comes back to what would be kept.
    return new ReplayRing(
      clientGraceMs === 0
        ? { maxBytes: 0, maxMessages: 0 }
        : { maxBytes: maxReplayBytes, maxMessages: maxReplayMessages },
    );
  }

  #takeIn(accepted: AcceptedSocket, served: ServedAgent | undefined): Seat {
    const { context, wire } = this.#options;
    const { limits, random } = context;
    const goodbyeOf = wire === 'adk' ? adkGoodbye : holdfastGoodbye;
    const inputRateHz = served?.model.capabilities.inputRateHz ?? 16_000;
    const seat = this.#seatFor(wire, (place) => {
      const goodbye = goodbyeOf({ tag: 'session', reason: 'shutdown' });
      const socket = new ClientSocket(accepted, place.scope, limits, goodbye);
      if (place.recovery === undefined) {
        return new AdkClientLeg({
          socket,
          place,
          clock: this.#scope.clock,
          invocationId: `e-${randomId(random)}`,
          agentName: served?.agent.name ?? 'holdfast',
          inputRateHz,
        });
      }
      return new HoldfastClientLeg({
        socket,
        place: { ...place, recovery: place.recovery },
        inputRateHz,
        helloTimeoutMs: limits.helloTimeoutMs,
        limits: {
          maxMessageBytes: limits.maxMessageBytes,
          idleTimeoutMs: limits.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
          maxDurationMs: limits.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
          clientGraceMs: limits.clientGraceMs,
        },
      });
    });
    // This wire has no hello: who is there wants a session.
    if (wire === 'adk' && !this.#isOver) this.#greeted(undefined);
    return seat;
  }

  /** The client has said what it wants: to go on with a live session that is there, or one of its own. */
  #greeted(resume: ResumeRequest | undefined): void {
    const { context, key, mayOnlyResume } = this.#options;
    const seat = this.#seat;
    const holder = context.calls.holding(sessionKey(key));
    if (seat !== undefined && holder instanceof LiveCall) {
      const found = holder.#found(resume);
      if (found === 'joins') {
        this.#seat = undefined;
        holder.#join(seat, resume);
        void this.#scope.close('joined');
        return;
      }
      if (found === 'refused') {
        context.metrics.clientReturned('refused');
        this.#scope.log.info('client refused: its token is not that of the live session', {
          session: key.id,
        });
        this.#finish({ tag: 'resumeRefused' });
        void this.#scope.close('resume refused');
        return;
      }
    }
    try {
      if (mayOnlyResume) context.admit();
    } catch (error) {
      this.#finish({ tag: 'unavailable', message: textForClients(error) });
      void this.#scope.close('unavailable');
      return;
    }
    if (resume !== undefined) context.metrics.clientReturned('anew');
    this.#ready.resolve();
  }

  /** What a client finds here that comes with or without a token: this live session, no admission to it, or none. */
  #found(resume: ResumeRequest | undefined): 'joins' | 'refused' | 'none' {
    // One that is ending is not disturbed either: the new one waits for it.
    if (this.#isOver || this.#session?.isOpen === false) return 'none';
    if (resume !== undefined) {
      const isTheirs = this.#session !== undefined && this.#recovery?.tokens.accepts(resume.token) === true;
      return isTheirs ? 'joins' : 'refused';
    }
    const { closeOnDisconnect } = this.#options.context.limits;
    return closeOnDisconnect || this.#session === undefined ? 'none' : 'joins';
  }

  /** A client joins this live session: the one it belongs to, with its token, or another one. */
  #join({ leg, wire }: Seat, resume: ResumeRequest | undefined): void {
    const { context, key } = this.#options;
    const before = this.#seat;
    this.#seat = undefined;
    before?.leg.end(REPLACED);
    void before?.scope.close('replaced');
    this.#endGrace('returned');
    if (resume === undefined) this.#recovery = undefined;
    this.#seatFor(wire, (place) => {
      leg.moveTo(place);
      return leg;
    });
    const missed = resume === undefined ? undefined : this.#recovery?.ring.missedBy(resume);
    if (resume !== undefined) {
      this.#recovery?.tokens.rotate(resume.token);
      context.metrics.clientReturned(missed?.isComplete === true ? 'recovered' : 'incomplete');
    } else {
      const positionSamples = this.#session?.playout.sentSamples ?? 0;
      this.#recovery?.ring.beginAt({ seq: this.#lastSeq, positionSamples });
    }
    this.#scope.log.info('client joined', {
      session: key.id,
      ...(missed === undefined ? {} : { recovered: missed.isComplete }),
    });
    if (this.#welcome !== undefined) {
      const agentName = this.#session?.currentAgent.name ?? this.#welcome.agentName;
      leg.welcome({ ...this.#welcome, agentName, ...(missed === undefined ? {} : { missed }) });
    }
    this.#session?.playout.resume();
    if (this.#goAwayAtMs !== undefined) leg.goAway(Math.max(0, this.#goAwayAtMs - this.#scope.clock.now()));
  }

  /** The client is gone: by itself, or nobody knows how. */
  #gone(departure: Departure): void {
    const seat = this.#seat;
    const { clientGraceMs, closeOnDisconnect } = this.#options.context.limits;
    const session = this.#session;
    this.#seat = undefined;
    if (session?.isOpen === true) {
      const mayComeBack = departure === 'vanished' && seat?.wire === 'holdfast.v1' && clientGraceMs > 0;
      if (mayComeBack) {
        this.#wait(session, clientGraceMs);
        return;
      }
      if (!closeOnDisconnect) return;
    }
    this.#leave(LEFT);
  }

  /** Nobody listens for a while, and the client that vanished may come back. */
  #wait(session: AgentSession, clientGraceMs: number): void {
    const { context, key } = this.#options;
    this.#scope.log.info('client vanished, waiting for it', { session: key.id, clientGraceMs });
    session.playout.pause();
    const grace = this.#scope.timer('client grace', clientGraceMs, () => {
      this.#endGrace('expired');
      if (context.limits.closeOnDisconnect) this.#leave(LEFT);
      else session.playout.resume();
    });
    this.#grace = grace;
  }

  #endGrace(outcome: 'returned' | 'expired' | 'ended'): void {
    if (this.#grace === undefined) return;
    this.#grace.cancel();
    this.#grace = undefined;
    this.#options.context.metrics.waitedForClient(outcome);
  }

  /** The client has broken a bound, and cannot be served any longer. */
  #broken(end: LegEnd): void {
    const { closeOnDisconnect } = this.#options.context.limits;
    if (closeOnDisconnect || this.#session?.isOpen !== true) {
      this.#leave(end);
      return;
    }
    this.#seat?.leg.end(end);
    void this.#seat?.scope.close('client broken');
    this.#seat = undefined;
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
    this.#endGrace('ended');
    this.#seat?.leg.end(end);
  }

  #forget(): void {
    this.#session = undefined;
    this.#recovery = undefined;
    this.#queue.clear();
  }

  #reason(): string {
    if (this.#end === undefined) return 'task_completed';
    return this.#end.tag === 'session' ? this.#end.reason : this.#end.tag;
  }
}
