import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { Lifetime, systemRandom } from '../../../kernel/index.ts';
import type { CloseReport } from '../../../kernel/index.ts';
import { ConditionWaits, DEFAULT_WAIT_MS } from '../../condition-waits.ts';
import { makeBrain } from './brains/index.ts';
import { ConnectionLog } from './connection-log.ts';
import { ControlServer } from './control-server.ts';
import { EmulatedConnection } from './emulated-connection.ts';
import type { EmulatedService } from './emulated-connection.ts';
import { EmulatedSocket, errorBody } from './emulated-socket.ts';
import { parseEmulatorOptions } from './emulator-options.ts';
import type { GeminiEmulatorOptions, ServiceProfile } from './emulator-options.ts';
import { EphemeralTokens } from './ephemeral-tokens.ts';
import { FaultPlan } from './fault-plan.ts';
import { parseFault } from './fault-script.ts';
import type { FaultScript } from './fault-script.ts';
import type { Fault } from './fault-types.ts';
import { Listener } from './listener.ts';
import type { JsonObject } from './proto-json.ts';
import { Recorder } from './recorder.ts';
import type { RecordedEvent } from './recorder.ts';
import { parseTarget } from './request-target.ts';
import { ResumptionHandles } from './resumption-handles.ts';
import { answerTokenRequest } from './token-endpoint.ts';

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
  /** Every connection so far. */
  readonly connections: ConnectionLog;
  /** Resolves, and never rejects, when the emulator has ended. */
  readonly closed: Promise<CloseReport>;
  /** Undefined: nothing is recorded. */
  readonly recorder: Recorder | undefined;

  readonly #lifetime: Lifetime;
  readonly #listener: Listener;
  /** Reads requests; it listens to nothing itself. */
  readonly #http = createServer();
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
    if (seed !== undefined) lifetime.log.info('faults left to chance', { seed });
    try {
      const recorder = profile.record === false ? undefined : makeRecorder(lifetime, profile);
      const handles = new ResumptionHandles(lifetime.clock, random);
      const tokens = new EphemeralTokens(lifetime.clock, random);
      const brain = makeBrain(profile.choice);
      const service = { profile, random, faults, handles, tokens, brain };
      const emulator = new GeminiEmulator(lifetime, service, recorder);
      await emulator.#listener.open(profile.port);
      return emulator;
    } catch (error) {
      await lifetime.abort('could not start', error);
      throw error;
    }
  }

  private constructor(
    lifetime: Lifetime,
    service: Omit<EmulatedService, 'open' | 'stopListening'>,
    recorder: Recorder | undefined,
  ) {
    const { host, compression } = service.profile;
    this.#lifetime = lifetime;
    this.recorder = recorder;
    this.#service = { ...service, open: new Set(), stopListening: (ms) => this.#listener.stop(ms) };
    this.closed = lifetime.closed;
    this.#waits = new ConditionWaits(lifetime);
    this.connections = new ConnectionLog(lifetime.clock, () => this.#waits.check(), recorder);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      WebSocket: EmulatedSocket,
      // The peer answers pings itself: a fault may want them late.
      autoPong: false,
      perMessageDeflate: compression,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#http.on('upgrade', (request, tcp, head) => this.#upgrade(request, tcp as Socket, head));
    this.#http.on('request', (request, response) => this.#answerPlain(request, response));
    const control = new ControlServer(this, lifetime, host);
    this.#listener = new Listener(lifetime, host, {
      control: (tcp) => control.take(tcp),
      service: (tcp) => this.#dialled(tcp),
      changed: () => this.#waits.check(),
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Where it listens: `http://127.0.0.1:40123`. For `GOOGLE_GEMINI_BASE_URL`, or a client's base URL. */
  get url(): string {
    const { host } = this.#service.profile;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** What was recorded, the latest {@link MAX_RECORDED_EVENTS}; nothing unless `record` was asked for. */
  get recorded(): RecordedEvent[] {
    return this.recorder?.events ?? [];
  }

  /** Sockets that are open at this moment, with and without a WebSocket. */
  get sockets(): number {
    return this.#live.size + this.#listener.silent;
  }

  /** Whether whoever dials is heard. */
  get listening(): boolean {
    return this.#listener.isListening;
  }

  /** How it is set up, and how things stand, as JSON. */
  status(): JsonObject {
    const { choice, ...profile } = this.#service.profile;
    const { brain } = choice;
    const { keys, tokens, ...shown } = profile;
    const good = { keys: keys?.length ?? 'any', tokens: tokens?.length ?? 'any' };
    const { count, open } = this.connections;
    return {
      url: this.url,
      listening: this.listening,
      connections: { dialled: count, open },
      sockets: this.sockets,
      faults: this.#service.faults.size,
      profile: { brain, ...shown, ...good },
    };
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
   * Makes a fault happen now, on every open connection or on the n-th. Gives how many there were.
   * @throws InvalidOptionError when the fault cannot be understood, or only makes sense at a moment.
   */
  inject(fault: Fault, connection?: number): number {
    const checked = parseFault(fault);
    const meant = [...this.#live.values()].filter(
      ({ record }) => connection === undefined || record.number === connection,
    );
    for (const live of meant) live.apply(checked);
    return meant.length;
  }

  /** Goes down: whoever dials is refused (`ECONNREFUSED`). Connections that are open go on. `forMs`: then it is back. */
  stopListening({ forMs }: { readonly forMs?: number } = {}): void {
    this.#listener.stop(forMs);
  }

  /**
   * Comes back, at the same address.
   * @throws InvalidOptionError when somebody else has taken the port meanwhile.
   */
  async listenAgain(): Promise<void> {
    await this.#listener.again();
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
    const record = this.connections.add();
    // A socket that the first fault destroys has its end counted too.
    tcp.once('close', () => {
      this.#live.delete(tcp);
      this.#waits.check();
    });
    const scope = this.#lifetime.child(`connection ${record.number}`);
    this.#live.set(tcp, new EmulatedConnection(this.#service, tcp, record, scope));
    // A fault of the dial may have ended it.
    if (tcp.writable) this.#http.emit('connection', tcp);
    this.#waits.check();
  }

  #upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    if (this.#lifetime.isClosing) return;
    this.#live.get(tcp)?.upgrade(request, parseTarget(request), (opened) =>
      // What `handleUpgrade` gives is of the class the constructor was told to make.
      this.#webSockets.handleUpgrade(request, tcp, head, (socket) => opened(socket as EmulatedSocket)),
    );
  }

  /** What is no upgrade is no connection of the protocol. */
  #answerPlain(request: IncomingMessage, response: ServerResponse): void {
    const live = this.#live.get(request.socket);
    live?.record.requested(request);
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

function makeRecorder(lifetime: Lifetime, { record, recordAudio }: ServiceProfile): Recorder {
  return new Recorder(lifetime, {
    file: typeof record === 'string' ? record : undefined,
    audio: recordAudio,
  });
}
