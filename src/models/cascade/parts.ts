import type { AudioChunk } from '../../protocol/index.ts';
import type { SttOutput, TimedWord } from '../../speech/index.ts';

/** The recogniser, as the conversation uses it: a leg of its own stands behind it and has its connections again. */
export interface Pen {
  hear(audio: AudioChunk): void;
  /** What was heard until now is to be written down at once. */
  finalize(): void;
}

/** What the recogniser tells. */
export interface PenSink {
  wrote(output: Exclude<SttOutput, { readonly type: 'usage' | 'unknown' }>): void;
  /** It will write nothing any more. */
  failed(error: Error): void;
}

/** The voice, as the conversation uses it: utterances by name, spoken one after the other. */
export interface Voice {
  say(utterance: string, text: string): void;
  /** No more text of it will come. */
  end(utterance: string): void;
  /** Nothing of it is wanted any more, and nothing of it is told after this. */
  cancel(utterance: string): void;
}

/** What the voice tells. */
export interface VoiceSink {
  spoke(utterance: string, audio: AudioChunk): void;
  words(utterance: string, words: readonly TimedWord[]): void;
  /** All of it has been spoken, or it was given up with `error`. */
  done(utterance: string, error?: Error): void;
  /** It will speak nothing any more. */
  failed(error: Error): void;
}
