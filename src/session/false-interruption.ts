import type { Lifetime, Timer } from '../kernel/index.ts';
import type { SpeechHandle } from './speech-handle.ts';

/**
 * Finds out that nobody has said anything: the agent was interrupted, by a cough or a door, and no word of the user came
 * in time. Whoever is told may let the agent go on.
 */
export class FalseInterruptionWatch {
  readonly #owner: Lifetime;
  readonly #timeoutMs: number;
  readonly #found: (speech: SpeechHandle) => void;
  /** Whether the user has said something since the agent began to speak. */
  #hasWords = false;
  #timer: Timer | undefined;

  constructor(owner: Lifetime, timeoutMs: number, found: (speech: SpeechHandle) => void) {
    this.#owner = owner;
    this.#timeoutMs = timeoutMs;
    this.#found = found;
  }

  /** The user has interrupted this utterance. */
  interrupted(speech: SpeechHandle): void {
    if (this.#hasWords || this.#timeoutMs === Infinity || this.#owner.isClosing) return;
    this.#timer?.cancel();
    this.#timer = this.#owner.timer('false interruption', this.#timeoutMs, () => this.#found(speech));
  }

  /** There is a word of the user. */
  userSpoke(): void {
    this.#hasWords = true;
    this.#timer?.cancel();
  }

  agentBegins(): void {
    this.#hasWords = false;
    this.#timer?.cancel();
  }
}
