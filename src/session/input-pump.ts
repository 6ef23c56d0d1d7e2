import type { Lifetime, Timer } from '../kernel/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import type { LiveRequestQueue } from './live-request-queue.ts';
import type { ModelInput } from './live-model.ts';
import type { ModelLeg } from './model-leg.ts';

/** How often a full socket is looked at again: one audio frame. */
const RETRY_MS = 20;

/** What was accepted from the client and never sent. */
export interface Unsent {
  readonly requests: number;
  readonly audioMs: number;
}

/** Moves tool results and the queue's requests to the model, in order, as long as the connection takes them. */
export class InputPump {
  readonly #queue: LiveRequestQueue;
  readonly #leg: ModelLeg;
  readonly #owner: Lifetime;
  /** Results the model waits for; they go before what the client says. No more than there are calls. */
  readonly #results: ModelInput[] = [];
  /** Taken from the queue and not accepted by the connection. */
  #held: LiveRequest | undefined;
  #isMoving = false;
  #retry: Timer | undefined;
  #flushed: (() => void) | undefined;

  constructor(queue: LiveRequestQueue, leg: ModelLeg, owner: Lifetime) {
    this.#queue = queue;
    this.#leg = leg;
    this.#owner = owner;
  }

  /** Sends what can be sent now. Returns true when nothing is left. */
  pump(): boolean {
    // A model may answer while it is sent to, and a listener of the answer may send: it goes in its turn.
    if (!this.#isMoving) this.#move();
    return this.#isEmpty;
  }

  /** Sends a tool's result, or keeps it until the connection takes it. */
  answer(result: ModelInput): void {
    this.#results.push(result);
    this.pump();
  }

  /** Resolves when nothing is left to send, or after `boundMs`. */
  flush(boundMs: number): Promise<void> {
    if (this.pump() || !this.#leg.isConnected) return Promise.resolve();
    return new Promise((resolve) => {
      const bound = this.#owner.timer('flush', boundMs, resolve);
      this.#flushed = () => {
        bound.cancel();
        resolve();
      };
    });
  }

  /** Takes out what was never sent and tells how much it was. */
  abandon(): Unsent {
    const left = this.#queue.clear();
    if (this.#held !== undefined) left.unshift(this.#held);
    this.#held = undefined;
    let audioMs = 0;
    for (const request of left) if (request.type === 'audio') audioMs += request.audio.durationMs;
    return { requests: left.length, audioMs };
  }

  get #isEmpty(): boolean {
    return this.#held === undefined && this.#results.length === 0 && this.#queue.size === 0;
  }

  #move(): void {
    this.#isMoving = true;
    try {
      while (this.#leg.isReady && this.#sendNext());
    } finally {
      this.#isMoving = false;
    }
    if (this.#isEmpty) {
      this.#flushed?.();
      this.#flushed = undefined;
    } else if (this.#leg.isConnected) this.#tryLater();
  }

  /** Returns false when there is nothing to send, or it was not accepted. */
  #sendNext(): boolean {
    const result = this.#results[0];
    if (result !== undefined && this.#held === undefined) {
      const accepted = this.#leg.send(result);
      if (accepted) this.#results.shift();
      return accepted;
    }
    const request = this.#held ?? this.#queue.shift();
    this.#held = undefined;
    if (request === undefined) return false;
    // A queue turns `close` into its own closing, so none is ever in it.
    if (request.type === 'close' || this.#leg.send(request)) return true;
    this.#held = request;
    return false;
  }

  #tryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = this.#owner.timer('send again', RETRY_MS, () => {
      this.#retry = undefined;
      this.pump();
    });
  }
}
