import type { PlannedStep } from './close-plan.ts';
import { describeError } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * What one drain has asked to finish and still waits for.
 *
 * A drain may hang, and what hangs holds this object. So it knows its owner by one function only, which `cut` takes
 * away when the close begins: the owner can be collected all the same (clause C6).
 */
export class DrainWait {
  readonly #owner: string;
  readonly #log: Logger;
  #lookAgain: (() => void) | undefined;
  // By what was registered and not by resource: one that is owned anew is another matter, drained for itself.
  readonly #asked = new Set<PlannedStep>();
  readonly #pending = new Set<PlannedStep>();
  #hasMore = true;

  /** `lookAgain` is called whenever something that was waited for has ended. */
  constructor(owner: string, log: Logger, lookAgain: () => void) {
    this.#owner = owner;
    this.#log = log;
    this.#lookAgain = lookAgain;
  }

  /** Whether there is nothing left to wait for, among what was asked. */
  get isOver(): boolean {
    return this.#pending.size === 0;
  }

  /** Something was registered that has not been asked yet. */
  added(): void {
    this.#hasMore = true;
  }

  /**
   * Whether anything was added since this was last called. Ten thousand calls that end one by one must not cost a look
   * at all the others each.
   */
  takeMore(): boolean {
    const hadMore = this.#hasMore;
    this.#hasMore = false;
    return hadMore;
  }

  /** Asks a resource to finish, once. One that has no `drain` is not waited for. */
  ask(entry: PlannedStep): void {
    const { name, resource, step } = entry;
    if (step.drain === undefined || this.#asked.has(entry)) return;
    this.#asked.add(entry);
    this.#pending.add(entry);
    // An executor runs at once, and makes of a throw and of a foreign thenable what a promise of ours would do.
    const drained = new Promise((resolve) => resolve(step.drain?.(resource as never)));
    drained.then(
      () => this.#ended(entry),
      (error: unknown) => {
        // What the close has interrupted may well say so; that is no failure.
        if (this.#lookAgain !== undefined) {
          this.#log.warn('drain step failed', {
            owner: this.#owner,
            step: name,
            error: describeError(error),
          });
        }
        this.#ended(entry);
      },
    );
  }

  /** The resource ended by itself, whatever its drain may still be doing. */
  release(entry: PlannedStep): void {
    this.#asked.delete(entry);
    // Who releases may be about to own the successor, so nobody looks again before that is done.
    if (this.#pending.has(entry)) queueMicrotask(() => this.#ended(entry));
  }

  /** Stops waiting. What still drains is observed and ignored. */
  cut(): void {
    this.#lookAgain = undefined;
    this.#asked.clear();
    this.#pending.clear();
  }

  #ended(entry: PlannedStep): void {
    this.#pending.delete(entry);
    this.#lookAgain?.();
  }
}
