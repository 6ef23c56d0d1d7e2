import { besides } from '../../fault-effects.ts';
import type { Effects } from '../../fault-effects.ts';
import type { MessageFault } from '../../fault-vocabulary.ts';
import { SPEECH_EFFECTS } from '../speech-fault-effects.ts';
import type { SpeechFaultTarget } from '../speech-fault-effects.ts';
import { DEFAULT_STRAY_AUDIO_MS } from './tts-faults.ts';
import type { TtsFault } from './tts-faults.ts';

/** What a fault can do to a connection of the text-to-speech emulator. */
export interface TtsFaultTarget extends SpeechFaultTarget {
  cutByte(): void;
  strayAudio(ms: number): void;
}

/** For each fault what it does; what becomes of one message is up to whoever sends it. */
export const TTS_EFFECTS: Effects<Exclude<TtsFault, MessageFault>, TtsFaultTarget> = {
  ...SPEECH_EFFECTS,
  oddBytes: besides((target) => target.cutByte()),
  strayAudio: besides((target, { ms }) => target.strayAudio(ms ?? DEFAULT_STRAY_AUDIO_MS)),
};
