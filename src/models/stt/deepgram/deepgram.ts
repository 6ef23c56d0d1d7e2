import { z } from 'zod';
import type { SpeechToText, SttSetup } from '../../../speech/index.ts';
import { DEEPGRAM_ACCESS_FIELDS, deepgramAccess, deepgramQuery } from '../../deepgram-access.ts';
import type { DeepgramAccessOptions } from '../../deepgram-access.ts';
import { withOverrides } from '../../streaming/end-rows.ts';
import { COMMON_FIELDS, NAME, checkOptions } from '../../streaming/service-options.ts';
import type { CommonServiceOptions } from '../../streaming/service-options.ts';
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

export interface DeepgramOptions extends CommonServiceOptions, DeepgramAccessOptions {
  /** Default `DEFAULT_DEEPGRAM_MODEL`. */
  readonly model?: string;
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
  ...DEEPGRAM_ACCESS_FIELDS,
  model: NAME.optional(),
  language: NAME.optional(),
  endpointingMs: z.union([z.int().positive(), z.literal(false)]).optional(),
  utteranceEndMs: z.union([z.int().min(DEFAULT_DEEPGRAM_UTTERANCE_END_MS), z.literal(false)]).optional(),
  interim: z.boolean().optional(),
  smartFormat: z.boolean().optional(),
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
  const { model = DEFAULT_DEEPGRAM_MODEL, headers, interim = true } = options;
  const { address, secret, authorization } = deepgramAccess('deepgram()', options);
  return new WebSocketStt({
    id: `deepgram:${model}`,
    capabilities: { inputRateHz: INPUT_RATE_HZ, interim, endpointing: options.endpointingMs !== false },
    secret,
    maxMessageBytes: options.maxMessageBytes,
    transport: options.transport,
    service: {
      name: 'Deepgram',
      ends: withOverrides(options.ends ?? {}, DEEPGRAM_ENDS),
      target: (setup, given) => ({
        url: `${address}/v1/listen?${queryOf(options, model, setup)}`,
        headers: { ...headers, authorization: authorization(given) },
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
  return deepgramQuery(parameters);
}
