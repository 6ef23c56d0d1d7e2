import type { Lifetime, Random, Timer } from '../kernel/index.ts';
import { CLOSE_CODES, asksToReconnect } from '../protocol/index.ts';
import { ABNORMAL_CLOSURE, ClientSocket } from './client-socket.ts';
import type { WebSocketConstructor } from './client-socket.ts';
import type { ClientEnd } from './client-state.ts';
import type { Credentials, Dial } from './credentials.ts';
import { ServerResponseError } from './errors.ts';
import { SOCKET_CLOSE_TIMEOUT_MS } from './connect-options.ts';
import { Absence, isLoss } from './reconnect.ts';
import { ServerPulse } from './server-pulse.ts';

export interface ServerLineOptions {
  readonly dial: Dial;
  /** What each connection is opened with besides, where the server wants to know who this is. */
  readonly credentials: Credentials | undefined;
  readonly WebSocket: WebSocketConstructor;
  readonly owner: Lifetime;
  readonly random: Random;
  readonly connectTimeoutMs: number;
  readonly sink: ServerLineSink;
}

/** What a line tells its client. */
export interface ServerLineSink {
  /** A socket is open: it is greeted now, and `reached` called when the server has answered. */
  opened(protocol: string): void;
  message(data: string | Uint8Array): void;
  /** The server is asked whether it is there; what it answers does not matter. */
  ask(): void;
  /** The connection is lost, and the next attempt to have it again is made after `delayMs`. */
  away(attempt: number, delayMs: number): void;
  /** The credentials for the first connection could not be had. */
  unprepared(error: unknown): void;
  /** Nobody answered the first time. */
  unanswered(): void;
  /** There is no connection any more, and there will be none. */
  ended(end: ClientEnd, error: string | undefined): void;
}

/** The token is not good any more, or does not allow it any more. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403]);

/** What a client says with its goodbye: a normal end (RFC 6455 7.4.1). */
const NORMAL_CLOSURE = 1000;

/**
 * The way to a server: one socket at a time, had again when it is lost for as long as the server waits for it. What goes
 * over it is its client's business.
 */
export class ServerLine {
  readonly #options: ServerLineOptions;
  /** Undefined while its credentials are asked for. */
  #socket: ClientSocket | undefined;
  #asking: AbortController | undefined;
  /** Of the attempt that is under way, or of the next one. */
  #timer: Timer;
  #pulse: ServerPulse | undefined;
  #absence: Absence | undefined;
  /** How long the server waits; 0 as long as that is not known. */
  #graceMs = 0;

  /** @throws InvalidOptionError for a URL no WebSocket can be opened to. */
  constructor(options: ServerLineOptions) {
    const { owner, connectTimeoutMs, sink } = options;
    this.#options = options;
    this.#prepare();
    this.#timer = owner.timer('connect', connectTimeoutMs, () => sink.unanswered());
  }

  /** Bytes that were sent and have not left this process yet. */
  get bufferedBytes(): number {
    return this.#socket?.bufferedBytes ?? 0;
  }

