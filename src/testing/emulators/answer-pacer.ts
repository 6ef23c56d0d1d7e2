import type { Lifetime, Timer } from '../../kernel/index.ts';
import { ANSWER_CHUNK_SAMPLES, ANSWER_RATE_HZ } from '../../speech/index.ts';

/** How much one chunk of speech is, in milliseconds, at any rate. */
export const CHUNK_MS = (ANSWER_CHUNK_SAMPLES * 1000) / ANSWER_RATE_HZ;

export interface Pace {
  /** How many times faster than it plays an answer is generated. */
  readonly generationSpeed: number;
  /** How many times faster than it plays an answer is assumed to be played; until then the turn is not complete. */
  readonly playbackSpeed: number;
}

/** One piece of speech, as the pacer sees it. */
export interface PacedSpeech {
  readonly durationMs: number;
  /** Sends the next chunk. True while there is more. */
  speakNext(): boolean;
  /** The last chunk was sent. */
  spoken(): void;
}

/** The timer is for the next chunk, or for the end of what the listener hears. */
type PacerState = { readonly tag: 'idle' } | { readonly tag: 'waiting'; readonly timer: Timer };

/** Hands speech out as the service does: faster than real time, and heard to its end only as fast as it plays. */
export class AnswerPacer {
  readonly #scope: Lifetime;
  readonly #pace: Pace;
  #state: PacerState = { tag: 'idle' };
  /** When the listener has heard all that was handed out. */
  #heardAtMs = 0;

  constructor(scope: Lifetime, pace: Pace) {
    this.#scope = scope;
    this.#pace = pace;
  }

  /** Begins to speak; what was being spoken is dropped. The first chunk goes out at once. */
  speak(speech: PacedSpeech): void {
    this.#cancel();
    const nowMs = this.#scope.clock.now();
    this.#heardAtMs = Math.max(nowMs, this.#heardAtMs) + speech.durationMs / this.#pace.playbackSpeed;
    this.#speakDue(speech, nowMs, 0);
  }

  /** Calls `heard` when the listener has heard everything, as far as the service can assume: perhaps at once. */
  whenHeard(heard: () => void): void {
    this.#cancel();
    const delayMs = this.#heardAtMs - this.#scope.clock.now();
    if (delayMs <= 0) heard();
    else this.#wait('answer playback', delayMs, heard);
  }

  /** Says nothing for a while. */
  pause(ms: number, done: () => void): void {
    this.#cancel();
    this.#wait('answer pause', ms, done);
  }

  /** Stops without a word, and nobody listens any more. */
  stop(): void {
    this.#cancel();
    this.#heardAtMs = 0;
  }

  /** Speaks every chunk whose time has come: a late timer delays none of those after it. */
  #speakDue(speech: PacedSpeech, startedAtMs: number, spoken: number): void {
    if (this.#scope.isClosing) return;
    const intervalMs = CHUNK_MS / this.#pace.generationSpeed;
    const elapsedMs = this.#scope.clock.now() - startedAtMs;
    const due = Math.max(spoken + 1, Math.floor(elapsedMs / intervalMs) + 1);
    const mark: PacerState = { tag: 'idle' };
    this.#state = mark;
    for (let chunks = spoken + 1; chunks <= due; chunks += 1) {
      const more = speech.speakNext();
      // Sending may have interrupted this very answer, or ended the connection.
      if (this.#state !== mark || this.#scope.isClosing) return;
      if (!more) {
        speech.spoken();
        return;
      }
    }
    const delayMs = startedAtMs + due * intervalMs - this.#scope.clock.now();
    this.#wait('answer pace', Math.max(0, delayMs), () => this.#speakDue(speech, startedAtMs, due));
  }

  #wait(name: string, delayMs: number, done: () => void): void {
    const timer = this.#scope.timer(name, delayMs, () => {
      this.#state = { tag: 'idle' };
      done();
    });
    this.#state = { tag: 'waiting', timer };
  }

  #cancel(): void {
    if (this.#state.tag === 'waiting') this.#state.timer.cancel();
    this.#state = { tag: 'idle' };
  }
}
