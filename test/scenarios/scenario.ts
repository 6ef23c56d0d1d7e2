import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import type { Ending, Stage } from './stage.ts';

/**
 * What a loaded machine may take on top of a bound of the product. The bounds themselves are proven to the millisecond
 * in virtual time; here they are seen to hold on real sockets.
 */
export const MARGIN_MS = 2_000;

/** The same in virtual time, which is moved in steps. */
export const VIRTUAL_MARGIN_MS = 300;

/**
 * What must be true when a scenario is over. In every one there are no upstream sockets, held resources and unhandled
 * rejections left; the model knows what the user said, once and in order; and no more came to it again than was told.
 */
export interface Expected {
  /** How the loop ended: `returned`, or `threw` and the code of the error (its name, where it has none). */
  readonly outcome: 'returned' | `threw ${string}`;
  /** The reason in the close report; undefined where there is no session to have one. */
  readonly reason?: string;
  /** How often the provider was dialled, whether or not anybody listened: exactly, or from … to. Default 1. */
  readonly dials?: number | readonly [least: number, most: number];
  /** How many turns of history the provider was given, over all connections. Default 0. */
  readonly history?: number;
  /** How much of what the user said the model need not know, because nothing can tell it any more. Default 0. */
  readonly lost?: number;
  /** How many requests the report says were never sent. Default 0. */
  readonly unsent?: number;
  /** How many milliseconds of speech came to the provider again; `told`: no more than the events say. Default 0. */
  readonly againMs?: number | 'told';
  /** The product's own bound for this end, from when it was asked for; judged with a margin on top. */
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
  /**
   * `virtual`: the session and the provider live on a clock that is moved as fast as the sockets are quiet, and two
   * hours more once it is over, in which nothing may be dialled. Default `real`.
   */
  readonly time?: 'real' | 'virtual';
  readonly expected: Expected;
  /** Does it. Throws where what `also` says does not hold. */
  play(stage: Stage): Promise<Ending>;
}

/** Scenarios that show one side of it. */
export interface ScenarioGroup {
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

/** How a scenario went. */
export interface ScenarioResult {
  readonly clause: string;
  readonly name: string;
  readonly also: string;
  readonly time: 'real' | 'virtual';
  readonly ok: boolean;
  readonly outcome: string;
  readonly reason: string;
  readonly durationMs: number;
  readonly boundMs: number;
  readonly dials: number;
  /** When each dial was made, in milliseconds after the first one. */
  readonly dialsAtMs: readonly number[];
  /** Turns the provider was given as history. */
  readonly history: number;
  /** What the user said and the model does not know at the end. */
  readonly lost: number;
  /** What the user said once and the model knows twice. */
  readonly doubled: number;
  /** Speech the provider received more than once, whether or not it had forgotten the first time. */
  readonly againMs: number;
  readonly sockets: number;
  readonly unsent: number;
  readonly unhandled: number;
  /** What is wrong, in sentences. */
  readonly problems: readonly string[];
}
