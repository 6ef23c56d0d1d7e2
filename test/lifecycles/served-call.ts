import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { ServerOptions } from '../../src/server/index.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import { ReasonLog } from './reason-log.ts';
import { code, goodbye, list } from './words.ts';

export const WIRES = ['adk', 'holdfast.v1'] as const;
export type Wire = (typeof WIRES)[number];

const QUERY = 'app_name=demo&user_id=u&session_id=s1';

export interface CallOptions {
  readonly wire: Wire;
  /** How far it goes before the way begins. Default `session`: the model is connected. `dial`: nothing is waited for. */
  readonly opening?: 'dial' | 'session';
  /** What the client asks for. Default: the session there is. */
  readonly query?: string;
  readonly server?: Partial<ServerOptions>;
}

/** A call of a client over a real socket, to a server on virtual time. */
export class ServedCall {
  readonly clock: VirtualClock;
  readonly server: TestServer;
  readonly wire: Wire;
  readonly client: TestClient;
  readonly #reasons: ReasonLog;

  private constructor(
    clock: VirtualClock,
    server: TestServer,
    reasons: ReasonLog,
    { wire, query }: CallOptions,
  ) {
    this.clock = clock;
    this.server = server;
    this.wire = wire;
    this.#reasons = reasons;
    this.client = this.dial(query);
  }

  static async open(options: CallOptions): Promise<ServedCall> {
    const clock = new VirtualClock();
    const reasons = new ReasonLog();
    const server = await startServer({ clock, log: reasons.log, ...options.server });
    await server.createSession('s1');
    const call = new ServedCall(clock, server, reasons, options);
    if (options.opening === 'dial') return call;
    await call.greet();
    await until('the model is connected', () => server.model.openConnections === 1);
    return call;
  }

  /** A client, by default of the session there is. */
  dial(query = QUERY): TestClient {
    const url = `${this.server.url.replace('http', 'ws')}/run_live?${query}`;
    return new TestClient(url, this.wire === 'adk' ? [] : [this.wire]);
  }

  /** Waits for the socket, and says what a client of this wire has to say before anything else. */
  async greet(client: TestClient = this.client): Promise<void> {
    await client.opened();
    if (this.wire === 'holdfast.v1') client.send({ type: 'hello', protocol: 1 });
  }

  /** The reason the live session closed with, or else the call; undefined before. */
  get reason(): string | undefined {
    return this.#reasons.session ?? this.#reasons.call;
  }

  /** What the client was told last, and how it was closed. */
  async told(): Promise<string> {
    const closed = await this.client.closed;
    return list([...lastWords(this.client), goodbye(closed, this.wire)]);
  }

  /** Waits until the server is free of it, and looks whether anything is left. */
  async over(): Promise<void> {
    const { server, clock } = this;
    await until('the server holds no call', () => server.server.liveSessions === 0);
    assert.equal(server.model.openConnections, 0);
    const closed = server.server.close();
    await clock.advance(10_000);
    await closed;
    assert.deepEqual(server.server.resources(), []);
    assert.equal(clock.pendingTimers, 0, 'a timer is set');
  }
}

/** What of a message tells of an end, on either wire. */
interface Word {
  readonly type?: string;
  readonly code?: string;
  readonly errorCode?: string;
  readonly event?: { readonly type: string };
  readonly customMetadata?: { readonly holdfast?: { readonly type: string } };
}

/** What the client was told of the end before the end itself. */
function lastWords(client: TestClient): string[] {
  const words = client.messages.flatMap((message) => {
    const { type, code: errorOf = '', errorCode, event, customMetadata }: Word = message;
    if (errorCode !== undefined) return [`event ${code(errorCode)}`];
    if (type === 'error') return [`error ${code(errorOf)}`];
    if (type === 'goAway') return [code(type)];
    const told = customMetadata?.holdfast ?? event;
    return told?.type === 'limit' ? [`event ${code(told.type)}`] : [];
  });
  return [...new Set(words)];
}
