import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { InvalidOptionError } from '../kernel/index.ts';
import type { CloseReport, Lifetime } from '../kernel/index.ts';
import { isLoopback } from '../protocol/loopback.ts';
import { InsecureListenError } from './auth/index.ts';
import { guardConnections } from './limits/index.ts';
import { AppNotFoundError, UnavailableError } from './errors.ts';
import type { DrainReport } from './drain/index.ts';
import { HostCheck, listenForPeers, listenHttp, secureSettings } from './http/index.ts';
import type { HttpListener, ListenAddress, RequestRouter, SharedListening, TlsPair } from './http/index.ts';
import {
  LiveUpgrades,
  RUN_LIVE_PATH,
  createOperationsRoutes,
  createRoutes,
  refuseUpgrade,
} from './routes/index.ts';
import { makeContext } from './make-context.ts';
import type { ServerContext } from './server-context.ts';
import type { ServerOptions } from './server-options.ts';

/** How a server ended. */
export interface ServerCloseReport extends CloseReport {
  /** How many calls were under way when it closed, and were cut. */
  readonly cutCalls: number;
  /** How its drain went; absent where it was closed without one. */
  readonly drain?: DrainReport;
}

interface OperationsListening extends SharedListening {
  /** Where other processes of the same server ask, too: a socket in the file system. */
  readonly peersPath?: string;
}

export interface ListenOptions extends SharedListening {
  /**
   * Listen on an address that others reach, without `auth`: whoever reaches it may use it. For a server that is kept from
   * strangers by something else, such as a proxy that asks who they are. Default false.
   */
  readonly allowUnauthenticated?: boolean;
  /** Speak HTTP over TLS (https, wss), from version 1.2 on, with this certificate. Default: not. */
  readonly tls?: TlsPair;
}

/**
 * Serves agents over HTTP and WebSockets.
 *
 * ```ts
 * const server = createServer({ agents: { greeter }, model: echo() });
 * const { url } = await server.listen(8000);
 * process.once('SIGTERM', () => void server.drain());
 * ```
 *
 * In a server of your own, give requests to `requestListener` (or `fetch`) and upgrades to `attach`. Its three verbs
 * are those of every owner here: `drain()` lets calls end by themselves, up to `drainTimeoutMs`; `close()` ends them
 * now, politely; `abort()` does not wait. It never listens to signals: that is the program's business.
 * @throws InvalidOptionError for an option that cannot work.
 */
export function createServer(options: ServerOptions): HoldfastServer {
  return new HoldfastServer(options);
}

export class HoldfastServer implements AsyncDisposable {
  /** Resolves, and never rejects, when the server has ended. */
  readonly closed: Promise<ServerCloseReport>;
  /** Answers requests in the form of the web: for Hono's `mount`, and everything else that speaks it. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Answers requests in the form of node:http, and as an Express handler. */
  readonly requestListener: RequestListener;
  readonly #root: Lifetime;
  readonly #secure: SecureServer[] = [];
  readonly #context: ServerContext;
  readonly #upgrades: LiveUpgrades;
  /** What it listens with; undefined as long as it does not. */
  #http: HttpListener | undefined;

