import type { DialError, SocketEnd } from '../../kernel/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError, ProviderFailure } from '../../session/errors.ts';
import { classifyClose, classifyRefusal } from './close-classification.ts';
import type { ConnectionPhase, EndKind } from './close-classification.ts';

const PROVIDER = 'gemini';

/** The typed error of a dial that did not become a connection. */
export function refusalError(error: DialError): ProviderError {
  const { httpStatus, retryAfterMs, body = '' } = error.refusal;
  const said = httpStatus === undefined ? error.message : `HTTP ${httpStatus} ${explanationIn(body)}`.trim();
  return errorOf(classifyRefusal(httpStatus, body), `Gemini refused the connection: ${said}`, {
    provider: PROVIDER,
    httpStatus,
    retryAfterMs,
    cause: error,
  });
}

/** The typed error of a connection that ended before it was set up. */
export function setupError(end: SocketEnd, withHandle: boolean): ProviderError {
  const kind = classifyClose({ ...end, phase: 'setup', withHandle });
  return errorOf(kind, `Gemini closed the connection before it was set up: ${said(end)}`, failureOf(end));
}

/** The typed error of an end in mid-session, where the connection is not to blame; undefined where it is. */
export function liveError(end: SocketEnd, withHandle: boolean): ProviderError | undefined {
  const phase: ConnectionPhase = 'live';
  const kind = classifyClose({ ...end, phase, withHandle });
  if (kind === 'connection-lost' || kind === 'handle-rejected') return undefined;
  return errorOf(kind, `Gemini ended the connection: ${said(end)}`, failureOf(end));
}

/** No credentials could be had. */
export function missingCredentials(message: string): AuthenticationError {
  return new AuthenticationError(message, { provider: PROVIDER });
}

/** The function that gives credentials threw: its own service may be back at the next attempt. */
export function credentialsUnavailable(cause: unknown): ConnectionLostError {
  return new ConnectionLostError(
    'The credentials for Gemini could not be obtained. See the cause; throw an AuthenticationError from the function where another attempt cannot help.',
    { provider: PROVIDER, cause },
  );
}

function failureOf({ code, reason }: SocketEnd): ProviderFailure {
  return { provider: PROVIDER, closeCode: code, closeReason: reason };
}

function said({ code, reason }: SocketEnd): string {
  return reason === '' ? `${code}` : `${code} ${reason}`;
}

function errorOf(kind: EndKind, what: string, failure: ProviderFailure): ProviderError {
  const text = /[.!?]$/.test(what) ? what : `${what}.`;
  switch (kind) {
    case 'authentication':
      return new AuthenticationError(
        `${text} Check the API key or token, and what it may be used for.`,
        failure,
      );
    case 'quota':
      return new QuotaError(`${text} Wait, or raise the quota of the project.`, failure);
    case 'invalid-request':
      return new InvalidRequestError(
        `${text} Check the model's name, the modalities and the setup; sending the same again ends the same.`,
        failure,
      );
    case 'handle-rejected':
      return new ConnectionLostError(`${text} The resumption handle is no longer accepted.`, failure);
    case 'connection-lost':
      return new ConnectionLostError(`${text} Another attempt may go better.`, failure);
  }
}

const EXPLANATION_CHARACTERS = 200;

/** Google's error bodies are `{ error: { message } }`; anything else is shown as its first line. */
function explanationIn(body: string): string {
  const message = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? body.trim().split('\n')[0] ?? '';
  return message.slice(0, EXPLANATION_CHARACTERS);
}
