import type { Lifetime, Timer } from '../kernel/index.ts';
import type { Content, FunctionResponse } from '../protocol/index.ts';
import { audioMsOf } from './input-ring.ts';
import type { InputRing, Unsent } from './input-ring.ts';
import type { LiveRequestQueue } from './live-request-queue.ts';
import type { ModelInput } from './live-model.ts';

/** The connection, as far as what is sent goes. */
export interface Outlet {
  /** Whether more can be handed over now. */
  readonly isReady: boolean;
  readonly isConnected: boolean;
  /** Whether there was a connection and there will be another one. */
  readonly isRecovering: boolean;
  send(input: ModelInput): boolean;
}

/** How often a full socket is looked at again: one audio frame. */
const RETRY_MS = 20;

/**
 * Moves what the model waits for and the queue's requests to the model, in order, as long as the connection takes
 * them. Between two connections the requests go on into the ring, which keeps them.
 */
export class InputPump {
  readonly #queue: LiveRequestQueue;
  readonly #ring: InputRing;
  readonly #leg: Outlet;
  readonly #owner: Lifetime;
  /** What a new connection has to know before anything else. */
  #first: ModelInput | undefined;
  /** What the model waits for; it goes before what the client says next. No more than there are calls. */
  #answers: ModelInput[] = [];
  #isMoving = false;
  #retry: Timer | undefined;
  #flushed: (() => void) | undefined;

  constructor(queue: LiveRequestQueue, ring: InputRing, leg: Outlet, owner: Lifetime) {
    this.#queue = queue;
    this.#ring = ring;
    this.#leg = leg;
    this.#owner = owner;
  }

  /** Sends what can be sent now. Returns true when nothing is left. */
  pump(): boolean {
    // A model may answer while it is sent to, and a listener of the answer may send: it goes in its turn.
    if (!this.#isMoving) this.#move();
    return this.isEmpty;
  }

  /** Sends what the model waits for, or keeps it until the connection takes it. */
  answer(input: ModelInput): void {
    this.#answers.push(input);
    this.pump();
  }

  /** Sends a message of this side's own as if the client had said it, also when the queue was closed. */
  say(content: Content): void {
    this.#ring.push({ type: 'content', content, turnComplete: true });
    this.pump();
  }

  /** The connection is a new one, and is told `first` before anything else. */
  beginWith(first: ModelInput | undefined): void {
    this.#first = first;
  }

  /** Takes out the results that were not sent yet: another connection may not know their calls. */
  takeResults(): FunctionResponse[] {
    const results = this.#answers.flatMap(resultsOf);
    this.#answers = [];
    return results;
  }

  /** Resolves when nothing is left to send, or after `boundMs`. */
  flush(boundMs: number): Promise<void> {
    if (this.pump() || !(this.#leg.isConnected || this.#leg.isRecovering)) return Promise.resolve();
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
    const { requests, audioMs } = this.#ring.abandon();
    const queued = this.#queue.clear();
    return { requests: requests + queued.length, audioMs: audioMs + audioMsOf(queued) };
  }

  /** Whether nothing is left to send. */
  get isEmpty(): boolean {
    return (
      this.#first === undefined &&
      this.#ring.waiting === 0 &&
      this.#answers.length === 0 &&
      this.#queue.size === 0
    );
  }

  #move(): void {
    this.#isMoving = true;
    try {
      while (this.#leg.isReady && this.#sendNext());
      if (this.#leg.isRecovering) this.#keep();
    } finally {
      this.#isMoving = false;
    }
    if (this.isEmpty) {
      this.#flushed?.();
      this.#flushed = undefined;
    } else if (this.#leg.isConnected) this.#tryLater();
  }

  /** Returns false when there is nothing to send, or it was not accepted. */
  #sendNext(): boolean {
    const first = this.#first;
    if (first !== undefined) {
      this.#first = undefined;
      if (this.#leg.send(first)) return true;
      this.#first = first;
      return false;
    }
    const answer = this.#answers[0];
    // What was said before comes before, as far as it was taken out of the queue.
    if (answer !== undefined && this.#ring.waiting === 0) {
      const accepted = this.#leg.send(answer);
      if (accepted) this.#answers.shift();
      return accepted;
    }
    if (this.#ring.waiting === 0 && !this.#takeFromQueue()) return false;
    const input = this.#ring.peek();
    if (input === undefined) return false;
    return this.#leg.send(input);
  }

  #takeFromQueue(): boolean {
    const request = this.#queue.shift();
    if (request === undefined) return false;
    // A queue turns `close` into its own closing, so none is ever in it.
    if (request.type !== 'close') this.#ring.push(request);
    return true;
  }

  #keep(): void {
    while (this.#ring.hasRoom && this.#takeFromQueue());
  }

  #tryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = this.#owner.timer('send again', RETRY_MS, () => {
      this.#retry = undefined;
      this.pump();
    });
  }
}

/** The results an answer holds, whether it answers calls or tells of them as history. */
function resultsOf(answer: ModelInput): readonly FunctionResponse[] {
  if (answer.type === 'toolResponse') return answer.responses;
  if (answer.type !== 'history') return [];
  return answer.turns.flatMap(({ parts }) => parts.flatMap(({ functionResponse }) => functionResponse ?? []));
}
