import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { bearerTokens, createServer } from '../../src/server/index.ts';
import type { HoldfastServer, ServerOptions } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { ScriptedModel } from '../support/scripted-model.ts';
import { TestClient, startServer } from '../support/live-server.ts';

const APP = 'https://app.example';
const EVIL = 'https://evil.example';
const TOKEN = 'program-token-0123456789abcdef';

/** A request as it stands: `fetch` would not send it. Gives the status. */
function raw(port: number, head: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(head.replaceAll('\n', '\r\n')));
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('close', () => resolve(Number(answer.split(' ')[1] ?? 0)));
    socket.on('error', reject);
  });
}

const portOf = (url: string): number => Number(new URL(url).port);

describe('pages of other origins', () => {
  it('are answered what their browsers ask first, without a token, and may read what they are answered', async () => {
    await using test = await startServer({ allowedOrigins: [APP], auth: bearerTokens([TOKEN]) });
    const preflight = await fetch(`${test.url}/run_sse`, {
      method: 'OPTIONS',
      headers: {
        origin: APP,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    const allowed = preflight.headers;
    expect(allowed.get('access-control-allow-origin')).toBe(APP);
    expect(allowed.get('access-control-allow-headers')).toBe('Authorization,Content-Type');
    expect(allowed.get('access-control-allow-methods')).toContain('DELETE');
    expect(allowed.get('access-control-allow-credentials')).toBeNull();
    expect(allowed.get('vary')).toContain('Origin');
    for (const [token, status] of [
      [TOKEN, 200],
      ['wrong-token-0123456789', 401],
    ] as const) {
      const answer = await fetch(`${test.url}/list-apps`, {
        headers: { origin: APP, authorization: `Bearer ${token}` },
      });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
      expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
      expect(answer.headers.get('vary')).toContain('Origin');
    }
  });

  it('that were not allowed get no such word, and change nothing', async () => {
    await using test = await startServer({ allowedOrigins: [APP] });
    const ask = (method: string): Promise<Response> =>
      fetch(`${test.url}/apps/demo/users/u/sessions`, {
        method,
        headers: { origin: EVIL, 'access-control-request-method': 'POST' },
      });
    for (const method of ['OPTIONS', 'POST', 'GET']) {
      const answer = await ask(method);
      expect(answer.status).toBe(403);
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
    const { text } = await test.request('/apps/demo/users/u/sessions');
    expect(text).toBe('[]');
  });

  it('are all allowed by *, and none is told that it may send credentials', async () => {
    await using test = await startServer({ allowedOrigins: ['*'] });
    const answer = await fetch(`${test.url}/list-apps`, { headers: { origin: EVIL } });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it.each<[string | undefined, number]>([
    [undefined, 101],
    [APP, 101],
    ['http://localhost:4200', 101],
    [EVIL, 403],
    ['null', 403],
  ])('open a WebSocket from %s: %i', async (origin, status) => {
    await using test = await startServer({ allowedOrigins: [APP] });
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s`;
    const client = new TestClient(url, [HOLDFAST_SUBPROTOCOL], origin === undefined ? {} : { origin });
    if (status === 101) await client.opened();
    else expect(await client.refused).toMatchObject({ status });
  });
});

describe('where others can reach it', () => {
  async function listening(
    options: Partial<ServerOptions> = {},
  ): Promise<{ server: HoldfastServer; port: number }> {
    const server = createServer({
      agents: { demo: new Agent({ name: 'helper' }) },
      model: new ScriptedModel(),
      ...options,
    });
    const { port } = await server.listen(0, '0.0.0.0', { allowUnauthenticated: true });
    return { server, port };
  }

  it("a page of somebody else's neither changes anything nor opens a WebSocket; one of the server's own does", async () => {
    const { port, ...listener } = await listening();
    await using server = listener.server;
    const post = async (origin: string): Promise<number> =>
      (
        await fetch(`http://127.0.0.1:${port}/apps/demo/users/u/sessions`, {
          method: 'POST',
          headers: { origin },
        })
      ).status;
    expect(await post(EVIL)).toBe(403);
    expect(await post('null')).toBe(403);
    expect(await post(`http://127.0.0.1:${port}`)).toBe(200);
    const url = `ws://127.0.0.1:${port}/run_live?app_name=demo&user_id=u&session_id=s`;
    expect(await new TestClient(url, [], { origin: EVIL }).refused).toMatchObject({ status: 403 });
    await new TestClient(url, [HOLDFAST_SUBPROTOCOL], { origin: `http://127.0.0.1:${port}` }).opened();
    expect(server.ready).toBe(true);
  });
});

describe('tricks with headers', () => {
  it.each<[string, string, number]>([
    ['a plain request', 'GET /list-apps HTTP/1.1\nHost: localhost\n', 200],
    [
      'a host that a proxy is said to have seen',
      'GET /list-apps HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: localhost\n',
      403,
    ],
    [
      'the same the other way round',
      'GET /list-apps HTTP/1.1\nHost: localhost\nX-Forwarded-Host: evil.example\nForwarded: host=evil.example\n',
      200,
    ],
    ['two hosts', 'GET /list-apps HTTP/1.1\nHost: localhost\nHost: evil.example\n', 400],
    ['no host', 'GET /list-apps HTTP/1.1\n', 400],
    ['an empty host', 'GET /list-apps HTTP/1.1\nHost:\n', 400],
    ['a whole address as the target', 'GET http://localhost/list-apps HTTP/1.1\nHost: localhost\n', 400],
    ['a whole address of another', 'GET http://localhost/list-apps HTTP/1.1\nHost: evil.example\n', 400],
  ])('%s', async (_name, head, status) => {
    await using test = await startServer();
    expect(await raw(portOf(test.url), `${head}Connection: close\n\n`)).toBe(status);
  });

  it.each<[string, string, string, number]>([
    ['a plain upgrade', '/run_live', 'Host: localhost\n', 101],
    ['two hosts', '/run_live', 'Host: localhost\nHost: evil.example\n', 400],
    [
      'a host that a proxy is said to have seen',
      '/run_live',
      'Host: evil.example\nX-Forwarded-Host: localhost\n',
      403,
    ],
    ['a whole address as the target', 'http://localhost/run_live', 'Host: localhost\n', 404],
  ])('of an upgrade: %s', async (_name, target, hosts, status) => {
    await using test = await startServer();
    const head =
      `GET ${target}?app_name=demo&user_id=u&session_id=s HTTP/1.1\n${hosts}` +
      'Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\n\n';
    expect(await raw(portOf(test.url), head)).toBe(status);
  });
});
