import { FRAME_MS } from '../wires.ts';

/** Whoever sends one frame every 20 ms. */
export interface Sender {
  sendFrame(): void;
}

/**
 * Gives every sender its turn once in 20 ms, spread evenly over them. What it is late for is made up at once, so that
 * the rate holds.
 *
 * A timer has steps of a millisecond, and in each of them a load of hundreds would send a burst that the relay reads
 * in one go, at half the cost of frames that come one by one. So every arrival looks at the time as well: a load that
 * is large enough to make bursts has arrivals enough to send without them.
 */
export class Pacer {
  #senders: readonly Sender[] = [];
  #timer: NodeJS.Timeout | undefined;
  #beganAtMs = 0;
  #sent = 0;
  #next = 0;

  start(senders: readonly Sender[]): void {
    this.stop();
    this.#senders = senders;
    this.#beganAtMs = performance.now();
    this.#sent = 0;
    if (senders.length > 0) this.#tick();
  }

  /** Sends what is due. */
  sendDue(): void {
    if (this.#timer === undefined) return;
    const count = this.#senders.length;
    const due = Math.floor(((performance.now() - this.#beganAtMs) * count) / FRAME_MS);
    while (this.#sent < due) {
      this.#sent += 1;
      this.#next = (this.#next + 1) % count;
      this.#senders[this.#next]?.sendFrame();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = setTimeout(() => this.#tick(), 1);
    this.sendDue();
  }
}
