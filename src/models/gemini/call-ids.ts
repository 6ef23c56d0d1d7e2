import type { FunctionCall } from '../../protocol/index.ts';

/** How the ids begin that are made up here. */
const MADE_UP = 'holdfast-call-';

/**
 * Vertex may send calls without an id. Each is given one of its own, because a session tells calls apart by it: two
 * without would be one that is repeated, and the second would be answered with the result of the first.
 */
export class CallIds {
  readonly #prefix: string;
  #made = 0;

  /** `madeAtMs`: the wall time of the connection, by which its ids differ from those of the ones before it. */
  constructor(madeAtMs: number) {
    this.#prefix = `${MADE_UP}${Math.round(madeAtMs).toString(36)}-`;
  }

  named(calls: readonly FunctionCall[]): readonly FunctionCall[] {
    return calls.map((call) => {
      if (call.id !== '') return call;
      this.#made += 1;
      return { ...call, id: `${this.#prefix}${this.#made}` };
    });
  }
}

/** The id as the provider knows it: none where none came. */
export function idOnWire(id: string): string | undefined {
  return id === '' || id.startsWith(MADE_UP) ? undefined : id;
}