  constructor(options: ServerOptions) {
    this.#context = makeContext(options, {
      close: (reason) => this.#close(reason),
      end: (verb) => void this[verb](),
    });
    this.#root = this.#context.owner;
    this.#upgrades = new LiveUpgrades(this.#context);
    const routes = createRoutes(this.#context);
    this.fetch = (request) => routes.fetch(request);
    this.requestListener = nodeListener(routes);
    this.closed = this.#root.closed.then((report) => this.#reportOf(report));
  }

  /** Whether new sessions are welcome; what `/ready` says. */
  get ready(): boolean {
    return this.#context.drain.stage.tag === 'serving' && this.#root.isOpen;
  }

  /** How many calls are under way: live sessions and text turns, from when they were accepted to the end of their hook. */
  get liveSessions(): number {
    return this.#context.calls.size;
  }

  /** What the server holds outside memory; empty once it has closed (clause C6). */
  resources(): string[] {
    return this.#root.resources();
  }

  /**
   * Listens with an HTTP server of its own. Port 0 takes a free one. On a loopback address (the default) only requests
   * for loopback names are answered, so that no page of a browser can reach it through a name of its own.
   * @throws InsecureListenError on another address without `auth`, unless it is allowed; ListenError when the address
   * cannot be had; TlsError for a certificate that cannot be used; ClosedError when the server has ended.
   */
  async listen(port = 0, host = '127.0.0.1', options: ListenOptions = {}): Promise<ListenAddress> {
    this.#root.throwIfClosing();
    this.#refuseToBeOpen(host, options);
    const { router, reusePort = false } = options;
    const { access, hosts } = this.#context;
    hosts.listensOn(host);
    if (hosts.allowsAnyOrigin && !access.isRequired) this.#root.log.warn('every page may use this server');
    const { limits, addresses, refusals } = this.#context;
    const { tls } = options;
    const { server, address } = await listenHttp(this.#root, {
      listener: routedBy(router, this.requestListener),
      host,
      port,
      limits,
      tls,
      reusePort,
    });
    if ('setSecureContext' in server) this.#secure.push(server);
    guardConnections(server, { limits, addresses, refusals });
    server.on('upgrade', (request, socket, head) => {
      if (router?.upgrade(request, socket, head) !== true) this.handleUpgrade(request, socket, head);
    });
    this.#http = server;
    this.#context.listeners.addPublic(server);
    this.#root.log.info('listening', { url: address.url });
    return address;
  }

  /**
   * Listens for other processes of the same server too, on a socket in the file system: what comes over it has been routed.
   * @throws ListenError when it cannot; ClosedError when the server has ended.
   */
  async listenForPeers(path: string): Promise<void> {
    this.#root.throwIfClosing();
    const server = await listenForPeers(this.#root, this.requestListener, path);
    server.on('upgrade', (request, socket, head) => this.handleUpgrade(request, socket, head));
  }

  /** Takes a connection that another process has accepted, with what was read of it: as if it had come to `listen`. */
  takeConnection(socket: Socket, bytes: Buffer): void {
    if (this.#http === undefined || this.#root.isClosing) {
      refuseUpgrade(socket, new UnavailableError('This server is shutting down. Ask again.', 1));
      return;
    }
    socket.unshift(bytes);
    this.#http.emit('connection', socket);
  }

  /** Has a drain wait for what goes through this server to another process. Returns the function that says it is over. */
  hold(): () => void {
    return this.#context.calls.hold();
  }

  /**
   * Shows another certificate from now on, wherever it listens with TLS. Connections that are there go on.
   * @throws TlsError for one that cannot be used; then the one before stays.
   */
  renewTls(tls: TlsPair): void {
    const settings = secureSettings(tls, this.#root);
    for (const server of this.#secure) server.setSecureContext(settings);
    this.#root.log.info('another certificate is shown', { listeners: this.#secure.length });
  }

  /**
   * Answers health, readiness, metrics and administration on a port of their own, and the last two nowhere else from now on.
   * The public listener need not stay open to the end then: it closes when no call could be resumed through it (clause D1).
   * On loopback it answers to loopback names, and to those that are allowed; elsewhere to every name, because what asks there asks by
   * an address that nobody knows beforehand.
   * @throws ListenError, ClosedError as `listen`.
   */
  async listenOps(
    port = 0,
    host = '127.0.0.1',
    { router, peersPath, reusePort = false }: OperationsListening = {},
  ): Promise<ListenAddress> {
    this.#root.throwIfClosing();
    const { limits, listeners, addresses, refusals } = this.#context;
    const hosts = new HostCheck(isLoopback(host) ? limits.allowedHosts : []);
    hosts.listensOn(host);
    const routes = createOperationsRoutes(this.#context, hosts, isLoopback(host));
    const answer = nodeListener(routes);
    if (peersPath !== undefined) await listenForPeers(this.#root, answer, peersPath);
    const listener = routedBy(router, answer);
    const { server, address } = await listenHttp(this.#root, { listener, host, port, limits, reusePort });
    guardConnections(server, { limits, addresses, refusals });
    server.on('upgrade', (_request, socket) => {
      refuseUpgrade(socket, new AppNotFoundError('There is no WebSocket on a port of operations.'));
    });
    listeners.addOperations();
    this.#root.log.info('listening for operations', { url: address.url });
    return address;
  }

  /**
   * Takes the upgrades of somebody else's HTTP server that are for `<basePath>/run_live`, and leaves all others alone.
   * Requests come through `requestListener` or `fetch`, wherever they are mounted. Returns the function that detaches.
   */
  attach(httpServer: Pick<Server, 'on' | 'removeListener'>, options: { basePath?: string } = {}): () => void {
    const basePath = checkedBasePath(options.basePath ?? '');
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (LiveUpgrades.matches(request.url, basePath)) this.#upgrades.handle(request, socket, head);
    };
    httpServer.on('upgrade', upgrade);
    const attachment = this.#root.own(
      'attachment',
      { detach: () => httpServer.removeListener('upgrade', upgrade) },
      { phase: 'hooks', close: ({ detach }) => void detach() },
    );
    return () => {
      attachment.detach();
      this.#root.release(attachment);
    };
  }

  /** Takes one upgrade, whatever its path is mounted under; one that is not for `/run_live` is refused. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (LiveUpgrades.matches(request.url, '')) this.#upgrades.handle(request, socket, head);
    else refuseUpgrade(socket, new AppNotFoundError(`There is no WebSocket here but ${RUN_LIVE_PATH}.`));
  }

  /**
   * Takes no new session once `preDrainDelayMs` is over, lets calls end by themselves, up to `drainTimeoutMs`, and
   * closes the moment the last one has ended (clauses D1 to D5).
   *
   * A listener that health and readiness are asked on stays open to the end: new connections ask, for as long as calls go
   * on. What is closed for new sessions is the routes that begin one. With `listenOps` it closes sooner.
   */
  drain(): Promise<ServerCloseReport> {
    if (this.#root.isOpen) this.#context.drain.begin();
    return this.closed;
  }

  /** Ends every call now: politely, in parallel, and within `SERVER_CLOSE_TIMEOUT_MS` (clause D3). */
  close(): Promise<ServerCloseReport> {
    this.#close('shutdown');
    return this.closed;
  }

  /** Ends everything now, without waiting. */
  abort(): Promise<ServerCloseReport> {
    this.#context.drain.end();
    void this.#root.abort('aborted');
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  #reportOf(report: CloseReport): ServerCloseReport {
    const { drain } = this.#context;
    const cutCalls = drain.end();
    if (drain.report === undefined) return { ...report, cutCalls };
    const { calls, ended, cut, durationMs } = drain.report;
    const closeMs = Math.round(report.durationMs);
    this.#root.log.info('drain over', { calls, ended, cut, drainMs: durationMs, closeMs });
    return { ...report, cutCalls, drain: drain.report };
  }

  #refuseToBeOpen(host: string, { allowUnauthenticated = false }: ListenOptions): void {
    if (isLoopback(host) || this.#context.access.isRequired) return;
    if (!allowUnauthenticated) {
      throw new InsecureListenError(
        `On '${host}' everybody who reaches this machine could use the server, and its models' money. ` +
          'Give it --auth-token or --jwks-url (`auth` in code), or listen on 127.0.0.1. Where something in front of it ' +
          'asks who comes, say --insecure-no-auth (`allowUnauthenticated` in code).',
      );
    }
    this.#root.log.warn('everybody who reaches this address may use the server', { host });
  }

  #close(reason: 'drained' | 'shutdown'): void {
    const { drain, calls } = this.#context;
    const cut = drain.end();
    if (!this.#root.isClosing && cut > 0) this.#root.log.warn('calls are cut', { calls: cut, reason });
    calls.endAll('shutdown');
    void this.#root.close(reason);
  }
}

/** Routes in the form of node:http. They are given what a request came over, because who asks has an address. */
function nodeListener(routes: Hono): RequestListener {
  // A library leaves the globals of its program alone.
  const listen = getRequestListener((request, env) => routes.fetch(request, env), {
    overrideGlobalObjects: false,
  });
  return (request, response) => void listen(request, response);
}

/** What the router does not take is answered here. */
function routedBy(router: RequestRouter | undefined, answer: RequestListener): RequestListener {
  if (router === undefined) return answer;
  return (request, response) => {
    if (!router.request(request, response)) answer(request, response);
  };
}

function checkedBasePath(basePath: string): string {
  const trimmed = basePath.replace(/\/+$/, '');
  if (trimmed === '' || /^\/[^?#]*$/.test(trimmed)) return trimmed;
  throw new InvalidOptionError(`basePath must begin with a slash, like '/agents'; it was '${basePath}'.`);
}
