import type { DialError, SocketEnd } from '../../kernel/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError, ProviderFailure } from '../../session/errors.ts';
import { asSentence } from '../../session/provider-error.ts';

/** IANA's "try again later". */
const TRY_AGAIN_LATER_CODE = 1_013;

const EXPLANATION_CHARACTERS = 200;

/** A dial that did not become a connection. */
export function refusalError(error: DialError, provider: string): ProviderError {
  const { httpStatus, retryAfterMs, body = '' } = error.refusal;
  const failure: ProviderFailure = { provider, httpStatus, retryAfterMs, cause: error };
  if (httpStatus === undefined) {
    return new ConnectionLostError(`The inference gateway could not be reached: ${error.message}`, failure);
  }
  const said = body.trim().split('\n')[0]?.slice(0, EXPLANATION_CHARACTERS) ?? '';
  return errorOf(
    httpStatus,
    `The inference gateway refused the connection: HTTP ${httpStatus} ${said}`,
    failure,
  );
}

/** An error that the gateway said over a connection. */
export function saidError(code: number | undefined, message: string, provider: string): ProviderError {
  const what = `The inference gateway ended the speech: ${code ?? 'no code'} ${message.slice(0, EXPLANATION_CHARACTERS)}`;
  return errorOf(code, what, { provider });
}

/** The connection ended before the session was created. */
export function setupError({ code, reason }: SocketEnd, provider: string): ProviderError {
  const what = `The inference gateway closed the connection before it was set up: ${code} ${reason}`;
  const failure = { provider, closeCode: code, closeReason: reason };
  return endError({ code, reason }, provider) ?? new ConnectionLostError(asSentence(what.trim()), failure);
}

/** What a close means, where it means more than that the connection is lost. */
export function endError({ code, reason }: SocketEnd, provider: string): ProviderError | undefined {
  if (code !== TRY_AGAIN_LATER_CODE) return undefined;
  return new OverloadedError(
    asSentence(`The inference gateway has too much to do: ${code} ${reason}`.trim()),
    {
      provider,
      closeCode: code,
      closeReason: reason,
    },
  );
}

/** Statuses of HTTP are what the gateway's errors are numbered by as well, but for its own above a thousand. */
function errorOf(code: number | undefined, what: string, failure: ProviderFailure): ProviderError {
  const text = asSentence(what.trim());
  switch (code) {
    case 401:
    case 403:
      return new AuthenticationError(`${text} Check the token, and that it grants inference.`, failure);
    case 402:
      return new QuotaError(`${text} Raise the quota of the project.`, failure);
    case 429:
      // Too many at once is over when one of them ends; a quota is not.
      return /concurren/i.test(text)
        ? new OverloadedError(`${text} Another attempt may go better when a session has ended.`, failure)
        : new QuotaError(`${text} Wait, or raise the quota of the project.`, failure);
    case 400:
    case 404:
    case 422:
      return new InvalidRequestError(`${text} Check the model, the voice and the options.`, failure);
    case 503:
    case 529:
      return new OverloadedError(`${text} Wait before the next attempt.`, failure);
    // 2007 among them, which says that nothing was put in for long. It is no close code: the close comes behind it.
    default:
      return new ConnectionLostError(`${text} Another attempt may go better.`, failure);
  }
}
