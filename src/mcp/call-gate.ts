import { ClosedError } from '../kernel/index.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';
import { ToolTimeoutError } from '../session/errors.ts';
import { McpCallError } from './errors.ts';

type Ending = 'cancelled' | 'timed out' | 'the session ended';

/**
 * What ends one call early: its signal, its bound, the end of the session. Its own signal fires for these alone, and
 * never after the call has settled: the SDK would tell the server that an answered call was taken back.
 */
export class CallGate {
  readonly #tool: string;
  readonly #timeoutMs: number;
  readonly #scope: Lifetime;
  readonly #asked: AbortSignal;
  readonly #onAsked = (): void => this.#end('cancelled');
  readonly #controller = new AbortController();
  readonly #timer: Timer;

  /** @throws ClosedError when `scope` has begun to close. */
  constructor(tool: string, timeoutMs: number, asked: AbortSignal, scope: Lifetime) {
    this.#tool = tool;
    this.#timeoutMs = timeoutMs;
    this.#scope = scope;
    this.#asked = asked;
    scope.own('call', this, { stop: (held) => held.#end('the session ended') });
    this.#timer = scope.timer('call time-out', timeoutMs, () => this.#end('timed out'));
    asked.addEventListener('abort', this.#onAsked);
    if (asked.aborted) this.#end('cancelled');
  }

  /** For the SDK. Its reason is a word, because it is told to the server. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it ended early, as an error; undefined while it has not. */
  get error(): Error | undefined {
    if (!this.signal.aborted) return undefined;
    const ending = this.signal.reason as Ending;
    if (ending === 'timed out') {
      return new ToolTimeoutError(`Tool '${this.#tool}' was not answered within ${this.#timeoutMs} ms.`);
    }
    if (ending === 'cancelled') return new McpCallError(`The call of '${this.#tool}' was cancelled.`);
    return new ClosedError(`The call of '${this.#tool}' ended with the session.`);
  }

  /** The result of `work`, unless the call ends first. What becomes of `work` then is observed. */
  race<Result>(work: Promise<Result>): Promise<Result> {
    return raced(work, this);
  }

  /** The call has settled. */
  close(): void {
    this.#timer.cancel();
    this.#asked.removeEventListener('abort', this.#onAsked);
    this.#scope.release(this);
  }

  #end(ending: Ending): void {
    this.#controller.abort(ending);
  }
}

/** A function of its own: what hangs on the work knows the call and nothing of its owner's. */
function raced<Result>(work: Promise<Result>, gate: CallGate): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(gate.error ?? new ClosedError('The call ended.'));
    if (gate.signal.aborted) onAbort();
    gate.signal.addEventListener('abort', onAbort);
    const settle = (): void => gate.signal.removeEventListener('abort', onAbort);
    work.then(
      (result) => {
        settle();
        resolve(result);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}
