import type { Lifetime } from '../kernel/index.ts';
import type { LiveEventBody } from '../protocol/index.ts';

export interface UserPresenceOptions {
  readonly owner: Lifetime;
  readonly awayTimeoutMs: number;
  /** Whether somebody is speaking, or an answer is awaited: nobody has to say anything then. */
  isBusy(): boolean;
  emit(event: LiveEventBody): void;
}

/**
 * Tells when the user has not spoken for a while, and neither has the agent. An open microphone is no sign of a user: words
 * are, and marks of speech, where the model gives them. Noting them sets no timer anew.
 */
export class UserPresence {
  readonly #options: UserPresenceOptions;
  #state: 'present' | 'away' = 'present';
  #activeAtMs: number;

  constructor(options: UserPresenceOptions) {
    this.#options = options;
    this.#activeAtMs = options.owner.clock.now();
    if (options.awayTimeoutMs !== Infinity) this.#arm(options.awayTimeoutMs);
  }

  /** The user has said something, or begins to. */
  userSpoke(): void {
    this.spoken();
    if (this.#state === 'present' || this.#options.owner.isClosing) return;
    this.#state = 'present';
    this.#options.emit({ type: 'userState', state: 'present' });
    this.#arm(this.#options.awayTimeoutMs);
  }

  /** Somebody has spoken up to now: the user is given time from here on. */
  spoken(): void {
    this.#activeAtMs = this.#options.owner.clock.now();
  }

  #arm(delayMs: number): void {
    const { owner } = this.#options;
    if (!owner.isClosing) owner.timer('user away', delayMs, () => this.#look());
  }

  #look(): void {
    const { owner, awayTimeoutMs, isBusy, emit } = this.#options;
    if (isBusy()) this.spoken();
    const leftMs = this.#activeAtMs + awayTimeoutMs - owner.clock.now();
    if (leftMs > 0) {
      this.#arm(leftMs);
      return;
    }
    this.#state = 'away';
    emit({ type: 'userState', state: 'away' });
  }
}
