import { timingSafeEqual } from 'node:crypto';
import { randomId } from '../../kernel/index.ts';
import type { Random } from '../../kernel/index.ts';
import { secretDigest } from '../auth/index.ts';

/**
 * The secrets with which the client of one live session comes back to it (clause H4).
 *
 * Each is good for one return: that one gives out the next. The one before stays good until the client has shown that it
 * got the next, for the answer that told it may have been lost on the way.
 */
export class ResumeTokens {
  readonly #random: Random;
  #current: string;
  #previous: string | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#current = randomId(random);
  }

  /** What the client is to come back with. */
  get current(): string {
    return this.#current;
  }

  /** Takes as long for every token, so that nothing can be learnt of the right one by trying. */
  accepts(token: string): boolean {
    const isCurrent = isSame(token, this.#current);
    const isPrevious = isSame(token, this.#previous ?? this.#current);
    return isCurrent || isPrevious;
  }

  /** The client came back with `used`: the next one is made. */
  rotate(used: string): void {
    this.#previous = used;
    this.#current = randomId(this.#random);
  }

  /** The client has the current one. */
  confirmed(): void {
    this.#previous = undefined;
  }
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(secretDigest(one), secretDigest(other));
}
