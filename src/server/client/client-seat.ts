import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { LiveEvent, ResumeRequest } from '../../protocol/index.ts';
import type { AgentSession, LiveRequestQueue } from '../../session/index.ts';
import type { ClientLeg, LegOwner, LegPlace, LegWelcome } from './client-leg.ts';
import { ClientRecovery } from './client-recovery.ts';
import type { Departure } from './client-socket.ts';
import type { ClientWire } from '../calls/index.ts';
import type { LegEnd } from './leg-end.ts';
import { ReplayRing } from './replay-ring.ts';
import type { ServerContext } from '../server-context.ts';

/** The client of a live session: what it is spoken to with, and what its socket belongs to. */
export interface SeatedClient {
  readonly wire: ClientWire;
  readonly leg: ClientLeg;
  readonly scope: Lifetime;
}

export interface ClientSeatOptions {
  readonly context: ServerContext;
  /** Owns the sockets of its clients. */
  readonly owner: Lifetime;
  /** Where what a client says goes. */
  readonly queue: LiveRequestQueue;
  /** The live session, as long as there is one. */
  session(): AgentSession | undefined;
  /** A client has said what it wants: to go on with a live session, or one of its own. */
  greeted(resume: ResumeRequest | undefined): void;
  /** A client changes the session's state; false where that cannot be, now. */
  changeState(delta: Readonly<Record<string, unknown>>): boolean;
  /** The client ends the call: by going, or by breaking a bound. */
  left(end: LegEnd): void;
}

const LEFT: LegEnd = { tag: 'session', reason: 'participant_disconnected' };
const REPLACED: LegEnd = { tag: 'session', reason: 'replaced' };

/**
 * The place of the client in a live session, over all the connections it has, and the clients that follow it. A client that
 * vanishes is waited for, and what it is to be sent is kept meanwhile.
 */
export class ClientSeat {
  readonly #options: ClientSeatOptions;
  #client: SeatedClient | undefined;
  /** What the client may come back with. */
  #recovery: ClientRecovery | undefined;
  /** Runs while a client that vanished is waited for. */
  #grace: Timer | undefined;
  /** When the server will close the connection, once it has said so. */
  #goAwayAtMs: number | undefined;
  /** The last event there was. */
  #lastSeq = 0;
  #welcome: LegWelcome | undefined;

  constructor(options: ClientSeatOptions) {
    this.#options = options;
  }

  /** Who has it now. */
  get client(): SeatedClient | undefined {
    return this.#client;
  }

