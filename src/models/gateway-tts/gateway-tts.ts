import { DialError, HoldfastError, InvalidOptionError } from '../../kernel/index.ts';
import type { Lifetime, MessageSocket, Transport } from '../../kernel/index.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../protocol/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/errors.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import { untilClosed } from '../../session/until-closed.ts';
import type { TextToSpeech, TtsCapabilities, TtsInput, TtsOutput, TtsSetup } from '../../speech/index.ts';
import { WsTransport } from '../ws-transport.ts';
import { refusalError } from './gateway-failures.ts';
import { GatewayTtsConnection } from './gateway-tts-connection.ts';

/** The rate that most voices of the gateway speak at. */
export const GATEWAY_TTS_RATE_HZ = 24_000;

const GATEWAY_URL = 'wss://agent-gateway.livekit.cloud/v1';

export interface GatewayTtsOptions {
  /** `cartesia/sonic-3`, `elevenlabs/eleven_turbo_v2_5`. */
  readonly model: string;
  readonly voice?: string;
  /** Gives a token that grants inference, once for every dial: they are good for minutes. */
  readonly token: () => string | Promise<string>;
  /** Default {@link GATEWAY_TTS_RATE_HZ}. */
  readonly rateHz?: number;
  /** What the model takes besides, as it stands in `extra` of the session. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Replaces address and leading path, `/v1` included. Default: LIVEKIT_INFERENCE_URL, else the service's own. */
  readonly baseUrl?: string;
  /** Sent with every upgrade request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: real sockets. */
  readonly transport?: Transport;
}

/**
 * A voice behind LiveKit's inference gateway.
 *
 * ```ts
 * const voice = gatewayTts({ model: 'cartesia/sonic-3', voice: '…', token: () => mintToken() });
 * ```
 * @throws InvalidOptionError for options that cannot work.
 */
export function gatewayTts(options: GatewayTtsOptions): TextToSpeech {
  return new GatewayTts(options);
}

class GatewayTts implements TextToSpeech {
  readonly id: string;
  readonly capabilities: TtsCapabilities;
  readonly #options: GatewayTtsOptions;
  readonly #transport: Transport;

  constructor(options: GatewayTtsOptions) {
    const { model, rateHz = GATEWAY_TTS_RATE_HZ, transport } = options;
    if (model.trim() === '') throw new InvalidOptionError('model must name a voice model of the gateway.');
    if (!(Number.isInteger(rateHz) && rateHz > 0)) {
      throw new InvalidOptionError(`rateHz must be a whole number above 0; it was ${rateHz}.`);
    }
    this.id = `gateway-tts:${model}`;
    this.#options = options;
    this.#transport = transport ?? new WsTransport();
    this.capabilities = {
      resumption: false,
      outputRateHz: rateHz,
      words: true,
      streamsText: true,
      cancels: false,
    };
  }

  /**
   * @throws ClosedError when `scope` closes first; AuthenticationError, QuotaError, InvalidRequestError, OverloadedError
   * or ConnectionLostError for a connection that did not come about; InvalidOptionError for an address that is none.
   */
  async connect(
    setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    scope.throwIfClosing();
    const url = `${socketBase(this.#options.baseUrl ?? process.env.LIVEKIT_INFERENCE_URL)}/tts`;
    const token = await untilClosed(scope, () => this.#token());
    const connection = new GatewayTtsConnection({
      provider: this.id,
      rateHz: this.capabilities.outputRateHz,
      create: this.#create(setup),
      sink,
      scope,
    });
    connection.begin(await this.#dial(url, token, connection, scope));
    await untilClosed(scope, () => connection.ready);
    return connection;
  }

  #create({ languageCode }: TtsSetup): string {
    const { model, voice, extra } = this.#options;
    return JSON.stringify({
      type: 'session.create',
      sample_rate: String(this.capabilities.outputRateHz),
      encoding: 'pcm_s16le',
      model,
      ...(voice === undefined ? {} : { voice }),
      ...(languageCode === undefined ? {} : { language: languageCode }),
      ...(extra === undefined ? {} : { extra }),
    });
  }

  async #token(): Promise<string> {
    const provider = this.id;
    let token: unknown;
    try {
      token = await this.#options.token();
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new ConnectionLostError(
        'A token for the inference gateway could not be obtained. See the cause; throw an AuthenticationError from the function where another attempt cannot help.',
        { provider, cause: error },
      );
    }
    if (typeof token === 'string' && token.trim() !== '') return token.trim();
    throw new AuthenticationError('The token for the inference gateway is empty.', { provider });
  }

  async #dial(
    url: string,
    token: string,
    sink: GatewayTtsConnection,
    scope: Lifetime,
  ): Promise<MessageSocket> {
    const headers = { ...this.#options.headers, authorization: `Bearer ${token}` };
    try {
      return await this.#transport.dial(
        url,
        { headers, maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES, sink },
        scope,
      );
    } catch (error) {
      throw error instanceof DialError ? refusalError(error, this.id) : error;
    }
  }
}

const SOCKET_SCHEMES: Readonly<Record<string, string>> = {
  'http:': 'ws:',
  'https:': 'wss:',
  'ws:': 'ws:',
  'wss:': 'wss:',
};

/** `http:` becomes `ws:` and `https:` `wss:`; a trailing slash goes. */
function socketBase(baseUrl: string | undefined): string {
  const given = baseUrl === undefined || baseUrl.trim() === '' ? GATEWAY_URL : baseUrl.trim();
  const base = URL.parse(given);
  const scheme = base === null ? undefined : SOCKET_SCHEMES[base.protocol];
  if (base === null || scheme === undefined) {
    throw new InvalidOptionError(
      'The base URL of the inference gateway must begin with http://, https://, ws:// or wss://. Check baseUrl or LIVEKIT_INFERENCE_URL.',
    );
  }
  return `${scheme}//${base.host}${base.pathname.replace(/\/+$/, '')}`;
}
