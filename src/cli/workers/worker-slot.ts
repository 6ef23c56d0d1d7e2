import type { Socket } from 'node:net';
import { retryDelayMs } from '../../kernel/index.ts';
import type { Lifetime, Random, RetryPolicy, Timer } from '../../kernel/index.ts';
import { exitInWords } from './messages.ts';
import type { FromWorker, ToWorker, WorkerEnd, WorkerExit, WorkerPorts } from './messages.ts';

/** One worker as its supervisor holds it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Tells it something, with a client's socket where one goes with it. A process that has ended hears nothing. */
  send(message: ToWorker, socket?: Socket): void;
  /** Ends it without asking. */
  kill(): void;
  signal(name: 'SIGHUP'): void;
}

/** What a worker's process tells. `ended` comes once, and last. */
export interface WorkerSink {
  message(message: FromWorker, socket: Socket | undefined): void;
  ended(exit: WorkerExit): void;
}

/** Starts the process of a slot. `replaced` is how many it has had before. */
export type SpawnWorker = (slot: number, replaced: number, sink: WorkerSink) => WorkerProcess;

/**
 * How a worker that ended is had again. The first time at once: a crash has most often to do with one call. Then with
 * growing delays, for what fails again and again is in the agents or the machine, and five times in a row is enough to know.
 */
export const WORKER_RETRY: RetryPolicy = {
  maxAttempts: 6,
  delaysMs: [0, 500, 1_000, 2_000, 4_000],
  jitterMs: 100,
};

/** A worker that has served for this long has shown that it can: what ends it then is a new misfortune. */
export const WORKER_STABLE_MS = 10_000;

/** Agents are loaded, a model is made and a file is opened: seconds on a loaded machine. */
export const WORKER_START_TIMEOUT_MS = 60_000;

/** How often a worker that serves says that it does. */
export const WORKER_HEARTBEAT_MS = 2_000;

/** One that has said nothing for this long hangs: its calls have been silent for as long, and it gets its share of new ones. */
export const WORKER_SILENCE_MS = 30_000;

/** How long it is listened for once more: it may be the supervisor that was held up, with what was said meanwhile unread. */
export const WORKER_LAST_LOOK_MS = 5_000;

export type SlotState =
  | { readonly tag: 'starting'; readonly process: WorkerProcess }
  | { readonly tag: 'prepared'; readonly process: WorkerProcess }
  | { readonly tag: 'serving'; readonly process: WorkerProcess; readonly sinceMs: number }
  /** Its worker has ended, and the next one is started after a delay. */
  | { readonly tag: 'waiting' }
  /** Its last worker has ended. */
  | { readonly tag: 'ended' };

export interface WorkerSlotOptions {
  readonly slot: number;
  readonly scope: Lifetime;
  readonly random: Random;
  readonly spawn: SpawnWorker;
  /** The worker's state has changed. */
  changed(): void;
  /** What the slot itself does not understand of what its worker says. */
  message(message: FromWorker, socket: Socket | undefined): void;
  /** Its workers end again and again, or one said that it can never serve. */
  gaveUp(reason: string, exitCode: number): void;
}

/** One worker's place: it keeps its number, and so its sessions, while its process is replaced. */
export class WorkerSlot {
  readonly slot: number;
  readonly #options: WorkerSlotOptions;
  #state: SlotState = { tag: 'waiting' };
  #replaced = -1;
  #failures = 0;
  #calls = 0;
  #closing: WorkerEnd | undefined;
  #lastExit: WorkerExit | undefined;
  #failure: { readonly text: string; readonly exitCode: number } | undefined;
  #isLast = false;
  /** How long it may take to serve, and then how long it may say nothing. */
  #bound: Timer | undefined;

  constructor(options: WorkerSlotOptions) {
    this.slot = options.slot;
    this.#options = options;
  }

  get state(): SlotState {
    return this.#state;
  }

  get calls(): number {
    return this.#calls;
  }

  /** How its last worker closed; undefined when it did not say so. */
  get closing(): WorkerEnd | undefined {
    return this.#closing;
  }

  get lastExit(): WorkerExit | undefined {
    return this.#lastExit;
  }

