import { HoldfastError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { LiveEvent, LiveRequest, ResumeRequest } from '../../protocol/index.ts';
import type { LiveRequestQueue } from '../../session/index.ts';
import type { ClientRecovery } from './client-recovery.ts';
import type { Departure } from './client-socket.ts';
import { BadMessageError } from '../errors.ts';
import type { LegEnd } from './leg-end.ts';
import { wireErrorOf } from './leg-end.ts';
import type { Missed } from './replay-ring.ts';

/** What a client is told of the live session it has reached. */
export interface LegWelcome {
  readonly sessionId: string;
  readonly appName: string;
  readonly agentName: string;
  readonly modelId: string;
  readonly inputRateHz: number;
  readonly outputRateHz: number;
  /** Of a client that came back to the live session it had lost: what it has missed. */
  readonly missed?: Missed;
}

/** What a leg tells the call it belongs to. */
export interface LegOwner {
  /** The client may be told of the session, and the session may start; or it wants to go on with one. */
  ready(resume?: ResumeRequest): void;
  /** The client tells how much of the agent's voice has been heard. */
  played(positionSamples: number): void;
  /** The client changes the session's state; false where that cannot be, now. */
  changeState(delta: Readonly<Record<string, unknown>>): boolean;
  /** The client is gone. */
  gone(departure: Departure): void;
  /** One of the client's messages was refused, or dropped: `code` is the error it was told. */
  refused(code: string): void;
  /** The client cannot be served any longer, for its own doing. */
  broken(end: LegEnd): void;
}

/** Where a leg stands: with whom it speaks, and what its socket belongs to. */
export interface LegPlace {
  readonly owner: LegOwner;
  readonly queue: LiveRequestQueue;
  readonly scope: Lifetime;
  /** What the client may come back with; on `holdfast.v1` only. */
  readonly recovery: ClientRecovery | undefined;
}

/**
 * One client of a live session, in the words of its wire: what it says goes into the queue as it arrives, what happens
 * goes out as it happens. It holds no promise for a frame, and what it cannot take is answered, not thrown.
 */
export interface ClientLeg {
  /** Hands the leg over from the call that took its client in to the one the client belongs to. */
  moveTo(place: LegPlace): void;
  welcome(welcome: LegWelcome): void;
  event(event: LiveEvent): void;
  /** The server is going away. A client that is not greeted yet is told nothing: it is told after that. */
  goAway(timeLeftMs: number): void;
  /** Says what is to be said before the connection ends, and how it ends; the socket is closed with its scope. */
  end(end: LegEnd): void;
}

/** Tells a client that one of its messages was refused; the session goes on. */
export type Refuse = (error: { readonly code: string; readonly message: string }) => void;

/**
 * What a client says, on its way into the queue. Everything that can be wrong with it is answered by `refuse`; what is
 * lost because the model does not keep up is told once for each run of losses, not for every frame.
 */
export class ClientInput {
  readonly #queue: LiveRequestQueue;
  readonly #refuse: Refuse;
  #losing = false;

  constructor(queue: LiveRequestQueue, refuse: Refuse) {
    this.#queue = queue;
    this.#refuse = refuse;
  }

  submit(request: LiveRequest): void {
    try {
      if (this.#queue.send(request)) this.#losing = false;
      else this.#lost(request.type);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#refuse(wireErrorOf(error));
    }
  }

  refuse(message: string): void {
    this.#refuse(wireErrorOf(new BadMessageError(message)));
  }

  #lost(what: string): void {
    if (this.#losing || this.#queue.isClosed) return;
    this.#losing = true;
    this.#refuse({
      code: 'HOLDFAST_QUEUE_FULL',
      message: `The model does not keep up: '${what}' is dropped until it does.`,
    });
  }
}
