import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { Reply } from './reply.ts';
import { plain } from './told-finals.ts';

/**
 * Nothing is answered before the end of a turn is certain: who pauses for breath would be answered, and billed, several
 * times a turn. What it saves is the time the language model takes for its first words, up to the whole endpointing delay.
 */
export const DEFAULT_PREEMPTIVE_GENERATION = false;

/** How long words that may still change must not have changed before they are answered, in milliseconds. */
export const STABLE_INTERIM_MS = 200;

/** How many answers one turn may cost ahead of time: who pauses more often thinks aloud, and is waited for. */
export const MAX_PREEMPTED_REPLIES = 3;

export interface PreemptionOptions {
  readonly owner: Lifetime;
  /** Begins an answer to this that nobody is told of; undefined where none can be given now. */
  begin(transcript: string): Reply | undefined;
}

/**
 * The answer to a turn of the user that may not be over yet. It is begun in a pause, is used when the turn ends with the
 * words that it answers, and otherwise dropped: nobody was told of it, and nothing was done for it.
 */
export class Preemption {
  readonly #options: PreemptionOptions;
  #begun: { readonly reply: Reply; readonly words: string } | undefined;
  #count = 0;
  #stable: Timer | undefined;

  constructor(options: PreemptionOptions) {
    this.#options = options;
  }

  /** Nobody speaks, and these are the words so far. */
  userPaused(transcript: string, isFinal: boolean): void {
    const words = plain(transcript);
    if (this.#begun?.words === words && !this.#begun.reply.isOver) return;
    this.drop();
    if (isFinal) this.#begin(transcript);
    else {
      this.#stable = this.#options.owner.timer('stable words', STABLE_INTERIM_MS, () =>
        this.#begin(transcript),
      );
    }
  }

  /** The turn has ended with these words. Returns the answer to them, where there is one. */
  turnEnded(transcript: string): Reply | undefined {
    const begun = this.#begun;
    const isMeant = begun !== undefined && !begun.reply.isOver && begun.words === plain(transcript);
    if (isMeant) this.#begun = undefined;
    this.turnDropped();
    return isMeant ? begun.reply : undefined;
  }

  /** The turn was nothing. */
  turnDropped(): void {
    this.drop();
    this.#count = 0;
  }

  /** What was begun is not wanted: the user speaks on, or what led to it has changed. */
  drop(): void {
    this.#stable?.cancel();
    this.#stable = undefined;
    this.#begun?.reply.drop();
    this.#begun = undefined;
  }

  #begin(transcript: string): void {
    if (this.#count >= MAX_PREEMPTED_REPLIES || this.#options.owner.isClosing) return;
    const reply = this.#options.begin(transcript);
    if (reply === undefined) return;
    this.#count += 1;
    this.#begun = { reply, words: plain(transcript) };
  }
}
