import type { Socket } from 'node:net';
import type { Lifetime } from '../../kernel/index.ts';
import type { EmulatedRecord } from './emulated-record.ts';
import type { EmulatedSocket } from './emulated-socket.ts';
import { INSTEAD, combine } from './fault-effects.ts';
import type { MomentOutcome } from './fault-effects.ts';
import { ConnectionFaults } from './fault-plan.ts';
import type { FaultPlan } from './fault-plan.ts';
import type { AnyFault } from './fault-vocabulary.ts';
import { MessageOutlet } from './message-outlet.ts';
import type { MessageHabits } from './message-outlet.ts';
import { Peer } from './peer.ts';
import type { FrameKind } from './peer.ts';

export interface LinkOptions<F extends AnyFault> {
  readonly plan: FaultPlan<F>;
  readonly frames: FrameKind;
  readonly habits: MessageHabits<F>;
  /** How many other connections have a WebSocket. */
  others(): number;
  /** Does what a fault does. */
  happen(fault: F): MomentOutcome;
  /** Nothing can be exchanged any more, whoever ended it. Called once, at once. */
  lost(): void;
}

/** One connection to a client with the faults it is to suffer: what every emulated protocol is spoken on. */
export class FaultyLink<F extends AnyFault> {
  readonly peer: Peer;
  readonly faults: ConnectionFaults<F>;
  readonly outlet: MessageOutlet<F>;
  readonly #record: EmulatedRecord;
  readonly #scope: Lifetime;
  readonly #happen: (fault: F) => MomentOutcome;

  /** The scope is this connection's own: it closes when the socket ends, and closing it ends the socket. */
  constructor(tcp: Socket, record: EmulatedRecord, scope: Lifetime, options: LinkOptions<F>) {
    const { plan, frames, habits } = options;
    this.#record = record;
    this.#scope = scope;
    this.#happen = (fault) => options.happen(fault);
    this.peer = new Peer(tcp, scope, frames, {
      lost: () => options.lost(),
      ended: (ending) => {
        record.closed(ending);
        const durationMs = Math.round(scope.clock.now() - record.times.dialledAtMs);
        const end = { connection: record.number, ...ending, durationMs };
        scope.log.info('client gone', { ...end, ...record.summary() });
      },
    });
    scope.log.info('client dialled', { connection: record.number });
    this.faults = new ConnectionFaults<F>(plan, {
      number: record.number,
      scope,
      others: () => options.others(),
      happen: (fault) => void this.apply(fault),
    });
    this.outlet = new MessageOutlet<F>(
      scope,
      this.peer,
      this.faults,
      habits,
      (fault) => this.apply(fault),
      (frame) => (typeof frame === 'string' ? record.sent(frame) : record.sentBytes(frame.byteLength)),
    );
  }

  /** There is a WebSocket now. */
  upgraded(socket: EmulatedSocket): void {
    this.peer.upgraded(socket);
    socket.clientClosing = (answer) => {
      const outcome = this.reached('close');
      if (outcome.tag !== 'later') answer();
      else if (!this.#scope.isClosing) this.#scope.timer('close echo', outcome.ms, answer);
    };
  }

  /** Makes a fault happen now. */
  apply(fault: F): MomentOutcome {
    if (!this.peer.isThere) return INSTEAD;
    this.#record.suffered(fault);
    this.#scope.log.info('fault', { connection: this.#record.number, fault: fault.type });
    return this.#happen(fault);
  }

  /** Gives faults their chance, and says what is left of what was about to happen. */
  reached(moment: string): MomentOutcome {
    const outcome = combine(this.faults.at(moment).map((fault) => this.apply(fault)));
    return this.peer.isThere ? outcome : INSTEAD;
  }
}
