import type { Socket } from 'node:net';
import { HoldfastError, Lifetime, systemRandom } from '../../kernel/index.ts';
import type { Clock, Logger, Random, Timer } from '../../kernel/index.ts';
import type { DrainReport } from '../../server/index.ts';
import type { LadderTarget } from '../signals.ts';
import type { FromWorker, WorkerEnd, WorkerPorts, WorkersAddress } from './messages.ts';
import { WorkerSlot } from './worker-slot.ts';
import type { SpawnWorker } from './worker-slot.ts';

/** The workers cannot serve. The message says why. */
export class WorkersFailedError extends HoldfastError {
  readonly code = 'HOLDFAST_WORKERS_FAILED';
  /** What the command ends with: 2 where running it again cannot help, otherwise 1. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** How long above its own bounds a worker is waited for: one that does not end by then hangs, and is killed. */
export const WORKER_PATIENCE_MS = 15_000;

/** How long a worker that aborts is waited for. */
export const WORKER_ABORT_MS = 2_000;

export interface WorkerGroupOptions {
  readonly count: number;
  readonly ports: WorkerPorts;
  readonly spawn: SpawnWorker;
  /** The longest a drain takes by itself: the delay before it and its time-out. */
  readonly drainMs: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** A client of another worker that has ended: the socket is to be answered and ended. */
  refuse(socket: Socket): void;
}

/** How all workers ended. */
export interface WorkerGroupReport {
  /** How many calls were cut, as far as the workers could say so. */
  readonly cutCalls: number;
  /** How their drain went, taken together; absent where they were closed without one. */
  readonly drain?: DrainReport;
  /** Workers that did not end in order, by name. */
  readonly died: readonly string[];
  /** Why they could not go on. */
  readonly error?: WorkersFailedError;
}

type Verb = 'drain' | 'close' | 'abort';
const VERBS: readonly Verb[] = ['drain', 'close', 'abort'];

/**
 * The workers of one server, as the process that started them holds them: it replaces one that ends, passes clients on to
 * the worker that has their session, and tells all of them the verb. No call goes through it, so none ends with it.
 */
export class WorkerGroup implements LadderTarget {
  /** Resolves, and never rejects, when the last worker has ended. */
  readonly closed: Promise<WorkerGroupReport>;
  readonly #options: WorkerGroupOptions;
  readonly #scope: Lifetime;
  readonly #slots: readonly WorkerSlot[];
  readonly #closed = Promise.withResolvers<WorkerGroupReport>();
  readonly #started = Promise.withResolvers<WorkersAddress>();
  #stage: 'starting' | 'serving' | 'ending' | 'ended' = 'starting';
  #verb: Verb | undefined;
  #bound: Timer | undefined;
  #error: WorkersFailedError | undefined;
  #address: WorkersAddress | undefined;

