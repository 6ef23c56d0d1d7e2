import type { Lifetime, Timer } from '../kernel/index.ts';

/** How long a server may say nothing before it is asked whether it is there. */
export const PULSE_MS = 5_000;

/**
 * How long it may take to answer. A mobile network that changes cells stands still for some seconds; a minute, as servers
 * wait, is too long for somebody who listens.
 */
export const PULSE_TIMEOUT_MS = 10_000;

/**
 * Notices that the server is gone when nothing else does: a network that has changed under a socket tells it nothing.
 * It ends with its scope. A page in the background has late timers, so an answer counts by when it was asked for.
 */
export class ServerPulse {
  readonly #scope: Lifetime;
  readonly #ask: () => void;
  readonly #dead: () => void;
  #heardAtMs: number;
  #askedAtMs: number | undefined;
  #timer: Timer | undefined;

  constructor(scope: Lifetime, ask: () => void, dead: () => void) {
    this.#scope = scope;
    this.#ask = ask;
    this.#dead = dead;
    this.#heardAtMs = scope.clock.now();
    this.#arm();
  }

  /** Something came. */
  heard(): void {
    this.#heardAtMs = this.#scope.clock.now();
    this.#askedAtMs = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#scope.timer('pulse', PULSE_MS, () => this.#look());
  }

  #look(): void {
    const nowMs = this.#scope.clock.now();
    if (this.#askedAtMs !== undefined && nowMs - this.#askedAtMs >= PULSE_TIMEOUT_MS) {
      this.#dead();
      return;
    }
    if (this.#askedAtMs === undefined && nowMs - this.#heardAtMs >= PULSE_MS) {
      this.#askedAtMs = nowMs;
      this.#ask();
    }
    this.#arm();
  }
}
