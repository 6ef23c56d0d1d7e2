import type { Lifetime } from '../../../kernel/index.ts';

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

  #arm(): void {
    if (this.#scope.isClosing) return;
    const leftMs = this.#touchedAtMs + this.#idleMs - this.#scope.clock.now();
    this.#scope.timer(this.#name, Math.max(0, leftMs), () => {
      if (this.#scope.clock.now() - this.#touchedAtMs >= this.#idleMs) this.#fire();
      else this.#arm();
    });
  }
}
