import type { Lifetime, Timer } from '../kernel/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import type { LiveRequestQueue } from './live-request-queue.ts';
import type { ModelInput } from './live-model.ts';
import type { ModelLeg } from './model-leg.ts';

/** How often a full socket is looked at again: one audio frame. */
const RETRY_MS = 20;

/** What was accepted and never sent. */
export interface Unsent {
  readonly requests: number;
  readonly audioMs: number;
}

/** Moves requests from the queue to the model, in order, as long as the connection takes them. */
export class InputPump {
  readonly #queue: LiveRequestQueue;
  readonly #leg: ModelLeg;
  readonly #owner: Lifetime;
  readonly #sent: (input: ModelInput) => void;
  /** Taken from the queue and not accepted by the connection. */
  #held: ModelInput | undefined;
  #retry: Timer | undefined;
  #flushed: (() => void) | undefined;

  constructor(queue: LiveRequestQueue, leg: ModelLeg, owner: Lifetime, sent: (input: ModelInput) => void) {
    this.#queue = queue;
    this.#leg = leg;
    this.#owner = owner;
    this.#sent = sent;
  }

  /** Sends what can be sent now. Returns true when nothing is left. */
  pump(): boolean {
    while (!this.#owner.isClosing && this.#leg.isReady) {
      const input = this.#held ?? nextInput(this.#queue.shift());
      this.#held = undefined;
      if (input === undefined) {
        this.#flushed?.();
        return true;
      }
      if (!this.#leg.send(input)) {
        this.#held = input;
        break;
      }
      this.#sent(input);
    }
    if (this.#leg.isConnected && !this.#owner.isClosing) {
      this.#retry ??= this.#owner.timer('send again', RETRY_MS, () => {
        this.#retry = undefined;
        this.pump();
      });
    }
    return this.#held === undefined && this.#queue.size === 0;
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
    const held: readonly (ModelInput | LiveRequest)[] =
      this.#held === undefined ? left : [this.#held, ...left];
    this.#held = undefined;
    let audioMs = 0;
    for (const request of held) if (request.type === 'audio') audioMs += request.audio.durationMs;
    return { requests: held.length, audioMs };
  }
}

function nextInput(request: LiveRequest | undefined): ModelInput | undefined {
  // A queue turns `close` into its own closing; the type is narrowed here and nowhere else.
  return request?.type === 'close' ? undefined : request;
}
