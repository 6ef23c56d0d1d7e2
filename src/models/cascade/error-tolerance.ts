import { InvalidOptionError } from '../../kernel/index.ts';

/** What of a cascade can fail and be asked again. */
export type CascadePart = 'stt' | 'llm' | 'tts';

/** For each part, how many of its failures in a row the call survives. Whole numbers; `Infinity`: any number. */
export type ErrorTolerance = Readonly<Partial<Record<CascadePart, number>>>;

/**
 * How many failures of one part in a row a call survives: the third ends it. Somebody who was not heard, or heard nothing,
 * twice says it once more; after the third time they hang up, and a call that goes on is paid for and helps nobody.
 */
export const DEFAULT_ERROR_TOLERANCE: Readonly<Record<CascadePart, number>> = { stt: 2, llm: 2, tts: 2 };

/** @throws InvalidOptionError that names what is wrong. */
export function resolveErrorTolerance(given: ErrorTolerance = {}): Readonly<Record<CascadePart, number>> {
  for (const [part, count] of Object.entries(given)) {
    const isPart = part in DEFAULT_ERROR_TOLERANCE;
    if (isPart && (count === Infinity || (Number.isInteger(count) && count >= 0))) continue;
    throw new InvalidOptionError(
      `errorTolerance takes stt, llm and tts, each a whole number from 0, or Infinity; it was given ${part}: ${count}.`,
    );
  }
  return { ...DEFAULT_ERROR_TOLERANCE, ...given };
}

/** Counts the failures of each part since it worked last. */
export class PartFailures {
  #tolerance: Readonly<Record<CascadePart, number>>;
  readonly #counts: Record<CascadePart, number> = { stt: 0, llm: 0, tts: 0 };

  constructor(tolerance: Readonly<Record<CascadePart, number>>) {
    this.#tolerance = tolerance;
  }

  /** Another agent's parts have the conversation. */
  tolerate(tolerance: Readonly<Record<CascadePart, number>>): void {
    this.#tolerance = tolerance;
  }

  worked(part: CascadePart): void {
    this.#counts[part] = 0;
  }

  /** Returns whether that was one too many. */
  failed(part: CascadePart): boolean {
    this.#counts[part] += 1;
    return this.#counts[part] > this.#tolerance[part];
  }
}
