import type { LogFields, Logger } from '../../src/kernel/index.ts';

/** Why owners closed, from the log: the one place where a server's operator reads it. */
export class ReasonLog {
  readonly log: Logger;
  readonly #closed: { readonly owner: string; readonly reason: string }[] = [];

  constructor() {
    const note = (message: string, fields: LogFields = {}): void => {
      if (message === 'closed')
        this.#closed.push({ owner: String(fields['owner']), reason: String(fields['reason']) });
    };
    const nothing = (): void => undefined;
    this.log = { debug: note, info: note, warn: nothing, error: nothing };
  }

  /** The reason the first live session ended with. */
  get session(): string | undefined {
    return this.#of(/\/session [^/]+$/);
  }

  /** The reason the first call of a client ended with. */
  get call(): string | undefined {
    return this.#of(/\/live call$/);
  }

  #of(path: RegExp): string | undefined {
    return this.#closed.find(({ owner }) => path.test(owner))?.reason;
  }
}
