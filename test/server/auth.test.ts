import { describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { LogFields } from '../../src/kernel/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import {
  AUTH_FAILURE_REASONS,
  DEFAULT_AUTHORIZE_TIMEOUT_MS,
  ForbiddenError,
  InsecureListenError,
  UnauthorizedError,
  bearerTokens,
  createServer,
  jwt,
} from '../../src/server/index.ts';
import type { AuthorizeRequest, ServerOptions } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { ScriptedModel } from '../support/scripted-model.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import { AUDIENCE, ISSUER, TokenForge } from '../support/token-forge.ts';

const forge = new TokenForge(Math.floor(Date.now() / 1_000));
const attempts = await forge.hostileAttempts();

const PROGRAM = 'program-token-0123456789abcdef';
const OPERATOR = 'operator-token-0123456789abcdef';

/** Who comes, and with what. */
const WHO = {
  nobody: undefined,
  'a stranger': 'stranger-token-0123456789abcdef',
  'the user': await forge.token({ sub: 'u' }),
  'another user': await forge.token({ sub: 'v' }),
  'the user, for another app': await forge.token({ sub: 'u', apps: ['other'] }),
  'the user, for this app': await forge.token({ sub: 'u', scope: 'app:demo' }),
  'who speaks for all': await forge.token({ sub: 'backend', scope: 'users:*' }),
  'a program': PROGRAM,
  'an operator': OPERATOR,
} as const;
type Who = keyof typeof WHO;

const auth = [
  bearerTokens([PROGRAM, { token: OPERATOR, subject: 'operator', users: [], admin: true }]),
  jwt({ publicKey: forge.publicPem, issuer: ISSUER, audience: AUDIENCE }),
];

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/** A server with the session `s1` of the user `u`. */
async function guarded(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const test = await startServer({ auth, ...options });
  await ask(test, PROGRAM, 'POST', '/apps/demo/users/u/sessions', { sessionId: 's1' });
  return test;
}

