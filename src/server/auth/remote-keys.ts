import { createLocalJWKSet, errors } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { ClosedError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AuthUnavailableError } from './errors.ts';

/** How long one request for keys may take: a live caller is not kept waiting for longer. */
export const DEFAULT_KEYS_TIMEOUT_MS = 5_000;

/** Keys are asked for anew after this long, so that one which was taken back is not trusted for days. */
export const DEFAULT_KEYS_MAX_AGE_MS = 600_000;

/** As long as old keys serve on when new ones cannot be had: an identity provider that is down ends no service. */
export const DEFAULT_KEYS_MAX_STALE_MS = 3_600_000;

/**
 * How long nothing is asked after an answer, whatever keys tokens name: who makes up names of keys cannot make this
 * server a flood for its identity provider.
 */
export const DEFAULT_KEYS_COOLDOWN_MS = 30_000;

/** After a request that failed. Until then who asks is told at once. */
const RETRY_AFTER_FAILURE_MS = 5_000;

/** A set has a few keys of a kilobyte each. */
const MAX_KEY_SET_BYTES = 1_048_576;

const MAX_KEYS = 100;

export interface RemoteKeysOptions {
  readonly url: string;
  readonly owner: Lifetime;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly maxAgeMs: number;
  readonly maxStaleMs: number;
  readonly cooldownMs: number;
}

interface KeySet {
  readonly find: JWTVerifyGetKey;
  readonly atMs: number;
}

/**
 * The keys an issuer publishes: asked for when the first token comes, anew when they have grown old or a token names one
 * that is not among them, once at a time, and within bounds. What cannot be had is an AuthUnavailableError.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  #keys: KeySet | undefined;
  #loading: Promise<KeySet> | undefined;
  #failure: { readonly error: AuthUnavailableError; readonly atMs: number } | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  /** The key of one token. @throws what `jose` throws for a token that none fits, AuthUnavailableError. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#usable();
    try {
      return await keys.find(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (!isUnknown || this.#now() < keys.atMs + this.#options.cooldownMs) throw error;
      // The issuer may have changed its keys since.
      return (await this.#load()).find(header, token);
    }
  };

  /** Those that are there, as long as they may serve; who asks does not wait for younger ones. */
  async #usable(): Promise<KeySet> {
    const { maxAgeMs, maxStaleMs } = this.#options;
    const keys = this.#keys;
    if (keys === undefined) return this.#load();
    const ageMs = this.#now() - keys.atMs;
    if (ageMs < maxAgeMs) return keys;
    if (ageMs >= maxAgeMs + maxStaleMs) return this.#load();
    this.#load().catch((error: unknown) => {
      this.#options.owner.log.warn('the keys of tokens cannot be had anew', { error: describeError(error) });
    });
    return keys;
  }

  #load(): Promise<KeySet> {
    if (this.#loading !== undefined) return this.#loading;
    const failure = this.#failure;
    if (failure !== undefined && this.#now() < failure.atMs + RETRY_AFTER_FAILURE_MS) {
      return Promise.reject(failure.error);
    }
    this.#loading = this.#ask().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #ask(): Promise<KeySet> {
    const { owner, timeoutMs, url } = this.#options;
    const request = new AbortController();
    const given = Promise.withResolvers<never>();
    // Also when nobody waits any more it is no unhandled rejection.
    given.promise.catch(() => undefined);
    owner.own('request for keys', request, {
      stop: (held) => {
        held.abort();
        given.reject(new ClosedError('The server has closed.'));
      },
    });
    const timer = owner.timer('time-out of keys', timeoutMs, () => {
      request.abort();
      given.reject(new Error(`no answer within ${timeoutMs} ms`));
    });
    try {
      // Raced, so that also one that does not heed its signal is not waited for.
      const keys = await Promise.race([this.#request(request.signal), given.promise]);
      this.#failure = undefined;
      this.#keys = { find: createLocalJWKSet(keys), atMs: this.#now() };
      return this.#keys;
    } catch (cause) {
      const error = new AuthUnavailableError(
        `Tokens cannot be checked now: their keys cannot be had. The log of the server says why.`,
        Math.ceil(RETRY_AFTER_FAILURE_MS / 1_000),
        { cause },
      );
      owner.log.error('the keys of tokens cannot be had', { url: hostOf(url), error: describeError(cause) });
      this.#failure = { error, atMs: this.#now() };
      throw error;
    } finally {
      timer.cancel();
      owner.release(request);
      request.abort();
    }
  }

  async #request(signal: AbortSignal): Promise<JSONWebKeySet> {
    const { fetch: fetchIt, url } = this.#options;
    const headers = { accept: 'application/json, application/jwk-set+json' };
    // A key set that is moved to another place is a thing for whoever runs this server to know.
    const response = await fetchIt(url, { signal, headers, redirect: 'error' });
    if (!response.ok) throw new Error(`it was answered with ${response.status}`);
    return keySetOf(await boundedText(response));
  }

  #now(): number {
    return this.#options.owner.clock.now();
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_KEY_SET_BYTES) throw new Error(`the answer is larger than ${MAX_KEY_SET_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** @throws what is wrong with it, without quoting it. */
function keySetOf(text: string): JSONWebKeySet {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error('the answer is no JSON');
  }
  const keys = typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) {
    throw new Error('the answer is no set of keys: {"keys":[…]}');
  }
  if (keys.length > MAX_KEYS) throw new Error(`the answer has more than ${MAX_KEYS} keys`);
  return { keys };
}

/** Without the query, which may hold a secret of the one who set it up. */
function hostOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
