import type { Lifetime, Transport } from '../../kernel/index.ts';
import type { StreamConnection, StreamSink } from '../../session/index.ts';
import type { SpeechToText, SttCapabilities, SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import { connectService } from '../streaming/connect-service.ts';
import type { SecretSource } from '../streaming/stream-wire.ts';
import { WsTransport } from '../ws-transport.ts';
import type { SttService } from './stt-wire.ts';

/** A minute of words with their times is some ten kilobytes; what is a hundred times larger is no transcript. */
export const DEFAULT_STT_MAX_MESSAGE_BYTES = 1_048_576;

/**
 * How long a healthy service may leave a ping unanswered. None of them promises anything; it is what was measured on
 * connections of this kind, and audio that stands still is found sooner (clause R12).
 */
export const STT_PROBE_TIMEOUT_MS = 60_000;

export interface WebSocketSttOptions {
  readonly id: string;
  readonly capabilities: Omit<SttCapabilities, 'resumption' | 'probeTimeoutMs'>;
  readonly service: SttService;
  readonly secret: SecretSource;
  /** Default {@link DEFAULT_STT_MAX_MESSAGE_BYTES}. */
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

  /** @throws what {@link connectService} does. */
  connect(
    setup: SttSetup,
    sink: StreamSink<SttOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<SttInput>> {
    const { id, service, secret, maxMessageBytes = DEFAULT_STT_MAX_MESSAGE_BYTES } = this.#options;
    const port = { id, service, secret, maxMessageBytes, transport: this.#transport };
    return connectService(port, setup, sink, scope);
  }
}
