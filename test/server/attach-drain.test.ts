import { createServer as createHttpServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { ScriptedModel } from '../support/scripted-model.ts';
import { TestClient, until } from '../support/live-server.ts';

// The ladder of a drain in somebody else's server, which stays theirs.

let clock: VirtualClock;
let model: ScriptedModel;
let holdfast: HoldfastServer;
let outer: Server;
let notices: number;

beforeEach(() => {
  clock = new VirtualClock();
  model = new ScriptedModel();
  notices = 0;
  const demo = new Agent({ name: 'helper', onDrain: () => void (notices += 1) });
  holdfast = createServer({
    agents: { demo },
    model,
    clock,
    preDrainDelayMs: 5_000,
    drainTimeoutMs: 60_000,
  });
});
afterEach(async () => {
  const aborted = holdfast.abort();
  await clock.advance(10_000);
  await aborted;
  outer.closeAllConnections();
  await new Promise((resolve) => outer.close(resolve));
});

const OUTERS = {
  'node:http': (): Server =>
    createHttpServer((request, response) => {
      if (request.url?.startsWith('/agents/') !== true) {
        response.end('theirs');
        return;
      }
      request.url = request.url.slice('/agents'.length);
      holdfast.requestListener(request, response);
    }),
  Hono: (): Server => {
    const app = new Hono();
    app.get('/', (c) => c.text('theirs'));
    app.mount('/agents', holdfast.fetch);
    return serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  },
} as const;

describe.each(Object.entries(OUTERS))('a drain inside of %s', (_name, make) => {
  const base = (): string => `http://127.0.0.1:${(outer.address() as AddressInfo).port}`;
  const status = async (path: string): Promise<number> =>
    (await fetch(base() + path, { headers: { connection: 'close' } })).status;
  const client = (id: string, protocols: readonly string[] = []): TestClient => {
    const live = `${base().replace('http', 'ws')}/agents/run_live`;
    return new TestClient(`${live}?app_name=demo&user_id=u&session_id=${id}`, protocols);
  };
  const create = (id: string): Promise<Response> =>
    fetch(`${base()}/agents/apps/demo/users/u/sessions`, {
      method: 'POST',
      body: JSON.stringify({ sessionId: id }),
    });

  beforeEach(async () => {
    outer = make();
    if (!outer.listening) outer.listen(0, '127.0.0.1');
    await until('it listens', () => outer.listening);
    holdfast.attach(outer, { basePath: '/agents' });
  });

  it('D1 D3 climbs the same ladder, and leaves the server to its owner', async () => {
    expect((await create('a')).status).toBe(200);
    const stays = await client('a').opened();
    await create('b');
    const v1 = await client('b', ['holdfast.v1']).opened();
    v1.send({ type: 'hello', protocol: 1 });
    await until('both are live', () => model.openConnections === 2);

    const closed = holdfast.drain();
    expect([await status('/agents/ready'), await status('/agents/health'), await status('/')]).toEqual([
      503, 200, 200,
    ]);
    expect((await create('c')).status).toBe(200);
    await clock.advance(5_000);
    await until('the client is told', () => v1.having('type', 'goAway').length === 1);
    await until('the agents are', () => notices === 2);
    const refused = await client('c').refused;
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    expect((await create('d')).status).toBe(503);
    v1.send({ type: 'close' });
    await v1.closed;
    await until('one is left', () => holdfast.liveSessions === 1);

    await clock.advance(60_000);
    expect((await stays.closed).code).toBe(1012);
    await clock.advance(1_000);
    expect(await closed).toMatchObject({
      cutCalls: 1,
      drain: { calls: 2, ended: 1, cut: 1, durationMs: 65_000 },
    });
    expect(holdfast.resources()).toEqual([]);
    // Theirs goes on, and so do the answers about ours.
    expect([await status('/'), await status('/agents/health'), await status('/agents/ready')]).toEqual([
      200, 200, 503,
    ]);
    expect(outer.listenerCount('upgrade')).toBe(0);
  });

  it('D5 is over with the last call, though connections are kept alive', async () => {
    await create('a');
    const only = await client('a').opened();
    await until('it is live', () => model.openConnections === 1);
    const closed = holdfast.drain();
    await clock.advance(5_000);
    only.send({ close: true });
    await only.closed;
    await until('it is over', () => holdfast.liveSessions === 0);
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
    expect(outer.listening).toBe(true);
  });
});
