import { randomId } from '../../../kernel/index.ts';
import type { Clock, Random } from '../../../kernel/index.ts';
import { GEMINI_CLOSES, Refusal } from './refusals.ts';
import { isObject, objectAt, textAt } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';
import { withField, withoutField } from '../message-alterations.ts';

/** How long a token is good, and how long it opens new sessions, where its request does not say: documented. */
export const DEFAULT_TOKEN_TTL_MS = 30 * 60_000;
export const DEFAULT_NEW_SESSION_TTL_MS = 60_000;

/** The service makes no token that lives longer. */
const MOST_TTL_MS = 20 * 60 * 60_000;

/** Tokens kept at once; the oldest go first. */
const MAX_TOKENS = 10_000;

interface EphemeralToken {
  readonly expiresAtMs: number;
  readonly opensSessionsUntilMs: number;
  usesLeft: number;
  /** What a client's setup is made to be: every field of it, or those of a mask. */
  readonly setup: JsonObject | undefined;
  readonly fieldMask: readonly string[] | undefined;
}

/** A request for a token that the service refuses with 400. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError';
}

/** The ephemeral tokens of an emulator. Times are of the wall clock, as in the requests for them. */
export class EphemeralTokens {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tokens = new Map<string, EphemeralToken>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a token, and what the service answers to the request for it.
   * @throws TokenRequestError when the request asks for what no token can be.
   */
  create(request: JsonObject): JsonObject {
    const nowMs = this.#clock.wallTime();
    const expiresAtMs = timeAt(request, 'expireTime') ?? nowMs + DEFAULT_TOKEN_TTL_MS;
    const opensSessionsUntilMs =
      timeAt(request, 'newSessionExpireTime') ?? nowMs + DEFAULT_NEW_SESSION_TTL_MS;
    if (expiresAtMs > nowMs + MOST_TTL_MS) {
      throw new TokenRequestError('expire_time is too far in the future. Maximum lifetime is 20h');
    }
    if (expiresAtMs <= nowMs) throw new TokenRequestError('expire_time must be in the future.');
    const uses = request.uses ?? 1;
    if (typeof uses !== 'number' || !Number.isInteger(uses) || uses < 0) {
      throw new TokenRequestError(`Invalid value at 'auth_token.uses': ${JSON.stringify(uses)}`);
    }
    const name = `auth_tokens/${randomId(this.#random)}`;
    this.#tokens.set(name, {
      expiresAtMs,
      opensSessionsUntilMs: Math.min(opensSessionsUntilMs, expiresAtMs),
      // Zero means: as often as one likes.
      usesLeft: uses === 0 ? Number.POSITIVE_INFINITY : uses,
      setup: objectAt(request, 'bidiGenerateContentSetup'),
      fieldMask: maskOf(request),
    });
    const oldest = this.#tokens.keys().next().value;
    if (this.#tokens.size > MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest);
    return {
      name,
      expireTime: new Date(expiresAtMs).toISOString(),
      newSessionExpireTime: new Date(opensSessionsUntilMs).toISOString(),
      uses,
    };
  }

  /** Whether this emulator made the token. */
  has(name: string): boolean {
    return this.#tokens.has(name);
  }

  /**
   * Uses a token for a setup: a new session costs one of its uses, resuming none.
   * Returns the setup as the token makes it, and how long the connection may last.
   * @throws Refusal with the close frame the service would send.
   */
  use(
    name: string,
    setup: JsonObject,
    resuming: boolean,
  ): { readonly setup: JsonObject; readonly leftMs: number } {
    const token = this.#tokens.get(name);
    if (token === undefined) throw new Refusal(GEMINI_CLOSES.keyNotValid);
    const nowMs = this.#clock.wallTime();
    if (token.expiresAtMs <= nowMs) throw new Refusal(GEMINI_CLOSES.tokenExpired);
    if (!resuming) {
      if (token.opensSessionsUntilMs <= nowMs) throw new Refusal(GEMINI_CLOSES.tokenExpired);
      if (token.usesLeft === 0) throw new Refusal(GEMINI_CLOSES.tokenSpent);
      token.usesLeft -= 1;
    }
    return { setup: locked(setup, token), leftMs: token.expiresAtMs - nowMs };
  }
}

/** A client's setup with the fields a token locks: what the client wrote there does not count. */
function locked(setup: JsonObject, { setup: fixed, fieldMask }: EphemeralToken): JsonObject {
  if (fixed === undefined) return setup;
  if (fieldMask === undefined) return overlaid(setup, fixed);
  return fieldMask.reduce((changed, path) => {
    const value = path.split('.').reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), fixed);
    return value === undefined ? withoutField(changed, path) : withField(changed, path, value);
  }, setup);
}

/** One object laid over another: where both have a value that is no object, the upper one counts. */
function overlaid(lower: JsonObject, upper: JsonObject): JsonObject {
  const fields: Record<string, unknown> = { ...lower };
  for (const [name, value] of Object.entries(upper)) {
    const below = fields[name];
    fields[name] = isObject(below) && isObject(value) ? overlaid(below, value) : value;
  }
  return fields;
}

function timeAt(request: JsonObject, field: string): number | undefined {
  if (request[field] == null) return undefined;
  const ms = Date.parse(textAt(request, field) ?? '');
  if (Number.isNaN(ms))
    throw new TokenRequestError(`Invalid value at 'auth_token.${field}': give a timestamp.`);
  return ms;
}

function maskOf(request: JsonObject): readonly string[] | undefined {
  const mask = textAt(request, 'fieldMask');
  if (mask === undefined || mask === '') return undefined;
  return mask
    .split(',')
    .map((path) => path.trim().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
}
