import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { Lifetime, systemRandom } from '../../../kernel/index.ts';
import type { CloseReport } from '../../../kernel/index.ts';
import { ConditionWaits } from './condition-waits.ts';
import { ConnectionLog } from './connection-log.ts';
import { EmulatedConnection } from './emulated-connection.ts';
import type { EmulatedService } from './emulated-connection.ts';
import { EmulatedSocket, errorBody } from './emulated-socket.ts';
import { parseEmulatorOptions } from './emulator-options.ts';
import type { GeminiEmulatorOptions } from './emulator-options.ts';
import { EphemeralTokens } from './ephemeral-tokens.ts';
import { FaultPlan } from './fault-plan.ts';
import { parseFault } from './fault-script.ts';
import type { FaultScript } from './fault-script.ts';
import type { Fault } from './fault-types.ts';
import { ListeningPort } from './listening-port.ts';
import { parseTarget } from './request-target.ts';
import { ResumptionHandles } from './resumption-handles.ts';
import { answerTokenRequest } from './token-endpoint.ts';

/** How long `waitFor` waits where nothing else is said: everything an emulator does by itself is faster. */
export const DEFAULT_WAIT_MS = 5_000;

/** A message larger than this ends the connection, as a guard; the service's own limit is not documented. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * A server that speaks the Gemini Live protocol on a local port, answers with an echo, and misbehaves on request.
 *
 * ```ts
 * await using gemini = await GeminiEmulator.start({ faults: [{ when: { connection: 1 }, what: { type: 'reset' } }] });
 * const ai = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: gemini.url } });
 * …
 * await gemini.waitFor(() => gemini.connections.open === 0);
 * ```
 *
 * Speech is answered with itself, text with itself, and a text of the form `call name {"argument":1}` with a call of
 * that function, when the client declared it. Spoken answers to texts are a hum of that length, with a transcript.
 */
