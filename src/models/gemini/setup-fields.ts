/**
 * What a Gemini Live connection can be set up with, in the names of the wire (`BidiGenerateContentSetup`). What the
 * session decides (instructions, functions, history, resumption handle) is filled in by the session.
 */
export interface GeminiSetup {
  readonly generationConfig?: GeminiGenerationConfig;
  /** Tools of the provider (`{ googleSearch: {} }`), or function declarations in the wire's form. The agent's own come after them. */
  readonly tools?: readonly GeminiTool[];
  readonly realtimeInputConfig?: GeminiRealtimeInputConfig;
  /** Default `{}`: handles are asked for. `false` switches resumption off. `transparent` is understood by Vertex only. */
  readonly sessionResumption?: false | { readonly transparent?: boolean };
  /** Lifts the session limits of 15 minutes (audio) and 2 minutes (video). Token counts are sent as int64 strings. */
  readonly contextWindowCompression?: {
    readonly triggerTokens?: number | string;
    readonly slidingWindow?: { readonly targetTokens?: number | string };
  };
  /** How the user is transcribed, where the session asks for it at all. */
  readonly inputAudioTranscription?: GeminiTranscriptionConfig;
  /** How the agent is transcribed, where the session asks for it at all. */
  readonly outputAudioTranscription?: GeminiTranscriptionConfig;
  readonly proactivity?: { readonly proactiveAudio?: boolean };
  /** Default: as the model's generation needs it (`model-generation.ts`). */
  readonly historyConfig?: { readonly initialHistoryInClientContent?: boolean };
  /** Vertex only. */
  readonly explicitVadSignal?: boolean;
  readonly safetySettings?: readonly Readonly<Record<string, unknown>>[];
  readonly avatarConfig?: Readonly<Record<string, unknown>>;
  /** Fields this version does not know, put into the setup as they are. They win over everything else. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface GeminiGenerationConfig {
  readonly candidateCount?: number;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** Default `['AUDIO']`. What the session asks for wins. */
  readonly responseModalities?: readonly ('AUDIO' | 'TEXT')[];
  readonly speechConfig?: GeminiSpeechConfig;
  readonly mediaResolution?: string;
  readonly thinkingConfig?: {
    readonly thinkingBudget?: number;
    readonly includeThoughts?: boolean;
    readonly [field: string]: unknown;
  };
  readonly enableAffectiveDialog?: boolean;
  /** Gemini API only. */
  readonly translationConfig?: {
    readonly targetLanguageCode?: string;
    readonly echoTargetLanguage?: boolean;
  };
  readonly [field: string]: unknown;
}

export interface GeminiSpeechConfig {
  readonly voiceConfig?: {
    readonly prebuiltVoiceConfig?: { readonly voiceName: string };
    readonly replicatedVoiceConfig?: Readonly<Record<string, unknown>>;
  };
  readonly languageCode?: string;
  readonly multiSpeakerVoiceConfig?: Readonly<Record<string, unknown>>;
}

export interface GeminiTool {
  readonly functionDeclarations?: readonly Readonly<Record<string, unknown>>[];
  readonly googleSearch?: Readonly<Record<string, unknown>>;
  readonly codeExecution?: Readonly<Record<string, unknown>>;
  readonly urlContext?: Readonly<Record<string, unknown>>;
  readonly [tool: string]: unknown;
}

export interface GeminiRealtimeInputConfig {
  /** `disabled: true` is the same as a session's `turnDetection: 'manual'`, which wins where it is given. */
  readonly automaticActivityDetection?: {
    readonly disabled?: boolean;
    /** Unset means high on the Gemini API and low on Vertex. */
    readonly startOfSpeechSensitivity?: 'START_SENSITIVITY_HIGH' | 'START_SENSITIVITY_LOW';
    readonly endOfSpeechSensitivity?: 'END_SENSITIVITY_HIGH' | 'END_SENSITIVITY_LOW';
    readonly prefixPaddingMs?: number;
    readonly silenceDurationMs?: number;
  };
  readonly activityHandling?: 'START_OF_ACTIVITY_INTERRUPTS' | 'NO_INTERRUPTION';
  readonly turnCoverage?:
    'TURN_INCLUDES_ONLY_ACTIVITY' | 'TURN_INCLUDES_ALL_INPUT' | 'TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO';
}

export interface GeminiTranscriptionConfig {
  readonly languageCodes?: readonly string[];
  readonly customVocabulary?: readonly string[];
  readonly wordTimestamp?: boolean;
  readonly diarization?: boolean;
  readonly [field: string]: unknown;
}
