import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { SERVER_LIFE_MS, makeTestServer } from './mcp-server.ts';
import type { TestServerOptions } from './mcp-server.ts';

/** What happens to a request instead of being answered as it should be. */
export type HttpFault =
  | { readonly status: number; readonly body?: string }
  | 'never-answers'
  | 'cut'
  | 'cut-stream'
  | 'endless'
  | { readonly redirect: string };

export interface HttpTestServerOptions extends TestServerOptions {
  /** Asked before each request; undefined lets it through. */
  readonly fault?: (method: string, rpc: string | undefined) => HttpFault | undefined;
  /** As JSON, where the SDK would answer with a stream. */
  readonly json?: boolean;
}

interface SeenRequest {
  readonly method: string;
  /** The method of the JSON-RPC message. */
  readonly rpc: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

/** An MCP server of the vendor's SDK behind loopback HTTP, with its sockets, sessions and requests in view. */
export class HttpTestServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  readonly sessions = new Map<string, StreamableHTTPServerTransport>();
  /** Requests whose answer has not ended, and which nobody has given up. */
  unanswered = 0;
  fault: NonNullable<HttpTestServerOptions['fault']>;
  readonly #server: Server;
  readonly #options: HttpTestServerOptions;

  private constructor(options: HttpTestServerOptions) {
    this.#options = options;
    this.fault = options.fault ?? (() => undefined);
    this.#server = createServer((request, response) => {
      this.unanswered += 1;
      response.on('close', () => (this.unanswered -= 1));
      this.#answer(request, response).catch(() => response.destroy());
    });
    // Longer than any test: what is closed is closed by the client.
    this.#server.keepAliveTimeout = SERVER_LIFE_MS;
    this.#server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  static async start(options: HttpTestServerOptions = {}, port = 0): Promise<HttpTestServer> {
    const started = new HttpTestServer(options);
    await new Promise<void>((resolve) => started.#server.listen(port, '127.0.0.1', resolve));
    return started;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`;
  }

  /** What was said over HTTP: `POST initialize`, `DELETE`. */
  get said(): string[] {
    return this.requests.map(({ method, rpc }) => (rpc === undefined ? method : `${method} ${rpc}`));
  }

  /** As after a restart: no session is known any more. */
  forgetSessions(): void {
    this.sessions.clear();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const rpc = body === undefined ? undefined : String((body as { method?: string }).method ?? 'answer');
    const method = request.method ?? '';
    this.requests.push({ method, rpc, headers: request.headers });
    const fault = this.fault(method, rpc);
    if (fault !== undefined) {
      suffer(fault, request, response);
      return;
    }
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? this.sessions.get(id) : undefined;
    if (known !== undefined) {
      await known.handleRequest(request, response, body);
      return;
    }
    if (rpc !== 'initialize') {
      response.writeHead(404).end('Session not found');
      return;
    }
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: this.#options.json === true,
      onsessioninitialized: (session) => void this.sessions.set(session, transport),
      onsessionclosed: (session) => void this.sessions.delete(session),
    });
    await makeTestServer(this.#options).connect(transport);
    await transport.handleRequest(request, response, body);
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? undefined : JSON.parse(text);
}

function suffer(fault: HttpFault, request: IncomingMessage, response: ServerResponse): void {
  if (fault === 'never-answers') return;
  if (fault === 'cut') {
    request.socket.destroy();
    return;
  }
  if (fault === 'cut-stream' || fault === 'endless') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (fault === 'cut-stream') {
      response.write(': here it comes\n\n', () => request.socket.destroy());
      return;
    }
    const more = (): void => {
      while (!response.destroyed && response.write(`data: ${'x'.repeat(16_384)}\n`));
    };
    response.on('drain', more);
    response.write('event: message\n');
    more();
    return;
  }
  if ('redirect' in fault) {
    response.writeHead(307, { location: fault.redirect }).end();
    return;
  }
  response.writeHead(fault.status).end(fault.body ?? `Cannot ${request.method} ${request.url}`);
}
