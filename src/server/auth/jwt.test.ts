import { describe, expect, it } from 'vitest';
import { InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AUDIENCE, ISSUER, SECRET, TokenForge } from '../../../test/support/token-forge.ts';
import type { HostileAttempt } from '../../../test/support/token-forge.ts';
import { bearerToken } from './bearer-header.ts';
import { UnauthorizedError } from './errors.ts';
import type { Identity } from './identity.ts';
import { jwt } from './jwt.ts';
import type { JwtOptions } from './jwt.ts';

const clock = new VirtualClock();
const forge = new TokenForge(Math.floor(clock.wallTime() / 1_000));
const attempts = await forge.hostileAttempts();
const EXPECTED = { issuer: ISSUER, audience: AUDIENCE };

/** The check of a server, with the header a client sends. */
function checkWith(options: JwtOptions): (authorization: string) => Promise<Identity> {
  const check = jwt(options).open(Lifetime.root({ name: 'server', clock }));
  return async (authorization) => check(bearerToken(authorization) ?? '');
}

const byKeySet = async (): Promise<(authorization: string) => Promise<Identity>> => {
  const keys = await forge.published();
  return checkWith({
    jwksUrl: 'https://issuer.example/keys',
    ...EXPECTED,
    fetch: () => Promise.resolve(Response.json(keys)),
  });
};

const failureOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(String, (error: unknown) => error);

describe('jwt', () => {
  it('lets in whom the issuer has signed for, and tells who that is', async () => {
    const check = await byKeySet();
    expect(await check(`Bearer ${await forge.token()}`)).toMatchObject({
      subject: 'ada',
      apps: 'all',
      users: ['ada'],
      admin: false,
      expiresAtMs: (forge.nowS + 600) * 1_000,
    });
  });

  it.each(attempts)(
    'refuses $name, by the keys that are published',
    async ({ authorization, reason }: HostileAttempt) => {
      const failure = await failureOf((await byKeySet())(authorization));
      expect(failure).toBeInstanceOf(UnauthorizedError);
      expect(failure).toMatchObject({ reason });
      const token = authorization.split(' ')[1] ?? '';
      if (token.length > 8) expect(JSON.stringify([failure, String(failure)])).not.toContain(token);
    },
  );

  it.each(attempts.filter(({ reason }) => reason !== 'unknown_key'))(
    'refuses $name, by a key that was given',
    async ({ authorization, reason }: HostileAttempt) => {
      const check = checkWith({ publicKey: forge.publicPem, ...EXPECTED });
      expect(await failureOf(check(authorization))).toMatchObject({ reason });
    },
  );

  it('takes tokens of a shared secret, and none that a public key has signed', async () => {
    const check = checkWith({ secret: SECRET, ...EXPECTED });
    expect(await check(`Bearer ${await forge.secretToken()}`)).toMatchObject({ subject: 'ada' });
    expect(await failureOf(check(`Bearer ${await forge.token()}`))).toMatchObject({ reason: 'algorithm' });
    const byKey = checkWith({ publicKey: forge.publicPem, ...EXPECTED });
    expect(await failureOf(byKey(`Bearer ${await forge.secretToken()}`))).toMatchObject({
      reason: 'algorithm',
    });
  });

  it('allows the clocks to differ by the tolerance and no more', async () => {
    const check = checkWith({ secret: SECRET, clockToleranceS: 10 });
    const endedS = async (ago: number): Promise<string> =>
      `Bearer ${await forge.secretToken({ exp: forge.nowS - ago })}`;
    expect(await check(await endedS(9))).toMatchObject({ subject: 'ada' });
    expect(await failureOf(check(await endedS(11)))).toMatchObject({ reason: 'expired' });
  });

  it.each([
    [{}, { apps: 'all', users: ['ada'], admin: false }],
    [{ scope: 'openid app:demo app:other' }, { apps: ['demo', 'other'], users: ['ada'] }],
    [{ scp: ['app:demo'] }, { apps: ['demo'] }],
    [{ apps: ['demo'] }, { apps: ['demo'] }],
    [{ apps: [] }, { apps: [] }],
    [{ apps: '*', scope: 'app:demo' }, { apps: 'all' }],
    [{ scope: 'app:*' }, { apps: 'all' }],
    [{ scope: 'users:*' }, { users: 'all', admin: false }],
    [{ scope: 'admin' }, { users: ['ada'], admin: true }],
    [{ scope: 'administrator users:*x' }, { users: ['ada'], admin: false }],
  ])('reads %j as %j', async (claims, expected) => {
    const check = checkWith({ secret: SECRET });
    expect(await check(`Bearer ${await forge.secretToken(claims)}`)).toMatchObject(expected);
  });

  it.each<[string, JwtOptions]>([
    ['no key', {}],
    ['two kinds of keys', { secret: SECRET, publicKey: forge.publicPem }],
    ['a short secret', { secret: 'short' }],
    ['a secret with an algorithm of keys', { secret: SECRET, algorithms: ['RS256'] }],
    ['a key with an algorithm of secrets', { publicKey: forge.publicPem, algorithms: ['HS256'] }],
    ['no algorithm', { publicKey: forge.publicPem, algorithms: ['none'] }],
    ['an empty list of algorithms', { publicKey: forge.publicPem, algorithms: [] }],
    ['what is no key', { publicKey: 'a secret thing' }],
    ['a private key', { publicKey: '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----' }],
    ['keys that come in the clear', { jwksUrl: 'http://issuer.example/keys', ...EXPECTED }],
    ['keys of a file', { jwksUrl: 'file:///etc/keys', ...EXPECTED }],
    ['keys without an audience', { jwksUrl: 'https://issuer.example/keys', issuer: ISSUER }],
    ['keys without an issuer', { jwksUrl: 'https://issuer.example/keys', audience: AUDIENCE }],
  ])('cannot be set up with %s', (_name, options) => {
    expect(() => jwt(options)).toThrow(InvalidOptionError);
  });
});
