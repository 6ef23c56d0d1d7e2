import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { HoldfastError, InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { isLoopback } from '../../protocol/loopback.ts';
import type { Authenticator, TokenCheck } from './authenticator.ts';
import { UnauthorizedError } from './errors.ts';
import type { AuthFailureReason } from './errors.ts';
import type { Identity } from './identity.ts';
import { identityOfClaims } from './jwt-claims.ts';
import {
  DEFAULT_KEYS_COOLDOWN_MS,
  DEFAULT_KEYS_MAX_AGE_MS,
  DEFAULT_KEYS_MAX_STALE_MS,
  DEFAULT_KEYS_TIMEOUT_MS,
  RemoteKeys,
} from './remote-keys.ts';

/** What a public key may sign with. There is no `none` among them, and nothing with a shared secret. */
export const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** What a shared secret may sign with. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;

/** Clocks of machines that keep time differ by less. */
export const DEFAULT_CLOCK_TOLERANCE_S = 5;

/** HS256 asks for a secret of at least its own length (RFC 7518, 3.2). */
export const MIN_SECRET_BYTES = 32;

/** How JSON Web Tokens are checked: with one of `jwksUrl`, `publicKey` and `secret`. */
export interface JwtOptions {
  /** Where the issuer publishes its keys; https, unless it is on this machine. Asks for `issuer` and `audience`. */
  readonly jwksUrl?: string;
  /** The issuer's public key, as PEM. */
  readonly publicKey?: string;
  /** A secret shared with who makes the tokens, of at least `MIN_SECRET_BYTES`. */
  readonly secret?: string;
  /** What `iss` must be, or one of which. */
  readonly issuer?: string | readonly string[];
  /** What `aud` must hold, or one of which. */
  readonly audience?: string | readonly string[];
  /** Default: all that the kind of key can sign with. Others cannot be named. */
  readonly algorithms?: readonly string[];
  /** How much the clocks may differ, in seconds. Default `DEFAULT_CLOCK_TOLERANCE_S`. */
  readonly clockToleranceS?: number;
  /** Makes an identity of the claims of a token that is good. Default: as docs/security.md has it. */
  readonly identity?: (claims: JWTPayload) => Identity;
  /** Default `DEFAULT_KEYS_TIMEOUT_MS`. */
  readonly keysTimeoutMs?: number;
  /** Default `DEFAULT_KEYS_MAX_AGE_MS`. */
  readonly keysMaxAgeMs?: number;
  /** Default `DEFAULT_KEYS_MAX_STALE_MS`. */
  readonly keysMaxStaleMs?: number;
  /** Default `DEFAULT_KEYS_COOLDOWN_MS`. */
  readonly keysCooldownMs?: number;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

/**
 * JSON Web Tokens: signed by the right key with an algorithm that fits it, for this audience, by this issuer, neither
 * expired nor too early, with `sub` and `exp`.
 *
 * An UnauthorizedError that an `identity` of yours throws is a refusal; anything else is logged, and a 503.
 * @throws InvalidOptionError for options that cannot work, or would let in what should not be.
 */
export function jwt(options: JwtOptions): Authenticator {
  const given = [options.jwksUrl, options.publicKey, options.secret].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new InvalidOptionError('jwt takes one of jwksUrl, publicKey and secret.');
  }
  const algorithms = algorithmsOf(options);
  const keysOf = keySource(options);
  const { issuer, audience, clockToleranceS = DEFAULT_CLOCK_TOLERANCE_S } = options;
  const identity = options.identity ?? identityOfClaims;
  return {
    open(owner): TokenCheck {
      const keys = keysOf(owner);
      return async (token) => {
        const { payload } = await jwtVerify(token, keys, {
          algorithms,
          ...(issuer === undefined ? {} : { issuer: typeof issuer === 'string' ? issuer : [...issuer] }),
          ...(audience === undefined
            ? {}
            : { audience: typeof audience === 'string' ? audience : [...audience] }),
          clockTolerance: clockToleranceS,
          currentDate: new Date(owner.clock.wallTime()),
          requiredClaims: ['sub', 'exp'],
        }).catch((error: unknown) => {
          throw refusalOf(error);
        });
        return identity(payload);
      };
    },
  };
}

function algorithmsOf({ secret, algorithms }: JwtOptions): string[] {
  const possible: readonly string[] = secret === undefined ? PUBLIC_KEY_ALGORITHMS : SECRET_ALGORITHMS;
  if (algorithms === undefined) return [...possible];
  const impossible = algorithms.filter((name) => !possible.includes(name));
  if (impossible.length === 0 && algorithms.length > 0) return [...algorithms];
  throw new InvalidOptionError(
    `jwt cannot take the algorithms ${impossible.join(', ')} with this kind of key; it can take ${possible.join(', ')}.`,
  );
}

/** Checked now, so that a server which cannot work does not start. */
function keySource(options: JwtOptions): (owner: Lifetime) => JWTVerifyGetKey {
  const { jwksUrl, publicKey, secret } = options;
  if (jwksUrl !== undefined) return remoteKeys(jwksUrl, options);
  const key = publicKey === undefined ? secretKey(secret ?? '') : pemKey(publicKey);
  return () => () => key;
}

function remoteKeys(jwksUrl: string, options: JwtOptions): (owner: Lifetime) => JWTVerifyGetKey {
  const url = URL.canParse(jwksUrl) ? new URL(jwksUrl) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (!isSafe) {
    throw new InvalidOptionError(
      'jwksUrl must be an https URL: whoever can change the keys on their way can make tokens.',
    );
  }
  if (options.issuer === undefined || options.audience === undefined) {
    throw new InvalidOptionError(
      'jwksUrl needs an issuer and an audience: without them a token that was made for somebody else opens this server.',
    );
  }
  return (owner) =>
    new RemoteKeys({
      url: jwksUrl,
      owner,
      fetch: options.fetch ?? globalThis.fetch,
      timeoutMs: options.keysTimeoutMs ?? DEFAULT_KEYS_TIMEOUT_MS,
      maxAgeMs: options.keysMaxAgeMs ?? DEFAULT_KEYS_MAX_AGE_MS,
      maxStaleMs: options.keysMaxStaleMs ?? DEFAULT_KEYS_MAX_STALE_MS,
      cooldownMs: options.keysCooldownMs ?? DEFAULT_KEYS_COOLDOWN_MS,
    }).find;
}

function secretKey(secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.byteLength >= MIN_SECRET_BYTES) return bytes;
  throw new InvalidOptionError(
    `The secret of tokens has at least ${MIN_SECRET_BYTES} bytes: \`openssl rand -base64 48\` makes one.`,
  );
}

