import { heardByShare } from './heard-text.ts';

/**
 * How an utterance ended.
 *
 * - `playedOut`: heard to its end. - `interrupted`: by the user, or by `interrupt()`. - `cut`: the connection to the model
 * was lost in the middle of it, and what had come was heard. - `silent`: the model had nothing to say. - `closed`: the live
 * session ended first.
 */
export type SpeechEnd = 'playedOut' | 'interrupted' | 'cut' | 'silent' | 'closed';

/**
 * Where an utterance is. `queued`: it waits for its turn. - `asked`: the model was asked for it and has not begun. -
 * `speaking`: the model gives it. - `playing`: all of it has come, and is being heard. - `done`. Positions count samples of
 * the session's output. It only ever moves downwards in this list, but for what is asked of another connection again.
 */
export type SpeechState =
  | { readonly tag: 'queued' }
  | { readonly tag: 'asked' }
  | { readonly tag: 'speaking'; readonly fromSamples: number }
  | {
      readonly tag: 'playing';
      readonly fromSamples: number;
      readonly toSamples: number;
      readonly end: 'playedOut' | 'cut';
    }
  | { readonly tag: 'done'; readonly end: SpeechEnd };

/** One utterance of the agent: what was asked for with `say` or `generateReply`, or an answer of the model's own. */
export interface SpeechHandle {
  /** Counts the utterances of a live session: `speech-1`. */
  readonly id: string;
  /** Whether the user can interrupt it by speaking. `interrupt()` always can. */
  readonly interruptible: boolean;
  /** Of those that wait, the greater one is next, and the older one of two that are alike. */
  readonly priority: number;
  readonly state: SpeechState;
  /** Its words so far. */
  readonly text: string;
  /** Those of them that were heard. An estimate where it was interrupted. Empty until it is done. */
  readonly heardText: string;
  readonly isDone: boolean;
  /** Whether not all of it was heard, because somebody or something has cut it. */
  readonly wasInterrupted: boolean;
  /**
   * Resolves, and never rejects, when it is done: heard to its end, interrupted, left out by the model, or the live session
   * has ended.
   */
  waitForPlayout(): Promise<void>;
  /** Stops it, or takes it out of those that wait. Does nothing when it is done. */
  interrupt(): void;
}

/** What the model is asked for; undefined for an answer of its own. */
export type SpeechRequest =
  | { readonly type: 'say'; readonly text: string; readonly addToHistory: boolean }
  | {
      readonly type: 'reply';
      readonly instructions: string | undefined;
      readonly userInput: string | undefined;
    };

export interface SpeechOptions {
  readonly id: string;
  readonly request?: SpeechRequest;
  readonly interruptible?: boolean | undefined;
  readonly priority?: number | undefined;
  /** Stops it. Let go of when it is done: a handle that is kept holds no live session (clause C6). */
  interrupt(speech: Speech): void;
}

/** A SpeechHandle from the inside: `Speeches` moves it on. */
export class Speech implements SpeechHandle {
  readonly id: string;
  readonly request: SpeechRequest | undefined;
  readonly interruptible: boolean;
  readonly priority: number;
  #state: SpeechState = { tag: 'queued' };
  #text = '';
  #heardText = '';
  #interrupt: ((speech: Speech) => void) | undefined;
  #done: PromiseWithResolvers<void> | undefined;

  constructor({ id, request, interruptible, priority, interrupt }: SpeechOptions) {
    this.id = id;
    this.request = request;
    this.interruptible = interruptible ?? true;
    this.priority = priority ?? 0;
    this.#interrupt = interrupt;
  }

  get state(): SpeechState {
    return this.#state;
  }

  get text(): string {
    return this.#text;
  }

  get heardText(): string {
    return this.#heardText;
  }

  get isDone(): boolean {
    return this.#state.tag === 'done';
  }

  get wasInterrupted(): boolean {
    return this.#state.tag === 'done' && this.#state.end !== 'playedOut' && this.#state.end !== 'silent';
  }

  waitForPlayout(): Promise<void> {
    if (this.isDone) return Promise.resolve();
    this.#done ??= Promise.withResolvers();
    return this.#done.promise;
  }

  interrupt(): void {
    this.#interrupt?.(this);
  }

  /** Where its audio begins; undefined before it does. */
  get fromSamples(): number | undefined {
    return 'fromSamples' in this.#state ? this.#state.fromSamples : undefined;
  }

  /** The model was asked for it. */
  asked(): void {
    this.#state = { tag: 'asked' };
  }

  /** It has to be asked for again: the connection it was asked over is gone. */
  queuedAgain(): void {
    this.#state = { tag: 'queued' };
    this.#text = '';
  }

  began(fromSamples: number): void {
    this.#state = { tag: 'speaking', fromSamples };
  }

  said(text: string): void {
    this.#text += text;
  }

  /** Its audio lies so many samples later than it did: what was not heard of it comes again. */
  moved(bySamples: number): void {
    if (this.#state.tag === 'speaking') this.began(this.#state.fromSamples + bySamples);
  }

  /** It is said again from its beginning, over another connection. */
  restarted(fromSamples: number): void {
    this.#text = '';
    this.began(fromSamples);
  }

  /** All of it that will come has come. */
  whole(toSamples: number, end: 'playedOut' | 'cut'): void {
    this.#state = { tag: 'playing', fromSamples: this.fromSamples ?? toSamples, toSamples, end };
  }

  /** Of its audio so far, which ends at `sentSamples`, so much was heard; `voiceUpTo` leaves out what sounded beside it. */
  ended(
    end: SpeechEnd,
    heardSamples: number,
    sentSamples: number,
    voiceUpTo: (positionSamples: number) => number = (positionSamples) => positionSamples,
  ): void {
    if (this.isDone) return;
    const from = this.fromSamples;
    const to = this.#state.tag === 'playing' ? this.#state.toSamples : sentSamples;
    // What came without audio, as text, was read as it came.
    const share =
      from === undefined
        ? 0
        : to === from
          ? 1
          : (voiceUpTo(heardSamples) - voiceUpTo(from)) / (voiceUpTo(to) - voiceUpTo(from));
    this.#heardText = heardByShare(this.#text, share);
    this.#state = { tag: 'done', end };
    this.#interrupt = undefined;
    this.#done?.resolve();
    this.#done = undefined;
  }
}
