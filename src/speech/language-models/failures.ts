import { HoldfastError, describeError } from '../../kernel/index.ts';
import type { Clock } from '../../kernel/index.ts';
import { ConnectionLostError } from '../../session/errors.ts';
import type { ProviderFailure } from '../../session/errors.ts';
import { providerError } from '../../session/provider-error.ts';
import { UnreadableCall } from './ai-answer.ts';

const ADVICE = {
  authentication: 'Check the API key, and what it may be used for.',
  quota: 'Wait, or raise the quota.',
  'invalid-request':
    "Check the model's name, the tools and the settings; sending the same again ends the same.",
  overloaded: 'The service has too much to do: wait before the next attempt.',
  'connection-lost': 'Another attempt may go better.',
} as const;

type FailureKind = keyof typeof ADVICE;

/** Whose words are read, and with which clock dates in them are. */
export interface FailureReading {
  /** The model's id. */
  readonly provider: string;
  readonly clock: Clock;
  /** What may not stand in a message. */
  readonly secret: string | undefined;
}

/** What is read of anything a provider's code throws, or sends in mid-stream: an error, an object, or a text. */
interface Thrown {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly statusCode?: unknown;
  readonly responseHeaders?: Readonly<Record<string, string | undefined>> | undefined;
  readonly responseBody?: unknown;
  /** In what is sent in mid-stream: `overloaded_error`. */
  readonly type?: unknown;
  readonly code?: unknown;
  readonly error?: unknown;
  readonly cause?: unknown;
}

/**
 * The typed error of whatever went wrong. The error underneath is not kept: those of the AI SDK hold the whole
 * conversation and what the server answered, and some servers answer with the key.
 */
export function failureOf(error: unknown, reading: FailureReading): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const thrown = asThrown(error);
  const httpStatus = typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined;
  const kind = error instanceof UnreadableCall ? 'connection-lost' : kindOf(thrown, httpStatus);
  const failure: ProviderFailure = {
    provider: reading.provider,
    httpStatus,
    retryAfterMs: retryAfterMs(thrown.responseHeaders, reading.clock),
  };
  const status = httpStatus === undefined ? '' : ` with HTTP ${httpStatus}`;
  // What a server says of credentials it refuses may hold them.
  const words = kind === 'authentication' ? '' : explanationIn(thrown, error, reading.secret);
  const what = `'${reading.provider}' failed${status}${words === '' ? '' : `: ${words}`}`;
  return providerError(kind, what, ADVICE, failure);
}

function asThrown(error: unknown): Thrown {
  if (typeof error !== 'object' || error === null) return { message: error };
  // What some servers send in mid-stream is wrapped once more.
  const inner = (error as Thrown).error;
  return typeof inner === 'object' && inner !== null ? inner : error;
}

function kindOf(thrown: Thrown, status: number | undefined): FailureKind {
  return (
    (status === undefined ? undefined : kindOfStatus(status, `${thrown.responseBody} ${thrown.message}`)) ??
    kindOfName(String(thrown.name)) ??
    kindOfWord(`${thrown.type} ${thrown.code}`) ??
    'connection-lost'
  );
}

/** A response that could not be read to its end has the status 200. */
function kindOfStatus(status: number, said: string): FailureKind | undefined {
  if (status < 400) return undefined;
  if (status === 401 || status === 403) return 'authentication';
  // Google's answer to a wrong key.
  if (status === 400 && /api[ _]key[ _](?:not valid|invalid|expired)/i.test(said)) return 'authentication';
  if (status === 402 || status === 429) return 'quota';
  if (status === 503 || status === 529) return 'overloaded';
  // A time-out, and what one server or another asks to be sent again.
  if (status === 408 || status === 409 || status === 425 || status >= 500) return 'connection-lost';
  return 'invalid-request';
}

/** The AI SDK's names of what it finds wrong before it asks anybody. */
function kindOfName(name: string): FailureKind | undefined {
  if (name === 'AI_LoadAPIKeyError') return 'authentication';
  return /^AI_(?:NoSuchModel|InvalidPrompt|InvalidArgument|UnsupportedFunctionality|LoadSetting)/.test(name)
    ? 'invalid-request'
    : undefined;
}

/** What servers call their errors where they can give no status any more. */
function kindOfWord(word: string): FailureKind | undefined {
  if (/overloaded|unavailable|\b5(?:03|29)\b/i.test(word)) return 'overloaded';
  if (/rate_limit|quota|resource_exhausted|\b4(?:02|29)\b/i.test(word)) return 'quota';
  if (/authentication|permission|invalid_api_key|\b40[13]\b/i.test(word)) return 'authentication';
  if (/invalid_request|invalid_argument|not_found|context_length|\b40[04]\b/i.test(word)) {
    return 'invalid-request';
  }
  return undefined;
}

/** `Retry-After` is a number of seconds or a date (RFC 9110 10.2.3); `retry-after-ms` is OpenAI's own. */
function retryAfterMs(headers: Thrown['responseHeaders'], clock: Clock): number | undefined {
  const exact = headers?.['retry-after-ms'];
  if (exact !== undefined && /^\d{1,12}(?:\.\d+)?$/.test(exact)) return Number(exact);
  const told = headers?.['retry-after']?.trim();
  if (told === undefined) return undefined;
  if (/^\d{1,9}(?:\.\d+)?$/.test(told)) return Number(told) * 1_000;
  const dateMs = Date.parse(told);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - clock.wallTime());
}

const EXPLANATION_CHARACTERS = 200;

/** What keys look like: whatever a server or a library says may hold one. */
const KEY = /\b(?:sk|pk|gsk|xai|hf|key|AIza|Bearer)[-_ ]?[\w.-]{12,}/g;

/** The first line of what was said, without what looks like a key, with the reason of the network where there is one. */
function explanationIn(thrown: Thrown, error: unknown, secret: string | undefined): string {
  const { message, cause } = thrown;
  const said = typeof message === 'string' ? message : describeError(error);
  const reason = codeBelow(cause);
  const whole = reason === undefined || said.includes(reason) ? said : `${said} (${reason})`;
  const line = whole.trim().split('\n')[0] ?? '';
  const discreet = (secret === undefined ? line : line.replaceAll(secret, '…')).replaceAll(KEY, '…');
  return discreet.slice(0, EXPLANATION_CHARACTERS);
}

/** The network's word for what happened, `ECONNREFUSED`, from wherever it stands below. */
function codeBelow(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth += 1) {
    const { code, cause } = at as Thrown;
    if (typeof code === 'string') return code;
    at = cause;
  }
  return undefined;
}

/** The model has said nothing for too long. */
export function stalled(provider: string, ms: number): ConnectionLostError {
  return new ConnectionLostError(
    `'${provider}' has sent nothing for ${ms} ms. Another attempt may go better; raise stallTimeoutMs for a model that thinks for longer.`,
    { provider },
  );
}

/** The stream ended, and did not say that the answer did. */
export function cutOff(provider: string): ConnectionLostError {
  return new ConnectionLostError(
    `'${provider}' stopped in the middle of an answer. Another attempt may go better.`,
    { provider },
  );
}
