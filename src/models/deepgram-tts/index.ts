/** Voices of Deepgram, streamed. */
export { DEEPGRAM_TTS_RATE_HZ, DEFAULT_DEEPGRAM_VOICE, deepgramTts } from './deepgram-tts.ts';
export type { DeepgramTtsOptions } from './deepgram-tts.ts';