  start(): void {
    const { slot, scope, spawn } = this.#options;
    this.#replaced += 1;
    this.#closing = undefined;
    this.#failure = undefined;
    const process = spawn(slot, this.#replaced, {
      message: (message, socket) => this.#message(process, message, socket),
      ended: (exit) => this.#ended(process, exit),
    });
    scope.own(`worker ${slot}`, process, { abort: (held) => held.kill() });
    this.#bound = scope.timer(`start of worker ${slot}`, WORKER_START_TIMEOUT_MS, () => {
      scope.log.error('worker does not start', { worker: slot, pid: process.pid });
      process.kill();
    });
    this.#state = { tag: 'starting', process };
  }

  /** Has the worker take clients, once it is prepared. */
  listen(ports: WorkerPorts): void {
    if (this.#state.tag === 'prepared') this.#state.process.send({ tag: 'listen', ports });
  }

  /** From here on its worker is not replaced. */
  last(): void {
    this.#isLast = true;
    if (this.#state.tag === 'waiting') this.#state = { tag: 'ended' };
  }

  /** Tells the worker; returns whether there is one. */
  send(message: ToWorker, socket?: Socket): boolean {
    if (this.#state.tag === 'waiting' || this.#state.tag === 'ended') return false;
    this.#state.process.send(message, socket);
    return true;
  }

  kill(): void {
    if (this.#state.tag !== 'waiting' && this.#state.tag !== 'ended') this.#state.process.kill();
  }

  /** One that is not prepared would end of it. */
  signal(name: 'SIGHUP'): void {
    if (this.#state.tag === 'prepared' || this.#state.tag === 'serving') this.#state.process.signal(name);
  }

  #message(process: WorkerProcess, message: FromWorker, socket: Socket | undefined): void {
    if (this.#state.tag === 'serving') this.#heard(process);
    switch (message.tag) {
      case 'prepared':
        this.#state = { tag: 'prepared', process };
        this.#options.changed();
        return;
      case 'listening':
        this.#state = { tag: 'serving', process, sinceMs: this.#now() };
        this.#heard(process);
        this.#options.scope.log.info('worker serves', { worker: this.slot, pid: process.pid });
        this.#options.message(message, socket);
        this.#options.changed();
        return;
      case 'calls':
        this.#calls = message.count;
        return;
      case 'closed':
        this.#closing = message;
        return;
      case 'failed':
        this.#failure = message;
        return;
      case 'client':
      case 'verb':
        this.#options.message(message, socket);
    }
  }

  /** It lives. If that is not heard again, it is ended, so that another one takes its place. */
  #heard(process: WorkerProcess): void {
    const { scope } = this.#options;
    this.#bound?.cancel();
    if (scope.isClosing) return;
    this.#bound = scope.timer(`silence of worker ${this.slot}`, WORKER_SILENCE_MS, () => {
      this.#bound = scope.timer(`last look at worker ${this.slot}`, WORKER_LAST_LOOK_MS, () => {
        scope.log.error('worker hangs, and is killed', { worker: this.slot, pid: process.pid });
        process.kill();
      });
    });
  }

  #ended(process: WorkerProcess, exit: WorkerExit): void {
    const { scope, changed } = this.#options;
    const state = this.#state;
    this.#bound?.cancel();
    scope.release(process);
    this.#calls = 0;
    this.#lastExit = exit;
    const servedMs = state.tag === 'serving' ? Math.round(this.#now() - state.sinceMs) : 0;
    const fields = { worker: this.slot, pid: process.pid, exit: exitInWords(exit), servedMs };
    // Asked to end before it could even listen to that: nothing was under way.
    const isAsked = exit.signal === 'SIGTERM' || exit.signal === 'SIGINT';
    if (state.tag === 'starting' && isAsked) this.#closing ??= { cutCalls: 0, reason: 'shutdown' };
    const isInOrder = this.#closing !== undefined;
    if (isInOrder) scope.log.info('worker ended', fields);
    else scope.log.error('worker died', fields);
    if (this.#isLast || scope.isClosing) {
      this.#state = { tag: 'ended' };
      changed();
      return;
    }
    this.#failures = isInOrder || servedMs >= WORKER_STABLE_MS ? 1 : this.#failures + 1;
    this.#state = { tag: 'waiting' };
    changed();
    this.#again(exit);
  }

  #again(exit: WorkerExit): void {
    const { scope, random, gaveUp } = this.#options;
    // What a worker knows of itself when it has never served is so for every one that would follow.
    if (this.#failure !== undefined && this.#replaced === 0) {
      gaveUp(this.#failure.text, this.#failure.exitCode);
      return;
    }
    if (this.#failures >= WORKER_RETRY.maxAttempts) {
      const why = this.#failure?.text ?? exitInWords(exit);
      gaveUp(`Worker ${this.slot} ended ${this.#failures} times in a row; the last time with: ${why}`, 1);
      return;
    }
    const delayMs = retryDelayMs(WORKER_RETRY, this.#failures, random);
    scope.log.warn('worker is replaced', { worker: this.slot, delayMs: Math.round(delayMs) });
    scope.timer(`worker ${this.slot} again`, delayMs, () => {
      if (this.#state.tag === 'waiting') this.start();
    });
  }

  #now(): number {
    return this.#options.scope.clock.now();
  }
}
