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
export { resample, Resampler } from './resample.ts';
export { MAX_RATE_HZ, MIN_RATE_HZ, SampleRateError } from './sample-rate.ts';
export { formatWav, MAX_WAV_BYTES, parseWav, WavFormatError, type WavAudio } from './wav.ts';
