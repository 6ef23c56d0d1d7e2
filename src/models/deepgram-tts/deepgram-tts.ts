import { z } from 'zod';
import type { Lifetime } from '../../kernel/index.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../protocol/index.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import type { TextToSpeech, TtsCapabilities, TtsInput, TtsOutput, TtsSetup } from '../../speech/index.ts';
import { DEEPGRAM_ACCESS_FIELDS, deepgramAccess, deepgramQuery } from '../deepgram-access.ts';
import type { DeepgramAccessOptions } from '../deepgram-access.ts';
import { connectService } from '../streaming/connect-service.ts';
import type { ServicePort } from '../streaming/connect-service.ts';
import { withOverrides } from '../streaming/end-rows.ts';
import { COMMON_FIELDS, NAME, checkOptions } from '../streaming/service-options.ts';
import type { CommonServiceOptions } from '../streaming/service-options.ts';
import { WsTransport } from '../ws-transport.ts';
import { DEEPGRAM_TTS_ENDS, SpeakWire } from './speak-wire.ts';

/** The voice that the service's documentation speaks with. */
export const DEFAULT_DEEPGRAM_VOICE = 'aura-2-thalia-en';

/** The rate that the service speaks at where nobody asks for another one. */
export const DEEPGRAM_TTS_RATE_HZ = 24_000;

/** The service ends a connection an hour after it was made, in use or not, as its documentation says. */
export const DEEPGRAM_TTS_MAX_AGE_MS = 3_600_000;

export interface DeepgramTtsOptions extends CommonServiceOptions, DeepgramAccessOptions {
  /** The voice; the language is a part of it. Default {@link DEFAULT_DEEPGRAM_VOICE}. */
  readonly model?: string;
  /** In hertz: 8 000, 16 000, 24 000, 32 000 or 48 000. Default {@link DEEPGRAM_TTS_RATE_HZ}. */
  readonly rateHz?: number;
}

const schema = z.strictObject({
  ...COMMON_FIELDS,
  ...DEEPGRAM_ACCESS_FIELDS,
  model: NAME.optional(),
  rateHz: z.int().positive().optional(),
});

/**
 * Text to speech by Deepgram, streamed: `/v1/speak` as a WebSocket, in `linear16`, which is what the pipeline takes.
 *
 * ```ts
 * const voice = deepgramTts({ model: 'aura-2-thalia-en' });   // key: DEEPGRAM_API_KEY
 * ```
 *
 * An utterance is stopped with `Clear`: what comes until `Cleared` is dropped, and the next text waits for it. That no
 * audio of the old text comes behind it is the service's documentation; where `Cleared` does not come in
 * `CLEARED_TIMEOUT_MS`, the connection is given up for a new one.
 * @throws InvalidOptionError for options that cannot work.
 */
export function deepgramTts(options: DeepgramTtsOptions = {}): TextToSpeech {
  checkOptions('deepgramTts()', schema, options);
  return new DeepgramTts(options);
}

class DeepgramTts implements TextToSpeech {
  readonly id: string;
  readonly capabilities: TtsCapabilities;
  readonly #port: ServicePort<TtsSetup, TtsInput, TtsOutput>;

  constructor(options: DeepgramTtsOptions) {
    const { model = DEFAULT_DEEPGRAM_VOICE, rateHz = DEEPGRAM_TTS_RATE_HZ, headers, query = {} } = options;
    const { address, secret, authorization } = deepgramAccess('deepgramTts()', options);
    const search = deepgramQuery({ ...query, model, encoding: 'linear16', sample_rate: rateHz });
    this.id = `deepgram-tts:${model}`;
    this.capabilities = {
      resumption: false,
      maxConnectionAgeMs: DEEPGRAM_TTS_MAX_AGE_MS,
      outputRateHz: rateHz,
      words: false,
      streamsText: true,
      cancels: true,
    };
    this.#port = {
      id: this.id,
      secret,
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      transport: options.transport ?? new WsTransport(),
      service: {
        name: 'Deepgram',
        ends: withOverrides(options.ends ?? {}, DEEPGRAM_TTS_ENDS),
        target: (_setup, given) => ({
          url: `${address}/v1/speak?${search}`,
          headers: { ...headers, authorization: authorization(given) },
        }),
        wire: (_setup, scope) => new SpeakWire(rateHz, scope),
      },
    };
  }

  /**
   * @throws ClosedError when `scope` closes first; AuthenticationError, QuotaError, InvalidRequestError, OverloadedError or
   * ConnectionLostError for a connection that did not come about.
   */
  connect(
    setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    return connectService(this.#port, setup, sink, scope);
  }
}
