import type { AudioChunk } from '../protocol/index.ts';
import type { StreamCapabilities, StreamPort } from '../session/stream-port.ts';
import type { TimedWord } from './speech-to-text.ts';

/** What one connection to a voice is set up with. What only one provider knows is given to that provider's voice. */
export interface TtsSetup {
  /** BCP 47. */
  readonly languageCode?: string | undefined;
}

/** `utterance` names one thing that is said; its audio carries the name. Utterances are spoken one after the other. */
export type TtsInput =
  /** A piece of an utterance, in order. */
  | { readonly type: 'text'; readonly utterance: string; readonly text: string }
  /** No more text of it will come: it is spoken to its end, and `done` answers. */
  | { readonly type: 'end'; readonly utterance: string }
  /** Nothing of it is wanted any more. What is on its way is dropped by the connection; nothing of it comes after this. */
  | { readonly type: 'cancel'; readonly utterance: string };

export type TtsOutput =
  | { readonly type: 'audio'; readonly utterance: string; readonly audio: AudioChunk }
  /** Where in the utterance's audio its words are, from its first sample. */
  | { readonly type: 'words'; readonly utterance: string; readonly words: readonly TimedWord[] }
  /** All of it has been spoken. Once for each utterance that was ended and not cancelled. */
  | { readonly type: 'done'; readonly utterance: string }
  | { readonly type: 'usage'; readonly characters: number }
  | { readonly type: 'unknown'; readonly message: unknown };

export interface TtsCapabilities extends StreamCapabilities {
  /** The rate it speaks at. */
  readonly outputRateHz: number;
  /** Whether it tells where the words are. */
  readonly words: boolean;
  /** Whether it begins to speak before the whole text is there; otherwise it is given whole sentences. */
  readonly streamsText: boolean;
  /** Whether an utterance can be stopped on its wire; otherwise its connection is given up for a new one. */
  readonly cancels: boolean;
}

/** Text to speech: text in pieces, audio in pieces. Stands under the supervisor of every leg (S1). */
export interface TextToSpeech extends StreamPort<TtsSetup, TtsInput, TtsOutput> {
  readonly capabilities: TtsCapabilities;
}
