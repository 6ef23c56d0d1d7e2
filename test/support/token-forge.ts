import { createHmac, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT, exportJWK } from 'jose';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import type { AuthFailureReason } from '../../src/server/index.ts';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'holdfast-tests';
export const SECRET = 'a shared secret of more than thirty-two bytes';

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Making keys takes a while: all tests of a file share them. */
const ISSUERS = generateKeyPairSync('rsa', { modulusLength: 2048 });
const NEXT = generateKeyPairSync('rsa', { modulusLength: 2048 });
const STRANGERS = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** Somebody's attempt to be let in, as it stands in the `Authorization` header. */
export interface HostileAttempt {
  readonly name: string;
  readonly authorization: string;
  readonly reason: AuthFailureReason;
}

/** Makes tokens, good ones and bad ones, that are judged at `nowS` (seconds since 1970). */
export class TokenForge {
  readonly publicPem = ISSUERS.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  readonly nowS: number;

  constructor(nowS: number) {
    this.nowS = nowS;
  }

  /** What the issuer publishes: the key it signs with, and after a rotation the next one only. */
  async published(which: 'first' | 'next' | 'both' = 'first'): Promise<JSONWebKeySet> {
    const first = { ...(await exportJWK(ISSUERS.publicKey)), kid: 'first', alg: 'RS256', use: 'sig' };
    const next = { ...(await exportJWK(NEXT.publicKey)), kid: 'next', alg: 'RS256', use: 'sig' };
    return { keys: which === 'both' ? [first, next] : [which === 'first' ? first : next] };
  }

  /** A token as the issuer makes it. A claim that is undefined is left out. */
  token(
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    keys: KeyPair = ISSUERS,
  ): Promise<string> {
    const payload = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'ada',
      iat: this.nowS - 1,
      exp: this.nowS + 600,
      ...claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: 'first', ...header })
      .sign(keys.privateKey);
  }

  /** Signed with the key that follows. */
  nextToken(): Promise<string> {
    return this.token({}, { kid: 'next' }, NEXT);
  }

  secretToken(claims: Record<string, unknown> = {}): Promise<string> {
    const payload = { sub: 'ada', exp: this.nowS + 600, iss: ISSUER, aud: AUDIENCE, ...claims };
    return new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
  }

  /** Everything a stranger may try against a server that takes the issuer's RS256 tokens for one audience. */
  async hostileAttempts(): Promise<readonly HostileAttempt[]> {
    const good = await this.token();
    const [header = '', payload = '', signature = ''] = good.split('.');
    const hour = 3_600;
    const bearer = (name: string, token: string, reason: AuthFailureReason): HostileAttempt => ({
      name,
      authorization: `Bearer ${token}`,
      reason,
    });
    return [
      { name: 'another scheme', authorization: 'Basic YWRhOnNlY3JldA==', reason: 'malformed' },
      { name: 'no token', authorization: 'Bearer ', reason: 'malformed' },
      { name: 'two tokens', authorization: `Bearer ${good} ${good}`, reason: 'malformed' },
      { name: 'two headers in one', authorization: `Bearer ${good}, Bearer ${good}`, reason: 'malformed' },
      bearer('what no header can hold', 'x'.repeat(9_000), 'malformed'),
      bearer('no JSON Web Token', 'letmein', 'malformed'),
      bearer('three empty parts', '..', 'malformed'),
      bearer('no JSON in its header', `e30x.${payload}.${signature}`, 'malformed'),
      bearer('an encrypted one', `${good}.x.y`, 'malformed'),
      bearer('expired', await this.token({ exp: this.nowS - hour }), 'expired'),
      bearer('not valid yet', await this.token({ nbf: this.nowS + hour }), 'not_yet_valid'),
      bearer('without an end', await this.token({ exp: undefined }), 'claims'),
      bearer('an end that is no number', await this.token({ exp: 'never' }), 'claims'),
      bearer('without a user', await this.token({ sub: undefined }), 'claims'),
      bearer('an empty user', await this.token({ sub: '' }), 'claims'),
      bearer('a user that is no text', await this.token({ sub: 7 }), 'claims'),
      bearer('apps that are no list', await this.token({ apps: { demo: true } }), 'claims'),
      bearer('scopes that are no text', await this.token({ scope: 7 }), 'claims'),
      bearer('another audience', await this.token({ aud: 'somebody else' }), 'audience'),
      bearer('no audience', await this.token({ aud: undefined }), 'audience'),
      bearer('another issuer', await this.token({ iss: 'https://evil.example' }), 'issuer'),
      bearer('no issuer', await this.token({ iss: undefined }), 'issuer'),
      bearer('an issuer that begins like ours', await this.token({ iss: `${ISSUER}.evil` }), 'issuer'),
      bearer('no signature, and says so', unsigned(payload), 'algorithm'),
      bearer('no signature, and says so in capitals', unsigned(payload, 'NONE'), 'algorithm'),
      bearer('no signature, and does not say so', `${header}.${payload}.`, 'signature'),
      bearer("the signature of another's key", await this.token({}, {}, STRANGERS), 'signature'),
      bearer('a claim changed after it was signed', `${header}.${forged(payload)}.${signature}`, 'signature'),
      bearer('signed with the public key as a secret', this.#confused(payload), 'algorithm'),
      bearer('a key it brings itself', await this.#ownKey(), 'signature'),
      bearer('a key nobody publishes', await this.token({}, { kid: 'unknown' }, STRANGERS), 'unknown_key'),
      bearer('an extension that must be understood', await this.#critical(), 'algorithm'),
    ];
  }

  /** HS256 over the issuer's public key, which everybody has. */
  #confused(payload: string): string {
    const signed = `${encoded({ alg: 'HS256', kid: 'first' })}.${payload}`;
    return `${signed}.${createHmac('sha256', this.publicPem).update(signed).digest('base64url')}`;
  }

  async #ownKey(): Promise<string> {
    return this.token({}, { jwk: await exportJWK(STRANGERS.publicKey) }, STRANGERS);
  }

  async #critical(): Promise<string> {
    const [, payload = '', signature = ''] = (await this.token()).split('.');
    return `${encoded({ alg: 'RS256', kid: 'first', crit: ['exp2'], exp2: 1 })}.${payload}.${signature}`;
  }
}

function unsigned(payload: string, alg = 'none'): string {
  return `${encoded({ alg })}.${payload}.`;
}

function forged(payload: string): string {
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
  return encoded({ ...claims, sub: 'root', scope: 'admin users:*' });
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
