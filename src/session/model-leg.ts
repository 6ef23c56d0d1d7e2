import { ClosedError } from '../kernel/index.ts';
import type { ClosingStep, Lifetime } from '../kernel/index.ts';
import { ConnectTimeoutError, ConnectionLostError } from './errors.ts';
import type {
  ConnectionEnd,
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
  ModelSink,
} from './live-model.ts';

/** Dial, handshake and setup of a healthy provider take one or two seconds; ten are a provider in trouble (R11). */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/**
 * How much may wait in the socket's own buffer before no more is handed to it: half a minute of audio. What the
 * network does not take then waits in the queue, where it is counted and bounded.
 */
export const SEND_HIGH_WATER_BYTES = 1_048_576;

type LegState =
  | { readonly tag: 'idle' }
  | { readonly tag: 'connecting'; readonly scope: Lifetime }
  | { readonly tag: 'connected'; readonly scope: Lifetime; readonly connection: LiveConnection }
  | { readonly tag: 'ended' };

type Delivery = ModelOutput | { readonly type: 'ended'; readonly end: ConnectionEnd };

export interface ModelLegOptions {
  readonly model: LiveModel;
  readonly owner: Lifetime;
  readonly connectTimeoutMs: number;
  /** The model is ready; called before anything it sent is delivered. */
  connected(setup: LiveSetup): void;
  output(message: ModelOutput): void;
  /** The connection took `input`; called before what the model answers is delivered. */
  sent(input: ModelInput): void;
  /** The model cannot take `input`, ever. The connection goes on. */
  refused(input: ModelInput, error: unknown): void;
  /** The connection is gone and nobody asked for it. `error` says what that means for the session. */
  lost(end: ConnectionEnd, error: Error): void;
}

/**
 * The connection of one live session to its model: every dial of the session goes through `connect`.
 *
 * Intent is read from this side's own state, never from a close code (clause R1): what ends after the owner began to
 * close was closed by us, everything else is lost.
 */
export class ModelLeg {
  readonly #options: ModelLegOptions;
  readonly #leg: Lifetime;
  #state: LegState = { tag: 'idle' };
  /** Whether deliveries wait: for the connection to be announced, for a send or another delivery to return. */
  #isHolding = false;
  readonly #held: Delivery[] = [];

  constructor(options: ModelLegOptions) {
    this.#options = options;
    this.#leg = options.owner.child('model leg');
  }

  get isConnected(): boolean {
    return this.#state.tag === 'connected' && !this.#leg.isClosing;
  }

  /** Whether more can be handed over now. */
  get isReady(): boolean {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return false;
    return this.#state.connection.bufferedBytes < SEND_HIGH_WATER_BYTES;
  }

