import { HoldfastError, InvalidOptionError, registerSecret } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { BYTES_PER_SAMPLE } from '../../protocol/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/errors.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import type { TextToSpeech, TtsCapabilities, TtsInput, TtsOutput, TtsSetup } from '../../speech/index.ts';
import { OpenAiTtsConnection } from './openai-tts-connection.ts';
import type { SpeechFetch, SpeechLimits, SpeechOrder } from './speech-request.ts';

/** The rate of `pcm` in OpenAI's API; those that copy it kept it. */
export const OPENAI_TTS_RATE_HZ = 24_000;

/** A service begins within a second or two, and goes on faster than it is heard; ten of nothing are a dead one (R11). */
export const SPEECH_SILENCE_TIMEOUT_MS = 10_000;

/** More than the longest text the API takes (4 096 characters) lasts: what speaks on has lost its way. */
export const MAX_SPEECH_AUDIO_MS = 600_000;

export interface OpenAiTtsOptions {
  /** `gpt-4o-mini-tts`, `tts-1`, or what the service calls its model. */
  readonly model: string;
  readonly voice: string;
  /** A key, or a function that gives one for every request. Default: OPENAI_API_KEY, read at every request. */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** Default: OPENAI_BASE_URL, else the provider's address. `/audio/speech` follows it. */
  readonly baseUrl?: string;
  /** How to speak, where the model heeds it. */
  readonly instructions?: string;
  readonly speed?: number;
  /** Members of the request besides. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The rate of the PCM it gives. Default {@link OPENAI_TTS_RATE_HZ}. */
  readonly rateHz?: number;
  /** How long nothing may come. Default {@link SPEECH_SILENCE_TIMEOUT_MS}. */
  readonly silenceTimeoutMs?: number;
  /** The longest speech one text may become. Default {@link MAX_SPEECH_AUDIO_MS}. */
  readonly maxAudioMs?: number;
  /** Default: the platform's. */
  readonly fetch?: SpeechFetch;
}

/**
 * A voice that is asked by HTTP, one sentence after the other: OpenAI's, or one with the same API. Nothing is open
 * between two sentences.
 *
 * ```ts
 * const voice = openaiTts({ model: 'gpt-4o-mini-tts', voice: 'alloy' });   // key: OPENAI_API_KEY
 * ```
 * @throws InvalidOptionError for options that cannot work.
 */
export function openaiTts(options: OpenAiTtsOptions): TextToSpeech {
  return new OpenAiTts(options);
}

class OpenAiTts implements TextToSpeech {
  readonly id: string;
  readonly capabilities: TtsCapabilities;
  readonly #options: OpenAiTtsOptions;
  readonly #limits: SpeechLimits;

  constructor(options: OpenAiTtsOptions) {
    const { model, voice, rateHz = OPENAI_TTS_RATE_HZ } = options;
    const { silenceTimeoutMs = SPEECH_SILENCE_TIMEOUT_MS, maxAudioMs = MAX_SPEECH_AUDIO_MS } = options;
    if (model.trim() === '' || voice.trim() === '') {
      throw new InvalidOptionError('model and voice must name a model and one of its voices.');
    }
    if (!(Number.isInteger(rateHz) && rateHz > 0 && silenceTimeoutMs > 0 && maxAudioMs > 0)) {
      throw new InvalidOptionError(
        'rateHz must be a whole number above 0, silenceTimeoutMs and maxAudioMs more than 0.',
      );
    }
    this.id = `openai-tts:${model}`;
    this.#options = options;
    this.#limits = { silenceTimeoutMs, maxBytes: (maxAudioMs / 1_000) * rateHz * BYTES_PER_SAMPLE };
    this.capabilities = {
      resumption: false,
      outputRateHz: rateHz,
      words: false,
      streamsText: false,
      cancels: true,
    };
  }

  /**
   * Opens nothing: each text that is ended is a request. One that fails ends the connection with its error.
   * @throws ClosedError when `scope` has closed; InvalidOptionError for an address that is none.
   */
  async connect(
    _setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    scope.throwIfClosing();
    const url = speechUrl(this.#options.baseUrl ?? process.env.OPENAI_BASE_URL);
    return Promise.resolve(
      new OpenAiTtsConnection({
        provider: this.id,
        rateHz: this.capabilities.outputRateHz,
        limits: this.#limits,
        fetch: this.#options.fetch ?? ((address, init) => fetch(address, init)),
        order: (text) => this.#order(url, text),
        sink,
        scope,
      }),
    );
  }

  async #order(url: string, text: string): Promise<SpeechOrder> {
    const { model, voice, instructions, speed, extra, headers } = this.#options;
    const secret = await this.#key();
    return {
      url,
      secret,
      headers: { ...headers, authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...extra,
        model,
        voice,
        input: text,
        response_format: 'pcm',
        ...(instructions === undefined ? {} : { instructions }),
        ...(speed === undefined ? {} : { speed }),
      }),
    };
  }

  async #key(): Promise<string> {
    const { apiKey = process.env.OPENAI_API_KEY } = this.#options;
    const provider = this.id;
    let key: unknown;
    try {
      key = typeof apiKey === 'function' ? await apiKey() : apiKey;
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new ConnectionLostError(
        'The key of the speech service could not be obtained. See the cause; throw an AuthenticationError from the function where another attempt cannot help.',
        { provider, cause: error },
      );
    }
    if (typeof key === 'string' && key.trim() !== '') {
      registerSecret(key);
      return key.trim();
    }
    throw new AuthenticationError(
      'There is no key for the speech service. Set OPENAI_API_KEY, or give apiKey.',
      {
        provider,
      },
    );
  }
}

const OPENAI_URL = 'https://api.openai.com/v1';

function speechUrl(baseUrl: string | undefined): string {
  const base = URL.parse(baseUrl === undefined || baseUrl.trim() === '' ? OPENAI_URL : baseUrl.trim());
  if (base === null || (base.protocol !== 'http:' && base.protocol !== 'https:')) {
    throw new InvalidOptionError(
      'The base URL of the speech service must begin with http:// or https://. Check baseUrl or OPENAI_BASE_URL.',
    );
  }
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/audio/speech`;
  return base.href;
}
