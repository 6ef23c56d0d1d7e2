import type { Socket } from 'node:net';
import type { Lifetime, Random, Timer } from '../../kernel/index.ts';
import { HeldBack } from './held-back.ts';
import type { LinkEnd } from './held-back.ts';
import type { LinkFault, LinkFaultType, LinkSide } from './link-fault.ts';
import type { LinkBytes } from './link-record.ts';
import { resetSocket } from './reset-socket.ts';

/** A throttled flow passes what it may in pieces of so long: finer than anybody hears, coarse enough for timers. */
const PIECE_MS = 20;

export interface FlowOptions {
  readonly towards: LinkSide;
  readonly source: Socket;
  readonly sink: Socket;
  readonly scope: Lifetime;
  readonly random: Random;
  /** Called whenever the numbers have changed. */
  counted(bytes: LinkBytes): void;
  /** A `reset` has come to its byte: `side`, or both sides, are to be reset. */
  cut(side: LinkSide | undefined): void;
}

/**
 * - `carrying`: what comes is passed on.
 * - `ended`: the end of the source was passed on. A reset may still follow it.
 * - `discarding`: nobody is there any more to take it; what comes is read into nothing, so that ends are noticed.
 * - `over`: nothing comes any more, or the sink is not to hear of it.
 */
type FlowState = 'carrying' | 'ended' | 'discarding' | 'over';

type Imposed = { [Type in LinkFaultType]?: Extract<LinkFault, { readonly type: Type }> };

/** One direction of a connection: takes what one socket sends and, faults permitting, gives it to the other in order. */
export class Flow {
  readonly towards: LinkSide;
  readonly #options: FlowOptions;
  readonly #held = new HeldBack();
  #state: FlowState = 'carrying';
  #faults: Imposed = {};
  #passed = 0;
  #swallowed = 0;
  /** When the last thing that came is due: what comes later is not due before. */
  #lastDueAtMs = 0;
  #stalledUntilMs = 0;
  /** When a throttle lets the next piece pass. */
  #nextPieceAtMs = 0;
  /** Bytes that may still pass before the reset. */
  #bytesToReset = Infinity;
  #timer: Timer | undefined;

  constructor(options: FlowOptions) {
    this.towards = options.towards;
    this.#options = options;
  }

  /** Whether the sink will hear nothing more, by way of this flow. */
  get isSilent(): boolean {
    return this.#state === 'ended' || this.#state === 'over';
  }

  /** A chunk has come from the source. */
  take(bytes: Buffer): void {
    if (this.#state !== 'carrying' || this.#faults.drop !== undefined) {
      this.#swallowed += bytes.length;
    } else {
      this.#held.push({ kind: 'bytes', bytes, dueAtMs: this.#dueAtMs() });
    }
    this.pump();
  }

  /** The source has ended. */
  endWith(end: LinkEnd): void {
    if (this.#state !== 'carrying' && this.#state !== 'ended') return;
    this.#held.push({ kind: 'end', end, dueAtMs: this.#dueAtMs() });
    this.pump();
  }

  /** Under this fault from now on, instead of an earlier one of its type. A stall counts from `sinceMs`. */
  impose(fault: LinkFault, sinceMs: number): void {
    this.#faults = { ...this.#faults, [fault.type]: fault };
    if (fault.type === 'stall') this.#stalledUntilMs = sinceMs + fault.ms;
    if (fault.type === 'reset') {
      this.#bytesToReset = fault.afterBytes;
      if (fault.afterBytes === 0) {
        this.#options.cut(fault.side);
        return;
      }
    }
    this.pump();
  }

  /** Takes every fault away: what is held passes now, ends included. What was swallowed stays so. */
  heal(): void {
    this.#faults = {};
    this.#held.hurry();
    this.#lastDueAtMs = 0;
    this.#stalledUntilMs = 0;
    this.#nextPieceAtMs = 0;
    this.#bytesToReset = Infinity;
    this.pump();
  }

  /** The sink is gone. */
  discard(): void {
    this.#leave('discarding');
  }

  /** The sink is not to hear of the source any more. */
  mute(): void {
    this.#leave('over');
  }

  /** Passes on what may pass now, and sees to it that the rest will be. */
  pump(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#options.scope.isClosing) this.#passWhatMay();
    this.#options.counted({ passed: this.#passed, held: this.#held.bytes, swallowed: this.#swallowed });
  }

  #passWhatMay(): void {
    let waitMs = this.#waitMs();
    while (waitMs === 0) {
      this.#passNext();
      waitMs = this.#waitMs();
    }
    if (waitMs !== Infinity) {
      this.#timer = this.#options.scope.timer(`bytes to the ${this.towards}`, waitMs, () => this.pump());
    }
    this.#holdSourceBack();
  }

  /** How long what is next has to wait; `Infinity`: until something else happens. */
  #waitMs(): number {
    const { head } = this.#held;
    const { halfOpen, hideEnd, delay, throttle } = this.#faults;
    if (head === undefined || halfOpen !== undefined) return Infinity;
    let dueAtMs = this.#stalledUntilMs;
    if (delay !== undefined) dueAtMs = Math.max(dueAtMs, head.dueAtMs);
    if (head.kind === 'end') {
      if (hideEnd !== undefined) return Infinity;
    } else {
      if (this.#options.sink.writableNeedDrain) return Infinity;
      if (throttle !== undefined) dueAtMs = Math.max(dueAtMs, this.#nextPieceAtMs);
    }
    return Math.max(0, dueAtMs - this.#options.scope.clock.now());
  }

  #passNext(): void {
    const end = this.#held.takeEnd();
    if (end === undefined) this.#passBytes();
    else this.#passEnd(end);
  }

  #passEnd(end: LinkEnd): void {
    const { sink } = this.#options;
    if (end === 'fin') {
      this.#state = 'ended';
      sink.end();
    } else {
      this.#leave('over');
      resetSocket(sink);
    }
  }

  #passBytes(): void {
    const { sink, scope, cut } = this.#options;
    const { throttle, reset } = this.#faults;
    let limit = this.#bytesToReset;
    if (throttle !== undefined) {
      limit = Math.min(limit, Math.max(1, Math.floor((throttle.bytesPerSecond * PIECE_MS) / 1_000)));
    }
    const piece = this.#held.takeBytes(limit);
    this.#passed += piece.length;
    if (throttle !== undefined) {
      this.#nextPieceAtMs = scope.clock.now() + (piece.length * 1_000) / throttle.bytesPerSecond;
    }
    this.#bytesToReset -= piece.length;
    if (this.#bytesToReset > 0) {
      sink.write(piece);
      return;
    }
    this.#leave('discarding');
    // Only when the system has taken the last byte: a reset destroys what still waits here.
    sink.write(piece, () => cut(reset?.side));
  }

  /** Whoever sends too much is made to wait, by not being read. */
  #holdSourceBack(): void {
    const { source } = this.#options;
    if (this.#held.isFull) source.pause();
    else if (source.isPaused()) source.resume();
  }

  #dueAtMs(): number {
    const { scope, random } = this.#options;
    const { delay } = this.#faults;
    if (delay === undefined) return this.#lastDueAtMs;
    const jitterMs = delay.jitterMs === undefined ? 0 : random.next() * delay.jitterMs;
    this.#lastDueAtMs = Math.max(this.#lastDueAtMs, scope.clock.now() + delay.ms + jitterMs);
    return this.#lastDueAtMs;
  }

  #leave(state: 'discarding' | 'over'): void {
    if (this.#state === 'over') return;
    this.#state = state;
    this.#swallowed += this.#held.bytes;
    this.#held.clear();
    this.pump();
  }
}