export class GeminiEmulator implements AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:40123`. For `GOOGLE_GEMINI_BASE_URL`, or a client's base URL. */
  readonly url: string;
  readonly port: number;
  /** Every connection so far. */
  readonly connections: ConnectionLog;
  /** Resolves, and never rejects, when the emulator has ended. */
  readonly closed: Promise<CloseReport>;

  readonly #lifetime: Lifetime;
  readonly #service: EmulatedService;
  readonly #webSockets: WebSocketServer;
  readonly #waits: ConditionWaits;
  readonly #live = new Map<Socket, EmulatedConnection>();

  /**
   * Starts an emulator.
   * @throws InvalidOptionError naming the option that is wrong, or the place in the fault script.
   * @throws InvalidOptionError when the port cannot be had.
   */
  static async start(options: GeminiEmulatorOptions = {}): Promise<GeminiEmulator> {
    const profile = parseEmulatorOptions(options);
    const random = options.random ?? systemRandom;
    const faults = new FaultPlan(random);
    const seed = faults.add(options.faults ?? []);
    const { owner, clock, log } = options;
    const name = 'gemini emulator';
    const lifetime =
      owner?.child(name) ??
      Lifetime.root({
        name,
        ...(clock === undefined ? {} : { clock }),
        ...(log === undefined ? {} : { log }),
      });
    const server = lifetime.own('listener', createServer(), {
      close: (held) => new Promise<void>((resolve) => held.close(() => resolve())),
      abort: (held) => {
        held.close();
        held.closeAllConnections();
      },
    });
    if (seed !== undefined) lifetime.log.info('faults left to chance', { seed });
    let port: ListeningPort;
    try {
      port = await ListeningPort.open(server, lifetime, profile.host, profile.port);
    } catch (error) {
      await lifetime.abort('could not listen', error);
      throw error;
    }
    const handles = new ResumptionHandles(lifetime.clock, random, profile.handleTtlMs);
    const tokens = new EphemeralTokens(lifetime.clock, random);
    const open = new Set<EmulatedConnection>();
    return new GeminiEmulator(lifetime, server, { profile, random, faults, handles, tokens, port, open });
  }

  private constructor(lifetime: Lifetime, server: Server, service: EmulatedService) {
    const { host } = service.profile;
    this.#lifetime = lifetime;
    this.#service = service;
    this.closed = lifetime.closed;
    this.port = service.port.number;
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
    this.#waits = new ConditionWaits(lifetime);
    this.connections = new ConnectionLog(lifetime.clock, () => this.#waits.check());
    this.#webSockets = new WebSocketServer({
      noServer: true,
      WebSocket: EmulatedSocket,
      // The peer answers pings itself: a fault may want them late.
      autoPong: false,
      perMessageDeflate: service.profile.compression,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    server.on('connection', (tcp) => this.#dialled(tcp));
    server.on('upgrade', (request, tcp, head) => this.#upgrade(request, tcp as Socket, head));
    server.on('request', (request, response) => this.#answerPlain(request, response));
  }

  /** Sockets that are open at this moment, with and without a WebSocket. */
  get sockets(): number {
    return this.#live.size;
  }

  /**
   * Resolves when `condition` holds. It is looked at whenever something happens on a connection, and not by a clock.
   * @throws TimeoutError when it does not hold within `timeoutMs` (default {@link DEFAULT_WAIT_MS}).
   * @throws ClosedError when the emulator closes first.
   */
  waitFor(
    condition: (emulator: this) => boolean,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<void> {
    return this.#waits.until(
      () => condition(this),
      options.timeoutMs ?? DEFAULT_WAIT_MS,
      () => this.#describe(),
    );
  }

  /**
   * Adds rules to the fault script; they count for open connections too.
   * @throws InvalidOptionError when a rule cannot be understood.
   */
  addFaults(script: FaultScript): void {
    this.#service.faults.add(script);
  }

  /** Takes every rule of the fault script away. What has gone wrong stays wrong. */
  clearFaults(): void {
    this.#service.faults.clear();
  }

  /**
   * Makes a fault happen now, on every open connection or on the n-th.
   * @throws InvalidOptionError when the fault cannot be understood, or only makes sense at a moment.
   */
  inject(fault: Fault, connection?: number): void {
    const checked = parseFault(fault);
    for (const live of [...this.#live.values()]) {
      if (connection === undefined || live.record.number === connection) live.apply(checked);
    }
  }

  /** Goes down: whoever dials is refused (`ECONNREFUSED`). Connections that are open go on. */
  stopListening(): void {
    this.#service.port.stop();
  }

  /**
   * Comes back, at the same address.
   * @throws InvalidOptionError when somebody else has taken the port meanwhile.
   */
  listenAgain(): Promise<void> {
    return this.#service.port.again();
  }

  /** Every handle issued so far becomes unknown. */
  forgetHandles(): void {
    this.#service.handles.forgetAll();
  }

  /** Closes the connections with 1001 and stops listening, within the bound of the kernel's closes. */
  close(reason = 'closed'): Promise<CloseReport> {
    return this.#lifetime.close(reason);
  }

  /** Destroys every socket, now. */
  abort(reason = 'aborted'): Promise<CloseReport> {
    return this.#lifetime.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #dialled(tcp: Socket): void {
    if (this.#lifetime.isClosing) {
      tcp.destroy();
      return;
    }
    const record = this.connections.add();
    // A socket that the first fault destroys has its end counted too.
    tcp.once('close', () => {
      this.#live.delete(tcp);
      this.#waits.check();
    });
    const scope = this.#lifetime.child(`connection ${record.number}`);
    this.#live.set(tcp, new EmulatedConnection(this.#service, tcp, record, scope));
    this.#waits.check();
  }

  #upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    this.#live.get(tcp)?.upgrade(request, parseTarget(request), (opened) =>
      // What `handleUpgrade` gives is of the class the constructor was told to make.
      this.#webSockets.handleUpgrade(request, tcp, head, (socket) => opened(socket as EmulatedSocket)),
    );
  }

  /** What is no upgrade is no connection of the protocol. */
  #answerPlain(request: IncomingMessage, response: ServerResponse): void {
    const live = this.#live.get(request.socket);
    if (live?.record.stage === 'dialled') this.connections.retract(live.record);
    const { tokens, profile } = this.#service;
    if (answerTokenRequest(request, response, tokens, profile.keys)) return;
    const message = 'The Gemini emulator speaks the Live protocol only: connect with a WebSocket.';
    response.writeHead(404, { 'Content-Type': 'application/json; charset=UTF-8', Connection: 'close' });
    response.end(errorBody(404, message));
  }

  #describe(): string {
    const stages = [...this.connections].slice(-5).map(({ number, stage, ending }) => {
      const end = ending === undefined ? '' : ` by the ${ending.by} with ${ending.code}`;
      return `#${number} ${stage}${end}`;
    });
    return `${this.connections.count} connections, the last ${stages.join(', ') || 'none'}`;
  }
}
