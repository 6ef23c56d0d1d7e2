import type { Clock } from '../kernel/index.ts';
import type { ModelOutput } from './live-model.ts';

/** What an answer is made of, besides words and calls. */
const OF_A_TURN: ReadonlySet<ModelOutput['type']> = new Set<ModelOutput['type']>([
  'audio',
  'text',
  'content',
  'generationComplete',
  'interrupted',
  'paused',
  'resumed',
]);

/** A turn of the model that was stopped from this side, as long as it may go on: what comes of it reaches nobody. */
export class UnwantedTurn {
  readonly #clock: Clock;
  /** Undefined while every turn is wanted; `Infinity` once it has begun. */
  #beginsBeforeMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there is one. */
  get isAhead(): boolean {
    if (this.#beginsBeforeMs !== undefined && this.#clock.now() >= this.#beginsBeforeMs) this.over();
    return this.#beginsBeforeMs !== undefined;
  }

  /** It is under way. */
  underWay(): void {
    this.#beginsBeforeMs = Infinity;
  }

  /** It has not begun; one that begins after `withinMs` is another one, and wanted. */
  beginsWithin(withinMs: number): void {
    this.#beginsBeforeMs = this.#clock.now() + withinMs;
  }

  /** What comes next is wanted. */
  over(): void {
    this.#beginsBeforeMs = undefined;
  }

  /** Whether the message belongs to it: then it has begun. */
  takes(message: ModelOutput): boolean {
    if (!this.isAhead) return false;
    // Where the words are that were written down already is wanted.
    const isOfAnother = message.type === 'transcript' && (message.speaker === 'user' || message.text === '');
    if (isOfAnother || (message.type !== 'transcript' && !OF_A_TURN.has(message.type))) return false;
    this.underWay();
    return true;
  }
}
