import { ClosedError, describeError } from '../kernel/index.ts';
import type { Lifetime, LogFields, Random } from '../kernel/index.ts';
import type { ConnectionCause, ConnectionEventBody } from '../protocol/index.ts';
import { isRecoverable, lostError } from './connection-end.ts';
import { ConnectTimeoutError, HandleRejectedError } from './errors.ts';
import { Ended, LegSink } from './leg-sink.ts';
import type { Receiver } from './leg-sink.ts';
import { LivenessWatch } from './liveness-watch.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';
import { Redial } from './redial.ts';
import type { Outage } from './redial.ts';
import { HANDLE_CONFIRM_MS } from './resumption.ts';
import type { Resuming, Resumption } from './resumption.ts';
import type { ConnectionEnd, StreamConnection, StreamPort } from './stream-port.ts';
import { SwapMoment } from './swap-moment.ts';
import { SwapPlan } from './swap-plan.ts';
import type { SwapCause } from './swap-plan.ts';
import { foreignUntilClosed } from './until-closed.ts';

/** Dial, handshake and setup of a healthy provider take one or two seconds; ten are a provider in trouble (R11). */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/**
 * How much may wait in the socket's own buffer before no more is handed to it: half a minute of audio. What the
 * network does not take then waits in the queue, where it is counted and bounded.
 */
export const SEND_HIGH_WATER_BYTES = 1_048_576;

/** How long a peer's last words are listened to when its connection is swapped; its socket has the same bound (C10). */
export const FINISH_TIMEOUT_MS = 1_000;

interface Connected<Connection> {
  readonly scope: Lifetime;
  readonly connection: Connection;
  readonly sinceMs: number;
  readonly wasResumed: boolean;
  readonly liveness: LivenessWatch | undefined;
  readonly swap: SwapPlan | undefined;
  /** Whether anything of use was said over it. */
  hasProgress: boolean;
}

/**
 * - `connecting`: a dial is under way. - `connected`. - `finishing`: the goodbye of a swap was said; what the peer had
 * sent before it is still taken in. - `waiting`: between two attempts. - `ended`: there will be no connection any more.
 */
type LegState<Connection> =
  | { readonly tag: 'idle' | 'waiting' | 'ended' }
  | { readonly tag: 'connecting'; readonly scope: Lifetime }
  | ({ readonly tag: 'connected' } & Connected<Connection>)
  | { readonly tag: 'finishing'; readonly finished: () => void };

/** A new connection in the place of an old one. */
export interface Recovered {
  readonly cause: ConnectionCause;
  readonly isSwap: boolean;
  readonly attempt: number;
  readonly gapMs: number;
}

export interface SupervisedLegOptions<
  Setup,
  Input,
  Output,
  Connection extends StreamConnection<Input> = StreamConnection<Input>,
> {
  /** What the leg is called in its owner: `model leg`. */
  readonly name: string;
  readonly port: StreamPort<Setup, Input, Output, Connection>;
  readonly owner: Lifetime;
  readonly connectTimeoutMs: number;
  /** Undefined: what is lost stays lost, and nothing is swapped. */
  readonly policy: ReconnectPolicy | undefined;
  readonly random: Random;
  readonly resumption: Resumption;
  /** What the next connection is set up with. */
  setup(resuming: Resuming): Promise<Setup>;
  /** Whether a connection that is lost now is worth another one: the session has not been told to end. */
  mayReconnect(): boolean;
  /**
   * Whether anything waits to be sent. Where it is given, a connection that the peer let go of because it was idle is had
   * again only then, and `wake` tells when to look (clause S2).
   */
  hasInput?(): boolean;
  /** Whether nobody is speaking and nothing is owed: the time to swap (clause R7). */
  isAtBoundary(): boolean;
  /** Whether the user's microphone is quiet, as far as that can be heard. */
  isQuiet(): boolean;
  changed(event: ConnectionEventBody): void;
  /** The connection is gone, with all that it had to say, and another one is about to be dialled. */
  disconnected(): void;
  /** The other side is ready, or is so again; called before anything it sent is delivered. */
  connected(setup: Setup, resuming: Resuming, recovered: Recovered | undefined): void;
  /** What it had sent by then was delivered: it can be sent to. */
  ready(): void;
  output(message: Output): void;
  /** Whether an output is of use: a finished handshake is none, and neither is a handle or a notice (clause R4). */
  isProgress(message: Output): boolean;
  /** `input` as the connection is to have it. Default: as it is. */
  outgoing?(input: Input): Input;
  /** The connection took `input`; called before what is answered to it is delivered. */
  sent(input: Input): void;
  /** The other side cannot take `input`, ever. The connection goes on. */
  refused(input: Input, error: unknown): void;
  /** There will be no connection any more, and nobody asked for that. */
  failed(error: Error): void;
}