  constructor(options: WorkerGroupOptions) {
    const { count, spawn, clock, log, random = systemRandom } = options;
    this.#options = options;
    this.#scope = Lifetime.root({
      name: 'workers',
      ...(clock === undefined ? {} : { clock }),
      ...(log === undefined ? {} : { log }),
    });
    this.closed = this.#closed.promise;
    this.#slots = Array.from(
      { length: count },
      (_, slot) =>
        new WorkerSlot({
          slot,
          scope: this.#scope,
          random,
          spawn,
          changed: () => this.#changed(),
          message: (message, socket) => this.#message(message, socket),
          gaveUp: (reason, exitCode) => this.#gaveUp(new WorkersFailedError(reason, exitCode)),
        }),
    );
    // Observed here: it may be rejected before anybody waits for it.
    this.#started.promise.catch(() => undefined);
  }

  /** How many calls are under way, as the workers told it last. */
  get liveSessions(): number {
    return sumOf(this.#slots.map(({ calls }) => calls));
  }

  /** Starts all workers; resolves when every one of them serves. @throws WorkersFailedError when they cannot. */
  start(): Promise<WorkersAddress> {
    for (const slot of this.#slots) slot.start();
    return this.#started.promise;
  }

  drain(): void {
    this.#tell('drain', this.#options.drainMs + WORKER_PATIENCE_MS);
  }

  close(): void {
    this.#tell('close', WORKER_PATIENCE_MS);
  }

  abort(): void {
    this.#tell('abort', WORKER_ABORT_MS);
  }

  /** Sends a signal to every worker. */
  signal(name: 'SIGHUP'): void {
    for (const slot of this.#slots) slot.signal(name);
  }

  /** Only ever to a harder verb: what a worker was told is not taken back. */
  #tell(verb: Verb, boundMs: number): void {
    if (this.#stage === 'ended') return;
    if (this.#verb !== undefined && VERBS.indexOf(verb) <= VERBS.indexOf(this.#verb)) return;
    this.#verb = verb;
    this.#stage = 'ending';
    this.#bound?.cancel();
    this.#bound = this.#scope.timer(`end of the workers by ${verb}`, boundMs, () => {
      this.#scope.log.error('workers hang, and are killed', { verb });
      for (const slot of this.#slots) slot.kill();
    });
    for (const slot of this.#slots) {
      slot.last();
      slot.send({ tag: verb });
    }
    this.#changed();
  }

  #message(message: FromWorker, socket: Socket | undefined): void {
    switch (message.tag) {
      case 'listening':
        this.#address ??= message;
        return;
      case 'client':
        if (socket !== undefined) this.#pass(message.slot, message.bytes, socket);
        return;
      case 'verb':
        this[message.verb]();
        return;
      case 'prepared':
      case 'calls':
      case 'closed':
      case 'failed':
    }
  }

  /** A client was accepted by one worker, and its session belongs to another. */
  #pass(slot: number, bytes: string, socket: Socket): void {
    const worker = this.#slots[slot];
    if (worker?.state.tag === 'serving') worker.send({ tag: 'client', bytes }, socket);
    else this.#options.refuse(socket);
  }

  #changed(): void {
    const states = this.#slots.map(({ state }) => state.tag);
    if (this.#stage === 'starting') {
      // The first of them listen together, so that no client finds a worker whose neighbour is not there yet.
      if (states.every((tag) => tag === 'prepared' || tag === 'serving')) this.#listen();
      if (states.every((tag) => tag === 'serving') && this.#address !== undefined) {
        this.#stage = 'serving';
        this.#started.resolve(this.#address);
      }
    } else if (this.#stage === 'serving') {
      this.#listen();
    } else if (this.#stage === 'ending' && states.every((tag) => tag === 'ended')) {
      this.#end();
    }
  }

  #listen(): void {
    for (const slot of this.#slots) slot.listen(this.#options.ports);
  }

  #gaveUp(error: WorkersFailedError): void {
    this.#error ??= error;
    this.#scope.log.error('workers cannot go on', { error: error.message });
    this.#started.reject(error);
    // Calls of the others end by themselves; who has not begun to serve has none.
    if (this.#stage === 'starting') this.abort();
    else this.drain();
  }

  #end(): void {
    this.#stage = 'ended';
    this.#bound?.cancel();
    const error = this.#error;
    const died = this.#slots
      .filter(({ closing }) => closing === undefined)
      .map(({ slot }) => `worker ${slot}`);
    const ends = this.#slots.flatMap(({ closing }) => closing ?? []);
    const cutCalls = sumOf(ends.map((end) => end.cutCalls));
    const drain = wholeDrain(ends);
    this.#started.reject(new WorkersFailedError('The workers ended before they served.', 1));
    void this.#scope.close('ended').then(() =>
      this.#closed.resolve({
        cutCalls,
        died,
        ...(drain === undefined ? {} : { drain }),
        ...(error === undefined ? {} : { error }),
      }),
    );
  }
}

/** All drains as one; undefined where there was none. */
function wholeDrain(ends: readonly WorkerEnd[]): DrainReport | undefined {
  const drains = ends.flatMap(({ drain }) => drain ?? []);
  if (drains.length === 0) return undefined;
  return {
    calls: sumOf(drains.map(({ calls }) => calls)),
    ended: sumOf(drains.map(({ ended }) => ended)),
    cut: sumOf(drains.map(({ cut }) => cut)),
    durationMs: Math.max(...drains.map(({ durationMs }) => durationMs)),
  };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
