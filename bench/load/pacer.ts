import { FRAME_MS } from '../wires.ts';

/** Whoever sends one frame every 20 ms. */
export interface Sender {
  sendFrame(): void;
}

/** With no more senders than this, a timer's millisecond never has two frames due in it. */
const TIMER_SENDERS = FRAME_MS;
/** How long a large load sleeps between looking at its sockets and its senders. */
const NAP_MS = 0.1;

/**
 * Gives every sender its turn once in 20 ms, spread evenly over them. What it is late for is made up at once, so that
 * the rate holds.
 *
 * A timer has steps of a millisecond. In each of them a load of hundreds would send a burst, which a relay reads in
 * one go and for half the cost of frames that come one by one, as they do from clients who know nothing of each
 * other. So a large load naps for a tenth of a millisecond at a time instead of waiting for a timer.
 */
export class Pacer {
  readonly #napping = new Int32Array(new SharedArrayBuffer(4));
  #senders: readonly Sender[] = [];
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #beganAtMs = 0;
  #sent = 0;
  #next = 0;

  start(senders: readonly Sender[]): void {
    this.stop();
    this.#senders = senders;
    this.#beganAtMs = performance.now();
    this.#sent = 0;
    if (senders.length > TIMER_SENDERS) this.#takeTurn();
    else if (senders.length > 0) this.#timer = setInterval(() => this.#sendDue(), 1);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#turn);
  }

  #takeTurn(): void {
    this.#turn = setImmediate(() => this.#takeTurn());
    if (!this.#sendDue()) Atomics.wait(this.#napping, 0, 0, NAP_MS);
  }

  /** Returns false when nothing was. */
  #sendDue(): boolean {
    const count = this.#senders.length;
    const due = Math.floor(((performance.now() - this.#beganAtMs) * count) / FRAME_MS);
    if (this.#sent >= due) return false;
    while (this.#sent < due) {
      this.#sent += 1;
      this.#next = (this.#next + 1) % count;
      this.#senders[this.#next]?.sendFrame();
    }
    return true;
  }
}