  /** How long it is until the server closes, once it has said so: to the client that is here, or to whom comes back. */
  get timeLeftMs(): number | undefined {
    if (this.#goAwayAtMs === undefined) return undefined;
    return Math.max(0, this.#goAwayAtMs - this.#options.owner.clock.now());
  }

  /** Whether a client could come back to it. */
  get isResumable(): boolean {
    return this.#recovery !== undefined;
  }

  /** Whether it is the client's own, by its token. */
  accepts(token: string): boolean {
    return this.#recovery?.tokens.accepts(token) === true;
  }

  /** A client gets it: `take` gives it its leg. */
  take(wire: ClientWire, take: (place: LegPlace) => ClientLeg): SeatedClient {
    const { context, owner, queue } = this.#options;
    // With the room to terminate a peer that does not answer, and after what the live session still says.
    const scope = owner.child('client', { phase: 'hooks', logFields: { leg: 'client' } });
    const isHere = (): boolean => this.#client?.scope === scope;
    const legOwner: LegOwner = {
      ready: (resume) => this.#options.greeted(resume),
      played: (positionSamples) => this.#options.session()?.playout.reported(positionSamples),
      changeState: (delta) => this.#options.changeState(delta),
      gone: (departure) => {
        void scope.close('client gone');
        if (isHere()) this.#gone(departure);
      },
      refused: (code) => context.metrics.messageRefused(code),
      broken: (end) => {
        if (isHere()) this.#broken(end);
      },
    };
    if (wire === 'adk') this.#letGo();
    else this.#recovery ??= new ClientRecovery(context.random, this.#newRing());
    const client = { wire, scope, leg: take({ owner: legOwner, queue, scope, recovery: this.#recovery }) };
    this.#client = client;
    // It was gone before it was listened to.
    if (scope.isClosing) this.#gone('left');
    return client;
  }

  /** The client goes to another one: it joins the live session that is there. */
  leave(): void {
    this.#client = undefined;
  }

  /** A client joins the live session: the one it belongs to, with its token, or another one. */
  join({ leg, wire }: SeatedClient, resume: ResumeRequest | undefined): void {
    const { context, owner } = this.#options;
    const before = this.#client;
    this.#client = undefined;
    before?.leg.end(REPLACED);
    void before?.scope.close('replaced');
    this.#endGrace('returned');
    if (resume === undefined) this.#letGo();
    this.take(wire, (place) => {
      leg.moveTo(place);
      return leg;
    });
    const session = this.#options.session();
    const playout = session?.playout;
    const missed = resume === undefined ? undefined : this.#recovery?.ring.missedBy(resume);
    if (resume !== undefined) {
      this.#recovery?.tokens.rotate(resume.token);
      context.metrics.clientReturned(missed?.isComplete === true ? 'recovered' : 'incomplete');
    } else {
      this.#recovery?.ring.beginAt({ seq: this.#lastSeq, positionSamples: playout?.sentSamples ?? 0 });
    }
    const told = missed === undefined ? {} : { recovered: missed.isComplete };
    owner.log.info('client joined', { leg: 'client', wire, ...told });
    if (this.#welcome !== undefined) {
      const agentName = session?.currentAgent.name ?? this.#welcome.agentName;
      leg.welcome({ ...this.#welcome, agentName, ...(missed === undefined ? {} : { missed }) });
    }
    playout?.resume();
    this.#tellTimeLeft();
  }

  /** The live session is there: this client is told of it, and who comes later. */
  welcome(welcome: LegWelcome): void {
    this.#welcome = welcome;
    this.#client?.leg.welcome(welcome);
    this.#tellTimeLeft();
  }

  event(event: LiveEvent): void {
    this.#lastSeq = event.seq;
    if (this.#client === undefined) this.#recovery?.keep(event);
    else this.#client.leg.event(event);
  }

  /** A client that is greeted is told how long it is now: what was said before that, it could not be told. */
  #tellTimeLeft(): void {
    const { timeLeftMs } = this;
    if (timeLeftMs !== undefined) this.#client?.leg.goAway(timeLeftMs);
  }

  /** The server is going away. */
  goAway(timeLeftMs: number): void {
    this.#goAwayAtMs = this.#options.owner.clock.now() + timeLeftMs;
    this.#client?.leg.goAway(timeLeftMs);
  }

  /** The call ends, and this is how the client is told. Nobody is waited for any more. */
  end(end: LegEnd): void {
    this.#endGrace('ended');
    this.#client?.leg.end(end);
  }

  /** Lets go of what was kept. */
  forget(): void {
    this.#letGo();
  }

  /** What was kept for a client that can come back no longer. */
  #letGo(): void {
    this.#recovery?.ring.close();
    this.#recovery = undefined;
  }

  #newRing(): ReplayRing {
    const { clientGraceMs, maxReplayBytes, maxReplayMessages } = this.#options.context.limits;
    // Without a grace nobody comes back to what would be kept.
    return new ReplayRing(
      clientGraceMs === 0
        ? { maxBytes: 0, maxMessages: 0 }
        : { maxBytes: maxReplayBytes, maxMessages: maxReplayMessages },
      this.#options.context.replayBudget,
    );
  }

  /** The client is gone: by itself, or nobody knows how. */
  #gone(departure: Departure): void {
    const client = this.#client;
    const { clientGraceMs, closeOnDisconnect } = this.#options.context.limits;
    const session = this.#options.session();
    this.#client = undefined;
    if (session?.isOpen === true) {
      const mayComeBack = departure === 'vanished' && client?.wire === 'holdfast.v1' && clientGraceMs > 0;
      if (mayComeBack) {
        this.#wait(session, clientGraceMs);
        return;
      }
      if (!closeOnDisconnect) return;
    }
    this.#options.left(LEFT);
  }

  /** Nobody listens for a while, and the client that vanished may come back. */
  #wait(session: AgentSession, clientGraceMs: number): void {
    const { context, owner } = this.#options;
    owner.log.info('client vanished, waiting for it', { leg: 'client', clientGraceMs });
    session.playout.pause();
    this.#grace = owner.timer('client grace', clientGraceMs, () => {
      this.#endGrace('expired');
      if (context.limits.closeOnDisconnect) this.#options.left(LEFT);
      else session.playout.resume();
    });
  }

  #endGrace(outcome: 'returned' | 'expired' | 'ended'): void {
    if (this.#grace === undefined) return;
    this.#grace.cancel();
    this.#grace = undefined;
    this.#options.context.metrics.waitedForClient(outcome);
  }

  /** The client has broken a bound, and cannot be served any longer. */
  #broken(end: LegEnd): void {
    const { closeOnDisconnect } = this.#options.context.limits;
    if (closeOnDisconnect || this.#options.session()?.isOpen !== true) {
      this.#options.left(end);
      return;
    }
    this.#client?.leg.end(end);
    void this.#client?.scope.close('client broken');
    this.#client = undefined;
  }
}
