import { ClosedError, withoutFrames } from './errors.ts';

/** Of whose close it is told. */
interface Closing {
  /** The owner's path. */
  readonly owner: string;
  readonly reason: string;
}

/**
 * Tells one step to give up. Its signal is made when somebody first asks for it: most steps never do, and of ten
 * thousand that hang at a deadline the signals and their errors would cost more time than all the rest.
 */
export class GiveUp {
  readonly #closing: Closing;
  readonly #step: string;
  #isTold = false;
  #controller: AbortController | undefined;

  constructor(closing: Closing, step: string) {
    this.#closing = closing;
    this.#step = step;
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isTold) this.#controller.abort(this.#error());
    }
    return this.#controller.signal;
  }

  tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#controller?.abort(this.#error());
  }

  #error(): ClosedError {
    const { owner, reason } = this.#closing;
    return withoutFrames(
      new ClosedError(`'${owner}' closes (${reason}) and waits no longer for '${this.#step}'.`),
    );
  }
}
