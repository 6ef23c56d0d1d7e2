import { LimitReachedError } from '../errors.ts';
import type { ServerContext } from '../server-context.ts';

type State = Readonly<Record<string, unknown>>;

/**
 * What clients may make of the state of one session, while they change it. Nobody else bounds it: each change adds fields, and each
 * is as large as a request or a message may be. What the tools of an agent put there is their own affair, and counted once.
 */
export class StateBound {
  readonly #maxBytes: number;
  readonly #full: () => void;
  /** How large each field is, so that a change costs what it says and not what is there. */
  readonly #fields = new Map<string, number>();
  #bytes = 0;

  constructor({ limits, refusals }: Pick<ServerContext, 'limits' | 'refusals'>, state: State) {
    this.#maxBytes = limits.maxStateBytes;
    this.#full = () => refusals.note('state_bytes');
    for (const [name, value] of Object.entries(state)) this.#has(name, sizeOf(name, value));
  }

  /** Counts a change. @throws LimitReachedError, and counts nothing, when the state would be too large with it. */
  take(delta: State): void {
    const sizes = Object.entries(delta).map(([name, value]) => [name, sizeOf(name, value)] as const);
    const more = sizes.reduce((sum, [name, size]) => sum + size - (this.#fields.get(name) ?? 0), 0);
    if (more > 0 && this.#bytes + more > this.#maxBytes) {
      this.#full();
      throw new LimitReachedError(
        `The state of a session is up to ${this.#maxBytes} bytes of JSON, and would be more. Set fields to null that are not needed.`,
      );
    }
    for (const [name, size] of sizes) this.#has(name, size);
  }

  #has(name: string, size: number): void {
    this.#bytes += size - (this.#fields.get(name) ?? 0);
    this.#fields.set(name, size);
  }
}

/** Of what is no JSON, which only a tool can have put there, the name alone counts. */
function sizeOf(name: string, value: unknown): number {
  return Buffer.byteLength(name) + Buffer.byteLength(jsonOf(value));
}

function jsonOf(value: unknown): string {
  try {
    const json: unknown = JSON.stringify(value);
    return typeof json === 'string' ? json : '';
  } catch {
    return '';
  }
}
