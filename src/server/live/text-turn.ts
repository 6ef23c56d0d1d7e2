import type { Context } from '@opentelemetry/api';
import { ClosedError, randomId } from '../../kernel/index.ts';
import type { HoldfastError, Lifetime } from '../../kernel/index.ts';
import { encodeAdkEvent } from '../../protocol/index.ts';
import type { AdkEventContext, Content, LiveEvent } from '../../protocol/index.ts';
import { AgentSession } from '../../session/index.ts';
import type { SessionCloseReport, SessionKey, StoredSession } from '../../session/index.ts';
import type { ServedAgent } from '../apps/index.ts';
import type { Call, CallEnd, CallSnapshot } from '../calls/index.ts';
import { sessionKey } from '../calls/index.ts';
import { ReplacedError, RunTimeoutError, SessionNotFoundError, UnavailableError } from '../errors.ts';
import { LiveCall } from './live-call.ts';
import type { ServerContext } from '../server-context.ts';
import { Job } from './job.ts';
import { StateBound } from './state-bound.ts';

export interface TextTurnOptions {
  readonly context: ServerContext;
  readonly kind: 'run' | 'run_sse';
  readonly key: SessionKey;
  readonly served: ServedAgent;
  readonly message: Content;
  /** The trace that its request is a part of. */
  readonly caller: Context;
  readonly stateDelta: Readonly<Record<string, unknown>>;
  /** Whether pieces of an answer are given too, or the whole of it alone. */
  readonly streaming: boolean;
  /** Given every event as ADK JSON. */
  emit(event: string): void;
}

/** What the client of an unfinished turn is told. */
const ERRORS: Readonly<Record<CallEnd, () => HoldfastError>> = {
  replaced: () => new ReplacedError('A newer client took this session over.'),
  shutdown: () => new UnavailableError('The server shut down before the answer came.', 1),
  user_initiated: () => new SessionNotFoundError('The session was deleted before the answer came.'),
  closed_by_operator: () => new UnavailableError('The answer was ended by an operator of the server.', 1),
};

/** How often it is looked whether the agent who got the conversation has nothing to say, in milliseconds. */
const LOOK_AGAIN_MS = 100;

/**
 * One message and its answer: a live session that is closed when the answer is complete. Where the session is live
 * already, the message is said in it, and the live session goes on.
 */
export class TextTurn implements Call {
  readonly kind: 'run' | 'run_sse';
  readonly startedAtMs: number;
  readonly ended: Promise<void>;
  readonly over: Promise<void>;
  readonly live: Promise<void>;
  readonly #options: TextTurnOptions;
  readonly #job: Job;
  readonly #scope: Lifetime;
  #adk: AdkEventContext;
  readonly #done = Promise.withResolvers<void>();
  readonly #isLive = Promise.withResolvers<void>();
  #session: AgentSession | undefined;
  /** The live session it is said in, where that is somebody else's. */
  #holder: LiveCall | undefined;
  #hasChanged = false;
  /** Whether the answer under way is given as text. */
  #isWritten = false;

