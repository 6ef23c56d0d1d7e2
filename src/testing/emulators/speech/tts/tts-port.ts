import type { Lifetime } from '../../../../kernel/index.ts';
import type { CloseFrame } from '../../close-frame.ts';
import type { JsonObject } from '../../json-object.ts';
import type { TtsProfile } from './tts-options.ts';
import type { TtsRecord } from './tts-record.ts';

/** What somebody who speaks needs of the connection. */
export interface TtsPort {
  readonly scope: Lifetime;
  readonly profile: TtsProfile;
  readonly record: TtsRecord;
  /** Names the session in what the service says. */
  readonly id: string;
  /** Whether nothing may be said at this moment. */
  isMute(): boolean;
  send(message: JsonObject): void;
  /** Sends a message past all faults. */
  sendPastFaults(message: JsonObject): void;
  closeWith(frame: CloseFrame): void;
  /** Ends the TCP connection in the middle of whatever goes out. */
  cut(): void;
  /** True: what was about to happen does. */
  reached(moment: string): boolean;
  /** A chunk of audio on its way out: whole, or as a fault has it. */
  taken(bytes: Buffer): Buffer;
}

/** Longest text taken at once, in characters: an hour of speech. */
export const MAX_TEXT_CHARACTERS = 60_000;
