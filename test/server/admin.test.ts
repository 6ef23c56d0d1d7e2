import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidOptionError, VirtualClock } from '../../src/kernel/index.ts';
import { AdminAccess } from '../../src/server/auth/admin-access.ts';
import { createServer } from '../../src/server/index.ts';
import type { ServerOptions } from '../../src/server/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const TOKEN = '0123456789abcdef-token';

let clock: VirtualClock;
let test: TestServer;

beforeEach(() => {
  clock = new VirtualClock();
});

afterEach(async () => {
  const aborted = test.server.abort();
  await clock.advance(10_000);
  await aborted;
});

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  test = await startServer({ clock, adminToken: TOKEN, ...options });
}

async function ask(
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  authorization: string | undefined = `Bearer ${TOKEN}`,
): Promise<{ status: number; headers: Headers; json: Record<string, unknown> }> {
  const response = await fetch(test.url + path, {
    method,
    headers: authorization === '' ? {} : { authorization },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as Record<string, unknown>;
  return { status: response.status, headers: response.headers, json };
}

const sessions = async (query = ''): Promise<Record<string, unknown>[]> =>
  (await ask('GET', `/admin/sessions${query}`)).json['sessions'] as Record<string, unknown>[];

async function call(id: string, user = 'u'): Promise<Awaited<ReturnType<TestServer['adk']>>> {
  await test.request(`/apps/demo/users/${user}/sessions`, { sessionId: id });
  const before = test.model.openConnections;
  const client = await test.adk(id, user === 'u' ? '' : `&user_id=${user}`).opened();
  await until(`${id} is connected`, () => test.model.openConnections > before);
  return client;
}

describe('who may administer a server', () => {
  it.each([
    ['GET', '/admin/sessions'],
    ['POST', '/admin/sessions/a/close'],
    ['GET', '/admin/drain'],
    ['GET', '/admin/drain?follow=true'],
    ['POST', '/admin/drain'],
  ] as const)('%s %s is answered to the token alone', async (method, path) => {
    await start();
    for (const wrong of [
      '',
      'Bearer',
      `Bearer ${TOKEN.slice(1)}`,
      `Bearer ${TOKEN}x`,
      `Basic ${TOKEN}`,
      TOKEN,
    ]) {
      const { status, headers, json } = await ask(method, path, undefined, wrong);
      expect([wrong, status, json['code']]).toEqual([wrong, 401, 'HOLDFAST_ADMIN_DENIED']);
      expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(JSON.stringify(json)).not.toContain(TOKEN);
    }
    expect(test.server.ready).toBe(true);
  });

  it('says how to turn administration on, where it is off', async () => {
    test = await startServer({ clock });
    const { status, json } = await ask('GET', '/admin/sessions');
    expect(status).toBe(403);
    expect(json).toMatchObject({ code: 'HOLDFAST_ADMIN_DISABLED' });
    expect(json['error']).toContain('--admin-token');
  });

  it.each(['short', 'x'.repeat(1_025), 'has a blank in its middle', 'ümläutümläutümläut'])(
    'refuses the token %j, and does not repeat it',
    (adminToken) => {
      const make = (): unknown => createServer({ agents: {}, adminToken });
      expect(make).toThrow(InvalidOptionError);
      expect(make).toThrow(/adminToken: give /);
      expect(make).not.toThrow(adminToken);
    },
  );

  it('lets in also whom another grant knows, and nobody whom it fails on', async () => {
    const access = new AdminAccess(undefined);
    expect(access.isEnabled).toBe(false);
    access.alsoBy((authorization) => {
      if (authorization === 'broken') throw new Error('unreadable');
      return Promise.resolve(authorization === 'good');
    });
    await access.check('good');
    await expect(access.check('bad')).rejects.toMatchObject({ code: 'HOLDFAST_ADMIN_DENIED' });
    await expect(access.check('broken')).rejects.toMatchObject({ code: 'HOLDFAST_ADMIN_DENIED' });
  });
});

describe('what is under way', () => {
  it('lists every call with its legs and what it holds', async () => {
    await start();
    expect(await sessions()).toEqual([]);
    await call('a');
    await clock.advance(5_000);
    expect(await sessions()).toEqual([
      {
        id: 'a',
        app: 'demo',
        user: 'u',
        kind: 'run_live',
        state: 'live',
        ageMs: 5_000,
        client: 'adk',
        model: 'connected',
        agent: 'helper',
        draining: false,
        resources: expect.arrayContaining([expect.stringContaining('client socket')]),
      },
    ]);
  });

  it('tells a client that is away, and one that was told to go', async () => {
    await start();
    const client = await test.welcomed(await test.createSession('a'));
    client.socket.terminate();
    await until('it is missed', () => test.server.resources().some((name) => name.includes('client grace')));
    expect(await sessions()).toMatchObject([{ client: 'away', draining: false, state: 'live' }]);
    void test.server.drain();
    const { json } = await ask('GET', '/admin/sessions');
    expect(json).toMatchObject({ stage: 'refusing', calls: 1, sessions: [{ draining: true }] });
  });

  it('lists a call that has not begun, and a text turn', async () => {
    await start();
    await test.holdfast(await test.createSession('a')).opened();
    await test.createSession('b');
    const turn = { appName: 'demo', userId: 'u', sessionId: 'b', newMessage: { parts: [{ text: 'hi' }] } };
    const answer = test.request('/run', turn);
    await until('it is asked', () => test.model.connections[0]?.received.length === 1);
    expect(await sessions()).toMatchObject([
      { id: 'a', state: 'starting', client: 'holdfast.v1', model: 'none' },
      { id: 'b', kind: 'run', client: 'http', state: 'live', model: 'connected' },
    ]);
    await ask('POST', '/admin/sessions/b/close', { reason: 'Enough.' });
    expect(await answer).toMatchObject({ status: 503, text: expect.stringContaining('Enough.') });
  });
});

describe('closing a session from outside', () => {
  it('ends it politely, with the words of the operator on either wire', async () => {
    const reasons: string[] = [];
    await start({ onSessionEnd: ({ reason }) => void reasons.push(reason) });
    const adk = await call('a');
    const v1 = await test.welcomed(await test.createSession('b'));
    const plain = await call('c');
    const answers = Promise.all([
      ask('POST', '/admin/sessions/a/close', { reason: 'The line is needed.' }),
      ask('POST', '/admin/sessions/b/close', { reason: 'The line is needed.' }),
      ask('POST', '/admin/sessions/c/close'),
    ]);
    expect(await adk.closed).toEqual({ code: 1000, reason: 'The line is needed.' });
    expect(await v1.closed).toEqual({ code: 4003, reason: 'The line is needed.' });
    expect(await plain.closed).toEqual({ code: 1000, reason: 'closed by operator' });
    expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(reasons).toEqual(['closed_by_operator', 'closed_by_operator', 'closed_by_operator']);
    expect(await sessions()).toEqual([]);
    expect(test.server.ready).toBe(true);
  });

  it('asks which one is meant, where several users have one of the id', async () => {
    await start();
    await test.createSession('a');
    await test.request('/apps/demo/users/v/sessions', { sessionId: 'a' });
    const mine = await test.adk('a').opened();
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=v&session_id=a`;
    const other = new WebSocket(url);
    await until('both are live', () => test.model.openConnections === 2);
    expect(await sessions('?user=v')).toHaveLength(1);
    expect(await ask('POST', '/admin/sessions/a/close')).toMatchObject({
      status: 409,
      json: { code: 'HOLDFAST_AMBIGUOUS_SESSION' },
    });
    expect(await ask('POST', '/admin/sessions/a/close?app=demo&user=u')).toMatchObject({ status: 200 });
    expect((await mine.closed).code).toBe(1000);
    expect(other.readyState).toBe(WebSocket.OPEN);
    expect(await ask('POST', '/admin/sessions/none/close')).toMatchObject({
      status: 404,
      json: { code: 'HOLDFAST_SESSION_NOT_FOUND' },
    });
  });
});

describe('a drain from outside', () => {
  it('D1 D6 begins as after a signal, and is told on every question', async () => {
    await start({ drainTimeoutMs: 60_000 });
    expect((await ask('GET', '/admin/drain')).json).toEqual({ stage: 'serving', calls: 0, oldestMs: 0 });
    const client = await call('a');
    const begun = await ask('POST', '/admin/drain');
    expect(begun).toMatchObject({ status: 202, json: { verb: 'drain', stage: 'refusing', calls: 1 } });
    await clock.advance(10_000);
    expect((await ask('GET', '/admin/drain')).json).toEqual({
      stage: 'refusing',
      calls: 1,
      oldestMs: 10_000,
      elapsedMs: 10_000,
      deadlineInMs: 50_000,
    });
    client.send({ close: true });
    await until('it is over', () => test.server.liveSessions === 0);
    await clock.advance(1_000);
    expect(await test.server.closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
  });

  it('D6 is followed to its end, which says how many were cut', async () => {
    await start({ drainTimeoutMs: 60_000 });
    const client = await call('a');
    const response = await fetch(`${test.url}/admin/drain?follow=true`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const told = response.text();
    void test.server.drain();
    await clock.advance(60_000);
    await client.closed;
    await clock.advance(1_000);
    const lines = (await told).trim().split('\n');
    const progress = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(progress[0]).toMatchObject({ stage: 'serving', calls: 1 });
    expect(progress.at(-2)).toMatchObject({ stage: 'refusing', calls: 1 });
    expect(progress.at(-1)).toMatchObject({ stage: 'closing', cut: 1, elapsedMs: 60_000 });
    await clock.advance(1_000);
    await test.server.closed;
    expect(test.server.resources()).toEqual([]);
  });

  it.each([
    ['close', { verb: 'close' }],
    ['close', '?verb=close'],
    ['abort', { verb: 'abort' }],
  ])('D4 is made harder: %s', async (verb, how) => {
    await start();
    const client = await call('a');
    await ask('POST', '/admin/drain');
    const path = `/admin/drain${typeof how === 'string' ? how : ''}`;
    expect(await ask('POST', path, typeof how === 'string' ? undefined : how)).toMatchObject({
      status: 202,
      json: { verb },
    });
    await clock.advance(1_500);
    await client.closed;
    expect(await test.server.closed).toMatchObject({ verb, cutCalls: 1 });
  });

  it('knows no other verb', async () => {
    await start();
    expect((await ask('POST', '/admin/drain', { verb: 'explode' })).status).toBe(400);
    expect(test.server.ready).toBe(true);
  });
});
