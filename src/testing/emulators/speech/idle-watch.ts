import type { Lifetime } from '../../../kernel/index.ts';

/** Shorter than any timer. */
const LEAST_MS = 1;

/** Notices when nothing has come for a while. Each frame only notes its time: one timer looks now and then. */
export class IdleWatch {
  readonly #scope: Lifetime;
  readonly #name: string;
  readonly #idleMs: number;
  readonly #fire: () => void;
  #touchedAtMs: number;

  constructor(scope: Lifetime, name: string, idleMs: number, fire: () => void) {
    this.#scope = scope;
    this.#name = name;
    this.#idleMs = idleMs;
    this.#fire = fire;
    this.#touchedAtMs = scope.clock.now();
    this.#arm();
  }

  /** Something came. */
  touch(): void {
    this.#touchedAtMs = this.#scope.clock.now();
  }

  get #leftMs(): number {
    return this.#touchedAtMs + this.#idleMs - this.#scope.clock.now();
  }

  #arm(): void {
    if (this.#scope.isClosing) return;
    this.#scope.timer(this.#name, Math.max(0, this.#leftMs), () => {
      // Times that were scaled are no whole numbers, and their sums not exact: less than this is nothing.
      if (this.#leftMs < LEAST_MS) this.#fire();
      else this.#arm();
    });
  }
}
