/** Voices that are asked by HTTP, sentence by sentence, as OpenAI's are. */
export {
  MAX_SPEECH_AUDIO_MS,
  OPENAI_TTS_RATE_HZ,
  SPEECH_SILENCE_TIMEOUT_MS,
  openaiTts,
} from './openai-tts.ts';
export type { OpenAiTtsOptions } from './openai-tts.ts';
export type { SpeechFetch } from './speech-request.ts';
