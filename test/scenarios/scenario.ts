import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import type { Ending, Stage } from './stage.ts';

/**
 * What a loaded machine may take on top of a bound of the product. The bounds themselves are proven to the millisecond
 * in virtual time; here they are seen to hold on real sockets.
 */
export const MARGIN_MS = 2_000;

/** What must be true when a scenario is over. Upstream sockets, held resources and unhandled rejections must be none. */
export interface Expected {
  /** How the loop ended: `returned`, or `threw` and the code of the error (its name, where it has none). */
  readonly outcome: 'returned' | `threw ${string}`;
  /** The reason in the close report; undefined where there is no session to have one. */
  readonly reason?: string;
  /** How often the provider was dialled. Default 1. */
  readonly dials?: number;
  /** How many requests the report says were never sent. Default 0. */
  readonly unsent?: number;
  /** The product's own bound for this end, from when it was asked for; judged with `MARGIN_MS` on top. */
  readonly boundMs: number;
}

/** One way a session can end, over real sockets. */
export interface Scenario {
  /** The clause it shows. */
  readonly clause: string;
  /** What is done, in words. */
  readonly name: string;
  /** What must be true besides `expected`, in words; checked by `play`. */
  readonly also?: string;
  /** What the provider is like. */
  readonly provider?: GeminiEmulatorOptions;
  readonly expected: Expected;
  /** Does it. Throws where what `also` says does not hold. */
  play(stage: Stage): Promise<Ending>;
}

/** How a scenario went. */
export interface ScenarioResult {
  readonly clause: string;
  readonly name: string;
  readonly also: string;
  readonly ok: boolean;
  readonly outcome: string;
  readonly reason: string;
  readonly durationMs: number;
  readonly boundMs: number;
  readonly dials: number;
  readonly sockets: number;
  readonly unsent: number;
  readonly unhandled: number;
  /** What is wrong, in sentences. */
  readonly problems: readonly string[];
}
