import { Worker } from 'node:worker_threads';
import { ClosedError, describeError, type Lifetime, type Timer } from '../kernel/index.ts';
import type { FromThread, ThreadSetup, ToThread } from './speech-model.ts';
import { VadUnavailableError } from './voice-activity.ts';

/** How long a thread may take to load its model, in milliseconds: some two seconds on a busy core, and then some. */
export const VAD_LOAD_TIMEOUT_MS = 10_000;

/** How often in a row a thread that died is started again: what dies a fourth time dies of what it hears. */
export const VAD_THREAD_RESTARTS = 3;

/** After how long a thread has shown that it stays, in milliseconds; then earlier deaths count no more. As for legs (R4). */
export const VAD_THREAD_STABLE_MS = 10_000;

/** Sources stand in .ts, a build in .js; this file and its neighbour are always of one kind. */
const THREAD = new URL(`./vad-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** One who is heard in the thread. All are called synchronously, and none after the ear was detached. */
export interface ThreadEar {
  ready(): void;
  heard(window: number, probability: number): void;
  /** What was sent and not answered will not be. */
  lost(): void;
  /** Nothing will be answered any more. */
  failed(error: Error): void;
}

type State =
  | { readonly tag: 'idle' }
  | { readonly tag: 'loading'; readonly worker: Worker; readonly timer: Timer }
  | { readonly tag: 'running'; readonly worker: Worker; readonly sinceMs: number };

const IDLE: State = { tag: 'idle' };

/** A thread with a model that ears share; started when the first ear comes, and again when it dies. */
export class VadWorker {
  readonly #owner: Lifetime;
  readonly #id: string;
  readonly #setup: ThreadSetup;
  readonly #ears = new Map<number, ThreadEar>();
  #nextEar = 0;
  #state: State = IDLE;
  #restarts = 0;

  constructor(owner: Lifetime, id: string, setup: ThreadSetup) {
    this.#owner = owner;
    this.#id = id;
    this.#setup = setup;
  }

  /** @throws ClosedError when the owner has begun to close. */
  attach(ear: ThreadEar): number {
    this.#owner.throwIfClosing();
    const number = this.#nextEar++;
    this.#ears.set(number, ear);
    if (this.#state.tag === 'idle') {
      this.#restarts = 0;
      this.#start();
    } else if (this.#state.tag === 'running') ear.ready();
    return number;
  }

  detach(ear: number): void {
    if (this.#ears.delete(ear)) this.#post({ type: 'gone', ear });
  }

  /** Hands a window over: its buffer is the thread's from now on. */
  hear(ear: number, window: number, samples: Int16Array<ArrayBuffer>): void {
    this.#post({ type: 'window', ear, window, samples }, [samples.buffer]);
  }

  reset(ear: number): void {
    this.#post({ type: 'reset', ear });
  }

  /** The thread is so far behind that it is taken for stuck. While it loads, it is only late. */
  behind(): void {
    if (this.#state.tag !== 'running') return;
    this.#terminate(this.#state.worker, new Error('The thread has stopped answering.'));
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    if (this.#state.tag !== 'idle') this.#state.worker.postMessage(message, transfer);
  }

  #start(): void {
    const worker = this.#owner.own(
      'vad thread',
      new Worker(THREAD, { name: this.#id, workerData: this.#setup, execArgv: [] }),
      {
        close: (thread) => thread.terminate(),
        abort: (thread) => thread.terminate(),
      },
    );
    let failure: unknown;
    const timer = this.#owner.timer('vad load', VAD_LOAD_TIMEOUT_MS, () =>
      this.#terminate(worker, new Error(`The model was not loaded within ${VAD_LOAD_TIMEOUT_MS} ms.`)),
    );
    this.#state = { tag: 'loading', worker, timer };
    worker.on('message', (message: FromThread) => this.#take(worker, message));
    worker.on('error', (error) => (failure = error));
    worker.on('exit', (code) => {
      this.#owner.release(worker);
      this.#died(worker, failure ?? new Error(`The thread ended with ${code}.`));
    });
  }

  #take(worker: Worker, message: FromThread): void {
    const state = this.#state;
    if (state.tag === 'idle' || state.worker !== worker) return;
    if (message.type === 'probability') {
      this.#ears.get(message.ear)?.heard(message.window, message.probability);
    } else if (state.tag === 'loading') {
      state.timer.cancel();
      this.#state = { tag: 'running', worker, sinceMs: this.#owner.clock.now() };
      for (const ear of this.#ears.values()) ear.ready();
    }
  }

  #terminate(worker: Worker, error: Error): void {
    void worker.terminate();
    this.#died(worker, error);
  }

  #died(worker: Worker, error: unknown): void {
    const state = this.#state;
    if (state.tag === 'idle' || state.worker !== worker) return;
    this.#state = IDLE;
    if (state.tag === 'loading') state.timer.cancel();
    else if (this.#owner.clock.now() - state.sinceMs >= VAD_THREAD_STABLE_MS) this.#restarts = 0;
    // One that never ran lacks something, and would lack it again.
    const neverRan = state.tag === 'loading' && this.#restarts === 0;
    if (this.#owner.isClosing || neverRan || this.#restarts === VAD_THREAD_RESTARTS) {
      this.#fail(error);
      return;
    }
    this.#restarts += 1;
    this.#owner.log.warn('voice activity thread restarted', {
      detector: this.#id,
      restarts: this.#restarts,
      error: describeError(error),
    });
    for (const ear of this.#ears.values()) ear.lost();
    if (this.#ears.size > 0) this.#start();
  }

  #fail(cause: unknown): void {
    const error = this.#owner.isClosing
      ? new ClosedError(`The owner of the thread of '${this.#id}' has been closed.`)
      : new VadUnavailableError(`The thread of '${this.#id}' cannot be had: ${describeError(cause)}`, {
          cause,
        });
    const ears = [...this.#ears.values()];
    this.#ears.clear();
    for (const ear of ears) ear.failed(error);
  }
}
