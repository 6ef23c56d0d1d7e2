import { z } from 'zod';
import { InvalidOptionError } from '../kernel/index.ts';
import { asText } from './json-shape.ts';
import type { JsonObject } from './json-shape.ts';
import type { EndRow } from './streaming/end-rows.ts';
import { nonEmpty, serviceAddress } from './streaming/service-address.ts';
import { NAME, SECRET_SOURCE } from './streaming/service-options.ts';
import type { SecretSource } from './streaming/stream-wire.ts';

const BASE_URL = 'wss://api.deepgram.com';

/** How Deepgram is reached, whichever way speech goes. */
export interface DeepgramAccessOptions {
  /** Default: DEEPGRAM_API_KEY, read at every dial. */
  readonly apiKey?: string;
  /** Gives a short-lived token instead of a key, once for every dial. */
  readonly accessToken?: SecretSource;
  /** Default: the service's address. */
  readonly baseUrl?: string;
  /** Anything else of the service's query. What the options say counts more. */
  readonly query?: Readonly<Record<string, string | number | boolean>>;
}

export const DEEPGRAM_ACCESS_FIELDS = {
  apiKey: NAME.optional(),
  accessToken: SECRET_SOURCE.optional(),
  baseUrl: NAME.optional(),
  query: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
};

export interface DeepgramAccess {
  /** Where its paths begin. */
  readonly address: string;
  readonly secret: SecretSource;
  /** What the upgrade request says of who asks. */
  authorization(secret: string): string;
}

/** `of` names the function in errors. @throws InvalidOptionError for an address that is none, or two credentials. */
export function deepgramAccess(
  of: string,
  { apiKey, accessToken, baseUrl }: DeepgramAccessOptions,
): DeepgramAccess {
  if (apiKey !== undefined && accessToken !== undefined) {
    throw new InvalidOptionError(`Give ${of} one of apiKey and accessToken, not both.`);
  }
  const scheme = accessToken === undefined ? 'Token' : 'Bearer';
  return {
    address: serviceAddress('Deepgram', baseUrl ?? BASE_URL),
    secret: accessToken ?? (() => apiKey ?? nonEmpty(process.env.DEEPGRAM_API_KEY) ?? ''),
    authorization: (secret) => `${scheme} ${secret}`,
  };
}

/** A query of the service. */
export function deepgramQuery(parameters: Readonly<Record<string, string | number | boolean>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) search.set(key, String(value));
  return search.toString();
}

/** Closes that mean the same on all of its wires. */
export const DEEPGRAM_CLOSE_ROWS: readonly EndRow[] = [
  // It was sent nothing for too long: a process that was asleep, a stalled network, a quiet call.
  { code: 1011, said: /NET-0001/, kind: 'idle' },
  { code: 1001, said: /idle/i, kind: 'idle' },
  { code: 1008, said: /auth|credential|\bkey\b|\btoken\b/i, kind: 'authentication' },
  { code: 1013, kind: 'overloaded' },
  // NET-0000, a restart, and whatever else nobody here asked for, is a connection to be had again.
];

/** What its error messages mean on all of its wires. */
export const DEEPGRAM_ERROR_ROWS: readonly EndRow[] = [
  { said: /INVALID_AUTH|unauthori[sz]ed|credential/i, kind: 'authentication' },
  { said: /PAYMENT_REQUIRED/i, kind: 'quota' },
  { said: /TOO_MANY_REQUESTS/i, kind: 'overloaded' },
];

/** What an error or a warning says, in whichever of the names that the service has for it. */
export function deepgramSaid(message: JsonObject): string {
  const parts = [
    'code',
    'err_code',
    'warn_code',
    'variant',
    'description',
    'message',
    'err_msg',
    'warn_msg',
  ].map((name) => asText(message[name]));
  return [...new Set(parts.filter((part) => part !== undefined && part !== ''))].join(' ');
}
