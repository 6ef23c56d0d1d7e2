import { ClosedError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { ConnectTimeoutError, ConnectionLostError } from './errors.ts';
import type {
  ConnectionEnd,
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
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
  | { readonly tag: 'connecting' }
  | { readonly tag: 'connected'; readonly connection: LiveConnection }
  | { readonly tag: 'ended' };

export interface ModelLegOptions {
  readonly model: LiveModel;
  readonly owner: Lifetime;
  readonly connectTimeoutMs: number;
  output(message: ModelOutput): void;
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

  constructor(options: ModelLegOptions) {
    this.#options = options;
    this.#leg = options.owner.child('model leg');
  }

  get isConnected(): boolean {
    return this.#state.tag === 'connected';
  }

  /** Whether more can be handed over now. */
  get isReady(): boolean {
    return this.#state.tag === 'connected' && this.#state.connection.bufferedBytes < SEND_HIGH_WATER_BYTES;
  }

  /** Sends over the connection; false when there is none. */
  send(input: ModelInput): boolean {
    return this.#state.tag === 'connected' && this.#state.connection.send(input);
  }

  /**
   * Dials and sets up, within `connectTimeoutMs` in all. Whatever way it ends but well, nothing stays open.
   * @throws ClosedError when the leg is closed meanwhile, ConnectTimeoutError at the bound, or the model's own error.
   */
  async connect(makeSetup: () => Promise<LiveSetup>): Promise<LiveSetup> {
    this.#leg.throwIfClosing();
    const { model, connectTimeoutMs } = this.#options;
    this.#state = { tag: 'connecting' };
    const scope = this.#leg.child('connection');
    const timeout = scope.timer(
      'connect time-out',
      connectTimeoutMs,
      () => void scope.abort(CONNECT_TIMEOUT),
    );
    try {
      const setup = await untilClosed(scope, makeSetup);
      const connection = await untilClosed(scope, () => model.connect(setup, this.#sink(scope), scope));
      scope.throwIfClosing();
      timeout.cancel();
      this.#state = { tag: 'connected', connection };
      return setup;
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

  #sink(scope: Lifetime): { output(message: ModelOutput): void; ended(end: ConnectionEnd): void } {
    return {
      output: (message) => {
        if (!scope.isClosing) this.#options.output(message);
      },
      ended: (end) => {
        if (scope.isClosing) return;
        const wasConnected = this.#state.tag === 'connected';
        this.#state = { tag: 'ended' };
        const error = lostError(this.#options.model.id, end);
        void scope.close(CONNECTION_LOST, error);
        if (wasConnected) this.#options.lost(end, error);
      },
    };
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

/**
 * The result of `work`, or a ClosedError the moment `scope` closes, whichever comes first. What `work` does later is
 * observed. The scope holds the waiting, not the other way round: nothing is raced against a long-lived promise.
 */
function untilClosed<Result>(scope: Lifetime, work: () => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const waiting = scope.own(
      'connecting',
      { reject },
      { stop: (held) => held.reject(new ClosedError('The connection attempt was ended.')) },
    );
    Promise.resolve()
      .then(work)
      .finally(() => scope.release(waiting))
      .then(resolve, reject);
  });
}