/** @throws InvalidOptionError, also for a private key: it does not belong here. */
function pemKey(pem: string): KeyObject {
  if (/PRIVATE KEY/.test(pem)) {
    throw new InvalidOptionError(
      'publicKey is a private key: give the public one, and keep this one elsewhere.',
    );
  }
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new InvalidOptionError(`publicKey is no public key in PEM: ${describeError(error)}`);
  }
}

/** What a token is refused for, in words that tell nothing of keys. What was not about the token goes on as it is. */
function refusalOf(error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const [reason, message] = wordsFor(error);
  // Without its cause, which holds the claims.
  return new UnauthorizedError(reason, message);
}

function wordsFor(error: unknown): readonly [AuthFailureReason, string] {
  if (error instanceof errors.JWTExpired) return ['expired', 'The token has expired.'];
  if (error instanceof errors.JWTClaimValidationFailed) return wordsForClaim(error.claim);
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return ['algorithm', 'The token is signed in a way that is not taken here.'];
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return ['signature', "The token's signature is not good."];
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return ['unknown_key', 'The token is signed with a key that is not known here.'];
  }
  // A key of another kind than the algorithm's: what a token claims that was signed with a public key as a secret.
  if (error instanceof TypeError)
    return ['algorithm', 'The token is signed in a way that is not taken here.'];
  return ['malformed', 'The token is no JSON Web Token that can be read.'];
}

function wordsForClaim(claim: string): readonly [AuthFailureReason, string] {
  switch (claim) {
    case 'nbf':
      return ['not_yet_valid', 'The token is not valid yet.'];
    case 'iss':
      return ['issuer', 'The token is of another issuer.'];
    case 'aud':
      return ['audience', 'The token is for another audience.'];
    default:
      return ['claims', `The token's '${claim}' is missing, or is not what it should be.`];
  }
}
