/** Several providers of one kind as one: the next one takes over when one fails. */
export { FALLBACK_CONNECT_TIMEOUT_MS, type FallbackStreamOptions } from './fallback-stream.ts';
export { fallbackSpeechToText } from './fallback-speech-to-text.ts';
export {
  FALLBACK_VOICE_SILENCE_MS,
  fallbackTextToSpeech,
  type FallbackTextToSpeechOptions,
} from './fallback-text-to-speech.ts';
export {
  FALLBACK_TURN_TIMEOUT_MS,
  fallbackTurnDetector,
  type FallbackTurnDetectorOptions,
} from './fallback-turn-detector.ts';
export { FALLBACK_REST_MS } from './provider-roster.ts';
