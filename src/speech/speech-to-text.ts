import type { AudioChunk, Usage } from '../protocol/index.ts';
import type { StreamCapabilities, StreamPort } from '../session/stream-port.ts';

/** What one connection to a recogniser is set up with. */
export interface SttSetup {
  /** The rate of the audio that will be sent. */
  readonly rateHz: number;
  /** BCP 47; undefined lets the recogniser find out, where it can. */
  readonly languageCode?: string | undefined;
}

export type SttInput =
  | { readonly type: 'audio'; readonly audio: AudioChunk }
  /** What was sent until now is to be written down at once; `finalized` answers. The connection goes on. */
  | { readonly type: 'finalize' };

/** A word with its place, counted from the first audio of the connection. Milliseconds. */
export interface TimedWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence?: number | undefined;
}

export type SttOutput =
  | { readonly type: 'speechStarted'; readonly atMs?: number | undefined }
  /** What is said so far, or, `isFinal`, what was said: it does not change any more. Never empty. */
  | {
      readonly type: 'transcript';
      readonly text: string;
      readonly isFinal: boolean;
      readonly languageCode?: string | undefined;
      readonly confidence?: number | undefined;
      readonly words?: readonly TimedWord[] | undefined;
      /** Which part of the connection's audio it is the transcript of, silence included, where that is told. Milliseconds. */
      readonly startMs?: number | undefined;
      readonly endMs?: number | undefined;
    }
  /** The recogniser has heard the end of an utterance, all of which has been told as final. */
  | { readonly type: 'speechEnded'; readonly atMs?: number | undefined }
  | { readonly type: 'finalized' }
  | { readonly type: 'usage'; readonly audioMs: number; readonly usage?: Usage | undefined }
  | { readonly type: 'unknown'; readonly message: unknown };

export interface SttCapabilities extends StreamCapabilities {
  /** The rate it hears best. */
  readonly inputRateHz: number;
  /** Whether it tells what is being said before it is final. */
  readonly interim: boolean;
  /** Whether it tells the end of an utterance; otherwise somebody else has to. */
  readonly endpointing: boolean;
}

/** Speech to text, streamed: one connection hears many utterances. Stands under the supervisor of every leg (S1). */
export interface SpeechToText extends StreamPort<SttSetup, SttInput, SttOutput> {
  readonly capabilities: SttCapabilities;
}