/** What the lines of a leg carry: `model` of `model leg`. */
export function legFields(name: string): LogFields {
  return { leg: name.replace(/ leg$/, '') };
}

/**
 * The connection to one provider, a live session's to its model say, over however many sockets: every dial is made here.
 *
 * Intent is read from this side's own state, never from a close code (clause R1): what ends after the owner began to
 * close was closed by us, everything else is lost and is, by the policy, had again.
 */
export class SupervisedLeg<
  Setup,
  Input,
  Output,
  Connection extends StreamConnection<Input> = StreamConnection<Input>,
> implements Receiver<Output> {
  readonly #options: SupervisedLegOptions<Setup, Input, Output, Connection>;
  readonly #leg: Lifetime;
  readonly #redial: Redial | undefined;
  #state: LegState<Connection> = { tag: 'idle' };
  #wasConnected = false;
  readonly #swapMoment: SwapMoment;
  /** Whether deliveries wait: for the connection to be announced, for a send or another delivery to return. */
  #isHolding = false;
  /** Whether a new connection is being told of. */
  #isAnnouncing = false;
  readonly #held: (Output | Ended)[] = [];

  constructor(options: SupervisedLegOptions<Setup, Input, Output, Connection>) {
    this.#options = options;
    this.#leg = options.owner.child(options.name, { logFields: legFields(options.name) });
    const { port, policy, random, resumption } = options;
    this.#swapMoment = new SwapMoment({
      clock: this.#leg.clock,
      resumption,
      isAtBoundary: () => options.isAtBoundary(),
      isQuiet: () => options.isQuiet(),
    });
    const redial = {
      portId: port.id,
      leg: this.#leg,
      random,
      resumption,
      mayReconnect: () => options.mayReconnect(),
      ...(options.hasInput === undefined ? {} : { hasInput: options.hasInput }),
      changed: (event: ConnectionEventBody) => options.changed(event),
      dial: (resuming: Resuming, outage: Outage, attempt: number) => this.#dial(resuming, outage, attempt),
    };
    this.#redial = policy === undefined ? undefined : new Redial({ ...redial, policy });
  }

  get isConnected(): boolean {
    return this.#state.tag === 'connected' && !this.#leg.isClosing;
  }

  /** Whether more can be handed over now. */
  get isReady(): boolean {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing || this.#isAnnouncing) return false;
    return this.#state.connection.bufferedBytes < SEND_HIGH_WATER_BYTES;
  }

  /** Whether there was a connection and there will be another one: what comes meanwhile is to be kept. */
  get isRecovering(): boolean {
    const { tag } = this.#state;
    return this.#wasConnected && !this.#leg.isClosing && tag !== 'connected' && tag !== 'ended';
  }

  /**
   * Sends over the connection; false when it takes nothing. What the model answers within the call is delivered after
   * the input has been told as sent, so that the history has the question before the answer.
   */
  send(input: Input): boolean {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return false;
    const { connection } = this.#state;
    const isOutermost = !this.#isHolding;
    this.#isHolding = true;
    try {
      const accepted = connection.send(this.#options.outgoing?.(input) ?? input);
      if (accepted) this.#options.sent(input);
      return accepted;
    } catch (error) {
      this.#options.refused(input, error);
      return true;
    } finally {
      if (isOutermost) this.#catchUp();
    }
  }

  /**
   * Asks something of the connection besides sending, where there is one. What it answers within the call is delivered
   * after it.
   */
  ask<Answer>(question: (connection: Connection) => Answer): Answer | undefined {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return undefined;
    const isOutermost = !this.#isHolding;
    this.#isHolding = true;
    try {
      return question(this.#state.connection);
    } finally {
      if (isOutermost) this.#catchUp();
    }
  }

  /**
   * Makes the first connection: resumes where the stored session has a handle, else starts afresh, which is tried
   * once. Whatever way it ends but well, nothing stays open.
   * @throws ClosedError when the leg is closed meanwhile, ConnectTimeoutError at the bound, or the model's own error.
   */
  async start(): Promise<void> {
    this.#leg.throwIfClosing();
    const resuming = this.#resuming();
    this.#options.changed({ type: 'connection', state: 'connecting', attempt: 1 });
    try {
      await this.#dial(resuming);
    } catch (error) {
      this.#leg.throwIfClosing();
      const redial = this.#redial;
      if (resuming.tag === 'reseed' || redial === undefined || !isRecoverable(error)) throw error;
      const atOnce = redial.attemptFailed(resuming, error);
      const sinceMs = this.#leg.clock.now();
      const outage: Outage = { cause: 'lost', kind: 'start', sinceMs, wasHealthy: false, error, atOnce };
      const failure = await redial.run(outage);
      if (failure !== undefined) throw failure;
    }
  }

  /**
   * Makes the first connection in the middle of a session, which does not end over one attempt: what keeps it from being
   * made counts as a loss. How it fails for good is told by `failed`.
   */
  startLate(): void {
    void this.#replace(Promise.resolve(), () => this.#dialOrRedial());
  }

  /** The provider says that it will end the connection. */
  goAway(timeLeftMs: number | undefined): void {
    this.#wantSwap('goAway', timeLeftMs);
  }

  /**
   * Gives the connection up for a new one, because its owner has no use for what it still has to say: what was asked of
   * it is not wanted any more, and it cannot be told so. That says nothing against the provider, so no meter counts it
   * unless the new one is not had at once (clause R4).
   */
  renew(): void {
    const state = this.#state;
    if (state.tag !== 'connected' || this.#leg.isClosing) return;
    this.#options.resumption.disconnected(state.scope.clock.wallTime());
    this.#state = { tag: 'waiting' };
    void this.#replace(state.scope.close('renewed'), () => this.#dialOrRedial());
  }

  /** Swaps the connection now, for one that is set up in another way. Returns whether there was one. */
  swapNow(cause: ConnectionCause): boolean {
    const state = this.#state;
    if (state.tag !== 'connected' || this.#leg.isClosing) return false;
    this.#swap(state, cause, true, (outage) => this.#dialOrRedial(outage));
    return true;
  }

  /** The provider has forgotten the conversation: the next connection is started with the history. */
  contextLost(): void {
    this.#options.resumption.drop('contextLost');
    this.#wantSwap('contextLost', undefined);
  }

  /** There is something to send, or the last of it was: a leg that rests looks whether to dial, or to end. */
  wake(): void {
    this.#redial?.wake();
  }

  /** What was asked over the connection is not answered: it is given up, whatever its pongs say. */
  unanswered(): void {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return;
    this.#dead(this.#state.scope, 'silent', 'what was asked was not answered');
  }

  /** A turn of the agent is over. */
  turnEnded(): void {
    const { resumption } = this.#options;
    resumption.fellBehind();
    // Who was told that the turn is over may have ended the session over it.
    if (!this.isConnected || this.#state.tag !== 'connected' || !resumption.isUnconfirmed) return;
    // What keeps a conversation says so after each of its turns.
    this.#state.scope.timer('handle confirmation', HANDLE_CONFIRM_MS, () => {
      if (resumption.isUnconfirmed) resumption.drop('handleUnconfirmed');
    });
  }

  /** Takes what the connection delivers, now or as soon as it is its turn. */
  receive(delivery: Output | Ended): void {
    if (delivery instanceof Ended && this.#state.tag === 'connecting') {
      // An attempt that failed has nothing to wait for.
      void this.#state.scope.close(CONNECTION_LOST, lostError(this.#options.port.id, delivery.end));
      return;
    }
    if (this.#isHolding) {
      this.#held.push(delivery);
      return;
    }
    this.#isHolding = true;
    try {
      this.#deliver(delivery);
    } finally {
      this.#catchUp();
    }
  }

  /** The peer has answered a probe. */
  alive(): void {
    if (this.#state.tag === 'connected') this.#state.liveness?.heard();
  }

  #catchUp(): void {
    try {
      for (let next = this.#held.shift(); next !== undefined; next = this.#held.shift()) this.#deliver(next);
    } finally {
      this.#isHolding = false;
    }
  }

  #deliver(delivery: Output | Ended): void {
    const state = this.#state;
    if (this.#leg.isClosing) return;
    if (state.tag === 'finishing') {
      if (delivery instanceof Ended) state.finished();
      else this.#options.output(delivery);
      return;
    }
    if (state.tag !== 'connected') return;
    if (delivery instanceof Ended) {
      this.#lost(state, delivery.end, delivery.end.isIdle === true ? 'idle' : 'lost');
      return;
    }
    state.liveness?.heard();
    if (!state.hasProgress && this.#options.isProgress(delivery)) {
      state.hasProgress = true;
      this.#options.resumption.worked();
    }
    this.#options.output(delivery);
  }

  /**
   * Dials and sets up, within `connectTimeoutMs` in all. Whatever way it ends but well, nothing stays open (R11).
   * @throws ClosedError when the leg is closed meanwhile, ConnectTimeoutError at the bound, or the model's own error.
   */
  async #dial(resuming: Resuming, outage?: Outage, attempt = 1): Promise<void> {
    this.#leg.throwIfClosing();
    const { port, connectTimeoutMs, resumption } = this.#options;
    const scope = this.#leg.child('connection');
    this.#state = { tag: 'connecting', scope };
    this.#isHolding = true;
    const timeout = scope.timer(
      'connect time-out',
      connectTimeoutMs,
      () => void scope.abort(CONNECT_TIMEOUT),
    );
    try {
      const setup = await foreignUntilClosed(scope, 'setup', () => this.#options.setup(resuming));
      const sink = new LegSink(this, scope);
      const connection = await foreignUntilClosed(scope, 'connect', () => port.connect(setup, sink, scope));
      scope.throwIfClosing();
      timeout.cancel();
      const wasResumed = resuming.tag === 'resume';
      if (wasResumed) resumption.resumed();
      else resumption.restarted();
      this.#state = this.#connectedState(scope, connection, wasResumed);
      this.#wasConnected = true;
      this.#announce(() => this.#options.connected(setup, resuming, this.#recovered(outage, attempt)));
      this.#options.ready();
    } catch (error) {
      const { reason, error: cause } = await scope.abort('connect failed');
      this.#held.length = 0;
      this.#isHolding = false;
      this.#state = { tag: 'waiting' };
      this.#leg.throwIfClosing();
      if (reason === CONNECTION_LOST) throw cause;
      if (reason !== CONNECT_TIMEOUT) throw error;
      throw new ConnectTimeoutError(
        `${port.id} was not ready within ${connectTimeoutMs} ms of dialling. ` +
          'Check the network and the address, or raise connectTimeoutMs.',
        { provider: port.id, cause: error },
      );
    }
  }

  /** Nothing is sent meanwhile: what arrived while it was set up knows nothing of what is sent to it afterwards. */
  #announce(connected: () => void): void {
    this.#isAnnouncing = true;
    try {
      connected();
      this.#catchUp();
    } finally {
      this.#isAnnouncing = false;
    }
  }

  #recovered(outage: Outage | undefined, attempt: number): Recovered | undefined {
    if (outage === undefined || outage.kind === 'start') return undefined;
    const { cause, kind, sinceMs } = outage;
    return { cause, isSwap: kind === 'swap', attempt, gapMs: Math.round(this.#leg.clock.now() - sinceMs) };
  }

  #connectedState(scope: Lifetime, connection: Connection, wasResumed: boolean): LegState<Connection> {
    const { policy, port } = this.#options;
    const { inProcess = false, maxConnectionAgeMs } = port.capabilities;
    const isSupervised = policy !== undefined && !inProcess;
    const liveness = isSupervised
      ? new LivenessWatch(scope, connection, policy, (cause) => this.#dead(scope, cause, WHY_DEAD[cause]))
      : undefined;
    const swap = isSupervised
      ? new SwapPlan(scope, policy, (cause, isUrgent) => this.#swapDue(scope, cause, isUrgent))
      : undefined;
    if (maxConnectionAgeMs !== undefined) swap?.armForAge(maxConnectionAgeMs);
    const sinceMs = scope.clock.now();
    return { tag: 'connected', scope, connection, sinceMs, wasResumed, liveness, swap, hasProgress: false };
  }

  #dead(scope: Lifetime, cause: 'silent' | 'stalled', reason: string): void {
    const state = this.#state;
    if (state.tag !== 'connected' || state.scope !== scope) return;
    const hasSuccessor = state.connection.givenUp?.(reason) === true;
    this.#lost(state, { reason, hasSuccessor }, cause);
  }

  /** The connection is gone: it is had again, or the session ends over it. */
  #lost(connected: Connected<Connection>, end: ConnectionEnd, cause: ConnectionCause): void {
    const options = this.#options;
    const { scope } = connected;
    const error = lostError(options.port.id, end);
    options.resumption.disconnected(scope.clock.wallTime());
    const hadHandle = options.resumption.handle !== undefined;
    this.#state = { tag: 'waiting' };
    const { code, reason } = end;
    options.changed({
      type: 'connection',
      state: 'lost',
      cause,
      reason,
      ...(code === undefined ? {} : { code }),
    });
    // Nobody is there to say goodbye to.
    const closing = scope.abort(CONNECTION_LOST, error);
    if (this.#leg.isClosing) return;
    if (!options.mayReconnect() || end.isFinal === true || this.#endsSession(error)) {
      this.#fail(error);
      return;
    }
    const wasHealthy = this.#isHealthy(connected);
    const isHandleAtFault = hadHandle && error instanceof HandleRejectedError;
    const atOnce = isHandleAtFault || end.hasSuccessor === true;
    const outage: Outage = { cause, kind: 'loss', sinceMs: scope.clock.now(), wasHealthy, error, atOnce };
    if (connected.wasResumed && !wasHealthy) this.#redial?.resumedInVain(describeError(error));
    void this.#replace(closing, () => this.#redial?.run(outage));
  }

  /** Whether a loss is the end of the session (the table of clause R). */
  #endsSession(error: Error): boolean {
    const { policy } = this.#options;
    if (policy === undefined || !isRecoverable(error)) return true;
    if (error instanceof HandleRejectedError) this.#redial?.rejected(error);
    const resuming = this.#resuming();
    return resuming.tag === 'reseed' && resuming.why === 'noHandle' && policy.withoutHandle === 'fail';
  }

  #resuming(): Resuming {
    return this.#options.resumption.next(this.#leg.clock.wallTime());
  }

  /** Whether a connection has shown that it is one (clause R4). */
  #isHealthy({ hasProgress, sinceMs }: Connected<Connection>): boolean {
    const { policy, resumption } = this.#options;
    const isStable = this.#leg.clock.now() - sinceMs >= (policy?.stableAfterMs ?? Infinity);
    if (isStable) resumption.worked();
    return hasProgress || isStable;
  }

  #wantSwap(cause: SwapCause, timeLeftMs: number | undefined): void {
    if (this.#state.tag === 'connected') this.#state.swap?.want(cause, timeLeftMs);
  }

  /** A swap is wanted: it is made now, or asked for again. */
  #swapDue(scope: Lifetime, cause: SwapCause, isUrgent: boolean): void {
    const state = this.#state;
    if (state.tag !== 'connected' || state.scope !== scope || this.#isHolding) return;
    if (!this.#options.mayReconnect() || this.#redial?.isSpent !== false) return;
    if (!isUrgent && !(this.#swapMoment.isNow && this.#isHealthy(state))) return;
    this.#swap(state, cause, this.#isHealthy(state), (outage) => this.#redial?.run(outage));
  }

  #swap(
    connected: Connected<Connection>,
    cause: ConnectionCause,
    wasHealthy: boolean,
    dial: (outage: Outage) => Promise<Error | undefined> | undefined,
  ): void {
    const { clock } = connected.scope;
    const outage: Outage = { cause, kind: 'swap', sinceMs: clock.now(), wasHealthy };
    this.#options.resumption.disconnected(clock.wallTime());
    void this.#replace(this.#finish(connected), () => dial(outage));
  }

  /** Says goodbye, and takes in what the peer had sent before it heard that. */
  async #finish({ scope, connection }: Connected<Connection>): Promise<void> {
    if (connection.finish !== undefined) {
      const finished = Promise.withResolvers<void>();
      this.#state = { tag: 'finishing', finished: finished.resolve };
      scope.own('last words', finished, { stop: ({ resolve }) => resolve() });
      scope.timer('last words', FINISH_TIMEOUT_MS, finished.resolve);
      try {
        connection.finish();
        await finished.promise;
      } catch (error) {
        // One that cannot say goodbye is let go of without.
        scope.log.warn('saying goodbye to a model failed', { error: describeError(error) });
      }
    }
    this.#swapMoment.passed();
    if (this.#state.tag !== 'ended') this.#state = { tag: 'waiting' };
    await scope.close('swap');
  }

  async #dialOrRedial(swap?: Outage): Promise<Error | undefined> {
    this.#options.changed({ type: 'connection', state: 'connecting', attempt: 1 });
    const sinceMs = this.#leg.clock.now();
    try {
      await this.#dial(this.#resuming(), swap);
      return undefined;
    } catch (error) {
      this.#leg.throwIfClosing();
      const redial = this.#redial;
      if (redial === undefined || !isRecoverable(error)) throw error;
      return redial.run({ cause: 'lost', kind: 'loss', sinceMs, wasHealthy: false, error });
    }
  }

  /** Never rejects: how it fails is told to the session. */
  async #replace(
    closing: Promise<unknown>,
    dial: () => Promise<Error | undefined> | undefined,
  ): Promise<void> {
    try {
      // The old one is let go of first: a provider refuses to resume what it still sees connected (clause R7), and who
      // counts its connections would refuse the new one.
      await closing;
      if (this.#leg.isClosing) return;
      this.#options.disconnected();
      const failure = await dial();
      if (failure !== undefined) this.#fail(failure);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new ClosedError(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#leg.isClosing) return;
    this.#state = { tag: 'ended' };
    this.#options.failed(error);
  }
}

const WHY_DEAD = { silent: 'a probe was not answered', stalled: 'nothing sent leaves' };
const CONNECT_TIMEOUT = 'connect time-out';
const CONNECTION_LOST = 'connection lost';
