/**
 * Holdfast: a runtime for live agent sessions. A session ends exactly when it should, and survives everything else.
 *
 * This is the front door for writing and running agents. Owners and closing plans stand by themselves in
 * `holdfast/kernel`; servers, stores, clients and emulators are in `holdfast/server`, `holdfast/store`, `holdfast/client`
 * and `holdfast/testing`.
 */
export { ClosedError, HoldfastError, InvalidOptionError, Lifetime, TimeoutError } from './kernel/index.ts';
export type { Clock, CloseReport, ErrorCode, Logger, Random, StepReport } from './kernel/index.ts';
export {
  DEFAULT_ERROR_TOLERANCE,
  SttLeg,
  SttStalledError,
  TtsStalledError,
  cascade,
  sttReconnectPolicy,
} from './models/cascade/index.ts';
export type {
  CascadeOptions,
  CascadePart,
  ErrorTolerance,
  SttEvent,
  SttLegOptions,
  SttLegSink,
  SttReconnectOptions,
} from './models/cascade/index.ts';
export * from './models/echo/index.ts';
export { gemini } from './models/gemini/index.ts';
export type {
  CredentialsSource,
  GeminiCloseRow,
  GeminiCredentials,
  GeminiEndKind,
  GeminiGeneration,
  GeminiOptions,
  GeminiRefusalRow,
  GeminiSetup,
  VertexPlace,
} from './models/gemini/index.ts';
export { DEEPGRAM_TTS_RATE_HZ, DEFAULT_DEEPGRAM_VOICE, deepgramTts } from './models/deepgram-tts/index.ts';
export type { DeepgramTtsOptions } from './models/deepgram-tts/index.ts';
export { GATEWAY_TTS_RATE_HZ, gatewayTts } from './models/gateway-tts/index.ts';
export type { GatewayTtsOptions } from './models/gateway-tts/index.ts';
export { modelFromId } from './models/model-id.ts';
export {
  MAX_SPEECH_AUDIO_MS,
  OPENAI_TTS_RATE_HZ,
  SPEECH_SILENCE_TIMEOUT_MS,
  openaiTts,
} from './models/openai-tts/index.ts';
export type { OpenAiTtsOptions, SpeechFetch } from './models/openai-tts/index.ts';
export { deepgram, livekitStt } from './models/stt/index.ts';
export type {
  DeepgramOptions,
  LivekitSttOptions,
  SecretSource,
  SttEndKind,
  SttEndOverrides,
  SttEndRow,
} from './models/stt/index.ts';
export { AudioChunk, CLOSE_CODES, asksToReconnect, textContent } from './protocol/index.ts';
export type {
  CloseCodeName,
  Content,
  FunctionCall,
  FunctionResponse,
  LimitName,
  LiveEvent,
  LiveEventOf,
  LiveEventType,
  LiveRequest,
  Part,
  Usage,
} from './protocol/index.ts';
export * from './session/index.ts';
export {
  AnsweringMachineDetector,
  BackgroundAudio,
  BeepDetector,
  DigitCollector,
  DtmfDetector,
  MixedPlayout,
  Recorder,
  RecorderError,
  RecordingFile,
  SentenceSplitter,
  Sound,
  SoundMixer,
  TURN_PHRASES,
  TURN_VAD_SILENCE_MS,
  TurnTracker,
  VadUnavailableError,
  WavFormatError,
  aiLanguageModel,
  backgroundAudio,
  collectDigits,
  detectAnsweringMachine,
  dtmfTones,
  fallbackLanguageModel,
  fallbackSpeechToText,
  fallbackTextToSpeech,
  fallbackTurnDetector,
  formatWav,
  openaiCompatible,
  parseWav,
  recordSession,
  resample,
  retryingLanguageModel,
  boundedEndOfTurn,
  energyVad,
  fallbackVad,
  heuristicTurnDetector,
  modelTurnDetector,
  modelVad,
  sendKeys,
  silenceTurnDetector,
  sileroVad,
} from './speech/index.ts';
export type {
  AiCallSettings,
  AiLanguageModelOptions,
  AiModel,
  AnsweringMachineOptions,
  AnsweringMachineVerdict,
  BackgroundAudioOptions,
  BackgroundSound,
  BeepEvent,
  CollectDigitsOptions,
  CollectedDigits,
  DetectAnsweringMachineOptions,
  DigitCollectorOptions,
  DtmfEvent,
  DtmfToneOptions,
  FallbackOptions,
  FallbackStreamOptions,
  FallbackTextToSpeechOptions,
  FallbackTurnDetectorOptions,
  FinishReason,
  GenerationRequest,
  GenerationSink,
  LanguageModel,
  MixedPlayoutOptions,
  OpenAiCompatibleOptions,
  FallbackVadOptions,
  ModelTurnDetectorOptions,
  ModelVadOptions,
  ModelVadSetup,
  PlayOptions,
  RecordSessionOptions,
  RecorderOptions,
  RecorderStats,
  RecordingSink,
  RetryingOptions,
  SilenceTurnDetectorOptions,
  SentKeys,
  SileroVadOptions,
  SoundOptions,
  SpeechModel,
  SpeechModelModule,
  SpeechModelStream,
  SpeechTiming,
  Transcript,
  TurnContext,
  TurnDetector,
  TurnEnd,
  TurnPhrases,
  TurnPolicy,
  TurnSink,
  TurnTrackerOptions,
  UserTurn,
  VoiceActivity,
  VoiceActivityDetector,
  VoiceActivitySink,
  SentenceSplitterOptions,
  TextToSpeech,
  TtsCapabilities,
  TtsInput,
  TtsOutput,
  TtsSetup,
  SpeechToText,
  SttCapabilities,
  SttInput,
  SttOutput,
  SttSetup,
  TimedWord,
  WavAudio,
} from './speech/index.ts';
export { traceSession } from './telemetry/index.ts';
export type { TraceSessionOptions } from './telemetry/index.ts';
export { MemorySessionStore } from './store/memory.ts';
export type { MemorySessionStoreOptions } from './store/memory.ts';
