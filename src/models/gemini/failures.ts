import type { DialError, SocketEnd } from '../../kernel/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/errors.ts';
import type { ProviderError, ProviderFailure } from '../../session/errors.ts';
import { providerError } from '../../session/provider-error.ts';
import { classifyClose, classifyRefusal } from './close-classification.ts';
import type { ClassifiedEnd } from './close-classification.ts';
import type { CloseRow, EndKind, RefusalRow } from './end-rows.ts';

/** Who speaks, and how the program that uses it wants its words read. */
export interface FailureReading {
  /** The model's id, which is what `failure.provider` says. */
  readonly provider: string;
  readonly closes: readonly CloseRow[];
  readonly refusals: readonly RefusalRow[];
}

/** The typed error of a dial that did not become a connection. */
export function refusalError(error: DialError, { provider, refusals }: FailureReading): ProviderError {
  const { httpStatus, retryAfterMs, body = '' } = error.refusal;
  const told = httpStatus === undefined ? error.message : `HTTP ${httpStatus} ${explanationIn(body)}`.trim();
  const kind = classifyRefusal(httpStatus, body, refusals);
  return providerError(kind, `Gemini refused the connection: ${told}`, ADVICE, {
    provider,
    httpStatus,
    retryAfterMs,
    cause: error,
  });
}

/** The typed error of a connection that ended before it was set up. */
export function setupError(end: SocketEnd, withHandle: boolean, reading: FailureReading): ProviderError {
  const { provider, closes } = reading;
  const kind = classifyClose({ ...end, phase: 'setup', withHandle }, closes);
  return providerError(
    kind,
    `Gemini closed the connection before it was set up: ${said(end)}`,
    ADVICE,
    failureOf(end, provider),
  );
}

/** What an end after the setup means, where it means more than that the connection is lost. */
export function liveError(end: ClassifiedEnd, reading: FailureReading): ProviderError | undefined {
  const { provider, closes } = reading;
  const kind = classifyClose(end, closes);
  if (kind === 'connection-lost') return undefined;
  return providerError(kind, `Gemini ended the connection: ${said(end)}`, ADVICE, failureOf(end, provider));
}

/** No credentials could be had. */
export function missingCredentials(message: string, provider: string): AuthenticationError {
  return new AuthenticationError(message, { provider });
}

/** The function that gives credentials threw: its own service may be back at the next attempt. */
export function credentialsUnavailable(cause: unknown, provider: string): ConnectionLostError {
  return new ConnectionLostError(
    'The credentials for Gemini could not be obtained. See the cause; throw an AuthenticationError from the function where another attempt cannot help.',
    { provider, cause },
  );
}

function failureOf({ code, reason }: SocketEnd, provider: string): ProviderFailure {
  return { provider, closeCode: code, closeReason: reason };
}

function said({ code, reason }: SocketEnd): string {
  return reason === '' ? `${code}` : `${code} ${reason}`;
}

const ADVICE: Readonly<Record<EndKind, string>> = {
  authentication: 'Check the API key or token, and what it may be used for.',
  quota: 'Wait, or raise the quota of the project.',
  'invalid-request':
    "Check the model's name, the modalities, the setup, and where the service is offered; sending the same again ends the same.",
  'handle-rejected': 'The resumption handle is no longer good: start fresh, with the history.',
  overloaded: 'The service has too much to do: wait before the next attempt.',
  'connection-lost': 'Another attempt may go better.',
};

const EXPLANATION_CHARACTERS = 200;

/** Google's error bodies are `{ error: { message } }`; anything else is shown as its first line. */
function explanationIn(body: string): string {
  const message = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? body.trim().split('\n')[0] ?? '';
  return message.slice(0, EXPLANATION_CHARACTERS);
}
