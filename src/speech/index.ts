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
  END_SILENCE_MS,
  END_THRESHOLD_DB,
  EnergyVad,
  MINIMUM_SPEECH_MS,
  PREFIX_PADDING_MS,
  QUIETEST_SPEECH_DBFS,
  START_THRESHOLD_DB,
  VAD_WINDOW_MS,
  type EnergyVadOptions,
  type VadEvent,
} from './energy-vad.ts';
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
export { LOOP_CROSSFADE_MS, Sound, type SoundOptions } from './sound.ts';
export { formatWav, MAX_WAV_BYTES, parseWav, WavFormatError, type WavAudio } from './wav.ts';
export type * from './language-model.ts';
export type * from './speech-to-text.ts';
export type * from './text-to-speech.ts';
export type * from './voice-activity.ts';
