import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { MomentOutcome } from './fault-effects.ts';
import { MESSAGE_MOMENT } from './fault-language.ts';
import type { ConnectionFaults } from './fault-plan.ts';
import { NEXT_MESSAGE_WAIT_MS, isMessageFault } from './fault-vocabulary.ts';
import type { AnyFault, MessageFault } from './fault-vocabulary.ts';
import type { JsonObject } from './json-object.ts';
import { merged, withField, withUnknownFields, withoutField } from './message-alterations.ts';
import type { Peer } from './peer.ts';

/** What the messages of one service are like. */
export interface MessageHabits<F extends AnyFault> {
  /** Everything a message is about. */
  kindsOf(message: JsonObject): readonly string[];
  /** What a fault of this service makes of a message; the message itself where it is none of its messages' faults. */
  rewrite(message: JsonObject, fault: F): JsonObject;
  /** What goes out for it, where that is not its JSON: bytes of audio. */
  frameOf?(message: JsonObject): string | Buffer;
}

/** Late messages kept; a client that makes the service say more meanwhile is cut off. */
const MAX_LATE = 10_000;

/** A message on its way out, and what is to be done with it. */
interface Outgoing {
  readonly message: JsonObject;
  readonly copies: number;
  readonly frames: number;
  readonly lateMs: number;
  readonly cut: 'reset' | 'fin' | undefined;
  /** What it waits for, and for how many messages. */
  readonly next: { readonly how: 'swap' | 'merge'; readonly messages: number } | undefined;
}

interface Holding {
  readonly held: Outgoing;
  readonly next: NonNullable<Outgoing['next']>;
  readonly timer: Timer;
}

const PLAIN = { copies: 1, frames: 1, lateMs: 0, cut: undefined, next: undefined } as const;

/** Where the service's messages leave it: as they are, or as faults make them. */
export class MessageOutlet<F extends AnyFault> {
  readonly #scope: Lifetime;
  readonly #peer: Peer;
  readonly #faults: ConnectionFaults<F>;
  readonly #habits: MessageHabits<F>;
  readonly #happen: (fault: F) => MomentOutcome;
  readonly #sent: (frame: string | Buffer) => void;
  /** A message that waits for the next one. */
  #holding: Holding | undefined;
  /** Messages that are late, and those that wait behind them, with the time they are due. */
  readonly #late: { readonly outgoing: Outgoing; readonly dueAtMs: number }[] = [];

  /** `happen` is called for faults that are not the message's own; `sent` for each message that left. */
  constructor(
    scope: Lifetime,
    peer: Peer,
    faults: ConnectionFaults<F>,
    habits: MessageHabits<F>,
    happen: (fault: F) => MomentOutcome,
    sent: (frame: string | Buffer) => void,
  ) {
    this.#scope = scope;
    this.#peer = peer;
    this.#faults = faults;
    this.#habits = habits;
    this.#happen = happen;
    this.#sent = sent;
  }

  /** Sends a message of the service; faults have their chance at it. */
  send(message: JsonObject): void {
    const untouched = this.#holding === undefined && this.#late.length === 0;
    if (untouched && !this.#faults.watches(MESSAGE_MOMENT)) {
      this.sendPast(message);
      return;
    }
    const outgoing = this.#alter(message);
    if (outgoing !== undefined) this.#pair(outgoing);
  }

