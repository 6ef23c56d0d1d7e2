import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSession, createTicket } from '../src/client/index.ts';
import {
  DEFAULT_CLIENT_SILENCE_TIMEOUT_MS,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_RUN_TIMEOUT_MS,
} from '../src/server/index.ts';
import { DEFAULT_MAX_DURATION_MS } from '../src/session/index.ts';
import { Haproxy, freePorts, startNginx } from './support/balancer.ts';
import type { Balancer, TwoPorts } from './support/balancer.ts';
import { CHECKOUT } from './support/checkout.ts';
import { TestClient, until } from './support/live-server.ts';
import { startService } from './support/process.ts';
import type { Service } from './support/process.ts';

// The balancers' configurations as they are shipped, with the real programs and, where it is about draining, real servers.

const BOUND_MS = 90_000;

async function startHaproxy(ports: TwoPorts): Promise<Balancer> {
  const haproxy = await Haproxy.start(ports);
  await haproxy.until(0, /^UP$/);
  await haproxy.until(1, /^UP$/);
  return haproxy;
}

const BALANCERS = [
  ['HAProxy', startHaproxy],
  ['nginx', startNginx],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-balancers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Two servers with one store, and a balancer before them. */
class Stage implements AsyncDisposable {
  readonly servers: readonly [Service, Service];
  readonly balancer: Balancer;

  static async open(
    name: string,
    start: (ports: TwoPorts) => Promise<Balancer>,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Stage> {
    const [one = 0, two = 0] = await freePorts(2);
    const store = `sqlite:${join(folder, `${name}.sqlite`)}`;
    const serve = (port: number): Promise<Service> =>
      startService(['api-server', '--port', String(port), '--store', store], { env });
    const servers = await Promise.all([serve(one), serve(two)]);
    return new Stage(servers, await start([one, two]));
  }

  private constructor(servers: readonly [Service, Service], balancer: Balancer) {
    this.servers = servers;
    this.balancer = balancer;
  }

  /** A client of `holdfast.v1` that was greeted; with `before` it comes back to what it had. */
  async call(id: string, before?: TestClient): Promise<TestClient> {
    const client = await new TestClient(this.live(id), ['holdfast.v1']).opened();
    const hello = before?.having('type', 'hello')[0];
    const resume =
      hello === undefined
        ? undefined
        : { token: hello['resumeToken'], seq: hello['seq'], positionSamples: 0 };
    client.send({ type: 'hello', protocol: 1, resume });
    await until('the server said hello', () => client.having('type', 'hello').length === 1);
    return client;
  }

  /** A client of the ADK's wire. */
  adk(id: string): Promise<TestClient> {
    return new TestClient(this.live(id)).opened();
  }

  /** A client whose session is new. */
  async newCall(id: string): Promise<TestClient> {
    const path = '/apps/default/users/u/sessions';
    const made = await fetch(this.balancer.url + path, {
      method: 'POST',
      body: JSON.stringify({ sessionId: id }),
    });
    expect(made.status).toBe(200);
    return this.call(id);
  }

  /** How many calls each server has. */
  async calls(): Promise<number[]> {
    return Promise.all(
      this.servers.map(async ({ url }) => {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        return Number(/^holdfast_live_sessions (\d+)/m.exec(metrics)?.[1]);
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.balancer[Symbol.asyncDispose]();
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }

  /** Where a session of app `default` is live. */
  live(id: string): string {
    const { url } = this.balancer;
    return `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=${id}`;
  }
}

/** Calls enough that both servers have some, by load or by hash. */
async function callsOnBoth(stage: Stage): Promise<Map<string, TestClient>> {
  const clients = new Map<string, TestClient>();
  for (let count = 0; count < 40; count += 1) {
    const id = `s${count}`;
    clients.set(id, await stage.newCall(id));
    if (clients.size >= 6 && (await stage.calls()).every((calls) => calls > 0)) return clients;
  }
  throw new Error(`Forty calls went to one server: ${String(await stage.calls())}`);
}

describe.concurrent.each(BALANCERS)('%s before two servers', (name, start) => {
  it(
    'D1 sends new calls past a server that drains, and to it who comes back to a call there',
    { timeout: BOUND_MS },
    async () => {
      await using stage = await Stage.open(name, start);
      const [draining] = stage.servers;
      const clients = await callsOnBoth(stage);
      const [onDraining = 0] = await stage.calls();
      draining.process.signal('SIGTERM');
      await draining.process.line(/"msg":"draining"/);

      // Also at once, when the balancer may not have noticed.
      const fresh: TestClient[] = [];
      for (let count = 0; count < 6; count += 1) fresh.push(await stage.newCall(`n${count}`));
      expect((await stage.calls())[0]).toBe(onDraining);

      // Each loses its connection without a word, and finds the live session it had, wherever that is.
      for (const [id, client] of clients) {
        client.socket.terminate();
        const back = await stage.call(id, client);
        expect(back.having('type', 'hello')[0]).toMatchObject({ resumed: true });
        clients.set(id, back);
      }
      expect((await stage.calls())[0]).toBe(onDraining);

      // Who hung up and calls again has a new call: not with the server that drains, where the balancer sends it first.
      for (const [id, client] of clients) {
        client.send({ type: 'close' });
        expect((await client.closed).code).toBe(4_000);
        clients.set(id, await stage.call(id));
      }
      expect(await draining.process.exit()).toEqual({ status: 0, signal: null });
      for (const client of [...clients.values(), ...fresh]) {
        client.send({ type: 'text', text: 'are you there?' });
        await until('the agent answered', () => JSON.stringify(client.messages).includes('are you there?'));
        client.socket.terminate();
      }
    },
  );

  it('has a session once: a newer client of it replaces the older one', { timeout: BOUND_MS }, async () => {
    await using stage = await Stage.open(`${name}-once`, start);
    for (const id of ['a', 'b', 'c', 'd']) {
      const older = await stage.newCall(id);
      const newer = await stage.adk(id);
      expect((await older.closed).code).toBe(4_001);
      newer.socket.terminate();
    }
  });

  it('sends a ticket to the server that gave it', { timeout: BOUND_MS }, async () => {
    const token = 'a-token-of-the-tests';
    await using stage = await Stage.open(`${name}-tickets`, start, { HOLDFAST_AUTH_TOKEN: token });
    const { url } = stage.balancer;
    for (const sessionId of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const target = { url, token, appName: 'default', userId: 'u', sessionId };
      await createSession(target);
      const protocols = ['holdfast.v1', `ticket.${await createTicket(target)}`];
      const client = await new TestClient(stage.live(sessionId), protocols).opened();
      client.socket.terminate();
    }
  });

  it('sends new calls past a server that was killed', { timeout: BOUND_MS }, async () => {
    await using stage = await Stage.open(`${name}-killed`, start);
    stage.servers[1].process.signal('SIGKILL');
    await stage.servers[1].process.exit();
    for (let count = 0; count < 6; count += 1) (await stage.newCall(`s${count}`)).socket.terminate();
  });
});

/** A server that keeps the heads of what it was asked, and streams an event when it is told to. */
class Witness implements AsyncDisposable {
  readonly headers: IncomingHttpHeaders[] = [];
  readonly paths: string[] = [];
  readonly port: number;
  readonly #server: Server;
  #second: (() => void) | undefined;

  static async listen(): Promise<Witness> {
    const [port = 0] = await freePorts(1);
    const witness = new Witness(port);
    await new Promise<void>((resolve) => void witness.#server.listen(port, '127.0.0.1', resolve));
    return witness;
  }

  private constructor(port: number) {
    this.port = port;
    this.#server = createServer((request, response) => {
      if (request.url === '/ready') {
        response.end('{}');
        return;
      }
      this.headers.push(request.headers);
      this.paths.push(request.url ?? '');
      request.resume();
      response.setHeader('content-type', 'text/event-stream');
      response.write('data: first\n\n');
      this.#second = () => response.end('data: second\n\n');
    });
  }

  /** Ends the answer under way with a second event. */
  goOn(): void {
    this.#second?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe.concurrent.each(BALANCERS)('%s', (_name, start) => {
  it(
    'tells the server the client’s address and no other, and passes events on as they come',
    { timeout: BOUND_MS },
    async () => {
      await using one = await Witness.listen();
      await using two = await Witness.listen();
      await using balancer = await start([one.port, two.port]);
      const body = JSON.stringify({ app_name: 'a', user_id: 'u', session_id: 's' });
      const response = await fetch(`${balancer.url}/run_sse`, {
        method: 'POST',
        headers: { 'x-forwarded-for': '203.0.113.9', 'content-type': 'application/json' },
        body,
      });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      expect(await reader?.read()).toMatchObject({ value: 'data: first\n\n' });
      const asked = one.headers.length > 0 ? one : two;
      expect(asked.headers).toEqual([expect.objectContaining({ 'x-forwarded-for': '127.0.0.1' })]);
      asked.goOn();
      expect(await reader?.read()).toMatchObject({ value: 'data: second\n\n' });
    },
  );

  it('keeps what is for those who run it from the world', { timeout: BOUND_MS }, async () => {
    await using one = await Witness.listen();
    await using two = await Witness.listen();
    await using balancer = await start([one.port, two.port]);
    for (const path of ['/metrics', '/admin', '/admin/drain', '/%61dmin/drain', '/admin/../admin/drain']) {
      expect({ path, status: (await fetch(balancer.url + path)).status }).toEqual({ path, status: 404 });
    }
    expect([...one.paths, ...two.paths]).toEqual([]);
  });

  it('does not wait for ever for a client that says its request slowly', { timeout: BOUND_MS }, async () => {
    await using one = await Witness.listen();
    await using balancer = await start([one.port, one.port]);
    const { port } = new URL(balancer.url);
    const socket = createConnection(Number(port), '127.0.0.1');
    const startedAtMs = performance.now();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => socket.write('X-Slow: 1\r\n'), 1_000);
    socket.on('error', () => undefined);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
    expect(one.paths).toEqual([]);
  });
});

describe('the bounds in the configurations', () => {
  let haproxy = '';
  let nginx = '';
  beforeAll(() => {
    haproxy = readFileSync(join(CHECKOUT, 'deploy/haproxy/haproxy.cfg'), 'utf8');
    nginx = readFileSync(join(CHECKOUT, 'deploy/nginx/nginx.conf'), 'utf8');
  });

  /** The value of a directive as milliseconds or bytes: `150s`, `1h`, `5m` of a size. */
  function valuesOf(text: string, pattern: RegExp): number[] {
    const units: Record<string, number> = { s: 1_000, h: 3_600_000, m: 1_048_576, ms: 1 };
    const values = [...text.matchAll(pattern)].map(([, count, unit = '']) => Number(count) * units[unit]!);
    expect(values.length).toBeGreaterThan(0);
    return values;
  }

  it('do not cut a call in which nobody says anything: the server pings more often than they count', () => {
    const tunnel = valuesOf(haproxy, /timeout tunnel (\d+)(s|h)/g);
    const live = /location = \/run_live \{(.*?)\}/s.exec(nginx)?.[1] ?? '';
    const read = valuesOf(live, /proxy_(?:read|send)_timeout (\d+)(s|h)/g);
    for (const value of [...tunnel, ...read]) {
      expect(value).toBeGreaterThan(2 * DEFAULT_CLIENT_SILENCE_TIMEOUT_MS);
    }
  });

  it('do not cut a text turn that takes as long as it may', () => {
    const bounds = [
      ...valuesOf(haproxy, /timeout server (\d+)(s|h)/g),
      ...valuesOf(nginx, /proxy_read_timeout (\d+)(s|h)/g),
    ];
    for (const bound of bounds) expect(bound).toBeGreaterThan(DEFAULT_RUN_TIMEOUT_MS);
  });

  it('keep a session’s server for longer than a live session may last', () => {
    const [expire = 0] = valuesOf(haproxy, /expire (\d+)(h)/g);
    expect(expire).toBeGreaterThan(DEFAULT_MAX_DURATION_MS);
  });

  it('let the server refuse what is too large', () => {
    const [size = 0] = valuesOf(nginx, /client_max_body_size (\d+)(m)/g);
    expect(size).toBeGreaterThan(DEFAULT_MAX_BODY_BYTES);
  });
});
