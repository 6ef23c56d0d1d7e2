import type { ClosePlan, CloseReport, CloseVerb } from './close-plan.ts';
import type { DrainWait } from './drain-wait.ts';

/** Why an owner is ending. `error` is set when the end was not intended. */
export interface Ending {
  readonly reason: string;
  readonly error?: unknown;
}

/** The one state of an owner. It only ever moves downwards in this list. */
export type LifetimeState =
  | { readonly tag: 'open' }
  | { readonly tag: 'draining'; readonly ending: Ending }
  | { readonly tag: 'closing'; readonly ending: Ending; readonly verb: CloseVerb }
  | { readonly tag: 'closed'; readonly report: CloseReport };

/** The state with what only that state needs. `plan` is undefined while the state is being flipped. */
export type InnerState =
  | Extract<LifetimeState, { tag: 'open' | 'closed' }>
  | { readonly tag: 'draining'; readonly ending: Ending; readonly wait: DrainWait }
  | {
      readonly tag: 'closing';
      readonly ending: Ending;
      verb: CloseVerb;
      readonly sinceMs: number;
      /** Kept, because a callback of this owner can make its parent end, and let go of it, first. */
      readonly path: string;
      plan: ClosePlan | undefined;
    };

export const OPEN: InnerState = { tag: 'open' };

/** Why an owner in this state is ending, or has ended. */
export function endingOf(state: LifetimeState): Ending {
  if (state.tag === 'open') return { reason: 'open' };
  return state.tag === 'closed' ? state.report : state.ending;
}
