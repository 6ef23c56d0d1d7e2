import { describeError, randomId } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import {
  DEFAULT_IDLE_TIMEOUT_MS,
  DEFAULT_MAX_DURATION_MS,
  AgentSession,
  LiveRequestQueue,
} from '../session/index.ts';
import type { RunConfig, SessionCloseReport, SessionKey, StoredSession } from '../session/index.ts';
import type { Content, LiveEvent } from '../protocol/index.ts';
import { AdkClientLeg } from './adk-client-leg.ts';
import type { ServedAgent } from './app-registry.ts';
import { sessionKey } from './calls.ts';
import type { Call, CallEnd } from './calls.ts';
import type { ClientLeg, LegOwner } from './client-leg.ts';
import { ClientSocket } from './client-socket.ts';
import type { AcceptedSocket } from './client-socket.ts';
import { AppNotFoundError } from './errors.ts';
import { HoldfastClientLeg } from './holdfast-client-leg.ts';
import { adkGoodbye, holdfastGoodbye } from './leg-end.ts';
import type { LegEnd } from './leg-end.ts';
import type { ServerContext } from './server-context.ts';
import { SERVER_CLOSE_TIMEOUT_MS } from './server-options.ts';
import { callSessionHook } from './session-hook.ts';
import { storeAtEnd } from './stored-history.ts';

export type ClientWire = 'adk' | 'holdfast.v1';

export interface LiveCallOptions {
  readonly context: ServerContext;
  readonly wire: ClientWire;
  readonly key: SessionKey;
  readonly runConfig: RunConfig;
}

/** Told of a live session by the side, until it is taken away. */
export interface LiveTap {
  event(event: LiveEvent): void;
  closed(report: SessionCloseReport): void;
}

/**
 * One client's live session, from the accepted socket to the stored history.
 *
 * It owns the client's socket and the AgentSession between two ends of one scope: whichever side ends, the other is
 * closed with the reason, and `ended` settles when both are gone and the session is saved, in bounded time.
 */
export class LiveCall implements Call {
  readonly kind = 'run_live';
  readonly startedAtMs: number;
  readonly ended: Promise<void>;
  readonly #options: LiveCallOptions;
  readonly #scope: Lifetime;
  readonly #queue = new LiveRequestQueue();
  readonly #ready = Promise.withResolvers<void>();
  #leg: ClientLeg | undefined;
  #session: AgentSession | undefined;
  /** How the client is told of the end; the first one counts. */
  #end: LegEnd | undefined;

  constructor(options: LiveCallOptions) {
    const { owner } = options.context;
    this.#options = options;
    this.#scope = owner.child('live call', { closeTimeoutMs: SERVER_CLOSE_TIMEOUT_MS });
    this.startedAtMs = owner.clock.now();
    this.ended = this.#scope.closed.then(() => undefined);
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
    this.#leg?.goAway(timeLeftMs);
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

  async #conversation(socket: AcceptedSocket): Promise<void> {
    const { context, wire, key } = this.#options;
    const goodbye = (wire === 'adk' ? adkGoodbye : holdfastGoodbye)({ tag: 'session', reason: 'shutdown' });
    const clientSocket = new ClientSocket(socket, this.#scope, context.limits, goodbye);
    const served = this.#findAgent();
    this.#leg = this.#makeLeg(clientSocket, served);
    if (this.#end !== undefined) this.#leg.end(this.#end);
    if (served === undefined || this.#end !== undefined) return;
    await context.calls.takeOver(sessionKey(key), this, 'replace');
    const stored = await context.store.get(key);
    if (stored === undefined) {
      this.#finish({ tag: 'notFound', message: 'Session not found' });
      return;
    }
    await this.#ready.promise;
    // What was waited for may have come long after the call was over.
    if (this.#end !== undefined || this.#scope.isClosing) return;
    await this.#live(served, stored, this.#leg);
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

  async #live({ agent, model }: ServedAgent, stored: StoredSession, leg: ClientLeg): Promise<void> {
    const { context, runConfig } = this.#options;
    const { closeTimeoutMs, idleTimeoutMs, maxDurationMs } = context.limits;
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
    storeAtEnd(this.#scope, context.store, session);
    context.metrics.watch(session);
    session.on('event', (event) => leg.event(event));
    callSessionHook(context.onLiveSession, session, this.#scope.log);
    leg.welcome({
      sessionId: stored.id,
      appName: stored.appName,
      agentName: agent.name,
      modelId: model.id,
      inputRateHz: model.capabilities.inputRateHz,
      outputRateHz: model.capabilities.outputRateHz,
    });
    // A failed start ends the session with its error, which is where it is told.
    session.start().catch(() => undefined);
    const { reason, error } = await session.closed;
    this.#finish(reason === 'error' ? { tag: 'failed', error } : { tag: 'session', reason });
  }

  #makeLeg(socket: ClientSocket, served: ServedAgent | undefined): ClientLeg {
    const { context, wire } = this.#options;
    const owner: LegOwner = {
      ready: () => this.#ready.resolve(),
      played: (positionSamples) => this.#session?.playout.reported(positionSamples),
      gone: () => this.#leave({ tag: 'session', reason: 'participant_disconnected' }),
      broken: (end) => this.#leave(end),
    };
    const inputRateHz = served?.model.capabilities.inputRateHz ?? 16_000;
    const queue = this.#queue;
    if (wire === 'adk') {
      return new AdkClientLeg({
        socket,
        queue,
        owner,
        clock: this.#scope.clock,
        invocationId: `e-${randomId(context.random)}`,
        agentName: served?.agent.name ?? 'holdfast',
        inputRateHz,
      });
    }
    const { limits } = context;
    return new HoldfastClientLeg({
      socket,
      queue,
      owner,
      scope: this.#scope,
      inputRateHz,
      helloTimeoutMs: limits.helloTimeoutMs,
      limits: {
        maxMessageBytes: limits.maxMessageBytes,
        idleTimeoutMs: limits.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
        maxDurationMs: limits.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
      },
      resumeToken: randomId(context.random),
    });
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
    this.#leg?.end(end);
  }

  #reason(): string {
    if (this.#end === undefined) return 'task_completed';
    return this.#end.tag === 'session' ? this.#end.reason : this.#end.tag;
  }
}