async function ask(
  test: TestServer,
  token: string | undefined,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(test.url + path, {
    method,
    headers: bearer(token),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function live(test: TestServer, token: string | undefined, user = 'u', query = ''): TestClient {
  const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=${user}&session_id=s1${query}`;
  return new TestClient(url, [HOLDFAST_SUBPROTOCOL], bearer(token));
}

const TURN = { appName: 'demo', userId: 'u', sessionId: 'none', newMessage: { parts: [{ text: 'hi' }] } };

/** 404 is what somebody is told who was let in and asked for what there is not. */
const ROUTES: readonly (readonly [string, string, unknown, Readonly<Partial<Record<Who, number>>>])[] = [
  [
    'GET',
    '/apps/demo/users/u/sessions/s1',
    undefined,
    { 'the user': 200, 'the user, for this app': 200, 'who speaks for all': 200, 'a program': 200 },
  ],
  [
    'GET',
    '/apps/demo/users/u/sessions',
    undefined,
    { 'the user': 200, 'the user, for this app': 200, 'who speaks for all': 200, 'a program': 200 },
  ],
  [
    'POST',
    '/apps/demo/users/u/sessions',
    {},
    { 'the user': 200, 'the user, for this app': 200, 'who speaks for all': 200, 'a program': 200 },
  ],
  [
    'DELETE',
    '/apps/demo/users/u/sessions/none',
    undefined,
    { 'the user': 404, 'the user, for this app': 404, 'who speaks for all': 404, 'a program': 404 },
  ],
  [
    'GET',
    '/apps/demo/users/u/sessions/s1/not/there/yet',
    undefined,
    { 'the user': 404, 'the user, for this app': 404, 'who speaks for all': 404, 'a program': 404 },
  ],
  [
    'GET',
    '/apps/demo/users/%75/sessions/s1',
    undefined,
    { 'the user': 200, 'the user, for this app': 200, 'who speaks for all': 200, 'a program': 200 },
  ],
  ...(['/run', '/run_sse'] as const).map(
    (path) =>
      [
        'POST',
        path,
        TURN,
        { 'the user': 404, 'the user, for this app': 404, 'who speaks for all': 404, 'a program': 404 },
      ] as const,
  ),
  [
    'GET',
    '/list-apps',
    undefined,
    Object.fromEntries(
      Object.keys(WHO)
        .slice(2)
        .map((who) => [who, 200]),
    ),
  ],
  [
    'GET',
    '/version',
    undefined,
    Object.fromEntries(
      Object.keys(WHO)
        .slice(2)
        .map((who) => [who, 200]),
    ),
  ],
  ['GET', '/metrics', undefined, { 'who speaks for all': 200, 'a program': 200, 'an operator': 200 }],
  ['GET', '/debug/anything', undefined, { 'who speaks for all': 404, 'a program': 404, 'an operator': 404 }],
  ['GET', '/admin/sessions', undefined, { 'an operator': 200 }],
  ['POST', '/run/', TURN, { 'who speaks for all': 404, 'a program': 404, 'an operator': 404 }],
];

describe('who may ask for what', () => {
  it.each(ROUTES)('%s %s', async (method, path, body, allowed) => {
    await using test = await guarded();
    for (const [who, token] of Object.entries(WHO) as [Who, string | undefined][]) {
      const isKnown = who !== 'nobody' && who !== 'a stranger';
      const { status, headers } = await ask(test, token, method, path, body);
      const refusal = isKnown && !path.startsWith('/admin') ? 403 : 401;
      expect([who, status]).toEqual([who, allowed[who] ?? refusal]);
      if (status !== 401 && status !== 403) continue;
      expect(headers.get('www-authenticate')).toMatch(/^Bearer realm="holdfast/);
    }
  });

  it.each(Object.entries(WHO) as [Who, string | undefined][])('an upgrade by %s', async (who, token) => {
    await using test = await guarded();
    const expected: Partial<Record<Who, number>> = { nobody: 401, 'a stranger': 401 };
    const mayIn = ['the user', 'the user, for this app', 'who speaks for all', 'a program'].includes(who);
    const client = live(test, token);
    if (mayIn) {
      await client.opened();
      client.send({ type: 'hello', protocol: 1 });
      await until('it is greeted', () => client.having('type', 'hello').length === 1);
    } else {
      const { status, headers, body } = await client.refused;
      expect(status).toBe(expected[who] ?? 403);
      expect(headers['www-authenticate']).toMatch(/^Bearer/);
      expect(JSON.parse(body)).toMatchObject({
        code: status === 401 ? 'HOLDFAST_UNAUTHORIZED' : 'HOLDFAST_FORBIDDEN',
      });
      expect(test.server.liveSessions).toBe(0);
    }
  });

  it('answers probes and the metrics, if told so, to everybody', async () => {
    await using test = await guarded({ openMetrics: true });
    for (const path of ['/health', '/ready', '/metrics']) {
      expect((await ask(test, undefined, 'GET', path)).status).toBe(200);
    }
  });

  it('opens the administration to a token with the scope admin, and counts who is refused', async () => {
    await using test = await guarded();
    const administers = async (claims: Record<string, unknown>): Promise<number> =>
      (await ask(test, await forge.token(claims), 'GET', '/admin/drain')).status;
    expect(await administers({ scope: 'openid admin' })).toBe(200);
    expect(await administers({ scope: 'users:*' })).toBe(401);
    expect(await administers({ scope: 'admin', exp: forge.nowS - 60 })).toBe(401);
    const metrics = (await ask(test, PROGRAM, 'GET', '/metrics')).text;
    expect(metrics).toContain('holdfast_auth_failures_total{reason="admin"} 2\n');
  });

  it('says what to do in words that nothing is taken out of', async () => {
    await using test = await guarded();
    const answers = await Promise.all([
      ask(test, undefined, 'GET', '/list-apps'),
      ask(test, undefined, 'GET', '/list-apps?token=x'),
      ask(test, 'two tokens', 'GET', '/list-apps'),
      ask(test, WHO['a stranger'], 'GET', '/list-apps'),
    ]);
    for (const { status, text } of answers) {
      expect(status).toBe(401);
      expect(text).not.toContain('redacted');
    }
  });

  it('tells each one the apps it may use', async () => {
    await using test = await guarded();
    const apps = async (who: Who): Promise<unknown> =>
      JSON.parse((await ask(test, WHO[who], 'GET', '/list-apps')).text);
    expect(await apps('the user')).toEqual(['demo']);
    expect(await apps('the user, for another app')).toEqual([]);
    const detailed = await ask(test, WHO['the user, for another app'], 'GET', '/list-apps?detailed=true');
    expect(JSON.parse(detailed.text)).toEqual({ apps: [] });
  });

  it.each(attempts)(
    'a token refused for $reason ($name) opens neither routes nor upgrades',
    async (attempt) => {
      await using test = await guarded();
      const headers = { authorization: attempt.authorization };
      const response = await fetch(`${test.url}/list-apps`, { headers }).catch(() => undefined);
      expect(response?.status).toBe(401);
      const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=ada&session_id=s1`;
      expect(await new TestClient(url, [], headers).refused).toMatchObject({ status: 401 });
      const metrics = (await ask(test, PROGRAM, 'GET', '/metrics')).text;
      const reason = attempt.reason === 'unknown_key' ? 'signature' : attempt.reason;
      expect(metrics).toContain(`holdfast_auth_failures_total{reason="${reason}"} 2\n`);
    },
  );

  it.each(['access_token', 'token', 'auth_token'])(
    'a token in a URL (%s) is refused, good or not',
    async (name) => {
      await using test = await guarded();
      const asked = await fetch(`${test.url}/list-apps?${name}=${PROGRAM}`, { headers: bearer(PROGRAM) });
      expect(asked.status).toBe(401);
      const text = await asked.text();
      expect(text).toContain('does not belong in a URL');
      expect(text).not.toContain(PROGRAM);
      expect(await live(test, PROGRAM, 'u', `&${name}=${PROGRAM}`).refused).toMatchObject({ status: 401 });
    },
  );
});

