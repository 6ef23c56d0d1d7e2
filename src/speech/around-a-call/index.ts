/** What stands around a call, as part of a live session: it ends with it, in bounded time, under its name. */
export {
  BACKGROUND_AHEAD_MS,
  BACKGROUND_WORD_GAP_MS,
  BackgroundAudio,
  MAX_BACKGROUND_UNHEARD_MS,
  THINKING_FADE_MS,
  backgroundAudio,
} from './background-audio.ts';
export type { BackgroundAudioOptions, BackgroundSound } from './background-audio.ts';
export { collectDigits } from './collect-digits.ts';
export type { CollectDigitsOptions } from './collect-digits.ts';
export { AMD_AUDIO_LATE_MS, detectAnsweringMachine } from './detect-answering-machine.ts';
export type { DetectAnsweringMachineOptions } from './detect-answering-machine.ts';
export { recordSession } from './record-session.ts';
export type { RecordSessionOptions } from './record-session.ts';
export { sendKeys } from './send-keys.ts';
export type { SentKeys } from './send-keys.ts';
export { SAME_KEY_MS } from './session-keys.ts';
export { MAX_THINKING_MS, MAX_TOOL_THINKING_MS, THINKING_AFTER_SILENCE_MS } from './thinking-watch.ts';
