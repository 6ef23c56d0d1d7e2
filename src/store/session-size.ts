import type { StoredSession } from '../session/index.ts';

/**
 * How much memory a session takes, by and large: the length of what it is as JSON. It is kept from change to change, so that one
 * costs what is new in it.
 */
export class SessionSize {
  #state = 0;
  #history: number[] = [];
  #said = 0;

  constructor(session: Pick<StoredSession, 'state' | 'history'>) {
    this.measure(session);
  }

  get bytes(): number {
    return SESSION_BYTES + this.#state + this.#said;
  }

  /** All of it anew. */
  measure({ state, history }: Pick<StoredSession, 'state' | 'history'>): void {
    this.stateIs(state);
    this.historyIs(0, history);
  }

  stateIs(state: StoredSession['state']): void {
    this.#state = lengthOf(state);
  }

  /** From this place on it is these. */
  historyIs(from: number, contents: readonly unknown[]): void {
    const sizes = contents.map(lengthOf);
    const before = this.#history.splice(from, Infinity, ...sizes);
    this.#said += sum(sizes) - sum(before);
  }
}

/** What one takes that has nothing in it. */
const SESSION_BYTES = 512;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** What is no JSON, as tools may make a state, is not measured. */
function lengthOf(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    return 0;
  }
}
