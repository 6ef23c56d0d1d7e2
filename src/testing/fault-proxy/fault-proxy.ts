import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Lifetime, systemRandom } from '../../kernel/index.ts';
import type { CloseReport, Random } from '../../kernel/index.ts';
import { ConditionWaits, DEFAULT_WAIT_MS } from '../condition-waits.ts';
import { listen } from '../listen.ts';
import { FaultRules } from './fault-rules.ts';
import { parseLinkFault } from './link-fault.ts';
import type { LinkFault, LinkSide } from './link-fault.ts';
import { LinkLog } from './link-log.ts';
import { ProxiedConnection } from './proxied-connection.ts';
import { parseProxyOptions } from './proxy-options.ts';
import type { FaultProxyOptions, ProxyPlace } from './proxy-options.ts';
import { redirect } from './proxy-target.ts';

/**
 * Stands between two ends of plain sockets, passes every byte on as it came, and lets go wrong on request what goes
 * wrong in networks. It knows no protocol: WebSockets, HTTP and Redis go through it alike, TLS too.
 *
 * ```ts
 * await using proxy = await FaultProxy.start({ target: server.url });
 * const socket = new WebSocket(proxy.urlFor(`${server.url}/run_live?user_id=anna`));
 * …
 * proxy.inject({ type: 'delay', ms: 200, jitterMs: 50 });
 * proxy.reset();
 * await proxy.waitFor(() => proxy.sockets === 0);
 * ```
 */
