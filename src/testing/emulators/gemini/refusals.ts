import { fitCloseReason } from '../../../protocol/index.ts';
import type { CloseFrame } from '../close-frame.ts';

/**
 * The closes of the real service, as its users have met them. Public reports and client sources are where they come
 * from; the service documents none of them.
 */
export const GEMINI_CLOSES = {
  invalidArgument: { code: 1007, reason: 'Request contains an invalid argument.' },
  invalidHandle: { code: 1007, reason: 'Invalid session handle' },
  keyNotValid: { code: 1007, reason: 'API key not valid. Please pass a valid API key.' },
  keyExpired: { code: 1007, reason: 'API key expired. Please renew the API key.' },
  location: { code: 1007, reason: 'User location is not supported for the API use.' },
  textNotSupported: { code: 1007, reason: 'TEXT is not supported by the model' },
  sessionNotFound: { code: 1008, reason: 'BidiGenerateContent session not found' },
  entityNotFound: { code: 1008, reason: 'Requested entity was not found.' },
  notImplemented: { code: 1008, reason: 'Operation is not implemented, or supported, or enabled.' },
  internal: { code: 1011, reason: 'Internal error encountered.' },
  unavailable: { code: 1011, reason: 'The service is currently unavailable.' },
  deadline: { code: 1011, reason: 'Deadline expired before operation could complete.' },
  /** A token that is too old for a setup; one whose connection is open when it gets too old; one used up. */
  tokenExpired: { code: 1011, reason: 'Token has expired' },
  tokenExpiredMeanwhile: { code: 1011, reason: 'auth token has expired' },
  tokenSpent: { code: 1011, reason: 'Token has been used too many times' },
  quota: {
    code: 1011,
    reason: 'You exceeded your current quota, please check your plan and billing details.',
  },
} as const satisfies Record<string, CloseFrame>;

/** A message that the service answers with 1007 and a reason of its own. */
export function invalid(reason: string): CloseFrame {
  return { code: 1007, reason: fitCloseReason(reason) };
}

/** Thrown while a client's message is read; the connection is closed with `frame`. */
export class Refusal extends Error {
  readonly frame: CloseFrame;

  constructor(frame: CloseFrame) {
    super(frame.reason);
    this.name = 'Refusal';
    this.frame = frame;
  }
}
