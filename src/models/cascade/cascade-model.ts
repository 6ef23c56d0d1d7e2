import { systemRandom } from '../../kernel/index.ts';
import type { Lifetime, Random } from '../../kernel/index.ts';
import type {
  LiveCapabilities,
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelSink,
} from '../../session/index.ts';
import type { ReconnectOptions } from '../../session/index.ts';
import { TURN_VAD_SILENCE_MS, energyVad, retryingLanguageModel } from '../../speech/index.ts';
import type {
  LanguageModel,
  SpeechToText,
  TextToSpeech,
  TurnTrackerOptions,
  VoiceActivityDetector,
} from '../../speech/index.ts';
import { CascadeConnection } from './cascade-connection.ts';
import { isMadeOf } from './parts-of.ts';

export interface CascadeOptions {
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  /** Default: by loudness, `energyVad`. */
  readonly vad?: VoiceActivityDetector;
  /** When a turn of the user is over, and what interrupts the agent. Default: see `TurnTracker`. */
  readonly turns?: Omit<TurnTrackerOptions, 'owner'>;
  /** BCP 47; for recogniser and voice. */
  readonly languageCode?: string;
  /** How lost connections of recogniser and voice are had again; `false` turns it off. */
  readonly reconnect?: ReconnectOptions;
  /** How long each of them may take to connect. Default: as for a model. */
  readonly connectTimeoutMs?: number;
  /** Default: the machine's. */
  readonly random?: Random;
}

/** What of the options is always there. */
export type CascadeParts = CascadeOptions & Required<Pick<CascadeOptions, 'vad' | 'random'>>;

/**
 * A model made of parts: what the user says is heard, written down, answered and spoken by one each, and the engine sees
 * one LiveModel. Each part that has connections has its own supervisor, so that one that is lost is had again without
 * the conversation's knowing (clause S1).
 *
 * ```ts
 * const model = cascade({ stt: deepgram(), llm: openaiCompatible({ model: 'gpt-4.1-mini' }), tts: openaiTts({ … }) });
 * ```
 */
export function cascade(options: CascadeOptions): LiveModel {
  const { stt, llm, tts } = options;
  const parts: CascadeParts = {
    ...options,
    llm: retryingLanguageModel(llm),
    vad: options.vad ?? DEFAULT_VAD,
    random: options.random ?? systemRandom,
  };
  const capabilities: LiveCapabilities = {
    resumption: false,
    // Its own connection is none: what can be lost is had again inside.
    inProcess: true,
    takesContent: true,
    saysText: true,
    inputRateHz: stt.capabilities.inputRateHz,
    outputRateHz: tts.capabilities.outputRateHz,
  };
  const model: LiveModel = {
    id: `cascade:${stt.id}+${llm.id}+${tts.id}`,
    capabilities,
    connect: (setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> =>
      CascadeConnection.open(parts, setup, sink, scope),
  };
  isMadeOf(model, parts);
  return model;
}

const DEFAULT_VAD = energyVad({ endSilenceMs: TURN_VAD_SILENCE_MS });
