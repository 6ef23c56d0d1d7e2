/** The two kinds of calls, a live session and a text turn, from their acceptance to the last thing that is done about them. */
export { isHeldInDrain, isResumable } from './held-session.ts';
export { LiveCall } from './live-call.ts';
export type { LiveCallOptions } from './live-call.ts';
export { StateBound } from './state-bound.ts';
export { TextTurn } from './text-turn.ts';
