export { GATEWAY_INACTIVITY_CODE } from './gateway-wire.ts';
export type { SpeechRecord } from './speech-record.ts';
export { DEEPGRAM_CLOSES } from './stt/deepgram-wire.ts';
export { SpeechToTextEmulator } from './stt/speech-to-text-emulator.ts';
export {
  STT_FAULT_MOMENTS,
  STT_FAULT_TYPES,
  STT_MESSAGE_KINDS,
  parseSttFaults,
  readSttFaults,
} from './stt/stt-faults.ts';
export type {
  SttFault,
  SttFaultMoment,
  SttFaultRule,
  SttFaultScript,
  SttMessageKind,
} from './stt/stt-faults.ts';
export {
  DEFAULT_DEEPGRAM_IDLE_MS,
  DEFAULT_ENDPOINTING_MS,
  DEFAULT_GATEWAY_INACTIVITY_MS,
  DEFAULT_INTERIM_EVERY_MS,
  DEFAULT_LONGEST_SEGMENT_MS,
  RECYCLING_IDLE_MS,
  SHORTEST_ENDPOINTING_MS,
} from './stt/stt-options.ts';
export type { SpeechToTextEmulatorOptions } from './stt/stt-options.ts';
export type { SttRecord } from './stt/stt-record.ts';
export { readTranscripts } from './stt/transcript-script.ts';
export { findTones, isWord } from './tts/heard-words.ts';
export type { HeardTone } from './tts/heard-words.ts';
export { MAX_INPUT_CHARACTERS } from './tts/http-speech.ts';
export { TextToSpeechEmulator } from './tts/text-to-speech-emulator.ts';
export {
  DEFAULT_STRAY_AUDIO_MS,
  TTS_FAULT_MOMENTS,
  TTS_FAULT_TYPES,
  TTS_MESSAGE_KINDS,
  parseTtsFaults,
  readTtsFaults,
} from './tts/tts-faults.ts';
export type {
  TtsFault,
  TtsFaultMoment,
  TtsFaultRule,
  TtsFaultScript,
  TtsMessageKind,
} from './tts/tts-faults.ts';
export { DEFAULT_SPEAKING_PACE } from './tts/tts-options.ts';
export type { TextToSpeechEmulatorOptions } from './tts/tts-options.ts';
export type { TtsRecord } from './tts/tts-record.ts';
export { WORD_GAP_MS, speakWords, voiceWords, wordPitchHz } from './tts/word-voice.ts';
export type { VoicedWord } from './tts/word-voice.ts';
