import type { Clock } from '../kernel/index.ts';
import { callsInWords } from './drain-words.ts';

/** What signals ask of a server; each rung is harder than the one before. */
export interface LadderTarget {
  drain(): unknown;
  close(): unknown;
  abort(): unknown;
  /** How many calls would be cut. */
  readonly liveSessions: number;
}

/**
 * One press of Ctrl-C in a terminal reaches this process twice under npm: from the terminal, and forwarded. Nobody
 * presses twice in half a second and means two things (clause D4).
 */
export const SIGNAL_ECHO_MS = 500;

const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export interface SignalLadderOptions {
  readonly clock: Clock;
  /** Says something to who sits at the terminal. */
  tell(line: string): void;
}

/** First signal: drain. Second: close now. Third: abort. An echo of a signal that counted does not count. */
export class SignalLadder {
  readonly #target: LadderTarget;
  readonly #options: SignalLadderOptions;
  #rung = 0;
  #countedAtMs = Number.NEGATIVE_INFINITY;

  constructor(target: LadderTarget, options: SignalLadderOptions) {
    this.#target = target;
    this.#options = options;
  }

  signal(): void {
    const { clock, tell } = this.#options;
    const nowMs = clock.now();
    if (nowMs - this.#countedAtMs < SIGNAL_ECHO_MS) return;
    this.#countedAtMs = nowMs;
    this.#rung += 1;
    const calls = callsInWords(this.#target.liveSessions);
    if (this.#rung === 1) {
      if (this.#target.liveSessions > 0) {
        const them = this.#target.liveSessions === 1 ? 'it' : 'them';
        tell(`Waiting for ${calls} to end. Ctrl-C again to end ${them} now.`);
      }
      this.#target.drain();
    } else if (this.#rung === 2) {
      tell(`Ending ${calls}. Ctrl-C again to stop without waiting.`);
      this.#target.close();
    } else {
      this.#target.abort();
    }
  }
}

/**
 * Has SIGTERM and SIGINT climb the ladder, to the end of the process: one that stopped listening when its work is
 * done would be killed, and exit with 130, by the echo of the very signal that made it end.
 */
export function listenToSignals(ladder: SignalLadder): void {
  for (const name of END_SIGNALS) process.on(name, () => ladder.signal());
}

/**
 * Signals that come before there is a server to be told: nothing is under way, and `end` is all there is to do. The first process
 * of a container would not hear of them otherwise: it would serve, and nobody would end it. Returns the function that stops
 * listening.
 */
export function endOnEarlySignals(end: () => void): () => void {
  for (const name of END_SIGNALS) process.on(name, end);
  return () => {
    for (const name of END_SIGNALS) process.off(name, end);
  };
}

/**
 * A terminal that is closed, or the connection to the machine it is on, sends SIGHUP, which would end the process without a word
 * to anybody. Nobody has asked for calls to be cut: they are let finish, however often it comes. Where a signal is to renew a
 * certificate, it is this one, and means that alone.
 */
export function drainOnHangUp(target: Pick<LadderTarget, 'drain'>): void {
  process.on('SIGHUP', () => target.drain());
}
