import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer, ServerOptions } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { ScriptedModel } from './scripted-model.ts';

/** How long a condition on the loopback may take before a test calls it unmet. */
const PATIENCE_MS = 5_000;

/** Resolves when `condition` holds; looks again and again instead of waiting for luck. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`It never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One client's socket, with everything that came over it. */
export class TestClient {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  readonly binaries: Buffer[] = [];
  readonly closed: Promise<Closed>;
  /** The HTTP status and body of a refused upgrade. */
  readonly refused: Promise<{ status: number; headers: Record<string, unknown>; body: string }>;

  constructor(
    url: string,
    protocols: readonly string[] = [],
    headers: Record<string, string> = {},
    options: ClientOptions = {},
  ) {
    this.socket = new WebSocket(url, [...protocols], { ...options, headers });
    this.socket.on('message', (data, isBinary) => {
      if (isBinary) this.binaries.push(data as Buffer);
      else this.texts.push((data as Buffer).toString());
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.refused = new Promise((resolve) => {
      this.socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += String(chunk)));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      });
    });
  }

  get messages(): Record<string, unknown>[] {
    return this.texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  /** The messages that have this field, or this value in it. */
  having(field: string, value?: unknown): Record<string, unknown>[] {
    return this.messages.filter((message) =>
      value === undefined ? message[field] !== undefined : message[field] === value,
    );
  }

  async opened(): Promise<this> {
    await until('the client is connected', () => this.socket.readyState === WebSocket.OPEN);
    return this;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  sendText(text: string): void {
    this.send({ content: { role: 'user', parts: [{ text }] } });
  }
}

export interface TestServer extends AsyncDisposable {
  readonly server: HoldfastServer;
  readonly model: ScriptedModel;
  readonly url: string;
  /** A session of app `demo`. */
  createSession(id?: string): Promise<string>;
  adk(id: string, query?: string): TestClient;
  holdfast(id: string, query?: string): TestClient;
  /** A client of `holdfast.v1` that has been greeted. */
  welcomed(id: string): Promise<TestClient>;
  request(path: string, body?: unknown): Promise<{ status: number; headers: Headers; text: string }>;
}

/** A server of one app, `demo`, on a free port of the loopback. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const model = new ScriptedModel();
  const server = createServer({
    agents: { demo: new Agent({ name: 'helper' }) },
    model,
    // Who runs tests is busy with other things.
    maxEventLoopUtilization: 1,
    ...options,
  });
  const { url } = await server.listen(0);
  const live = (id: string, query: string): string =>
    `${url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=${id}${query}`;
  const test: TestServer = {
    server,
    model,
    url,
    createSession: async (id = 's1') => {
      await test.request('/apps/demo/users/u/sessions', { sessionId: id });
      return id;
    },
    adk: (id, query = '') => new TestClient(live(id, query)),
    holdfast: (id, query = '') => new TestClient(live(id, query), [HOLDFAST_SUBPROTOCOL]),
    welcomed: async (id) => {
      const client = await test.holdfast(id).opened();
      client.send({ type: 'hello', protocol: 1 });
      await until('the server said hello', () => client.having('type', 'hello').length === 1);
      return client;
    },
    request: async (path, body) => {
      const init =
        body === undefined
          ? {}
          : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) };
      const response = await fetch(url + path, init);
      return { status: response.status, headers: response.headers, text: await response.text() };
    },
    [Symbol.asyncDispose]: async () => {
      await server.abort();
    },
  };
  return test;
}
