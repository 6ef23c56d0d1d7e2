export * from './around-a-call/index.ts';
export {
  AMD_AFTER_GREETING_SILENCE_MS,
  AMD_BETWEEN_WORDS_MS,
  AMD_GREETING_MS,
  AMD_INITIAL_SILENCE_MS,
  AMD_MACHINE_PHRASES,
  AMD_MAX_TRANSCRIPT_WORDS,
  AMD_MAX_WORDS,
  AMD_MIN_WORD_MS,
  AMD_TOTAL_MS,
  AnsweringMachineDetector,
  type AnsweringMachineOptions,
  type AnsweringMachineVerdict,
} from './answering-machine.ts';
export { BeepDetector, MAX_BEEP_HZ, MIN_BEEP_HZ, MIN_BEEP_MS, type BeepEvent } from './beep-detector.ts';
export {
  DigitCollector,
  FIRST_KEY_TIMEOUT_MS,
  MAX_COLLECTED_KEYS,
  NEXT_KEY_TIMEOUT_MS,
  TERMINATOR_KEY,
  type CollectedDigits,
  type DigitCollectorOptions,
} from './digit-collector.ts';
export { DtmfDetector, type DtmfEvent } from './dtmf-detector.ts';
export {
  DTMF_KEYS,
  DTMF_LEVEL_DBFS,
  DTMF_PAUSE_MS,
  DTMF_TONE_MS,
  dtmfTones,
  type DtmfToneOptions,
} from './dtmf-tones.ts';
export { ANSWER_CHUNK_SAMPLES, ANSWER_RATE_HZ, EchoAnswer } from './echo-answer.ts';
export {
  EchoBrain,
  MAX_UTTERANCE_MS,
  MAX_WAITING_ANSWERS,
  type EchoBrainOptions,
  type EchoBrainSink,
} from './echo-brain.ts';
export { EchoEar, type EchoEarListener, type EchoEarOptions, type Utterance } from './echo-ear.ts';
export {
  END_THRESHOLD_DB,
  EnergyVad,
  QUIETEST_SPEECH_DBFS,
  START_THRESHOLD_DB,
  VAD_WINDOW_MS,
  type EnergyVadOptions,
} from './energy-vad.ts';
export {
  END_SILENCE_MS,
  MINIMUM_SPEECH_MS,
  PREFIX_PADDING_MS,
  type SpeechTiming,
  type VadEvent,
} from './speech-gate.ts';
export {
  MAX_LATE_PLAYOUT_MS,
  MAX_WAITING_VOICE_MS,
  MixedPlayout,
  PLAYOUT_FRAME_MS,
  type MixedPlayoutOptions,
} from './mixed-playout.ts';
export {
  MAX_AGENT_AHEAD_MS,
  MAX_USER_AHEAD_MS,
  Recorder,
  RECORDING_BLOCK_MS,
  RECORDING_HOLD_MS,
  RECORDING_RATE_HZ,
  type RecorderOptions,
  type RecorderStats,
} from './recorder.ts';
export { RecordingFile, type RecordingSink } from './recording-file.ts';
export { MAX_UNWRITTEN_RECORDING_BYTES, RecorderError } from './recording-writer.ts';
export { resample, Resampler } from './resample.ts';
export { MAX_RATE_HZ, MIN_RATE_HZ, SampleRateError } from './sample-rate.ts';
export {
  FIRST_CLAUSE_CHARACTERS,
  MAX_SENTENCE_CHARACTERS,
  MIN_SENTENCE_CHARACTERS,
  SentenceSplitter,
  type SentenceSplitterOptions,
} from './sentence-splitter.ts';
export {
  DUCK_ATTACK_MS,
  DUCK_HOLD_MS,
  DUCK_RELEASE_MS,
  MAX_SOUNDS,
  SOUND_DUCK_DB,
  SOUND_FADE_MS,
  SOUND_GAIN_DB,
  SoundMixer,
  type PlayOptions,
} from './sound-mixer.ts';
export { energyVad } from './energy-voice-activity.ts';
export * from './fallback/index.ts';
export { FALLBACK_HOLD_MS, fallbackVad, type FallbackVadOptions } from './fallback-vad.ts';
export {
  MAX_VAD_DELAY_MS,
  MAX_WAITING_VAD_MS,
  modelVad,
  SILENCE_PROBABILITY,
  SPEECH_PROBABILITY,
  type ModelVadOptions,
  type ModelVadSetup,
} from './model-vad.ts';
export { sileroVad, type SileroVadOptions } from './silero-vad.ts';
export type { SpeechModel, SpeechModelModule, SpeechModelStream } from './speech-model.ts';
export { VAD_LOAD_TIMEOUT_MS, VAD_THREAD_RESTARTS, VAD_THREAD_STABLE_MS } from './vad-worker.ts';
export { LOOP_CROSSFADE_MS, Sound, type SoundOptions } from './sound.ts';
export { formatWav, MAX_WAV_BYTES, parseWav, WavFormatError, type WavAudio } from './wav.ts';
export type * from './language-model.ts';
export * from './language-models/index.ts';
export type * from './speech-to-text.ts';
export type * from './text-to-speech.ts';
export {
  DICTATED_NUMBERS,
  END_OF_TURN_BY_ENDING,
  heuristicTurnDetector,
  LONGEST_DICTATED_DIGITS,
} from './heuristic-turn-detector.ts';
export {
  FALSE_INTERRUPTION_MS,
  MIN_INTERRUPTION_MS,
  MIN_INTERRUPTION_WORDS,
  type InterruptionSink,
} from './interruption.ts';
export {
  MODEL_TURN_CHARACTERS,
  modelTurnDetector,
  type ModelTurnDetectorOptions,
} from './model-turn-detector.ts';
export {
  boundedEndOfTurn,
  END_OF_TURN_BOUND_MS,
  MAX_ENDPOINTING_MS,
  MIN_ENDPOINTING_MS,
  silenceTurnDetector,
  TURN_VAD_SILENCE_MS,
  UNCERTAIN,
  type SilenceTurnDetectorOptions,
} from './turn-detector.ts';
export { TURN_PHRASES, type TurnPhrases } from './turn-phrases.ts';
export type { Transcript } from './turn-text.ts';
export {
  FINAL_TIMEOUT_MS,
  MAX_TURN_MS,
  TurnTracker,
  USER_AWAY_MS,
  type TurnEnd,
  type TurnPolicy,
  type TurnSink,
  type TurnTrackerOptions,
  type UserTurn,
} from './turn-tracker.ts';
export { VadUnavailableError } from './voice-activity.ts';
export type * from './voice-activity.ts';
