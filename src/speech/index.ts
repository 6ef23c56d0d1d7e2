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
  type EnergyVadOptions,
  type VadEvent,
} from './energy-vad.ts';
export { resample, Resampler } from './resample.ts';
export { MAX_RATE_HZ, MIN_RATE_HZ, SampleRateError } from './sample-rate.ts';
export { formatWav, MAX_WAV_BYTES, parseWav, WavFormatError, type WavAudio } from './wav.ts';
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
