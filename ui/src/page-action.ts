import type { ClientReturn, LiveEvent, ServerGoAway, ServerHello, WireFault } from 'holdfast/client';
import type { CallEnding } from './call-ending.ts';
import type { MicrophoneProblem } from './microphone-problem.ts';

/** A live event as it comes to a client: audio comes by itself. */
export type ClientEvent = Exclude<LiveEvent, { readonly type: 'audio' }>;

/** Everything that can happen to the page. `atMs` is milliseconds since the Unix epoch and never goes backwards. */
export type PageAction =
  | { readonly type: 'appsListed'; readonly names: readonly string[] }
  | { readonly type: 'appsFailed'; readonly message: string }
  /** The server asks for a token, or has not taken the one it was given. */
  | { readonly type: 'appsLocked'; readonly isRefused: boolean }
  | { readonly type: 'appChosen'; readonly name: string }
  | CallAction;

/** What happens in a call. */
export type CallAction =
  | { readonly type: 'callBegan'; readonly atMs: number; readonly withMicrophone: boolean }
  | { readonly type: 'microphoneOpening' }
  | { readonly type: 'microphoneOpened' }
  | { readonly type: 'microphoneClosed'; readonly problem?: MicrophoneProblem }
  | { readonly type: 'hello'; readonly atMs: number; readonly hello: ServerHello }
  | { readonly type: 'event'; readonly atMs: number; readonly event: ClientEvent }
  | { readonly type: 'audioSent'; readonly atMs: number; readonly durationMs: number; readonly level: number }
  | {
      readonly type: 'audioReceived';
      readonly atMs: number;
      readonly durationMs: number;
      readonly endSamples: number;
    }
  /** So much of the agent's audio has been heard. */
  | { readonly type: 'playedTo'; readonly positionSamples: number }
  | { readonly type: 'typed'; readonly atMs: number; readonly text: string }
  /** The connection to the server is lost; it is dialled again after `delayMs`. */
  | {
      readonly type: 'serverLost';
      readonly atMs: number;
      readonly attempt: number;
      readonly delayMs: number;
    }
  | { readonly type: 'serverBack'; readonly atMs: number; readonly back: ClientReturn }
  | { readonly type: 'goAway'; readonly atMs: number; readonly goAway: ServerGoAway }
  /** Audio will not come, because this page did not read in time what came before it. */
  | { readonly type: 'audioDropped'; readonly atMs: number; readonly durationMs: number }
  | { readonly type: 'refused'; readonly atMs: number; readonly fault: WireFault }
  | { readonly type: 'refusalRead' }
  | { readonly type: 'callEnding' }
  | { readonly type: 'callEnded'; readonly atMs: number; readonly ending: CallEnding };
