import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RawData } from 'ws';
import { randomId } from '../../../kernel/index.ts';
import type { Lifetime, Random } from '../../../kernel/index.ts';
import type { Brain } from './brains/index.ts';
import { parseClientMessage } from './client-message.ts';
import type { ClientMessage } from './client-message.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { Conversation } from './conversation.ts';
import { ConversationContext } from './conversation-context.ts';
import { EmulatedSession } from './emulated-session.ts';
import type { EmulatedSocket } from '../emulated-socket.ts';
import type { ServiceProfile } from './emulator-options.ts';
import { GEMINI_EFFECTS } from './fault-effects.ts';
import type { GeminiFaultTarget } from './fault-effects.ts';
import { combine, happen } from '../fault-effects.ts';
import type { MomentOutcome } from '../fault-effects.ts';
import type { FaultPlan } from '../fault-plan.ts';
import type { MessageHabits } from '../message-outlet.ts';
import { FaultyLink } from '../faulty-link.ts';
import type { Fault, FaultMoment } from './fault-types.ts';
import type { EphemeralTokens } from './ephemeral-tokens.ts';
import { GEMINI_CLOSES, Refusal, invalid } from './refusals.ts';
import type { CloseFrame } from '../close-frame.ts';
import { objectAt, textAt } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';
import type { RequestTarget } from './request-target.ts';
import type { Redeemed, ResumptionHandles } from './resumption-handles.ts';
import { inSnakeCase } from './snake-case.ts';
import { kindsOf } from './message-kinds.ts';
import * as messages from './server-messages.ts';
import { parseSetup } from './setup-message.ts';
import type { EmulatedSetup } from './setup-message.ts';

/** What all connections of an emulator share. */
export interface EmulatedService {
  readonly profile: ServiceProfile;
  readonly random: Random;
  readonly faults: FaultPlan<Fault>;
  readonly handles: ResumptionHandles;
  readonly brain: Brain;
  readonly tokens: EphemeralTokens;
  /** Connections that have a WebSocket. */
  readonly open: Set<EmulatedConnection>;
  /** Refuses whoever dials, for ever or for `ms`. */
  stopListening(ms: number | undefined): void;
}

/** How far the protocol has come on a connection. */
type State =
  | { readonly tag: 'dialled' }
  | { readonly tag: 'awaitingSetup' | 'settingUp'; readonly target: RequestTarget }
  | { readonly tag: 'talking'; readonly conversation: Conversation; readonly session: EmulatedSession }
  /** Nothing that comes is understood any more. */
  | { readonly tag: 'over' };

const SETUP_FIRST = 'setup must be the first message and only the first';

const HABITS: MessageHabits<Fault> = {
  kindsOf,
  // An object in snake_case is an object.
  rewrite: (message, { type }) => (type === 'snakeCase' ? (inSnakeCase(message) as JsonObject) : message),
};

/** One connection, from the TCP accept to its end: the order of the protocol's messages. */
export class EmulatedConnection {
  readonly record: ConnectionRecord;
  readonly #service: EmulatedService;
  readonly #scope: Lifetime;
  readonly #link: FaultyLink<Fault>;
  readonly #faultTarget: GeminiFaultTarget;
  #state: State = { tag: 'dialled' };
  #clientMessages = 0;

