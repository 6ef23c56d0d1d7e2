import type { Lifetime, Timer } from '../../../kernel/index.ts';
import { ANSWER_CHUNK_SAMPLES, ANSWER_RATE_HZ } from '../../../speech/index.ts';

const CHUNK_MS = (ANSWER_CHUNK_SAMPLES * 1000) / ANSWER_RATE_HZ;

export interface Pace {
  /** How many times faster than it plays an answer is generated. */
  readonly generationSpeed: number;
  /** How many times faster than it plays an answer is assumed to be played; until then the turn is not complete. */
  readonly playbackSpeed: number;
}

/** One spoken answer, as the pacer sees it. */
export interface PacedAnswer {
  readonly durationMs: number;
  /** Sends the next chunk. True while there is more. */
  speakNext(): boolean;
  /** The listener has heard it all, as far as the service can assume. */
  playedOut(): void;
}

type PacerState =
  | { readonly tag: 'idle' }
  /** The timer is for the next chunk. */
  | { readonly tag: 'speaking'; readonly timer: Timer }
  /** Everything was sent; the timer is for the end of what the listener hears of it. */
  | { readonly tag: 'playing'; readonly timer: Timer };

/** Hands an answer out as the service does: faster than real time, and completes the turn when it would have been heard. */
export class AnswerPacer {
  readonly #scope: Lifetime;
  readonly #pace: Pace;
  #state: PacerState = { tag: 'idle' };

  constructor(scope: Lifetime, pace: Pace) {
    this.#scope = scope;
    this.#pace = pace;
  }

  /** Begins an answer; the one before it is dropped. The first chunk goes out at once. */
  start(answer: PacedAnswer): void {
    this.stop();
    this.#speakDue(answer, this.#scope.clock.now(), 0);
  }

  /** Stops without a word. */
  stop(): void {
    if (this.#state.tag !== 'idle') this.#state.timer.cancel();
    this.#state = { tag: 'idle' };
  }

  /** Speaks every chunk whose time has come: a late timer delays none of those after it. */
  #speakDue(answer: PacedAnswer, startedAtMs: number, spoken: number): void {
    if (this.#scope.isClosing) return;
    const intervalMs = CHUNK_MS / this.#pace.generationSpeed;
    const elapsedMs = this.#scope.clock.now() - startedAtMs;
    const due = Math.max(spoken + 1, Math.floor(elapsedMs / intervalMs) + 1);
    for (let chunks = spoken + 1; chunks <= due; chunks += 1) {
      const marker = this.#state;
      const more = answer.speakNext();
      // Sending may have interrupted this very answer, or ended the connection.
      if (this.#state !== marker || this.#scope.isClosing) return;
      if (!more) {
        this.#waitForPlayback(answer, startedAtMs);
        return;
      }
    }
    const delayMs = startedAtMs + due * intervalMs - this.#scope.clock.now();
    const timer = this.#scope.timer('answer pace', Math.max(0, delayMs), () =>
      this.#speakDue(answer, startedAtMs, due),
    );
    this.#state = { tag: 'speaking', timer };
  }

  #waitForPlayback(answer: PacedAnswer, startedAtMs: number): void {
    const playedAtMs = startedAtMs + answer.durationMs / this.#pace.playbackSpeed;
    const timer = this.#scope.timer('answer playback', playedAtMs - this.#scope.clock.now(), () => {
      this.#state = { tag: 'idle' };
      answer.playedOut();
    });
    this.#state = { tag: 'playing', timer };
  }
}
