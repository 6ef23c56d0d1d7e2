import type { Clock } from '../kernel/index.ts';
import type { EndReason } from '../session/index.ts';

/** Why the server ends a call: a newer client took over, it shuts down, or the session is deleted on demand. */
export type CallEnd = Extract<EndReason, 'replaced' | 'shutdown' | 'user_initiated'>;

export type CallKind = 'run_live' | 'run_sse' | 'run';

/** Something a client waits for and a drain must wait for too: a live session, or a text turn. */
export interface Call {
  readonly kind: CallKind;
  readonly startedAtMs: number;
  /** Settles, without rejecting, when the call is over and what was said in it is stored. */
  readonly ended: Promise<void>;
  /** Ends it politely. */
  end(reason: CallEnd): void;
  /** Tells the client that the server is going away. */
  goAway(timeLeftMs: number): void;
}

/**
 * Everything under way on a server, counted from the moment it is accepted (clause D5), and at most one live session
 * for each stored session.
 */
export class Calls {
  readonly #clock: Clock;
  readonly #underWay = new Set<Call>();
  readonly #bySession = new Map<string, Call>();
  #onEmpty: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#underWay.size;
  }

  /** How long the oldest one has been under way, in milliseconds; 0 when there is none. */
  get oldestMs(): number {
    let oldestMs = 0;
    const nowMs = this.#clock.now();
    for (const call of this.#underWay) oldestMs = Math.max(oldestMs, nowMs - call.startedAtMs);
    return oldestMs;
  }

  /** Counts a call until it has ended. */
  add(call: Call): void {
    this.#underWay.add(call);
    void call.ended.then(() => {
      this.#underWay.delete(call);
      if (this.#underWay.size === 0) this.#onEmpty?.();
    });
  }

  /**
   * Makes `call` the one that holds the stored session. With `replace` the one that held it is told so and ends, with
   * `wait` it is let finish; what is returned settles when it has, and the stored history is complete. Calls that
   * still wait are overtaken in the same way.
   */
  takeOver(sessionKey: string, call: Call, manner: 'replace' | 'wait'): Promise<void> {
    const older = this.#bySession.get(sessionKey);
    this.#bySession.set(sessionKey, call);
    void call.ended.then(() => {
      if (this.#bySession.get(sessionKey) === call) this.#bySession.delete(sessionKey);
    });
    if (manner === 'replace') older?.end('replaced');
    return older?.ended ?? Promise.resolve();
  }

  /** The call that holds a stored session. */
  holding(sessionKey: string): Call | undefined {
    return this.#bySession.get(sessionKey);
  }

  /** Calls `listener` each time the last call ends. One listener; undefined takes it away. */
  whenEmpty(listener: (() => void) | undefined): void {
    this.#onEmpty = listener;
  }

  endAll(reason: 'shutdown'): void {
    for (const call of [...this.#underWay]) call.end(reason);
  }

  goAway(timeLeftMs: number): void {
    for (const call of [...this.#underWay]) call.goAway(timeLeftMs);
  }
}

/** One string for a session's three names, which may hold any character. */
export function sessionKey(key: { appName: string; userId: string; id: string }): string {
  return JSON.stringify([key.appName, key.userId, key.id]);
}
