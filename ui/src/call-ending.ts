import { CLOSE_CODES, asksToReconnect } from 'holdfast/client';
import { explainMicrophoneProblem } from './microphone-problem.ts';
import type { MicrophoneProblem } from './microphone-problem.ts';

/** How a call ended. */
export type CallEnding =
  /** The user ended it. */
  | { readonly kind: 'hungUp' }
  /** The connection was closed, by the server or by the network. */
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  /** It never began, or something in this page failed. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'noMicrophone'; readonly problem: MicrophoneProblem };

export interface EndingWords {
  readonly text: string;
  /** Whether something went wrong that the user did not want. */
  readonly isProblem: boolean;
}

/** The connection went without a goodbye (RFC 6455 7.4.1). */
const ABNORMAL_CLOSURE = 1006;

/** What the user is told about the end of a call. */
export function describeEnding(ending: CallEnding): EndingWords {
  switch (ending.kind) {
    case 'hungUp':
      return calm('You ended the call.');
    case 'closed':
      return describeClose(ending.code, ending.reason);
    case 'failed':
      return problem(`The call could not be made. ${ending.message}`);
    case 'noMicrophone':
      return problem(explainMicrophoneProblem(ending.problem));
  }
}

function describeClose(code: number, reason: string): EndingWords {
  if (asksToReconnect(code))
    return calm('The server was shut down, and ended the call. Call again when it is back.');
  switch (code) {
    case 1000:
    case CLOSE_CODES.ended.code:
      return calm('The call ended.');
    case CLOSE_CODES.replaced.code:
      return calm('Another window took this call over.');
    case CLOSE_CODES.limit.code:
      return calm(`The call reached a limit of the server (${reason}).`);
    case CLOSE_CODES.closedByOperator.code:
      return calm(
        reason === CLOSE_CODES.closedByOperator.reason
          ? 'An operator of the server ended the call.'
          : `An operator of the server ended the call: ${reason}`,
      );
    case CLOSE_CODES.failed.code:
      return problem(`The call failed: ${reason}`);
    case CLOSE_CODES.notFound.code:
      return problem(`The server does not know this app or session (${reason}). Reload the page.`);
    case CLOSE_CODES.slowClient.code:
      return problem('This connection is too slow for the call.');
    case ABNORMAL_CLOSURE:
      return problem('The connection was lost. Is the server still running?');
    default:
      return problem(`The server ended the call with code ${code}${reason === '' ? '' : `: ${reason}`}.`);
  }
}

function calm(text: string): EndingWords {
  return { text, isProblem: false };
}

function problem(text: string): EndingWords {
  return { text, isProblem: true };
}
