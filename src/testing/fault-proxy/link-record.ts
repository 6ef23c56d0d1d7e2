import type { LinkSide } from './link-fault.ts';

/**
 * How one side of a connection stands. `dialling`: the target has not answered yet; `ended`: it has said that it sends
 * no more (a FIN); `gone`: the proxy has no socket to it.
 */
export type LinkSideState = 'dialling' | 'open' | 'ended' | 'gone';

/** What became of the bytes in one direction. */
export interface LinkBytes {
  readonly passed: number;
  /** Come, and not passed on yet. */
  readonly held: number;
  /** Come, and never passed on. */
  readonly swallowed: number;
}

/** What a proxy saw of one connection. */
export class LinkRecord {
  /** Counted from 1, in the order of dialling. */
  readonly number: number;
  readonly #changed: () => void;
  readonly #sides: Record<LinkSide, LinkSideState> = { client: 'open', target: 'dialling' };
  readonly #bytes: Record<LinkSide, LinkBytes> = {
    client: { passed: 0, held: 0, swallowed: 0 },
    target: { passed: 0, held: 0, swallowed: 0 },
  };

  constructor(number: number, changed: () => void) {
    this.number = number;
    this.#changed = changed;
  }

  get client(): LinkSideState {
    return this.#sides.client;
  }

  get target(): LinkSideState {
    return this.#sides.target;
  }

  /** Both sides are there, and neither has said that it ends. */
  get isOpen(): boolean {
    return this.client === 'open' && this.target === 'open';
  }

  /** Bytes from the target to the client. */
  get toClient(): LinkBytes {
    return this.#bytes.client;
  }

  /** Bytes from the client to the target. */
  get toTarget(): LinkBytes {
    return this.#bytes.target;
  }

  sideIs(side: LinkSide, state: LinkSideState): void {
    this.#sides[side] = state;
    this.#changed();
  }

  counted(towards: LinkSide, bytes: LinkBytes): void {
    this.#bytes[towards] = bytes;
    this.#changed();
  }
}
