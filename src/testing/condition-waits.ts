import { ClosedError, TimeoutError } from '../kernel/index.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';

/** How long `waitFor` waits where nothing else is said: everything a test server does by itself is faster. */
export const DEFAULT_WAIT_MS = 5_000;

interface Wait {
  readonly check: () => boolean;
  readonly settle: (error?: unknown) => void;
  timer: Timer | undefined;
}

/** Waits for conditions, which are looked at whenever something changed and never by a clock. */
export class ConditionWaits {
  readonly #scope: Lifetime;
  readonly #waits = new Set<Wait>();

  constructor(scope: Lifetime) {
    this.#scope = scope;
  }

  /** Something changed. */
  check(): void {
    for (const wait of this.#waits) this.#look(wait);
  }

  /**
   * Resolves when `condition` holds, at once if it does already.
   * @throws TimeoutError when it does not within `timeoutMs`; `describe` says in it how things stand.
   * @throws ClosedError when the scope closes first.
   */
  until(condition: () => boolean, timeoutMs: number, describe: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait: Wait = {
        check: condition,
        settle: (error) => {
          this.#waits.delete(wait);
          wait.timer?.cancel();
          this.#scope.release(wait);
          if (error === undefined) resolve();
          else reject(error);
        },
        timer: undefined,
      };
      this.#scope.own('wait', wait, {
        stop: (held) => held.settle(new ClosedError(`'${this.#scope.name}' closed first: ${describe()}.`)),
      });
      this.#waits.add(wait);
      this.#look(wait);
      if (!this.#waits.has(wait)) return;
      wait.timer = this.#scope.timer('wait timeout', timeoutMs, () =>
        wait.settle(
          new TimeoutError(`What was waited for did not come within ${timeoutMs} ms: ${describe()}.`),
        ),
      );
    });
  }

  #look(wait: Wait): void {
    try {
      if (wait.check()) wait.settle();
    } catch (error) {
      wait.settle(error);
    }
  }
}
