import { z } from 'zod';
import type { SpeechToText } from '../../../speech/index.ts';
import { withOverrides } from '../../streaming/end-rows.ts';
import { nonEmpty, serviceAddress } from '../../streaming/service-address.ts';
import { COMMON_FIELDS, NAME, SECRET_SOURCE, checkOptions } from '../../streaming/service-options.ts';
import type { CommonServiceOptions } from '../../streaming/service-options.ts';
import type { SecretSource } from '../../streaming/stream-wire.ts';
import { WebSocketStt } from '../websocket-stt.ts';
import { GATEWAY_STT_ENDS, GatewaySttWire } from './gateway-stt-wire.ts';

const BASE_URL = 'wss://agent-gateway.livekit.cloud/v1';

/** What the vendor's own clients send. */
const INPUT_RATE_HZ = 16_000;

export interface LivekitSttOptions extends CommonServiceOptions {
  /** As the gateway names it: `deepgram/nova-3`. Default: the gateway's choice. */
  readonly model?: string;
  /** Gives the JWT of one dial, with the grant to use inference: it lives for minutes, so that each dial needs its own. */
  readonly token: SecretSource;
  /** With the version, `…/v1`. Default: LIVEKIT_INFERENCE_URL, else the gateway's address. */
  readonly baseUrl?: string;
  /** BCP 47. Default: what the connection is set up with. */
  readonly language?: string;
  /** What only the model behind the gateway knows. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const schema = z.strictObject({
  ...COMMON_FIELDS,
  model: NAME.optional(),
  token: SECRET_SOURCE,
  baseUrl: NAME.optional(),
  language: NAME.optional(),
  extra: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Speech to text by LiveKit's inference gateway.
 *
 * ```ts
 * const stt = livekitStt({ model: 'deepgram/nova-3', token: () => mintToken() });
 * ```
 * @throws InvalidOptionError for options that cannot work.
 */
export function livekitStt(options: LivekitSttOptions): SpeechToText {
  checkOptions('livekitStt()', schema, options);
  const { model, token, language, headers, extra = {} } = options;
  const baseUrl = options.baseUrl ?? nonEmpty(process.env.LIVEKIT_INFERENCE_URL) ?? BASE_URL;
  const address = serviceAddress("LiveKit's inference gateway", baseUrl);
  const query = model === undefined ? '' : `?model=${encodeURIComponent(model)}`;
  return new WebSocketStt({
    id: `livekit:${model ?? 'auto'}`,
    // It says when speech begins and what was said, and leaves it to others when a turn is over.
    capabilities: { inputRateHz: INPUT_RATE_HZ, interim: true, endpointing: false },
    secret: token,
    maxMessageBytes: options.maxMessageBytes,
    transport: options.transport,
    service: {
      name: "LiveKit's inference gateway",
      ends: withOverrides(options.ends ?? {}, GATEWAY_STT_ENDS),
      target: (_setup, secret) => ({
        url: `${address}/stt${query}`,
        headers: { ...headers, authorization: `Bearer ${secret}` },
      }),
      wire: (setup) => {
        const languageCode = language ?? setup.languageCode;
        return new GatewaySttWire({ ...setup, languageCode }, { model, extra });
      },
    },
  });
}
