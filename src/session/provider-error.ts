import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from './errors.ts';
import type { ProviderError, ProviderFailure } from './errors.ts';

const ERRORS = {
  authentication: AuthenticationError,
  quota: QuotaError,
  'invalid-request': InvalidRequestError,
  'handle-rejected': HandleRejectedError,
  overloaded: OverloadedError,
  'connection-lost': ConnectionLostError,
} as const;

/** What a provider's failure means for the next attempt. */
export type FailureKind = keyof typeof ERRORS;

/** The typed error of a failure: what happened, and what to do about it. */
export function providerError<Kind extends FailureKind>(
  kind: Kind,
  what: string,
  advice: Readonly<Record<Kind, string>>,
  failure: ProviderFailure,
): ProviderError {
  return new ERRORS[kind](`${asSentence(what)} ${advice[kind]}`, failure);
}

/** With a full stop, where it does not end as a sentence does. */
export function asSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
