import type { FunctionCall } from '../../../../protocol/index.ts';
import type { Utterance } from '../../../../speech/index.ts';

/** What the user said or wrote, as far as the emulator can tell: it counts speech and does not understand it. */
export type UserTurn =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'speech';
      /** Undefined: a turn was opened and shut, and nothing was said in it. */
      readonly utterance: Utterance | undefined;
      /** True for a part of a turn that is longer than an ear can hold; the rest follows. */
      readonly goesOn: boolean;
    };

/** A function to call; who plays the answer gives the call its id. */
export type WantedCall = Pick<FunctionCall, 'name' | 'args'>;

/** One thing an answer does. */
export type AnswerStep =
  /** Says a text: written, or as a hum with a transcript. Where it is a function it is given the last call's output. */
  | { readonly do: 'say'; readonly text: string | ((output: string) => string) }
  /** Says what was heard, as it was heard. */
  | { readonly do: 'echo'; readonly utterance: Utterance }
  /** Calls functions, and waits for their results. */
  | { readonly do: 'call'; readonly calls: readonly WantedCall[] }
  /** Thinks for a while. */
  | { readonly do: 'wait'; readonly ms: number };

export interface Reply {
  /** In order. None: the model stays silent, and there is no turn. */
  readonly steps: readonly AnswerStep[];
  /** What a spoken turn is claimed to have been. Default: how much speech it was. */
  readonly transcript?: string | undefined;
  /** Where the brain stands now. Default: where it stood. */
  readonly place?: number;
}

/** What a brain may look at, beside the turn itself. */
export interface BrainView {
  /** Names of the functions the client declared. */
  readonly functions: ReadonlySet<string>;
  /** Where it stands, 0 at the beginning. It is remembered with the context: a resumption handle brings it back. */
  readonly place: number;
}

/**
 * What decides how a turn is answered. It has no memory and does nothing by itself: the conversation asks it once a
 * turn, and plays what it says.
 */
export interface Brain {
  reply(turn: UserTurn, view: BrainView): Reply;
}

/** No answer at all. */
export const SILENCE: Reply = { steps: [] };

/** How much speech there was: all that can honestly be said of it. */
export function describeSpeech({ speechMs }: Utterance): string {
  return `${(speechMs / 1000).toFixed(1)} s of speech`;
}