describe('the authorize hook', () => {
  it('is asked about everything, with who asks and what for', async () => {
    const asked: AuthorizeRequest[] = [];
    await using test = await guarded({ authorize: (request) => void asked.push(request) });
    asked.length = 0;
    await ask(test, WHO['the user'], 'GET', '/apps/demo/users/u/sessions/s1');
    await ask(test, WHO['the user'], 'DELETE', '/apps/demo/users/u/sessions/none');
    await ask(test, WHO['the user'], 'POST', '/run', TURN);
    await ask(test, WHO['the user'], 'GET', '/list-apps');
    await live(test, WHO['the user']).opened();
    expect(
      asked.map(({ action, appName, userId, sessionId, identity }) => [
        action,
        appName,
        userId,
        sessionId,
        identity?.subject,
      ]),
    ).toEqual([
      ['read', 'demo', 'u', 's1', 'u'],
      ['delete', 'demo', 'u', 'none', 'u'],
      ['run', 'demo', 'u', 'none', 'u'],
      ['list_apps', undefined, undefined, undefined, 'u'],
      ['run_live', 'demo', 'u', 's1', 'u'],
    ]);
    expect(asked[0]?.request.header('user-agent')).toBeDefined();
  });

  const lines: { message: string; fields: LogFields | undefined }[] = [];
  const write = (message: string, fields?: LogFields): void => void lines.push({ message, fields });
  const log = { debug: write, info: write, warn: write, error: write };

  it.each<[string, () => boolean | Promise<boolean>, number]>([
    ['false', () => false, 403],
    ['a promise of false', () => Promise.resolve(false), 403],
    ['true', () => true, 200],
    ['a promise of true', () => Promise.resolve(true), 200],
    [
      'an error',
      () => {
        throw new Error('database down: p4ssword');
      },
      403,
    ],
    ['a promise that fails', () => Promise.reject(new Error('database down: p4ssword')), 403],
    [
      'an error of its own choice',
      () => {
        throw new UnauthorizedError('unknown_token', 'Log in again.');
      },
      401,
    ],
  ])('decides by %s', async (_name, authorize, status) => {
    await using test = await startServer({ authorize, log });
    const { status: told, text } = await ask(test, undefined, 'GET', '/list-apps');
    expect(told).toBe(status);
    expect(text).not.toContain('p4ssword');
    if (status !== 200) expect(await live(test, undefined).refused).toMatchObject({ status });
    else await live(test, undefined).opened();
  });

  it('that never answers is waited for as long as is said, and is told to give up', async () => {
    const clock = new VirtualClock();
    const signals: AbortSignal[] = [];
    await using test = await startServer({
      clock,
      authorize: ({ signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const client = live(test, undefined);
    await until('it is asked', () => signals.length === 1);
    expect(test.server.resources()).toContain('upgrade that is looked at');
    await clock.advance(DEFAULT_AUTHORIZE_TIMEOUT_MS);
    expect(await client.refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(signals[0]?.aborted).toBe(true);
    expect(test.server.resources()).not.toContain('upgrade that is looked at');
    expect(test.server.resources().join()).not.toContain('authorize hook');
  });

  it('that never answers does not keep a server from closing', async () => {
    let asked = 0;
    await using test = await startServer({
      authorize: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    const client = live(test, undefined);
    const request = fetch(`${test.url}/list-apps`).then(
      ({ status }) => status,
      () => 'gone',
    );
    await until('both are asked about', () => asked === 2);
    await test.server.close();
    expect(test.server.resources()).toEqual([]);
    await client.closed;
    expect([503, 'gone']).toContain(await request);
  });
});

describe('who is not let in', () => {
  it('is counted each time, and told of once for an address and a while', async () => {
    const clock = new VirtualClock();
    const warn = vi.fn<(message: string, fields?: LogFields) => void>();
    const log = { debug: () => undefined, info: () => undefined, warn, error: () => undefined };
    await using test = await startServer({ auth, clock, log });
    const told = (): unknown[] => warn.mock.calls.filter(([message]) => message === 'not let in');
    for (let index = 0; index < 50; index += 1) await ask(test, undefined, 'GET', `/list-apps?n=${index}`);
    expect(told()).toHaveLength(1);
    await clock.advance(60_000);
    await ask(test, 'wrong-token-0123456789', 'GET', '/list-apps?secret=s3cret');
    expect(told()).toHaveLength(2);
    expect(told()[1]).toEqual([
      'not let in',
      { reason: 'malformed', address: '127.0.0.1', method: 'GET', at: '/list-apps', moreBefore: 49 },
    ]);
    const metrics = (await ask(test, PROGRAM, 'GET', '/metrics')).text;
    expect(metrics).toContain('holdfast_auth_failures_total{reason="missing"} 50\n');
    for (const reason of AUTH_FAILURE_REASONS) expect(metrics).toContain(`{reason="${reason}"}`);
  });

  it('leaves nothing of its token in a log, whatever level it has', async () => {
    const lines: string[] = [];
    const write = (message: string, fields?: LogFields): void =>
      void lines.push(message + JSON.stringify(fields ?? {}));
    const log = { debug: write, info: write, warn: write, error: write };
    const test = await guarded({ log });
    const user = await forge.token({ sub: 'u' });
    await live(test, user).opened();
    await ask(test, user, 'GET', `/list-apps?access_token=${user}`);
    for (const { authorization } of attempts.filter(({ authorization: { length } }) => length < 8_000)) {
      await fetch(`${test.url}/apps/x`, { headers: { authorization } }).catch(() => undefined);
    }
    await test.server.close();
    const all = lines.join('\n');
    expect(all).toContain('not let in');
    for (const token of [PROGRAM, user, ...user.split('.').slice(1)]) expect(all).not.toContain(token);
  });
});

describe('a client that comes back', () => {
  async function vanished(
    options: Partial<ServerOptions> = {},
  ): Promise<AsyncDisposable & { test: TestServer; token: string }> {
    const test = await guarded(options);
    const client = await live(test, WHO['the user']).opened();
    client.send({ type: 'hello', protocol: 1 });
    await until('it is greeted', () => client.having('type', 'hello').length === 1);
    const { resumeToken } = client.having('type', 'hello')[0] as { resumeToken: string };
    await until('the model is there', () => test.model.connections.length === 1);
    client.socket.terminate();
    await until('it is waited for', () =>
      test.server.resources().some((name) => name.endsWith('client grace')),
    );
    return { test, token: resumeToken, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
  }

  const resume = async (test: TestServer, bearerToken: string, token: string): Promise<TestClient> => {
    const client = await live(test, bearerToken).opened();
    client.send({ type: 'hello', protocol: 1, resume: { token, seq: 0, positionSamples: 0 } });
    return client;
  };

  it('H4 is asked who it is again, and goes on as the same one with another token', async () => {
    await using away = await vanished();
    const { test, token } = away;
    const client = await resume(test, await forge.token({ sub: 'u', jti: 'the next one' }), token);
    await until('it is back', () => client.having('type', 'hello').length === 1);
    expect(client.having('type', 'hello')[0]).toMatchObject({ resumed: true });
    expect(test.model.connections).toHaveLength(1);
  });

  it('H4 is refused as somebody else, also where that one may speak as the user and has the token', async () => {
    await using away = await vanished();
    const { test, token } = away;
    const client = await resume(test, WHO['who speaks for all'], token);
    expect(await client.closed).toMatchObject({ code: 4014 });
    const again = await resume(test, WHO['the user'], token);
    await until('who it belongs to is back', () => again.having('type', 'hello').length === 1);
    expect(again.having('type', 'hello')[0]).toMatchObject({ resumed: true });
  });

  it('H4 is refused when its token has expired, while the call it had went on', async () => {
    await using away = await vanished();
    const { test, token } = away;
    const expired = await forge.token({ sub: 'u', exp: forge.nowS - 60 });
    expect(await live(test, expired).refused).toMatchObject({ status: 401 });
    expect(await live(test, WHO['another user']).refused).toMatchObject({ status: 403 });
    expect(test.server.liveSessions).toBe(1);
    expect(token).toHaveLength(32);
  });

  it('H4 is refused when the hook says no by now', async () => {
    let allowed = true;
    await using away = await vanished({ authorize: () => allowed });
    const { test } = away;
    allowed = false;
    expect(await live(test, WHO['the user']).refused).toMatchObject({ status: 403 });
  });
});

describe('listening where others can reach it', () => {
  const parts = { agents: { demo: new Agent({ name: 'helper' }) }, model: new ScriptedModel() };

  it.each(['0.0.0.0', '::', '', '10.0.0.1', '0', 'example.org', '127.0.0.1.example.org'])(
    'is refused without authentication on %j, and says what to do',
    async (host) => {
      await using server = createServer(parts);
      const refusal = await server.listen(0, host).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(InsecureListenError);
      expect(String(refusal)).toMatch(/--auth-token.*--insecure-no-auth/s);
      expect(server.resources()).not.toContain('http server');
    },
  );

  it('is possible with authentication, and where it is allowed in so many words', async () => {
    await using closed = createServer({ ...parts, auth });
    const { port } = await closed.listen(0, '0.0.0.0');
    expect((await fetch(`http://127.0.0.1:${port}/list-apps`)).status).toBe(401);
    await using open = createServer(parts);
    const { port: openPort } = await open.listen(0, '0.0.0.0', { allowUnauthenticated: true });
    expect((await fetch(`http://127.0.0.1:${openPort}/list-apps`)).status).toBe(200);
  });
});

describe('bearerTokens', () => {
  it('keeps who may use which app, and tells them apart by no clock', () => {
    expect(() => bearerTokens([])).toThrow(/needs one token/);
    expect(() => bearerTokens(['short'])).toThrow(/at least 16/);
    expect(() => bearerTokens(['with a space in it, so no token'])).toThrow(/none of them a space/);
    expect(new ForbiddenError('x').code).toBe('HOLDFAST_FORBIDDEN');
  });
});
