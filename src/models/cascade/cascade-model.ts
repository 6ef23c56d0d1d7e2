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
import { TURN_VAD_SILENCE_MS, energyVad, fallbackVad, retryingLanguageModel } from '../../speech/index.ts';
import type { LanguageModel, SpeechToText, TextToSpeech, VoiceActivityDetector } from '../../speech/index.ts';
import { CascadeConnection } from './cascade-connection.ts';
import { isMadeOf } from './parts-of.ts';
import type { CascadeTurns } from './cascade-turns.ts';
import { resolveErrorTolerance } from './error-tolerance.ts';
import type { CascadePart, ErrorTolerance } from './error-tolerance.ts';

export interface CascadeOptions {
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  /** Default: by loudness, `energyVad`, which also takes the place of one that fails later. */
  readonly vad?: VoiceActivityDetector;
  readonly turns?: CascadeTurns;
  /**
   * Whether the language model begins to answer in a pause, before it is certain that the turn is over. What it says is
   * heard, and what it calls is called, when the turn ends with the same words. Default `DEFAULT_PREEMPTIVE_GENERATION`.
   */
  readonly preemptiveGeneration?: boolean;
  /** BCP 47; for recogniser and voice. */
  readonly languageCode?: string;
  /** How lost connections of recogniser and voice are had again; `false` turns it off. */
  readonly reconnect?: ReconnectOptions;
  /** How long each of them may take to connect. Default: as for a model. */
  readonly connectTimeoutMs?: number;
  /** How many failures of a part in a row the call survives. Default `DEFAULT_ERROR_TOLERANCE`. */
  readonly errorTolerance?: ErrorTolerance;
  /** Default: the machine's. */
  readonly random?: Random;
}

/** What of the options is always there. */
export type CascadeParts = Omit<CascadeOptions, 'errorTolerance'> &
  Required<Pick<CascadeOptions, 'vad' | 'random'>> & {
    readonly errorTolerance: Readonly<Record<CascadePart, number>>;
    /** The detector of the options: it says whether two cascades hear in the same way. */
    readonly givenVad: VoiceActivityDetector | undefined;
  };

/**
 * A model made of parts: what the user says is heard, written down, answered and spoken by one each, and the engine sees
 * one LiveModel. Each part that has connections has its own supervisor, so that one that is lost is had again without
 * the conversation's knowing (clause S1).
 *
 * ```ts
 * const model = cascade({ stt: deepgram(), llm: openaiCompatible({ model: 'gpt-4.1-mini' }), tts: openaiTts({ … }) });
 * ```
 * @throws InvalidOptionError for an `errorTolerance` that is none.
 */
export function cascade(options: CascadeOptions): LiveModel {
  const { stt, llm, tts, vad } = options;
  const parts: CascadeParts = {
    ...options,
    llm: retryingLanguageModel(llm),
    vad: vad === undefined ? BY_LOUDNESS : fallbackVad([vad, BY_LOUDNESS], { firstMustOpen: true }),
    givenVad: vad,
    errorTolerance: resolveErrorTolerance(options.errorTolerance),
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

const BY_LOUDNESS = energyVad({ endSilenceMs: TURN_VAD_SILENCE_MS });
