import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError, ProviderFailure } from '../../session/errors.ts';
import { asSentence } from '../../session/provider-error.ts';

const EXPLANATION_CHARACTERS = 200;

/** An answer that is not speech. `body` is the beginning of what it says. */
export function answerError(status: number, body: string, failure: ProviderFailure): ProviderError {
  const text = asSentence(`The speech service answered HTTP ${status} ${explanationIn(body)}`.trim());
  switch (status) {
    case 401:
    case 403:
      return new AuthenticationError(`${text} Check the key, and what it may be used for.`, failure);
    case 402:
    case 429:
      return new QuotaError(`${text} Wait, or raise the quota.`, failure);
    case 503:
    case 529:
      return new OverloadedError(`${text} Wait before the next attempt.`, failure);
    case 408:
    case 425:
      return new ConnectionLostError(`${text} Another attempt may go better.`, failure);
    default:
      if (status >= 500) return new ConnectionLostError(`${text} Another attempt may go better.`, failure);
      return new InvalidRequestError(
        `${text} Check the address, the model, the voice and the text.`,
        failure,
      );
  }
}

/** Error bodies are `{ error: { message } }`, or `{ detail }`; anything else is shown as its first line. */
function explanationIn(body: string): string {
  const told = /"(?:message|detail)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  return (told ?? body.trim().split('\n')[0] ?? '').slice(0, EXPLANATION_CHARACTERS);
}

/** `Retry-After` is a number of seconds or a date (RFC 9110 10.2.3). */
export function retryAfterMs(header: string | null, wallTimeMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - wallTimeMs);
}