  constructor(options: TextTurnOptions) {
    const { context, kind } = options;
    this.#options = options;
    this.kind = kind;
    this.#job = new Job({ context, kind, name: 'text turn', key: options.key, caller: options.caller });
    this.#scope = this.#job.scope;
    this.startedAtMs = this.#job.startedAtMs;
    this.ended = this.#job.ended;
    this.over = this.#job.over;
    this.live = this.#isLive.promise;
    void this.ended.then(this.#isLive.resolve);
    // The turn is counted until its hook has run; the live session is not held for that.
    void this.ended.then(() => {
      this.#session = undefined;
    });
    this.#adk = { invocationId: `e-${randomId(context.random)}` };
    // However the scope ends, also with the server from above, nobody is left waiting for the answer.
    this.#scope.own('answer', this.#done, {
      stop: ({ reject }) => reject(new UnavailableError('The server shut down before the answer came.', 1)),
    });
    // Observed here, because it may be rejected before anything waits for it.
    this.#done.promise.catch(nothing);
  }

  /** Runs the turn: resolves when the answer is complete; rejects with the error that kept it from being. */
  async answer(): Promise<void> {
    const { metrics } = this.#options.context;
    try {
      await this.#turn();
      metrics.turnEnded(this.kind, 'answered');
    } catch (error) {
      metrics.turnEnded(this.kind, 'failed');
      this.#job.failed(error);
      throw error;
    } finally {
      this.#job.ending();
      await this.#session?.close('task_completed');
      await this.#scope.close('task_completed');
    }
  }

  end(reason: CallEnd, words?: string): void {
    this.#job.ending();
    this.#done.reject(words === undefined ? ERRORS[reason]() : new UnavailableError(words, 1));
    void this.#session?.close(reason);
  }

  snapshot(): CallSnapshot {
    const session = this.#session;
    return {
      kind: this.kind,
      key: this.#options.key,
      state: session?.state ?? (this.#holder === undefined ? 'starting' : 'live'),
      startedAtMs: this.startedAtMs,
      client: 'http',
      model: session === undefined ? 'none' : session.isConnected ? 'connected' : 'connecting',
      agent: session?.currentAgent.name,
      resources: () => this.#scope.resources(),
      isToldToGo: false,
    };
  }

  updateState(delta: Readonly<Record<string, unknown>>): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    new StateBound(this.#options.context, session.session.state).take(delta);
    return session.updateState(delta);
  }

  /** Its answer goes over the connection it was asked on, or nowhere. */
  readonly mayBeResumed = false;
  readonly isPassing = false;

  goAway(_timeLeftMs: number): void {
    // A text turn ends by itself soon, and its client cannot be told.
  }

  /** The client has left (clause C7). */
  leave(): void {
    this.#job.ending();
    this.#done.reject(new ClosedError('The client left before the answer came.'));
    void this.#session?.close('participant_disconnected');
  }

  async #turn(): Promise<void> {
    const { context, key, stateDelta } = this.#options;
    const { runTimeoutMs } = context.limits;
    this.#scope.timer('run timeout', runTimeoutMs, () => {
      this.#done.reject(new RunTimeoutError(`There was no answer within ${runTimeoutMs} ms.`));
    });
    const holder = context.calls.holding(sessionKey(key));
    if (holder instanceof LiveCall && (await this.#sayIn(holder))) return;
    await this.#unlessOver(context.calls.takeOver(sessionKey(key), this, 'wait'));
    const stored = await this.#unlessOver(context.store.get(key));
    if (stored === undefined) throw new SessionNotFoundError(`There is no session '${key.id}'.`);
    new StateBound(context, stored.state).take(stateDelta);
    Object.assign(stored.state, stateDelta);
    await this.#live(stored);
  }

  /** What `work` gives. @throws what the turn ended with, when that comes first. */
  async #unlessOver<Result>(work: Promise<Result>): Promise<Result> {
    await Promise.race([work, this.#done.promise]);
    return work;
  }

  /** Says it in a live session of the same stored session; false when that one is ending. */
  async #sayIn(holder: LiveCall): Promise<boolean> {
    const { message, stateDelta } = this.#options;
    if (Object.keys(stateDelta).length > 0 && !holder.updateState(stateDelta)) return false;
    // The client of the live session hears the same events: they are to have the same names. It may be answered at once.
    const own = this.#adk;
    this.#adk = { invocationId: holder.invocationId };
    const untap = holder.say(message, {
      event: (event) => this.#event(event),
      closed: (report) => this.#closed(report),
    });
    if (untap === undefined) {
      this.#adk = own;
      return false;
    }
    this.#holder = holder;
    try {
      await this.#done.promise;
    } finally {
      untap();
      this.#holder = undefined;
    }
    return true;
  }

  async #live(stored: StoredSession): Promise<void> {
    const { context, served, message } = this.#options;
    this.#scope.throwIfClosing();
    this.#job.begins(stored);
    const session = new AgentSession({
      ...served,
      session: stored,
      journal: context.store,
      artifacts: context.artifacts,
      reconnect: context.reconnect,
      owner: this.#scope,
      closeTimeoutMs: context.limits.closeTimeoutMs,
    });
    this.#session = session;
    this.#isLive.resolve();
    this.#job.holds(session);
    session.on('event', (event) => this.#event(event));
    context.traces.watch(session, this.#adk.invocationId);
    session.on('close', (report) => this.#closed(report));
    session.queue.sendContent(message);
    session.start().catch(nothing);
    await this.#done.promise;
  }

  #event(event: LiveEvent): void {
    const isPiece = 'partial' in event && event.partial;
    if (!isSetUp(event) && (!isPiece || this.#options.streaming)) {
      const encoded = encodeAdkEvent(this.#written(event), this.#adk);
      if (encoded !== undefined) this.#options.emit(encoded);
    }
    if (event.type === 'agentChanged') this.#hasChanged = true;
    if (event.type === 'turnComplete') this.#turnOver();
  }

  /**
   * A client of these routes reads what is written. Where the answer is spoken only, its words are its text; where both are
   * given, the words are told as what they are.
   */
  #written(event: LiveEvent): LiveEvent {
    if (event.type === 'text' && event.thought !== true) this.#isWritten = true;
    if (event.type === 'turnComplete') this.#isWritten = false;
    if (event.type !== 'transcript' || event.speaker !== 'agent' || this.#isWritten) return event;
    const { seq, atMs, author, turn, text, partial } = event;
    return { type: 'text', text, partial, seq, atMs, author, turn };
  }

  /** An answer is complete. It is not the last one where another agent has got the conversation, and answers as well. */
  #turnOver(): void {
    const session = this.#holder ?? this.#session;
    if (!this.#hasChanged || session === undefined || session.isSettled) this.#done.resolve();
    else if (!this.#scope.isClosing) this.#scope.timer('settled', LOOK_AGAIN_MS, () => this.#turnOver());
  }

  #closed({ reason, error }: SessionCloseReport): void {
    // After the answer this changes nothing: a promise is settled once.
    this.#done.reject(
      error ?? new UnavailableError(`The live session ended (${reason}) before the answer came.`, 1),
    );
  }
}

/** That a model is dialled for a message is no news: clients show it as a line without anything in it. */
function isSetUp(event: LiveEvent): boolean {
  return event.type === 'connection' && (event.state === 'connecting' || event.state === 'connected');
}

/** For promises whose outcome is told elsewhere. */
const nothing = (): void => undefined;