  /** What was lost, while it is not had again. */
  get absence(): Absence | undefined {
    return this.#absence;
  }

  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    return this.#socket?.send(data) ?? false;
  }

  /** The server has answered, and waits for so long when it is lost. Gives how long it was away, where it was. */
  reached(graceMs: number): Absence | undefined {
    const absence = this.#absence;
    this.#graceMs = graceMs;
    this.#absence = undefined;
    this.#timer.cancel();
    if (graceMs === 0) return absence;
    const { owner, sink } = this.#options;
    this.#pulse?.stop();
    this.#pulse = new ServerPulse(
      owner,
      () => sink.ask(),
      () => this.#lost(ABNORMAL_CLOSURE, 'the server does not answer'),
    );
    return absence;
  }

  /** Dials: at once, or when what it is opened with is there. */
  #prepare(): void {
    const { dial, credentials, owner } = this.#options;
    if (credentials === undefined) {
      this.#socket = this.#open(dial);
      return;
    }
    const asking = new AbortController();
    this.#asking = owner.own('credentials', asking, { stop: (held) => held.abort() });
    void this.#ask(credentials, dial, asking);
  }

  async #ask(credentials: Credentials, dial: Dial, asking: AbortController): Promise<void> {
    let prepared: Dial;
    try {
      prepared = await credentials(dial, asking.signal);
    } catch (error) {
      if (this.#isAsked(asking)) this.#unprepared(error);
      return;
    }
    if (!this.#isAsked(asking)) return;
    try {
      this.#socket = this.#open(prepared);
    } catch (error) {
      this.#unprepared(error);
    }
  }

  /** Whether its answer is still waited for; if so, it is not any more. */
  #isAsked(asking: AbortController): boolean {
    if (this.#asking !== asking) return false;
    this.#forgetAsking();
    return !this.#options.owner.isClosing;
  }

  #forgetAsking(): void {
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking === undefined) return;
    asking.abort();
    this.#options.owner.release(asking);
  }

  /** Nobody but the server that refuses them ends an absence: what else keeps them may be over a moment later. */
  #unprepared(error: unknown): void {
    const absence = this.#absence;
    const isRefused = error instanceof ServerResponseError && REFUSALS.has(error.status);
    if (absence === undefined) this.#options.sink.unprepared(error);
    else if (isRefused) this.#endAbsence(absence);
    else this.#again(absence);
  }

  #open(dial: Dial): ClientSocket {
    const { WebSocket, owner, sink } = this.#options;
    const socket: ClientSocket = new ClientSocket(
      dial,
      {
        opened: () => sink.opened(socket.protocol),
        message: (data) => {
          this.#pulse?.heard();
          sink.message(data);
        },
        closed: (code, reason, error) => this.#closed(code, reason, error),
      },
      WebSocket,
    );
    return owner.own('socket', socket, {
      boundMs: SOCKET_CLOSE_TIMEOUT_MS,
      close: (held) => held.goodbye(NORMAL_CLOSURE, ''),
      abort: (held) => held.forsake(),
    });
  }

  #closed(code: number, reason: string, error: string | undefined): void {
    const { owner, sink } = this.#options;
    if (this.#graceMs > 0 && !owner.isClosing && isLoss(code)) {
      this.#lost(code, reason);
      return;
    }
    this.#releaseSocket();
    sink.ended({ code, reason, reconnect: asksToReconnect(code) }, error);
  }

  #lost(code: number, reason: string): void {
    this.#pulse?.stop();
    this.#pulse = undefined;
    this.#absence ??= new Absence(this.#options.owner.clock.now(), this.#graceMs, code, reason);
    this.#again(this.#absence);
  }

  /** Leaves the socket there is, and makes another one, after a while and as long as there is any sense in it. */
  #again(absence: Absence): void {
    const { owner, random, sink } = this.#options;
    const { clock } = owner;
    this.#forgetAsking();
    this.#socket?.giveUp(CLOSE_CODES.reconnecting.code, CLOSE_CODES.reconnecting.reason);
    this.#releaseSocket();
    this.#timer.cancel();
    const delayMs = absence.next(clock.now(), random);
    if (delayMs === undefined) {
      this.#endAbsence(absence);
      return;
    }
    this.#timer = owner.timer('reconnect', delayMs, () => {
      this.#prepare();
      const attemptMs = absence.attemptTimeoutMs(clock.now());
      this.#timer = owner.timer('reconnect attempt', attemptMs, () => this.#again(absence));
    });
    sink.away(absence.attempts, delayMs);
  }

  #endAbsence({ code, reason }: Absence): void {
    this.#timer.cancel();
    this.#options.sink.ended({ code, reason, reconnect: false }, undefined);
  }

  #releaseSocket(): void {
    if (this.#socket !== undefined) this.#options.owner.release(this.#socket);
    this.#socket = undefined;
  }
}