  /** The scope is this connection's own: it closes when the socket ends, and closing it ends the socket. */
  constructor(service: EmulatedService, tcp: Socket, record: ConnectionRecord, scope: Lifetime) {
    this.#service = service;
    this.record = record;
    this.#scope = scope;
    this.#link = new FaultyLink<Fault>(tcp, record, scope, {
      plan: service.faults,
      frames: service.profile.frames,
      habits: HABITS,
      others: () => service.open.size - (service.open.has(this) ? 1 : 0),
      happen: (fault) => happen(fault, this.#faultTarget, GEMINI_EFFECTS),
      lost: () => this.#over(),
    });
    this.#faultTarget = this.#makeFaultTarget();
    this.#reached('dial');
  }

  /** Whether the client can still be heard: its session may not be resumed elsewhere meanwhile. */
  get isConnected(): boolean {
    return this.#state.tag === 'talking' && this.#link.peer.isOpen;
  }

  /** Makes a fault happen now. */
  apply(fault: Fault): MomentOutcome {
    return this.#link.apply(fault);
  }

  /** Takes the upgrade request; `accept` answers it with a WebSocket. */
  upgrade(
    request: IncomingMessage,
    target: RequestTarget | undefined,
    accept: (opened: (socket: EmulatedSocket) => void) => void,
  ): void {
    this.record.requested(request);
    if (this.#reached('upgrade').tag === 'instead') {
      if (this.#link.peer.isThere) this.#link.peer.leaveUnanswered();
    } else if (target === undefined) {
      this.#link.peer.refuse(404, `There is no ${request.url?.split('?')[0] ?? ''} here.`);
    } else if (target.api === 'vertex' && !this.#isAccepted(target)) {
      this.#link.peer.refuse(401, 'Request had invalid authentication credentials.');
    } else if (this.#isFull && this.#service.profile.maxSessionsAnswer === 'status') {
      this.#link.peer.refuse(429, GEMINI_CLOSES.quota.reason, { 'Retry-After': '1' });
    } else {
      const isFull = this.#isFull;
      accept((socket) => this.#opened(socket, target, isFull));
    }
  }

  /** Whether as many connections are open as may be. */
  get #isFull(): boolean {
    const { profile, open } = this.#service;
    return profile.maxSessions !== undefined && open.size >= profile.maxSessions;
  }

  #isAccepted({ api, credential }: RequestTarget): boolean {
    const { keys, tokens } = this.#service.profile;
    const accepted = api === 'gemini' ? keys : tokens;
    if (credential === undefined || credential === '') return false;
    if (api === 'constrained' && this.#service.tokens.has(credential)) return true;
    return accepted?.includes(credential) ?? true;
  }

  #opened(socket: EmulatedSocket, target: RequestTarget, isFull: boolean): void {
    this.#state = { tag: 'awaitingSetup', target };
    this.#link.upgraded(socket);
    this.#service.open.add(this);
    this.record.opened(target);
    socket.on('message', (data) => this.#take(data));
    this.#armLifetime();
    if (this.#reached('open').tag !== 'goOn') return;
    // The service accepts the WebSocket first and looks at the key then.
    if (!this.#isAccepted(target)) this.#link.peer.closeWith(GEMINI_CLOSES.keyNotValid);
    else if (isFull) this.#link.peer.closeWith(GEMINI_CLOSES.quota);
  }

  #armLifetime(): void {
    const { connectionLifetimeMs, goAwayLeadMs, lifetimeClose } = this.#service.profile;
    const goAwayAtMs = Math.max(0, connectionLifetimeMs - goAwayLeadMs);
    if (goAwayLeadMs > 0) {
      this.#scope.timer('goAway', goAwayAtMs, () => {
        if (this.#state.tag !== 'talking' || this.#reached('goAway').tag !== 'goOn') return;
        this.#send(messages.goAway(connectionLifetimeMs - goAwayAtMs));
      });
    }
    this.#scope.timer('lifetime', connectionLifetimeMs, () => this.#link.peer.closeWith(lifetimeClose));
  }

  #take(data: RawData): void {
    if (this.#state.tag === 'over' || this.#scope.isClosing) return;
    const text = textOf(data);
    this.record.heard(text);
    try {
      this.#takeMessage(parseClientMessage(text));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#link.peer.closeWith(error.frame);
    }
  }

  #takeMessage(message: ClientMessage): void {
    this.record.received(message);
    const state = this.#state;
    if (message.kind === 'setup') {
      if (state.tag !== 'awaitingSetup') throw new Refusal(invalid(SETUP_FIRST));
      this.#takeSetup(message.setup, state.target);
      return;
    }
    if (state.tag !== 'talking') throw new Refusal(invalid(SETUP_FIRST));
    this.#clientMessages += 1;
    this.#link.faults.countMessage();
    if (this.#reached('clientMessage').tag !== 'instead') state.conversation.take(message);
  }

  #takeSetup(json: JsonObject, target: RequestTarget): void {
    const { profile } = this.#service;
    this.#state = { tag: 'settingUp', target };
    const resuming = (textAt(objectAt(json, 'sessionResumption') ?? {}, 'handle') ?? '') !== '';
    this.#link.faults.setUp(resuming);
    const outcomes = [this.#reached('setup')];
    const setup = parseSetup(this.#admit(json, target, resuming), target.api, profile.generation);
    if (setup.resumption?.handle !== undefined) outcomes.push(this.#reached('resume'));
    const outcome = combine(outcomes);
    if (outcome.tag === 'instead') return;
    const model = setup.model.split('/').at(-1) ?? '';
    if (profile.models !== undefined && !profile.models.includes(model)) {
      const { reason } = invalid(`models/${model} is not found for API version ${target.version}`);
      throw new Refusal({ code: 1008, reason });
    }
    const delayMs = profile.setupDelayMs + (outcome.tag === 'later' ? outcome.ms : 0);
    if (delayMs === 0) this.#completeSetup(setup, target);
    else this.#scope.timer('setup', delayMs, () => this.#completeSetup(setup, target));
  }

  /** The setup as the client's ephemeral token makes it, if the emulator made that token. */
  #admit(setup: JsonObject, { api, credential }: RequestTarget, resuming: boolean): JsonObject {
    const { tokens } = this.#service;
    if (api !== 'constrained' || credential === undefined || !tokens.has(credential)) return setup;
    const used = tokens.use(credential, setup, resuming);
    this.#scope.timer('token', used.leftMs, () =>
      this.#link.peer.closeWith(GEMINI_CLOSES.tokenExpiredMeanwhile),
    );
    return used.setup;
  }

  #completeSetup(setup: EmulatedSetup, target: RequestTarget): void {
    if (this.#state.tag !== 'settingUp') return;
    const handle = setup.resumption?.handle;
    const resumed = handle === undefined ? undefined : this.#redeem(handle, setup.model);
    if (this.#state.tag !== 'settingUp') return;
    const session = resumed?.session ?? this.#newSession(setup.model);
    const limitReached = (): void => this.#link.peer.closeWith(this.#service.profile.sessionLimitClose);
    session.hold(this, this.#scope, setup.compression === undefined ? limitReached : undefined);
    const context = resumed?.context ?? ConversationContext.empty;
    const conversation = this.#converse(setup, context, session, target.api === 'vertex');
    this.#state = { tag: 'talking', conversation, session };
    this.#send(messages.setupComplete(session.id));
    this.record.ready(handle, context);
    this.#scope.log.info('client set up', {
      connection: this.record.number,
      api: target.api,
      model: setup.model,
      resumed: handle !== undefined,
    });
    if (handle !== undefined) conversation.announceHandle();
    this.#reached('setupComplete');
  }

  /** What a handle stands for; without that, the connection is on its way to its end. */
  #redeem(handle: string, model: string): Extract<Redeemed, { tag: 'resumed' }> | undefined {
    const redeemed = this.#service.handles.redeem(handle, model);
    switch (redeemed.tag) {
      case 'resumed':
        return redeemed;
      case 'malformed':
        this.#link.peer.closeWith(GEMINI_CLOSES.invalidHandle);
        return undefined;
      case 'unknown':
        this.#link.peer.closeWith(this.#service.profile.unknownHandleClose);
        return undefined;
      case 'stillConnected':
        this.#link.peer.closeWith(GEMINI_CLOSES.internal);
        return undefined;
      case 'otherModel':
        // As measured: the setup is answered as if all were well.
        this.#link.outlet.sendText(JSON.stringify(messages.setupComplete(randomId(this.#service.random))));
        this.#link.peer.closeWith(GEMINI_CLOSES.internal);
        return undefined;
    }
  }

  #newSession(model: string): EmulatedSession {
    return new EmulatedSession(randomId(this.#service.random), model, this.#service.profile);
  }

  #converse(
    setup: EmulatedSetup,
    context: ConversationContext,
    session: EmulatedSession,
    vertex: boolean,
  ): Conversation {
    const { profile, handles, brain } = this.#service;
    const port = {
      scope: this.#scope,
      pace: profile,
      brain,
      contextTokens: profile.contextTokens,
      vertex,
      send: (message: JsonObject) => this.#send(message),
      refuse: (frame: CloseFrame) => this.#link.peer.closeWith(frame),
      reached: (moment: FaultMoment) => this.#reached(moment).tag === 'goOn',
      issueHandle: (known: ConversationContext) =>
        handles.issue(session, known, profile.handleTtlMs[vertex ? 'vertex' : 'gemini']),
      sawVideo: () => session.sawVideo(),
      nextCall: () => session.nextCall(),
      lastMessageIndex: () => this.#clientMessages - 1,
    };
    return new Conversation(port, setup, context);
  }

  /** Gives faults their chance, and says what is left of what was about to happen. */
  #reached(moment: FaultMoment): MomentOutcome {
    return this.#link.reached(moment);
  }

  #send(message: JsonObject): void {
    if (this.#state.tag === 'talking') this.#link.outlet.send(message);
  }

  #over(): void {
    const state = this.#state;
    this.#state = { tag: 'over' };
    this.#service.open.delete(this);
    if (state.tag !== 'talking') return;
    state.conversation.stop();
    state.session.letGo(this, this.#scope.clock.now());
  }

  #makeFaultTarget(): GeminiFaultTarget {
    return {
      peer: this.#link.peer,
      sendText: (text) => this.#link.outlet.sendText(text),
      goAway: (message, then) => {
        this.#link.outlet.sendText(JSON.stringify(message));
        if (then === undefined) return;
        this.#scope.timer('goAway', then.afterMs, () => this.#link.peer.closeWith(then));
      },
      cancelToolCalls: () => {
        if (this.#state.tag === 'talking') this.#state.conversation.cancelCalls();
      },
      stopListening: (ms) => this.#service.stopListening(ms),
      forgetHandles: () => this.#service.handles.forgetAll(),
    };
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
