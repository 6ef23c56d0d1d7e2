import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { Lifetime } from '../../kernel/index.ts';
import type { Clock, CloseReport, Logger } from '../../kernel/index.ts';
import { ConditionWaits, DEFAULT_WAIT_MS } from '../condition-waits.ts';
import { ConnectionLog } from './connection-log.ts';
import { controlRoutes } from './control-routes.ts';
import type { ControlRoute } from './control-routes.ts';
import { ControlServer } from './control-server.ts';
import type { EmulatedRecord, RecordContext } from './emulated-record.ts';
import { EmulatedSocket } from './emulated-socket.ts';
import type { FaultLanguage } from './fault-language.ts';
import type { FaultPlan } from './fault-plan.ts';
import type { AnyFault } from './fault-vocabulary.ts';
import type { JsonObject } from './json-object.ts';
import { Listener } from './listener.ts';
import { Recorder } from './recorder.ts';
import type { RecordedEvent } from './recorder.ts';

/** A message larger than this ends the connection, as a guard; the services' own limits are not documented. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** What every emulator can be told about where it lives. */
export interface HostOptions {
  /** Where time comes from, unless an owner brings its clock. Default: the machine's. */
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Who owns the emulator; it closes with it. Default: nobody. */
  readonly owner?: Lifetime;
}

/** Where an emulator listens, and what it keeps of what it sees; defaults filled in. */
export interface HostProfile {
  readonly port: number;
  readonly host: string;
  readonly compression: boolean;
  readonly record: boolean | string;
  readonly recordAudio: boolean;
}

/**
 * One connection, from the TCP accept to its end.
 * @internal
 */
export interface LiveConnection<Record extends EmulatedRecord, F extends AnyFault> {
  readonly record: Record;
  /** Makes a fault happen now. */
  apply(fault: F): unknown;
  /** Takes an upgrade request; `accept` answers it with a WebSocket. */
  upgrade(request: IncomingMessage, accept: (opened: (socket: EmulatedSocket) => void) => void): void;
  /** Answers a request that is no upgrade. */
  answer(request: IncomingMessage, response: ServerResponse): void;
}

/** What is different from one emulator to the next. */
export interface EmulatorParts<Record extends EmulatedRecord, F extends AnyFault> {
  readonly profile: HostProfile;
  readonly language: FaultLanguage<F>;
  readonly faults: FaultPlan<F>;
  readonly recorder: Recorder | undefined;
  makeRecord(number: number, context: RecordContext): Record;
}

/** A server that speaks a provider's protocol on a local port, and misbehaves on request: what all of them share. */
export abstract class ProviderEmulator<
  Record extends EmulatedRecord,
  F extends AnyFault,
  Script,
