import type { Clock } from '../kernel/index.ts';
import type { Resumption } from './resumption.ts';

/** How long after a turn a swap waits for the handle that knows it; a provider sends it in the same breath. */
export const HANDLE_GRACE_MS = 2_000;

/** How long a swap that has time waits for a microphone to be quiet. */
export const NOISE_GRACE_MS = 5_000;

export interface SwapMomentOptions {
  readonly clock: Clock;
  readonly resumption: Resumption;
  /** Whether nobody is speaking and nothing is owed. */
  isAtBoundary(): boolean;
  /** Whether the user's microphone is quiet, as far as that can be heard. */
  isQuiet(): boolean;
}

/**
 * Finds a good moment to replace a connection (clause R7): nobody is in the middle of anything, and the handle knows it
 * all. That handle comes right after a turn, or not at all; a microphone that is never quiet stands in a noisy room.
 */
export class SwapMoment {
  readonly #options: SwapMomentOptions;
  /** Since when nothing but the handle and the microphone has spoken against it. */
  #idleSinceMs: number | undefined;

  constructor(options: SwapMomentOptions) {
    this.#options = options;
  }

  /** Whether now is one. Asked again and again while a swap is wanted. */
  get isNow(): boolean {
    const { clock, resumption, isAtBoundary, isQuiet } = this.#options;
    if (!isAtBoundary() || resumption.isHeldBack) {
      this.#idleSinceMs = undefined;
      return false;
    }
    const nowMs = clock.now();
    this.#idleSinceMs ??= nowMs;
    const idleMs = nowMs - this.#idleSinceMs;
    const isKnown = resumption.isCurrent || idleMs >= HANDLE_GRACE_MS;
    return isKnown && (isQuiet() || idleMs >= NOISE_GRACE_MS);
  }

  /** The connection is replaced. */
  passed(): void {
    this.#idleSinceMs = undefined;
  }
}
