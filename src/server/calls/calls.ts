import type { Clock } from '../../kernel/index.ts';
import type { EndReason } from '../../session/index.ts';
import type { CallSnapshot } from './call-snapshot.ts';

/**
 * Why the server ends a call: a newer client took over, it shuts down, the session is deleted on demand, or somebody who
 * administers the server ended it.
 */
export type CallEnd = Extract<EndReason, 'replaced' | 'shutdown' | 'user_initiated' | 'closed_by_operator'>;

export type CallKind = 'run_live' | 'run_sse' | 'run';

/** Something a client waits for and a drain must wait for too: a live session, or a text turn. */
export interface Call {
  readonly kind: CallKind;
  readonly startedAtMs: number;
  /** Settles, without rejecting, when the next call may have the session: what was said in this one is stored. */
  readonly ended: Promise<void>;
  /** Settles, without rejecting, when nothing more is done about it. */
  readonly over: Promise<void>;
  /** Settles, without rejecting, when its live session is there, or will not be. */
  readonly live: Promise<void>;
  /**
   * Changes the state of its live session; false where that is not there, or writes nothing down any more.
   * @throws LimitReachedError when the state would be too large.
   */
  updateState(delta: Readonly<Record<string, unknown>>): boolean;
  /** Ends it politely. `words` are for its client, in place of those of the reason. */
  end(reason: CallEnd, words?: string): void;
  /** How it stands. */
  snapshot(): CallSnapshot;
  /** Whether it only took in a client that came to go on with another call: it is none of its own. */
  readonly isPassing: boolean;
  /** Whether its client, having lost its connection, could come back to it on a new one. */
  readonly mayBeResumed: boolean;
  /** Tells the client, and who speaks to it, that the server is going away. */
  goAway(timeLeftMs: number): void;
}

/** Who has a stored session, or waits for it: a call, or somebody who writes to it for a moment. */
export type Holder = Pick<Call, 'ended' | 'live' | 'updateState' | 'end'>;

/**
 * Everything under way on a server, counted from the moment it is accepted (clause D5), and at most one live session
 * for each stored session.
 */
export class Calls {
  readonly #clock: Clock;
  readonly #underWay = new Set<Call>();
  /** Who has a stored session and who waits for it, in the order they came; nobody is left out who has not ended. */
  readonly #lines = new Map<string, readonly Holder[]>();
  #onOver: (() => void) | undefined;
  #total = 0;
  /** Things that are no calls here, and are waited for like them. */
  #held = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#underWay.size;
  }

  /** How many of them only take a client in for another one; nobody's call is cut with them. */
  get passing(): number {
    let passing = 0;
    for (const { isPassing } of this.#underWay) if (isPassing) passing += 1;
    return passing;
  }

  /** Whether nothing is under way that a drain waits for. */
  get isEmpty(): boolean {
    return this.#underWay.size === 0 && this.#held === 0;
  }

  /** How many there have ever been; those that only took a client in for another one do not count. */
  get total(): number {
    return this.#total;
  }

  /** How long the oldest one has been under way, in milliseconds; 0 when there is none. */
  get oldestMs(): number {
    let oldestMs = 0;
    const nowMs = this.#clock.now();
    for (const call of this.#underWay) oldestMs = Math.max(oldestMs, nowMs - call.startedAtMs);
    return oldestMs;
  }

  /** How every call stands, the oldest first. */
  snapshots(): CallSnapshot[] {
    return [...this.#underWay].map((call) => call.snapshot());
  }

  /** Counts a call until nothing more is done about it. */
  add(call: Call): void {
    this.#underWay.add(call);
    this.#total += 1;
    void call.over.then(() => {
      this.#underWay.delete(call);
      if (call.isPassing) this.#total -= 1;
      this.#onOver?.();
    });
  }

  /** Has a drain wait for something that is a call of another process. Returns the function that says it is over. */
  hold(): () => void {
    this.#held += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#held -= 1;
      this.#onOver?.();
    };
  }

  /**
   * Makes `call` the next one to have the stored session. With `replace` all before it are told so and end, with `wait`
   * they are let finish; what is returned settles when every one of them has ended, and the stored history is complete.
   */
  takeOver(sessionKey: string, call: Holder, manner: 'replace' | 'wait'): Promise<void> {
    const before = this.#lines.get(sessionKey) ?? [];
    this.#lines.set(sessionKey, [...before, call]);
    void call.ended.then(() => this.#leaveLine(sessionKey, call));
    if (manner === 'replace') for (const each of before) each.end('replaced');
    // All of them: one that leaves while it waits has ended before the one that it waits for.
    return Promise.all(before.map(({ ended }) => ended)).then(() => undefined);
  }

  /** The call that has a stored session, or is the next to have it. */
  holding(sessionKey: string): Holder | undefined {
    return this.#lines.get(sessionKey)?.at(-1);
  }

  /**
   * Changes the state of a stored session: of its live session, where there is one, so that this sees it and does not write
   * over it; otherwise `write` does, while nobody else can have the session. Rejects with what `write` does, and
   * with LimitReachedError where the state would be too large.
   */
  async updateState(
    sessionKey: string,
    delta: Readonly<Record<string, unknown>>,
    write: () => Promise<void>,
  ): Promise<void> {
    for (let holder = this.holding(sessionKey); holder !== undefined; holder = this.holding(sessionKey)) {
      await holder.live;
      if (holder.updateState(delta)) return;
      await holder.ended;
    }
    const written = Promise.withResolvers<void>();
    const writer: Holder = {
      ended: written.promise,
      live: written.promise,
      updateState: () => false,
      end: () => undefined,
    };
    void this.takeOver(sessionKey, writer, 'wait');
    try {
      await write();
    } finally {
      written.resolve();
    }
  }

  /** Ends every call that has a stored session or waits for it; settles when all have ended. */
  async endHolders(sessionKey: string, reason: CallEnd, words?: string): Promise<void> {
    // Again for those who came meanwhile: they have joined the line and not the wait.
    for (let line = this.#lines.get(sessionKey); line !== undefined; line = this.#lines.get(sessionKey)) {
      for (const call of line) call.end(reason, words);
      await Promise.all(line.map(({ ended }) => ended));
    }
  }

  /** Calls `listener` each time a call, or what else was held, is over. One listener; undefined takes it away. */
  whenOver(listener: (() => void) | undefined): void {
    this.#onOver = listener;
  }

  /** Whether any client could come back to its call on a new connection. */
  get mayAnyBeResumed(): boolean {
    for (const { mayBeResumed } of this.#underWay) if (mayBeResumed) return true;
    return false;
  }

  endAll(reason: 'shutdown'): void {
    for (const call of [...this.#underWay]) call.end(reason);
  }

  /** Those under way, the oldest first. */
  get all(): readonly Call[] {
    return [...this.#underWay];
  }

  has(call: Call): boolean {
    return this.#underWay.has(call);
  }

  #leaveLine(sessionKey: string, call: Holder): void {
    const left = (this.#lines.get(sessionKey) ?? []).filter((each) => each !== call);
    if (left.length === 0) this.#lines.delete(sessionKey);
    else this.#lines.set(sessionKey, left);
  }
}

/** One string for a session's three names, which may hold any character. */
export function sessionKey(key: { appName: string; userId: string; id: string }): string {
  return JSON.stringify([key.appName, key.userId, key.id]);
}