  /**
   * Sends over the connection; false when it takes nothing. What the model answers within the call is delivered after
   * the input has been told as sent, so that the history has the question before the answer.
   */
  send(input: ModelInput): boolean {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return false;
    const { connection } = this.#state;
    const isOutermost = !this.#isHolding;
    this.#isHolding = true;
    try {
      const accepted = connection.send(input);
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
   * Dials and sets up, within `connectTimeoutMs` in all. Whatever way it ends but well, nothing stays open.
   * @throws ClosedError when the leg is closed meanwhile, ConnectTimeoutError at the bound, or the model's own error.
   */
  async connect(makeSetup: () => Promise<LiveSetup>): Promise<void> {
    this.#leg.throwIfClosing();
    const { model, connectTimeoutMs } = this.#options;
    const scope = this.#leg.child('connection');
    this.#state = { tag: 'connecting', scope };
    this.#isHolding = true;
    const timeout = scope.timer(
      'connect time-out',
      connectTimeoutMs,
      () => void scope.abort(CONNECT_TIMEOUT),
    );
    try {
      const setup = await untilClosed(scope, makeSetup);
      const sink = new LegSink(this, scope);
      const connection = await untilClosed(scope, () => model.connect(setup, sink, scope));
      scope.throwIfClosing();
      timeout.cancel();
      this.#state = { tag: 'connected', scope, connection };
      this.#options.connected(setup);
      this.#catchUp();
    } catch (error) {
      const { reason, error: cause } = await scope.abort('connect failed');
      this.#state = { tag: 'ended' };
      this.#leg.throwIfClosing();
      if (reason === CONNECTION_LOST) throw cause;
      if (reason !== CONNECT_TIMEOUT) throw error;
      throw new ConnectTimeoutError(
        `${model.id} was not ready within ${connectTimeoutMs} ms of dialling. ` +
          'Check the network and the address, or raise connectTimeoutMs.',
        { provider: model.id, cause: error },
      );
    }
  }

  /** Takes what the connection delivers, now or as soon as it is its turn. */
  receive(delivery: Delivery): void {
    if (delivery.type === 'ended' && this.#state.tag === 'connecting') {
      // An attempt that failed has nothing to wait for.
      void this.#state.scope.close(CONNECTION_LOST, lostError(this.#options.model.id, delivery.end));
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

  #catchUp(): void {
    try {
      for (let next = this.#held.shift(); next !== undefined; next = this.#held.shift()) this.#deliver(next);
    } finally {
      this.#isHolding = false;
    }
  }

  #deliver(delivery: Delivery): void {
    if (this.#state.tag !== 'connected' || this.#leg.isClosing) return;
    if (delivery.type !== 'ended') {
      this.#options.output(delivery);
      return;
    }
    const { scope } = this.#state;
    const error = lostError(this.#options.model.id, delivery.end);
    this.#state = { tag: 'ended' };
    this.#options.lost(delivery.end, error);
    void scope.close(CONNECTION_LOST, error);
  }
}

/**
 * Where a connection delivers. It is cut off in the instant its scope closes, so that a model that never lets go of
 * it keeps no session in memory (clause C6).
 */
class LegSink implements ModelSink {
  static readonly #cut: ClosingStep<LegSink> = {
    stop: (sink) => {
      sink.#leg = undefined;
    },
  };
  #leg: ModelLeg | undefined;

  constructor(leg: ModelLeg, scope: Lifetime) {
    this.#leg = leg;
    scope.own('deliveries', this, LegSink.#cut);
  }

  output(message: ModelOutput): void {
    this.#leg?.receive(message);
  }

  alive(): void {}

  ended(end: ConnectionEnd): void {
    const leg = this.#leg;
    this.#leg = undefined;
    leg?.receive({ type: 'ended', end });
  }
}

const CONNECT_TIMEOUT = 'connect time-out';
const CONNECTION_LOST = 'connection lost';

function lostError(provider: string, { code, reason, error }: ConnectionEnd): Error {
  if (error !== undefined) return error;
  const said = reason === '' ? '' : `: ${reason}`;
  return new ConnectionLostError(`The connection to ${provider} was lost (${code ?? 'no code'}${said}).`, {
    provider,
    closeCode: code,
    closeReason: reason,
  });
}

/** Who waits for work that may never end. Emptied when the waiting is over: the work then holds nobody (clause C6). */
interface Waiting<Result> {
  outcome: PromiseWithResolvers<Result> | undefined;
}

/**
 * The result of `work`, or a ClosedError the moment `scope` closes, whichever comes first. What `work` does later is
 * observed. The scope holds the waiting, not the other way round: nothing is raced against a long-lived promise.
 */
function untilClosed<Result>(scope: Lifetime, work: () => Promise<Result>): Promise<Result> {
  const outcome = Promise.withResolvers<Result>();
  const waiting: Waiting<Result> = { outcome };
  scope.own('connecting', waiting, {
    stop: (held) => {
      held.outcome?.reject(new ClosedError('The connection attempt was ended.'));
      held.outcome = undefined;
    },
  });
  settleWith(waiting, Promise.resolve().then(work), scope);
  return outcome.promise;
}

/** A function of its own, so that what hangs on the work knows these three and not what the work was made of. */
function settleWith<Result>(waiting: Waiting<Result>, work: Promise<Result>, scope: Lifetime): void {
  work.then(
    (result) => {
      scope.release(waiting);
      waiting.outcome?.resolve(result);
    },
    (error: unknown) => {
      scope.release(waiting);
      waiting.outcome?.reject(error);
    },
  );
}
