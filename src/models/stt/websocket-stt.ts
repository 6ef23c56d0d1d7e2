import { ClosedError, DialError, HoldfastError } from '../../kernel/index.ts';
import type { Lifetime, MessageSocket, Transport } from '../../kernel/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/index.ts';
import type { StreamConnection, StreamSink } from '../../session/index.ts';
import { untilClosed } from '../../session/until-closed.ts';
import type { SpeechToText, SttCapabilities, SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import { WsTransport } from '../ws-transport.ts';
import { errorOfEnd, kindOfEnd } from './end-rows.ts';
import { SttConnection } from './stt-connection.ts';
import type { SttService, SttTarget } from './stt-wire.ts';

/** A minute of words with their times is some ten kilobytes; what is a hundred times larger is no transcript. */
export const DEFAULT_STT_MAX_MESSAGE_BYTES = 1_048_576;

/**
 * How long a healthy service may leave a ping unanswered. None of them promises anything; it is what was measured on
 * connections of this kind, and audio that stands still is found sooner (clause R12).
 */
export const STT_PROBE_TIMEOUT_MS = 60_000;

/** Gives the key or token of one dial. Asked once for every dial: tokens are short-lived. */
export type SecretSource = () => string | Promise<string>;

export interface WebSocketSttOptions {
  readonly id: string;
  readonly capabilities: Omit<SttCapabilities, 'resumption' | 'probeTimeoutMs'>;
  readonly service: SttService;
  readonly secret: SecretSource;
  readonly maxMessageBytes?: number | undefined;
  readonly transport?: Transport | undefined;
}

/** A recogniser that is spoken to over a WebSocket. */
export class WebSocketStt implements SpeechToText {
  readonly id: string;
  readonly capabilities: SttCapabilities;
  readonly #options: WebSocketSttOptions;
  readonly #transport: Transport;

  constructor(options: WebSocketSttOptions) {
    this.id = options.id;
    this.capabilities = { ...options.capabilities, resumption: false, probeTimeoutMs: STT_PROBE_TIMEOUT_MS };
    this.#options = options;
    this.#transport = options.transport ?? new WsTransport();
  }

  /**
   * @throws ClosedError when `scope` closes first; AuthenticationError, QuotaError, InvalidRequestError, OverloadedError or
   * ConnectionLostError for a connection that did not come about.
   */
  async connect(
    setup: SttSetup,
    sink: StreamSink<SttOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<SttInput>> {
    scope.throwIfClosing();
    const { id, service } = this.#options;
    const secret = await untilClosed(scope, () => this.#secret());
    const redact = (text: string): string => text.replaceAll(secret, '…');
    const wire = service.wire(setup);
    const connection = new SttConnection({ id, service, wire, sink, scope, redact });
    const socket = await this.#dial(service.target(setup, secret), connection, scope, redact);
    connection.begin(socket);
    await untilClosed(scope, () => connection.opened);
    return connection;
  }

  async #secret(): Promise<string> {
    const { id, service, secret } = this.#options;
    let given: unknown;
    try {
      given = await secret();
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new ConnectionLostError(
        `The credentials for ${service.name} could not be obtained. See the cause; throw an AuthenticationError from the ` +
          'function where another attempt cannot help.',
        { provider: id, cause: error },
      );
    }
    if (typeof given === 'string' && given.trim() !== '') return given.trim();
    throw new AuthenticationError(
      `There are no credentials for ${service.name}. Give a key or a token, or set the environment variable it is read from.`,
      { provider: id },
    );
  }

  async #dial(
    { url, headers }: SttTarget,
    sink: SttConnection,
    scope: Lifetime,
    redact: (text: string) => string,
  ): Promise<MessageSocket> {
    const maxMessageBytes = this.#options.maxMessageBytes ?? DEFAULT_STT_MAX_MESSAGE_BYTES;
    try {
      return await this.#transport.dial(url, { headers, maxMessageBytes, sink }, scope);
    } catch (error) {
      if (error instanceof ClosedError || !(error instanceof DialError)) throw error;
      throw this.#refusal(error, redact);
    }
  }

  #refusal(error: DialError, redact: (text: string) => string): Error {
    const { id, service } = this.#options;
    const { httpStatus, retryAfterMs, body = '' } = error.refusal;
    const said = redact(body);
    const firstLine = said.trim().split('\n')[0]?.slice(0, EXPLANATION_CHARACTERS) ?? '';
    const told = httpStatus === undefined ? redact(error.message) : `HTTP ${httpStatus} ${firstLine}`.trim();
    const kind = kindOfEnd(service.ends.refusals, httpStatus, body);
    // What a service answers may repeat what it was asked with, and a cause is logged like the error it stands under.
    const cause = new DialError(
      redact(error.message),
      { ...error.refusal, body: said },
      { cause: error.cause },
    );
    const failure = { provider: id, httpStatus, retryAfterMs, cause };
    return errorOfEnd(kind, `${service.name} refused the connection: ${told}`, failure);
  }
}

const EXPLANATION_CHARACTERS = 200;