> implements AsyncDisposable {
  /** Every connection so far. */
  readonly connections: ConnectionLog<Record>;
  /** Resolves, and never rejects, when the emulator has ended. */
  readonly closed: Promise<CloseReport>;
  /** Undefined: nothing is recorded. */
  readonly recorder: Recorder | undefined;

  readonly #lifetime: Lifetime;
  readonly #parts: EmulatorParts<Record, F>;
  readonly #listener: Listener;
  /** Reads requests; it listens to nothing itself. */
  readonly #http = createServer();
  readonly #webSockets: WebSocketServer;
  readonly #waits: ConditionWaits;
  readonly #live = new Map<Socket, LiveConnection<Record, F>>();

  protected constructor(lifetime: Lifetime, parts: EmulatorParts<Record, F>) {
    const { host, compression } = parts.profile;
    this.#lifetime = lifetime;
    this.#parts = parts;
    this.recorder = parts.recorder;
    this.closed = lifetime.closed;
    this.#waits = new ConditionWaits(lifetime);
    this.connections = new ConnectionLog<Record>(
      { clock: lifetime.clock, recorder: parts.recorder, changed: () => this.#waits.check() },
      (number, context) => parts.makeRecord(number, context),
    );
    this.#webSockets = new WebSocketServer({
      noServer: true,
      WebSocket: EmulatedSocket,
      // The peer answers pings itself: a fault may want them late.
      autoPong: false,
      perMessageDeflate: compression,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#http.on('upgrade', (request, tcp, head) => this.#upgrade(request, tcp as Socket, head));
    this.#http.on('request', (request, response) => this.#request(request, response));
    const control = new ControlServer(this, controlRoutes(this.ownRoutes()), lifetime, host);
    this.#listener = new Listener(lifetime, host, {
      control: (tcp) => control.take(tcp),
      service: (tcp) => this.#dialled(tcp),
      changed: () => this.#waits.check(),
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Where it listens: `http://127.0.0.1:40123`. */
  get url(): string {
    const { host } = this.#parts.profile;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** The same for a client of WebSockets: `ws://127.0.0.1:40123`. */
  get webSocketUrl(): string {
    return this.url.replace(/^http/, 'ws');
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
    const { count, open } = this.connections;
    return {
      url: this.url,
      listening: this.listening,
      connections: { dialled: count, open },
      sockets: this.sockets,
      faults: this.#parts.faults.size,
      profile: this.shownProfile(),
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
  addFaults(script: Script): void {
    this.#parts.faults.add(script);
  }

  /** Takes every rule of the fault script away. What has gone wrong stays wrong. */
  clearFaults(): void {
    this.#parts.faults.clear();
  }

  /**
   * Makes a fault happen now, on every open connection or on the n-th. Gives how many there were.
   * @throws InvalidOptionError when the fault cannot be understood, or only makes sense at a moment.
   */
  inject(fault: F, connection?: number): number {
    const checked = this.#parts.language.parseFault(fault);
    const meant = [...this.#live.values()].filter(
      ({ record }) => connection === undefined || record.number === connection,
    );
    for (const live of meant) live.apply(checked);
    return meant.length;
  }

  /** Goes down: whoever dials is refused (`ECONNREFUSED`). Connections that are open go on. `forMs`: then it is back. */
  stopListening({ forMs }: { readonly forMs?: number | undefined } = {}): void {
    this.#listener.stop(forMs);
  }

  /**
   * Comes back, at the same address.
   * @throws InvalidOptionError when somebody else has taken the port meanwhile.
   */
  async listenAgain(): Promise<void> {
    await this.#listener.again();
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

  /**
   * Gives an emulator its lifetime, and makes it listen.
   * @throws whatever `make` throws, or InvalidOptionError when the port or the record's file cannot be had; nothing is
   * left behind then.
   */
  protected static async launch<Emulator extends AnyEmulator>(
    name: string,
    { owner, clock, log }: HostOptions,
    profile: HostProfile,
    make: (lifetime: Lifetime, recorder: Recorder | undefined) => Emulator,
  ): Promise<Emulator> {
    const lifetime =
      owner?.child(name) ??
      Lifetime.root({
        name,
        ...(clock === undefined ? {} : { clock }),
        ...(log === undefined ? {} : { log }),
      });
    try {
      const emulator = make(lifetime, profile.record === false ? undefined : makeRecorder(lifetime, profile));
      await emulator.#listener.open(profile.port);
      return emulator;
    } catch (error) {
      await lifetime.abort('could not start', error);
      throw error;
    }
  }

  /**
   * Whoever dialled: its connection from here on.
   * @internal
   */
  protected abstract connect(tcp: Socket, record: Record, scope: Lifetime): LiveConnection<Record, F>;

  /** The options it was started with, without anything secret. */
  protected abstract shownProfile(): JsonObject;

  /** What it can be asked over HTTP besides what all of them can. */
  protected ownRoutes(): readonly ControlRoute<this>[] {
    return [];
  }

  #dialled(tcp: Socket): void {
    const record = this.connections.add();
    // A socket that the first fault destroys has its end counted too.
    tcp.once('close', () => {
      this.#live.delete(tcp);
      this.#waits.check();
    });
    const scope = this.#lifetime.child(`connection ${record.number}`);
    this.#live.set(tcp, this.connect(tcp, record, scope));
    // A fault of the dial may have ended it.
    if (tcp.writable) this.#http.emit('connection', tcp);
    this.#waits.check();
  }

  #upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    const live = this.#live.get(tcp);
    if (this.#lifetime.isClosing || live === undefined) return;
    live.upgrade(request, (opened) =>
      // What `handleUpgrade` gives is of the class the constructor was told to make.
      this.#webSockets.handleUpgrade(request, tcp, head, (socket) => opened(socket as EmulatedSocket)),
    );
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const live = this.#live.get(request.socket);
    if (live === undefined) {
      response.destroy();
      return;
    }
    live.record.requested(request);
    live.answer(request, response);
  }

  #describe(): string {
    const stages = [...this.connections].slice(-5).map(({ number, stage, ending }) => {
      const end = ending === undefined ? '' : ` by the ${ending.by} with ${ending.code}`;
      return `#${number} ${stage}${end}`;
    });
    return `${this.connections.count} connections, the last ${stages.join(', ') || 'none'}`;
  }
}

// eslint-disable-next-line typescript/no-explicit-any -- whatever its connections and faults are
type AnyEmulator = ProviderEmulator<any, any, any>;

function makeRecorder(lifetime: Lifetime, { record, recordAudio }: HostProfile): Recorder {
  return new Recorder(lifetime, {
    file: typeof record === 'string' ? record : undefined,
    audio: recordAudio,
  });
}
