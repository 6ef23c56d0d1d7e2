import { ClosedError, InvalidOptionError, Mailbox } from '../kernel/index.ts';
import type { LiveEvent } from '../protocol/index.ts';
import { AgentSession } from './agent-session.ts';
import type { AgentSessionOptions } from './agent-session-options.ts';
import { SlowConsumerError } from './errors.ts';
import type { LiveRequestQueue } from './live-request-queue.ts';
import type { SessionCloseReport } from './session-end.ts';

/** Some minutes of events. Who is further behind has stopped reading. */
export const DEFAULT_EVENT_CAPACITY = 10_000;

export interface RunLiveOptions extends AgentSessionOptions {
  /** The same as `queue`. */
  readonly liveRequestQueue?: LiveRequestQueue | undefined;
  /** Ends the live session when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** The same as `signal`. */
  readonly abortSignal?: AbortSignal | undefined;
  /** How many events may wait to be read. Default `DEFAULT_EVENT_CAPACITY`. */
  readonly eventCapacity?: number | undefined;
}

/** What `runLive` gives back: the events to loop over, and the live session behind them. */
export interface LiveRun extends AsyncIterableIterator<LiveEvent, undefined>, AsyncDisposable {
  readonly session: AgentSession;
  readonly closed: Promise<SessionCloseReport>;
  return(): Promise<IteratorResult<LiveEvent, undefined>>;
  throw(error?: unknown): Promise<IteratorResult<LiveEvent, undefined>>;
}

/**
 * A live session as something to loop over.
 *
 * ```ts
 * const queue = new LiveRequestQueue();
 * for await (const event of runLive({ agent, queue })) …   // queue.close() ends it
 * ```
 *
 * Nothing is dialled before the first `next()`. Leaving the loop in any way ends the live session and waits for its
 * end, which is bounded (clause C7). The loop returns when the session ended as intended and throws the typed error
 * when it did not (clause E).
 * @throws InvalidOptionError for options that cannot work.
 */
export function runLive(options: RunLiveOptions): LiveRun {
  const { queue, liveRequestQueue, signal, abortSignal, eventCapacity, ...rest } = options;
  if (queue !== undefined && liveRequestQueue !== undefined && queue !== liveRequestQueue) {
    throw new InvalidOptionError('queue and liveRequestQueue are two names of one option; give one of them.');
  }
  // Before the session, which holds the queue from then on: a capacity that cannot work must leave nothing behind.
  const events = new Mailbox<LiveEvent>(eventCapacity ?? DEFAULT_EVENT_CAPACITY);
  const session = new AgentSession({ ...rest, queue: queue ?? liveRequestQueue });
  return new SessionLoop(session, signal ?? abortSignal, events);
}

/**
 * Written by hand because an `async function*` that is parked in `next()` cannot be returned from.
 */
class SessionLoop implements LiveRun {
  readonly session: AgentSession;
  readonly closed: Promise<SessionCloseReport>;
  readonly #events: Mailbox<LiveEvent>;
  #started = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(session: AgentSession, signal: AbortSignal | undefined, events: Mailbox<LiveEvent>) {
    this.session = session;
    this.closed = session.closed;
    this.#events = events;
    session.on('event', (event) => this.#queue(event));
    session.on('close', (report) => this.#ended(report));
    if (signal !== undefined) this.#heed(signal);
  }

  async next(): Promise<IteratorResult<LiveEvent, undefined>> {
    if (!this.#started) {
      this.#started = true;
      // How it fails is told by the report; see #ended.
      this.session.start().catch(() => undefined);
    }
    const result = await this.#events.next();
    const failure = this.#failure;
    if (result.done !== true || failure === undefined) return result;
    // The error is thrown once; a loop that goes on asking is told that it is over.
    this.#failure = undefined;
    throw failure.error;
  }

  async return(): Promise<IteratorResult<LiveEvent, undefined>> {
    this.#started = true;
    this.#events.end();
    this.#events.clear();
    await this.session.close('consumer_left');
    this.#failure = undefined;
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<LiveEvent, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #queue(event: LiveEvent): void {
    if (this.#events.push(event) || this.#events.ended) return;
    const error = new SlowConsumerError(
      `${this.#events.capacity} events wait to be read; the session was closed. Read faster, or raise eventCapacity.`,
    );
    // What comes after the gap is not told: events are without a gap, or they end.
    this.#failure = { error };
    this.#events.end();
    void this.session.close('error', error);
  }

  #ended(report: SessionCloseReport): void {
    if (this.#events.ended) return;
    if (report.reason === 'error') {
      this.#failure = { error: report.error ?? new ClosedError('The live session was ended with an error.') };
    }
    this.#events.end();
  }

  /** Ends with the signal. The listener is taken away with the session: signals often outlive many sessions. */
  #heed(signal: AbortSignal): void {
    const { session } = this;
    if (signal.aborted) {
      void session.close('consumer_left');
      return;
    }
    const leave = (): void => void session.close('consumer_left');
    signal.addEventListener('abort', leave, { once: true });
    session.on('close', () => signal.removeEventListener('abort', leave));
  }
}