export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  /** The target's URL by way of the proxy; `tcp://127.0.0.1:40123` when the target was not given as one. */
  readonly url: string;
  /** Every connection so far. */
  readonly connections: LinkLog;
  /** Resolves, and never rejects, when the proxy has ended. */
  readonly closed: Promise<CloseReport>;

  readonly #lifetime: Lifetime;
  readonly #server: Server;
  readonly #place: ProxyPlace;
  readonly #authority: string;
  readonly #random: Random;
  readonly #rules = new FaultRules();
  readonly #waits: ConditionWaits;
  readonly #live = new Set<ProxiedConnection>();

  /**
   * Starts a proxy. The target need not be there yet: it is dialled for each connection.
   * @throws InvalidOptionError naming the option that is wrong, or when the port cannot be had.
   */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const place = parseProxyOptions(options);
    const { owner, clock, log } = options;
    const name = 'fault proxy';
    const lifetime =
      owner?.child(name) ??
      Lifetime.root({
        name,
        ...(clock === undefined ? {} : { clock }),
        ...(log === undefined ? {} : { log }),
      });
    const server = lifetime.own('listener', createServer({ allowHalfOpen: true, noDelay: true }), {
      close: (held) => new Promise<void>((resolve) => held.close(() => resolve())),
      abort: (held) => void held.close(),
    });
    try {
      await listen(server, 'proxy', place.host, place.port);
    } catch (error) {
      await lifetime.abort('could not start', error);
      throw error;
    }
    return new FaultProxy(lifetime, server, place, options);
  }

  private constructor(lifetime: Lifetime, server: Server, place: ProxyPlace, options: FaultProxyOptions) {
    const { host } = place;
    this.#lifetime = lifetime;
    this.#server = server;
    this.#place = place;
    this.#random = options.random ?? systemRandom;
    this.closed = lifetime.closed;
    this.port = (server.address() as AddressInfo).port;
    this.#authority = `${host.includes(':') ? `[${host}]` : host}:${this.port}`;
    this.url = this.urlFor(typeof options.target === 'string' ? options.target : 'tcp://target');
    this.#waits = new ConditionWaits(lifetime);
    this.connections = new LinkLog(() => this.#waits.check());
    server.on('connection', (client) => this.#dialled(client));
  }

  /** Sockets that the proxy has at this moment, to either side. */
  get sockets(): number {
    let sockets = 0;
    for (const { record } of this.#live) {
      sockets += (record.client === 'gone' ? 0 : 1) + (record.target === 'gone' ? 0 : 1);
    }
    return sockets;
  }

  /**
   * The same URL with the proxy's host and port: path, query and user stay as they are written. With TLS the client sees
   * the proxy's host, which the target's certificate does not name.
   * @throws InvalidOptionError when it is no URL with a host.
   */
  urlFor(url: string): string {
    return redirect(url, this.#authority);
  }

  /**
   * Resolves when `condition` holds. It is looked at whenever something happens on a connection, and not by a clock.
   * @throws TimeoutError when it does not hold within `timeoutMs` (default {@link DEFAULT_WAIT_MS}).
   * @throws ClosedError when the proxy closes first.
   */
  waitFor(condition: (proxy: this) => boolean, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#waits.until(
      () => condition(this),
      options.timeoutMs ?? DEFAULT_WAIT_MS,
      () => this.#describe(),
    );
  }

  /**
   * From now on something is wrong: on every connection that is open and on all that are dialled later, or on the n-th
   * alone, be it open or not dialled yet. A fault takes the place of an earlier one of its type; different ones add up.
   * @throws InvalidOptionError when the fault cannot be understood.
   */
  inject(fault: LinkFault, connection?: number): void {
    const nowMs = this.#lifetime.clock.now();
    const rule = this.#rules.add(parseLinkFault(fault), connection, nowMs);
    for (const live of [...this.#live]) {
      if (connection === undefined || live.record.number === connection)
        live.impose(rule.fault, rule.sinceMs);
    }
  }

  /**
   * Resets (RST) the connections that are open now, or the n-th of them; those dialled later are not touched. With
   * `side`, that side alone: the other is not told, and what it sends is swallowed.
   */
  reset(options: { readonly side?: LinkSide; readonly connection?: number } = {}): void {
    const { side, connection } = options;
    for (const live of [...this.#live]) {
      if (connection === undefined || live.record.number === connection) live.reset(side);
    }
  }

  /** Goes down: whoever dials is refused (`ECONNREFUSED`). Connections that are open go on. */
  stopListening(): void {
    this.#server.close();
  }

  /**
   * Comes back, at the same port.
   * @throws InvalidOptionError when somebody else has taken the port meanwhile; ClosedError when the proxy has closed.
   */
  async listenAgain(): Promise<void> {
    this.#lifetime.throwIfClosing();
    if (!this.#server.listening) await listen(this.#server, 'proxy', this.#place.host, this.port);
  }

  /**
   * Takes everything away that was injected, before it returns, and listens again. What was held back passes now, in its
   * order, ends included; what was swallowed stays lost, and who was reset stays so.
   * @throws InvalidOptionError, ClosedError as `listenAgain`.
   */
  heal(): Promise<void> {
    this.#rules.clear();
    for (const live of [...this.#live]) live.heal();
    return this.listenAgain();
  }

  /** Destroys every socket and stops listening, within the bound of the kernel's closes. */
  close(reason = 'closed'): Promise<CloseReport> {
    return this.#lifetime.close(reason);
  }

  /** The same without waiting. */
  abort(reason = 'aborted'): Promise<CloseReport> {
    return this.#lifetime.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #dialled(client: Socket): void {
    if (this.#lifetime.isClosing) {
      client.destroy();
      return;
    }
    const record = this.connections.add();
    const scope = this.#lifetime.child(`connection ${record.number}`);
    const { target } = this.#place;
    const live = new ProxiedConnection({ client, target, record, scope, random: this.#random });
    this.#live.add(live);
    void scope.closed.then(() => this.#live.delete(live));
    for (const { fault, sinceMs } of this.#rules.forDialled(record.number, this.#lifetime.clock.now())) {
      live.impose(fault, sinceMs);
    }
    this.#waits.check();
  }

  #describe(): string {
    const told = [...this.connections].slice(-5).map(({ number, client, target, toClient, toTarget }) => {
      const bytes = `${toTarget.passed} bytes to the target, ${toClient.passed} to the client`;
      return `#${number} client ${client}, target ${target}, ${bytes}`;
    });
    return `${this.connections.count} connections, the last ${told.join('; ') || 'none'}`;
  }
}
