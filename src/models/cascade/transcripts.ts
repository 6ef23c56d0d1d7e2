import type { SttOutput, TimedWord } from '../../speech/index.ts';
import { ToldFinals, placeOf } from './told-finals.ts';
import type { Transcript } from './told-finals.ts';
import type { UnwrittenAudio } from './unwritten-audio.ts';

/** What a leg tells: a recogniser's outputs, with times of the user's audio. */
export type SttEvent =
  | Exclude<SttOutput, { readonly type: 'finalized' }>
  /** Not complete: the recogniser has not answered in time. What it may still say comes as it comes. */
  | { readonly type: 'finalized'; readonly isComplete: boolean };

/**
 * Makes one account of what the recogniser says over all its connections: each utterance begins and ends once, each final
 * is told once, and what was heard of an utterance whose final never comes is told when it was asked for.
 */
export class Transcripts {
  readonly #audio: UnwrittenAudio;
  /** Whether the recogniser tells the ends of utterances. */
  readonly #endpointing: boolean;
  readonly #tell: (event: SttEvent) => void;
  readonly #finals = new ToldFinals();
  /** The last that was heard of what is not final yet. */
  #interim: Transcript | undefined;
  #isSpeaking = false;

  constructor(audio: UnwrittenAudio, endpointing: boolean, tell: (event: SttEvent) => void) {
    this.#audio = audio;
    this.#endpointing = endpointing;
    this.#tell = tell;
  }

  /** Whether something was heard that is not final. */
  get hasInterim(): boolean {
    return this.#interim !== undefined;
  }

  get isSpeaking(): boolean {
    return this.#isSpeaking;
  }

  /** Takes what a recogniser says, with the times of its connection. Returns whether audio was written down by it. */
  take(message: Exclude<SttOutput, { readonly type: 'finalized' }>): 'written' | undefined {
    switch (message.type) {
      case 'speechStarted':
        this.#start(this.#place(message.atMs));
        return undefined;
      case 'transcript':
        return this.#take(this.#placed(message));
      case 'speechEnded':
        if (this.#isSpeaking) this.#tell({ type: 'speechEnded', atMs: this.#place(message.atMs) });
        this.#isSpeaking = false;
        return undefined;
      case 'usage':
      case 'unknown':
        this.#tell(message);
        return undefined;
    }
  }

  /** What was heard so far was asked for, and no more of it came: what is not final is told as it stands. */
  settle(): void {
    const interim = this.#interim;
    if (interim !== undefined) this.#final({ ...interim, isFinal: true }, true);
  }

  /** The connection is gone: the next one hears again what was not final. */
  disconnected(): void {
    this.#interim = undefined;
  }

  #take(transcript: Transcript): 'written' | undefined {
    const { endMs } = placeOf(transcript);
    if (this.#finals.has(transcript)) {
      if (transcript.isFinal && endMs !== undefined) this.#audio.writtenUntil(endMs);
      return undefined;
    }
    if (transcript.isFinal) {
      this.#final(transcript, false);
      return 'written';
    }
    // It was overtaken by its final.
    if (endMs !== undefined && endMs <= this.#audio.writtenMs) return undefined;
    if (this.#endpointing) this.#start(transcript.startMs);
    this.#interim = transcript;
    this.#tell(transcript);
    return undefined;
  }

  #final(transcript: Transcript, isStandIn: boolean): void {
    this.#interim = undefined;
    const { endMs } = placeOf(transcript);
    this.#finals.add(transcript, isStandIn);
    if (endMs === undefined) this.#audio.writtenUntilPause();
    else this.#audio.writtenUntil(endMs);
    if (this.#endpointing) this.#start(transcript.startMs);
    else this.#isSpeaking = false;
    this.#tell(transcript);
  }

  #start(atMs: number | undefined): void {
    if (this.#isSpeaking) return;
    this.#isSpeaking = true;
    this.#tell({ type: 'speechStarted', atMs });
  }

  #placed(transcript: Transcript): Transcript {
    const { words, startMs, endMs } = transcript;
    const place = (word: TimedWord): TimedWord => ({
      ...word,
      startMs: this.#audio.streamMs(word.startMs),
      endMs: this.#audio.streamMs(word.endMs),
    });
    return {
      ...transcript,
      startMs: this.#place(startMs),
      endMs: this.#place(endMs),
      words: words?.map(place),
    };
  }

  #place(connectionMs: number | undefined): number | undefined {
    return connectionMs === undefined ? undefined : this.#audio.streamMs(connectionMs);
  }
}