  /** Sends a text as it stands, past all that waits. */
  sendText(text: string): void {
    if (this.#peer.send(text)) this.#sent(text);
  }

  /** Sends a message as it stands, past all that waits. */
  sendPast(message: JsonObject): void {
    const frame = this.#frameOf(message);
    if (this.#peer.send(frame)) this.#sent(frame);
  }

  #frameOf(message: JsonObject): string | Buffer {
    return this.#habits.frameOf?.(message) ?? JSON.stringify(message);
  }

  /** What faults make of a message; undefined: it is not sent. */
  #alter(message: JsonObject): Outgoing | undefined {
    let outgoing: Outgoing = { ...PLAIN, message };
    let withheld = false;
    for (const fault of this.#faults.at(MESSAGE_MOMENT, this.#habits.kindsOf(message))) {
      if (this.#happen(fault).tag === 'instead') withheld = true;
      outgoing = isMessageFault(fault)
        ? altered(outgoing, fault)
        : { ...outgoing, message: this.#habits.rewrite(outgoing.message, fault) };
    }
    return withheld ? undefined : outgoing;
  }

  /** Brings a message together with the one that waits for it. */
  #pair(outgoing: Outgoing): void {
    const holding = this.#holding;
    if (holding === undefined) {
      if (outgoing.next === undefined) this.#queue(outgoing);
      else this.#hold(outgoing, outgoing.next);
      return;
    }
    const { held, next } = holding;
    this.#holding = undefined;
    holding.timer.cancel();
    if (next.how === 'swap') {
      this.#queue(outgoing);
      this.#queue(held);
      return;
    }
    const both = { ...held, message: merged(held.message, outgoing.message) };
    if (next.messages > 2) this.#hold(both, { ...next, messages: next.messages - 1 });
    else this.#queue(both);
  }

  #hold(held: Outgoing, next: Holding['next']): void {
    const timer = this.#scope.timer('next message', NEXT_MESSAGE_WAIT_MS, () => {
      this.#holding = undefined;
      this.#queue(held);
    });
    this.#holding = { held, next, timer };
  }

  /** Sends a message, or puts it behind those that are late. */
  #queue(outgoing: Outgoing): void {
    const last = this.#late.at(-1);
    if (last === undefined && outgoing.lateMs === 0) {
      this.#ship(outgoing);
      return;
    }
    const dueAtMs = Math.max(last?.dueAtMs ?? 0, this.#scope.clock.now() + outgoing.lateMs);
    this.#late.push({ outgoing, dueAtMs });
    if (last === undefined) this.#armLate();
    if (this.#late.length > MAX_LATE) this.#peer.reset();
  }

  #armLate(): void {
    const [first] = this.#late;
    if (first === undefined || this.#scope.isClosing) return;
    this.#scope.timer('late message', first.dueAtMs - this.#scope.clock.now(), () => {
      const now = this.#scope.clock.now();
      const due = this.#late.findIndex(({ dueAtMs }) => dueAtMs > now);
      for (const { outgoing } of this.#late.splice(0, due === -1 ? this.#late.length : due)) {
        this.#ship(outgoing);
      }
      this.#armLate();
    });
  }

  #ship({ message, copies, frames, cut }: Outgoing): void {
    const frame = this.#frameOf(message);
    for (let copy = 0; copy < copies; copy += 1) {
      if (cut !== undefined) this.#peer.sendHalf(frame, cut);
      else if (this.#peer.send(frame, frames)) this.#sent(frame);
    }
  }
}

function altered(outgoing: Outgoing, fault: MessageFault): Outgoing {
  const { message } = outgoing;
  switch (fault.type) {
    case 'duplicate':
      return { ...outgoing, copies: fault.times ?? 2 };
    case 'delay':
      return { ...outgoing, lateMs: outgoing.lateMs + fault.ms };
    case 'swapWithNext':
      return { ...outgoing, next: { how: 'swap', messages: 2 } };
    case 'mergeWithNext':
      return { ...outgoing, next: { how: 'merge', messages: fault.messages ?? 2 } };
    case 'extraField':
      return { ...outgoing, message: withUnknownFields(message) };
    case 'setField':
      return { ...outgoing, message: withField(message, fault.path, fault.value) };
    case 'removeField':
      return { ...outgoing, message: withoutField(message, fault.path) };
    case 'fragment':
      return { ...outgoing, frames: fault.frames };
    case 'cutMessage':
      return { ...outgoing, cut: fault.by ?? 'reset' };
  }
}
