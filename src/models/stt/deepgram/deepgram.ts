import { z } from 'zod';
import { InvalidOptionError } from '../../../kernel/index.ts';
import type { SpeechToText, SttSetup } from '../../../speech/index.ts';
import { withOverrides } from '../../streaming/end-rows.ts';
import { nonEmpty, serviceAddress } from '../../streaming/service-address.ts';
import { COMMON_FIELDS, NAME, SECRET_SOURCE, checkOptions } from '../../streaming/service-options.ts';
import type { CommonServiceOptions } from '../../streaming/service-options.ts';
import type { SecretSource } from '../../streaming/stream-wire.ts';
import { WebSocketStt } from '../websocket-stt.ts';
import { DEEPGRAM_ENDS, DeepgramWire } from './deepgram-wire.ts';

/** The service's general model. */
export const DEFAULT_DEEPGRAM_MODEL = 'nova-3';

/** How much silence ends an utterance: longer than a breath within a sentence, shorter than somebody who waits notices. */
export const DEFAULT_DEEPGRAM_ENDPOINTING_MS = 300;

/** The least the service takes. It finds ends that a noisy line hides from the measure of silence. */
export const DEFAULT_DEEPGRAM_UTTERANCE_END_MS = 1_000;

/** The rate its models were trained on; more is resampled there, and costs bytes. */
const INPUT_RATE_HZ = 16_000;

const BASE_URL = 'wss://api.deepgram.com';

export interface DeepgramOptions extends CommonServiceOptions {
  /** Default `DEFAULT_DEEPGRAM_MODEL`. */
  readonly model?: string;
  /** Default: DEEPGRAM_API_KEY, read at every dial. */
  readonly apiKey?: string;
  /** Gives a short-lived token instead of a key, once for every dial. */
  readonly accessToken?: SecretSource;
  /** Default: the service's address. */
  readonly baseUrl?: string;
  /** BCP 47. Default: what the connection is set up with, else the service's own default. */
  readonly language?: string;
  /** Default `DEFAULT_DEEPGRAM_ENDPOINTING_MS`; `false` leaves ends to somebody else. */
  readonly endpointingMs?: number | false;
  /** Default `DEFAULT_DEEPGRAM_UTTERANCE_END_MS`; `false` for none. */
  readonly utteranceEndMs?: number | false;
  /** Whether what is being said is told before it is final. Default true. */
  readonly interim?: boolean;
  /** Numbers, dates and the like as they are written. Default false: it makes finals late. */
  readonly smartFormat?: boolean;
  /** Anything else of the service's query: `{ keyterm: 'Holdfast' }`. What the options above say counts more. */
  readonly query?: Readonly<Record<string, string | number | boolean>>;
}

const schema = z.strictObject({
  ...COMMON_FIELDS,
  model: NAME.optional(),
  apiKey: NAME.optional(),
  accessToken: SECRET_SOURCE.optional(),
  baseUrl: NAME.optional(),
  language: NAME.optional(),
  endpointingMs: z.union([z.int().positive(), z.literal(false)]).optional(),
  utteranceEndMs: z.union([z.int().min(DEFAULT_DEEPGRAM_UTTERANCE_END_MS), z.literal(false)]).optional(),
  interim: z.boolean().optional(),
  smartFormat: z.boolean().optional(),
  query: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

/**
 * Speech to text by Deepgram, streamed.
 *
 * ```ts
 * const stt = deepgram({ model: 'nova-3', language: 'en' });   // key: DEEPGRAM_API_KEY
 * ```
 * @throws InvalidOptionError for options that cannot work.
 */
export function deepgram(options: DeepgramOptions = {}): SpeechToText {
  checkOptions('deepgram()', schema, options);
  const { model = DEFAULT_DEEPGRAM_MODEL, apiKey, accessToken, headers, interim = true } = options;
  if (apiKey !== undefined && accessToken !== undefined) {
    throw new InvalidOptionError('Give deepgram() one of apiKey and accessToken, not both.');
  }
  const address = serviceAddress('Deepgram', options.baseUrl ?? BASE_URL);
  const scheme = accessToken === undefined ? 'Token' : 'Bearer';
  return new WebSocketStt({
    id: `deepgram:${model}`,
    capabilities: { inputRateHz: INPUT_RATE_HZ, interim, endpointing: options.endpointingMs !== false },
    secret: accessToken ?? (() => apiKey ?? nonEmpty(process.env.DEEPGRAM_API_KEY) ?? ''),
    maxMessageBytes: options.maxMessageBytes,
    transport: options.transport,
    service: {
      name: 'Deepgram',
      ends: withOverrides(options.ends ?? {}, DEEPGRAM_ENDS),
      target: (setup, secret) => ({
        url: `${address}/v1/listen?${queryOf(options, model, setup)}`,
        headers: { ...headers, authorization: `${scheme} ${secret}` },
      }),
      wire: ({ languageCode }) => new DeepgramWire(options.language ?? languageCode),
    },
  });
}

function queryOf(options: DeepgramOptions, model: string, { rateHz, languageCode }: SttSetup): string {
  const { query = {}, interim = true, smartFormat = false } = options;
  const { endpointingMs = DEFAULT_DEEPGRAM_ENDPOINTING_MS } = options;
  const { utteranceEndMs = interim ? DEFAULT_DEEPGRAM_UTTERANCE_END_MS : false } = options;
  const language = options.language ?? languageCode;
  const parameters: Record<string, string | number | boolean> = {
    ...query,
    model,
    encoding: 'linear16',
    sample_rate: rateHz,
    channels: 1,
    interim_results: interim,
    punctuate: true,
    smart_format: smartFormat,
    vad_events: true,
    endpointing: endpointingMs,
  };
  // The service finds these ends in interim results, and refuses one without the other.
  if (utteranceEndMs !== false) parameters['utterance_end_ms'] = utteranceEndMs;
  if (language !== undefined) parameters['language'] = language;
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) search.set(key, String(value));
  return search.toString();
}
