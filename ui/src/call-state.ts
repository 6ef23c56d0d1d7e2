import { CLOSE_CODES } from 'holdfast/client';
import type { ServerGoAway, WireFault } from 'holdfast/client';
import type { CallEnding } from './call-ending.ts';
import type { MicrophoneProblem } from './microphone-problem.ts';
import { REACHING, reduceLink } from './model-link.ts';
import type { ModelLink } from './model-link.ts';
import type { ClientEvent, PageAction } from './page-action.ts';

export type MicrophoneState =
  | { readonly tag: 'off'; readonly problem?: MicrophoneProblem }
  | { readonly tag: 'opening' }
  | { readonly tag: 'on' };

export interface LiveCallState {
  readonly tag: 'live';
  readonly agent: string;
  readonly microphone: MicrophoneState;
  /** How the server stands with its model. */
  readonly link: ModelLink;
  /** The connection to the server is lost, and this attempt is made to have it again. */
  readonly serverLost?: { readonly attempt: number };
  /** The server asked to be left. */
  readonly goAway?: { readonly atMs: number; readonly timeLeftMs: number };
  /** The last message that was refused, until the user has read it. */
  readonly refusal?: WireFault;
  /** What the end will be about, where it is announced. */
  readonly limit?: 'idle' | 'duration';
}

/** The one state of the page's call. */
export type CallState =
  | { readonly tag: 'idle' }
  | { readonly tag: 'connecting'; readonly microphone: MicrophoneState }
  | LiveCallState
  /** `last` is what is still known of the call while it ends. */
  | { readonly tag: 'ending'; readonly last?: LiveCallState }
  | { readonly tag: 'ended'; readonly ending: CallEnding };

export const IDLE: CallState = { tag: 'idle' };

const MICROPHONE_OFF: MicrophoneState = { tag: 'off' };

/** What a call becomes by what happens. An action that does not fit the state changes nothing. */
export function reduceCall(state: CallState, action: PageAction): CallState {
  switch (action.type) {
    case 'callBegan':
      if (state.tag !== 'idle' && state.tag !== 'ended') return state;
      return {
        tag: 'connecting',
        microphone: action.withMicrophone ? { tag: 'opening' } : MICROPHONE_OFF,
      };
    case 'microphoneOpening':
      return withMicrophone(state, { tag: 'opening' });
    case 'microphoneOpened':
      return withMicrophone(state, { tag: 'on' });
    case 'microphoneClosed':
      return withMicrophone(
        state,
        action.problem === undefined ? MICROPHONE_OFF : { tag: 'off', problem: action.problem },
      );
    case 'hello':
      if (state.tag !== 'connecting') return state;
      return { tag: 'live', agent: action.hello.agent, microphone: state.microphone, link: REACHING };
    case 'event':
      return state.tag === 'live' ? reduceEvent(state, action.event, action.atMs) : state;
    case 'serverLost':
      return state.tag === 'live' ? { ...state, serverLost: { attempt: action.attempt } } : state;
    case 'serverBack':
      return state.tag === 'live' ? withServer(state) : state;
    case 'goAway':
      return state.tag === 'live' ? withGoAway(state, action.goAway, action.atMs) : state;
    case 'refused':
      return state.tag === 'live' ? { ...state, refusal: action.fault } : state;
    case 'refusalRead':
      return state.tag === 'live' ? withoutRefusal(state) : state;
    case 'callEnding':
      if (state.tag === 'live') return { tag: 'ending', last: state };
      return state.tag === 'connecting' ? { tag: 'ending' } : state;
    case 'callEnded':
      return { tag: 'ended', ending: fullEnding(action.ending, lastOf(state)) };
    default:
      return state;
  }
}

function withMicrophone(state: CallState, microphone: MicrophoneState): CallState {
  return state.tag === 'connecting' || state.tag === 'live' ? { ...state, microphone } : state;
}

function reduceEvent(state: LiveCallState, event: ClientEvent, atMs: number): LiveCallState {
  if (event.type === 'limit') return { ...state, limit: event.limit };
  const link = reduceLink(state.link, event, atMs);
  return link === state.link ? state : { ...state, link };
}

function withGoAway(state: LiveCallState, { timeLeftMs }: ServerGoAway, atMs: number): LiveCallState {
  return { ...state, goAway: { atMs, timeLeftMs } };
}

/** What the one before had asked for, this one will say again. */
function withServer({ serverLost: _lost, goAway: _goAway, ...state }: LiveCallState): LiveCallState {
  return state;
}

function withoutRefusal({ refusal: _refusal, ...state }: LiveCallState): LiveCallState {
  return state;
}

function lastOf(state: CallState): LiveCallState | undefined {
  if (state.tag === 'live') return state;
  return state.tag === 'ending' ? state.last : undefined;
}

/** A close reason has room for little: what was announced before it tells more. */
function fullEnding(ending: CallEnding, last: LiveCallState | undefined): CallEnding {
  if (ending.kind !== 'closed' || last === undefined) return ending;
  const { refusal, limit } = last;
  if (ending.code === CLOSE_CODES.failed.code && refusal !== undefined) {
    const isTheSame = ending.reason.startsWith(`${refusal.code}:`);
    return isTheSame ? { ...ending, reason: `${refusal.code}: ${refusal.message}` } : ending;
  }
  if (ending.code === CLOSE_CODES.limit.code && limit !== undefined) {
    return { ...ending, reason: limit === 'idle' ? 'nothing was said for long' : 'how long a call may last' };
  }
  return ending;
}
