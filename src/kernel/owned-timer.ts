import type { ClosingStep } from './close-plan.ts';
import type { Clock, Timer } from './clock.ts';

/** What a timer needs of its owner. */
interface TimerOwner {
  readonly clock: Clock;
  release(resource: object): void;
}

/** A timer that its owner knows of for exactly as long as it can still fire. */
export class OwnedTimer implements Timer {
  #owner: TimerOwner | undefined;
  readonly #timer: Timer;

  constructor(owner: TimerOwner, delayMs: number, fire: () => void) {
    this.#owner = owner;
    this.#timer = owner.clock.setTimer(delayMs, () => {
      this.#forget();
      fire();
    });
  }

  cancel(): void {
    this.#timer.cancel();
    this.#forget();
  }

  #forget(): void {
    this.#owner?.release(this);
    this.#owner = undefined;
  }
}

/** How an owner lets go of a timer: it is only stopped. One object for all of them. */
export const OWNED_TIMER_STEP: ClosingStep<Timer> = { stop: (timer) => timer.cancel() };
