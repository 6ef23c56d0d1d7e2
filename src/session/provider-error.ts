import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from './errors.ts';
import type { ProviderError, ProviderFailure } from './errors.ts';

/** What a provider's failure means for the next attempt. */
export type FailureKind =
  'authentication' | 'quota' | 'invalid-request' | 'handle-rejected' | 'overloaded' | 'connection-lost';

/** The typed error of a failure: what happened, and what to do about it. */
export function providerError<Kind extends FailureKind>(
  kind: Kind,
  what: string,
  advice: Readonly<Record<Kind, string>>,
  failure: ProviderFailure,
): ProviderError {
  const message = `${asSentence(what)} ${advice[kind]}`;
  switch (kind) {
    case 'authentication':
      return new AuthenticationError(message, failure);
    case 'quota':
      return new QuotaError(message, failure);
    case 'invalid-request':
      return new InvalidRequestError(message, failure);
    case 'handle-rejected':
      return new HandleRejectedError(message, failure);
    case 'overloaded':
      return new OverloadedError(message, failure);
    case 'connection-lost':
      return new ConnectionLostError(message, failure);
  }
}

/** With a full stop, where it does not end as a sentence does. */
export function asSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
