import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RawData } from 'ws';
import { randomId } from '../../../kernel/index.ts';
import type { Lifetime, Random } from '../../../kernel/index.ts';
import type { CloseFrame } from '../close-frame.ts';
import type { EmulatedSocket } from '../emulated-socket.ts';
import type { MomentOutcome } from '../fault-effects.ts';
import type { FaultPlan } from '../fault-plan.ts';
import type { AnyFault } from '../fault-vocabulary.ts';
import { FaultyLink } from '../faulty-link.ts';
import type { JsonObject } from '../json-object.ts';
import type { MessageHabits } from '../message-outlet.ts';
import { closeBehind } from './speech-fault-effects.ts';
import type { SpeechFaultTarget } from './speech-fault-effects.ts';
import type { ErrorFault } from './speech-faults.ts';
import type { SpeechRecord } from './speech-record.ts';
import { readRequest } from './speech-request.ts';
import type { SpeechRequest } from './speech-request.ts';
import type { BadRequest, SpeechWire } from './speech-wire.ts';

/** What a speech service is like, whichever way speech goes. */
export interface SpeechProfile {
  /** Keys and tokens that are good; undefined: every one, as long as there is one. */
  readonly keys?: readonly string[] | undefined;
  /** How many WebSockets may be open at once. */
  readonly maxSessions?: number | undefined;
}

/** What all connections of an emulator share. */
export interface SpeechService<F extends AnyFault> {
  readonly profile: SpeechProfile;
  readonly random: Random;
  readonly faults: FaultPlan<F>;
  /** How many sockets have a WebSocket, also those that are as good as dead: each of them is a session that is paid. */
  openSockets(): number;
  stopListening(ms: number | undefined): void;
}

const UNAUTHORISED = 'Invalid credentials.';
const TOO_MANY = 'Too many concurrent sessions.';

type State = { readonly tag: 'dialled' } | { readonly tag: 'open' } | { readonly tag: 'over' };

/** One connection to a speech service, from the TCP accept to its end: what is the same on every wire. */
export abstract class SpeechConnection<F extends AnyFault, Record extends SpeechRecord> {
  readonly record: Record;
  protected readonly scope: Lifetime;
  /** Names this connection in what the service says. */
  protected readonly requestId: string;
  readonly #service: SpeechService<F>;
  readonly #link: FaultyLink<F>;
  readonly #kindsOf: MessageHabits<F>['kindsOf'];
  #wire: SpeechWire;
  #state: State = { tag: 'dialled' };
  /** Reasons there are at this moment to say nothing. */
  #mutes = 0;

