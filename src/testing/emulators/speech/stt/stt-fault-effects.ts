import { besides } from '../../fault-effects.ts';
import type { Effects } from '../../fault-effects.ts';
import type { MessageFault } from '../../fault-vocabulary.ts';
import { SPEECH_EFFECTS } from '../speech-fault-effects.ts';
import type { SpeechFaultTarget } from '../speech-fault-effects.ts';
import type { SttFault, TranscriptFault } from './stt-faults.ts';

/** What a fault can do to a connection of the speech-to-text emulator. */
export interface SttFaultTarget extends SpeechFaultTarget {
  /** Sends a result nobody spoke. */
  invent(text: string, final: boolean): void;
}

/** For each fault what it does; what becomes of one message is up to whoever sends it. */
export const STT_EFFECTS: Effects<Exclude<SttFault, MessageFault | TranscriptFault>, SttFaultTarget> = {
  ...SPEECH_EFFECTS,
  transcript: besides((target, { text, final }) => target.invent(text ?? '', final ?? true)),
};
