import { createServer as createHttpServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { ScriptedModel } from '../support/scripted-model.ts';
import { TestClient, until } from '../support/live-server.ts';

describe('a server inside a server of your own', () => {
  let holdfast: HoldfastServer;
  let model: ScriptedModel;
  let outer: Server | undefined;

  beforeEach(() => {
    model = new ScriptedModel();
    holdfast = createServer({ agents: { demo: new Agent({ name: 'helper' }) }, model });
  });

  afterEach(async () => {
    await holdfast.abort();
    outer?.closeAllConnections();
    await new Promise((resolve) => outer?.close(resolve));
  });

  const listen = async (server: Server): Promise<string> => {
    outer = server;
    if (!server.listening) await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  /** A whole conversation under `base`. */
  const converse = async (base: string): Promise<void> => {
    const created = await fetch(`${base}/apps/demo/users/u/sessions`, {
      method: 'POST',
      body: '{"sessionId":"s"}',
    });
    expect(created.status).toBe(200);
    const url = `${base.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s`;
    const client = await new TestClient(url).opened();
    client.sendText('hello');
    await until('heard', () => model.connections.at(-1)?.received.length === 1);
    model.last.output({ type: 'text', text: 'hi' }, { type: 'turnComplete' });
    await until('answered', () => client.having('turnComplete').length === 1);
    const closed = holdfast.close();
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(await closed).toMatchObject({ cutCalls: 1 });
    expect(holdfast.resources()).toEqual([]);
  };

  it('node:http, under a path, beside routes and WebSockets of others', async () => {
    const server = createHttpServer((request, response) => {
      if (request.url?.startsWith('/agents/') === true) {
        request.url = request.url.slice('/agents'.length);
        holdfast.requestListener(request, response);
      } else {
        response.end('theirs');
      }
    });
    const theirs = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/chat') theirs.handleUpgrade(request, socket, head, (chat) => chat.send('chat'));
    });
    holdfast.attach(server, { basePath: '/agents' });
    const url = await listen(server);
    const chat = await new TestClient(`${url.replace('http', 'ws')}/chat`).opened();
    await until('their WebSocket speaks', () => chat.texts[0] === 'chat');
    expect(await (await fetch(url)).text()).toBe('theirs');
    await converse(`${url}/agents`);
    expect(chat.socket.readyState).toBe(chat.socket.OPEN);
    chat.socket.terminate();
    expect(server.listenerCount('upgrade')).toBe(1);
    expect(await (await fetch(url)).text()).toBe('theirs');
  });

  it('Hono, mounted', async () => {
    const app = new Hono();
    app.get('/', (c) => c.text('theirs'));
    app.mount('/agents', holdfast.fetch);
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
    await until('it listens', () => server.listening);
    holdfast.attach(server, { basePath: '/agents' });
    await converse(`${await listen(server)}/agents`);
  });

  it('an Express-like chain of handlers, which strips the path it mounts at', async () => {
    type Handler = RequestListener;
    const chain: { path: string; handler: Handler }[] = [];
    const use = (path: string, handler: Handler): void => void chain.push({ path, handler });
    use('/live', holdfast.requestListener);
    use('/', (_request, response) => void response.end('theirs'));
    const server = createHttpServer((request, response) => {
      const found = chain.find(({ path }) => request.url?.startsWith(path));
      if (found !== undefined && found.path !== '/')
        request.url = request.url?.slice(found.path.length) ?? '/';
      found?.handler(request, response);
    });
    const detach = holdfast.attach(server, { basePath: '/live' });
    await converse(`${await listen(server)}/live`);
    detach();
    expect(server.listenerCount('upgrade')).toBe(0);
  });

  it('refuses a basePath that is no path', () => {
    expect(() => holdfast.attach(createHttpServer(), { basePath: 'agents' })).toThrow(/begin with a slash/);
  });

  it('says which option cannot work', () => {
    const agents = { demo: new Agent({ name: 'helper' }) };
    expect(() => createServer({ agents, model, drainTimeoutMs: -1 })).toThrow(/drainTimeoutMs/);
    expect(() => createServer({ agents, model, ...{ drainTimeout: 1 } })).toThrow(/no option drainTimeout/);
    expect(() => createServer({ agents })).toThrow(/no model: demo/);
    expect(() => createServer({ agents: { '../x': agents.demo }, model })).toThrow(/cannot name an app/);
  });
});