  /** The scope is this connection's own: it closes when the socket ends, and closing it ends the socket. */
  constructor(
    service: SpeechService<F>,
    tcp: Socket,
    record: Record,
    scope: Lifetime,
    wire: SpeechWire,
    habits: MessageHabits<F>,
  ) {
    this.record = record;
    this.scope = scope;
    this.requestId = randomId(service.random);
    this.#service = service;
    this.#wire = wire;
    this.#kindsOf = (message) => habits.kindsOf(message);
    this.#link = new FaultyLink<F>(tcp, record, scope, {
      plan: service.faults,
      frames: 'text',
      habits,
      others: () => service.openSockets() - (this.#state.tag === 'open' ? 1 : 0),
      happen: (fault) => this.happen(fault),
      lost: () => {
        this.#state = { tag: 'over' };
        this.over();
      },
    });
  }

  /** The first bytes are there. Not while it is made: a fault may end it at once. */
  begin(): this {
    this.#link.reached('dial');
    return this;
  }

  /** Makes a fault happen now. */
  apply(fault: F): MomentOutcome {
    return this.#link.apply(fault);
  }

  /** Takes the upgrade request; `accept` answers it with a WebSocket. */
  upgrade(request: IncomingMessage, accept: (opened: (socket: EmulatedSocket) => void) => void): void {
    this.record.requested(request);
    const asked = readRequest(request);
    const wire = this.route(asked);
    this.#wire = wire ?? this.#wire;
    if (!this.reached('upgrade')) {
      this.leaveUnanswered();
      return;
    }
    const bad =
      wire === undefined ? { status: 404, message: `There is no ${asked.path} here.` } : this.#check(asked);
    if (bad === undefined) accept((socket) => this.#opened(socket, asked));
    else this.refuse(bad.status, bad.message, bad.status === 429 ? { 'Retry-After': '1' } : {});
  }

  /** Which protocol a request is for; undefined: none that is spoken here. */
  protected abstract route(request: SpeechRequest): SpeechWire | undefined;

  /** What is wrong with a request whose credential is good; undefined: nothing. */
  protected abstract check(request: SpeechRequest): BadRequest | undefined;

  /** The WebSocket is open. */
  protected abstract opened(request: SpeechRequest): void;

  protected abstract take(data: Buffer, isBinary: boolean): void;

  protected abstract happen(fault: F): MomentOutcome;

  /** Nothing can be exchanged any more. */
  protected abstract over(): void;

  protected get wire(): SpeechWire {
    return this.#wire;
  }

  protected get isMute(): boolean {
    return this.#mutes > 0;
  }

  /** Why a request is not served, whatever it asks for: its credential, or as many sessions as may be open. */
  protected whyNot({ credential }: SpeechRequest): BadRequest | undefined {
    const { keys, maxSessions } = this.#service.profile;
    if (credential === undefined || keys?.includes(credential) === false) {
      return { status: 401, message: UNAUTHORISED };
    }
    if (maxSessions !== undefined && this.#service.openSockets() >= maxSessions) {
      return { status: 429, message: TOO_MANY };
    }
    return undefined;
  }

  protected refuse(
    status: number,
    message: string,
    headers: Readonly<globalThis.Record<string, string>> = {},
    body?: string,
  ): void {
    const refusal = this.#wire.refusal(status, message, this.requestId);
    this.#link.peer.refuse(status, message, { ...refusal.headers, ...headers }, body ?? refusal.body);
  }

  /** Sends a message of the service; faults have their chance at it. */
  protected send(message: JsonObject): void {
    if (this.#state.tag !== 'open' || this.isMute) return;
    this.record.sentKind(this.#kindsOf(message));
    this.#link.outlet.send(message);
  }

  protected closeWith(frame: CloseFrame): void {
    if (!this.isMute) this.#link.peer.closeWith(frame);
  }

  /** Gives faults their chance. True: what was about to happen does. */
  protected reached(moment: string): boolean {
    return this.#link.reached(moment).tag === 'goOn';
  }

  /** Sends a message as it stands: no fault changes what a fault sends. */
  protected sendPastFaults(message: JsonObject): void {
    this.#link.outlet.sendPast(message);
  }

  protected useWire(wire: SpeechWire): void {
    this.#wire = wire;
  }

  /** Leaves the request without an answer, where the connection is still there. */
  protected leaveUnanswered(): void {
    if (this.#link.peer.isThere) this.#link.peer.leaveUnanswered();
  }

  /** Ends the TCP connection in the middle of whatever goes out. */
  protected cut(): void {
    this.#link.peer.reset();
  }

  /** Says an error, and closes behind it. */
  protected fail(error: ErrorFault): void {
    const { code, message = 'The emulator was told to fail.' } = error;
    this.#link.outlet.sendText(JSON.stringify(this.#wire.errorMessage(code, message)));
    const frame = closeBehind(error, this.#wire.closeAfterError);
    if (frame !== undefined) this.#link.peer.closeWith(frame);
  }

  /** What the faults of every speech service can do here. */
  protected faultTarget(): SpeechFaultTarget {
    return {
      peer: this.#link.peer,
      sendText: (text) => this.#link.outlet.sendText(text),
      stopListening: (ms) => this.#service.stopListening(ms),
      refuse: (status, body, headers) =>
        this.refuse(status, 'The emulator was told to refuse.', headers, body),
      mute: (ms) => this.#mute(ms),
      fail: (error) => this.fail(error),
    };
  }

  #check(request: SpeechRequest): BadRequest | undefined {
    return this.whyNot(request) ?? this.check(request);
  }

  #opened(socket: EmulatedSocket, request: SpeechRequest): void {
    this.#state = { tag: 'open' };
    this.#link.upgraded(socket);
    this.record.opened(this.#wire.api, request.query.get('model') ?? undefined);
    socket.on('message', (data, isBinary) => {
      if (this.#state.tag === 'open' && !this.scope.isClosing) this.#take(bytesOf(data), isBinary);
    });
    if (this.#link.reached('open').tag === 'goOn') this.opened(request);
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (isBinary) this.record.heardBytes(data.byteLength);
    else this.record.heard(data.toString());
    this.#link.faults.countMessage();
    if (this.#state.tag === 'open' && this.reached('clientMessage')) this.take(data, isBinary);
  }

  #mute(ms: number | undefined): void {
    this.#mutes += 1;
    if (ms !== undefined && !this.scope.isClosing)
      this.scope.timer('mute', ms, () => void (this.#mutes -= 1));
  }
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}
