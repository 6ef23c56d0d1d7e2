import { InvalidOptionError, randomId, systemClock, systemRandom } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import { MAX_LISTED_SESSIONS, SessionExistsError } from '../session/index.ts';
import type {
  NewSession,
  SessionChanges,
  SessionKey,
  SessionStore,
  SessionSummary,
  StoredSession,
} from '../session/index.ts';
import { SessionSize } from './session-size.ts';

/** A few kilobytes each: far more than a process that forgets them at its end should hold. */
export const DEFAULT_MAX_SESSIONS = 100_000;

/**
 * A hundred times what a hundred calls of an hour say. A session may begin with megabytes, and strangers may create many: their
 * number alone bounds nothing.
 */
export const DEFAULT_MAX_SESSION_MEMORY_BYTES = 512 * 1024 * 1024;

export interface MemorySessionStoreOptions {
  /** Default `DEFAULT_MAX_SESSIONS`. At the limit the session that was changed longest ago is forgotten. */
  readonly maxSessions?: number;
  /** How much all sessions take together, as JSON. Default `DEFAULT_MAX_SESSION_MEMORY_BYTES`. At the limit the same happens. */
  readonly maxMemoryBytes?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Sessions in this process's memory. They end with it. `get` gives out the session itself and no copy, so what is said
 * in it is seen by everybody at once.
 */
export class MemorySessionStore implements SessionStore {
  /** By key; a save moves a session to the end, so the first one is the one unchanged for longest. */
  readonly #sessions = new Map<string, StoredSession>();
  /** How many each user of an app has. */
  readonly #counts = new Map<string, number>();
  readonly #sizes = new Map<string, SessionSize>();
  #bytes = 0;
  readonly #maxSessions: number;
  readonly #maxMemoryBytes: number;
  readonly #clock: Clock;
  readonly #random: Random;

  /** @throws InvalidOptionError when `maxSessions` or `maxMemoryBytes` is not a whole number above zero. */
  constructor(options: MemorySessionStoreOptions = {}) {
    const { maxSessions = DEFAULT_MAX_SESSIONS, clock = systemClock, random = systemRandom } = options;
    const { maxMemoryBytes = DEFAULT_MAX_SESSION_MEMORY_BYTES } = options;
    for (const [name, value] of Object.entries({ maxSessions, maxMemoryBytes })) {
      if (Number.isInteger(value) && value > 0) continue;
      throw new InvalidOptionError(`${name} must be a whole number above 0; it was ${value}.`);
    }
    this.#maxSessions = maxSessions;
    this.#maxMemoryBytes = maxMemoryBytes;
    this.#clock = clock;
    this.#random = random;
  }

  async create({
    appName,
    userId,
    id = randomId(this.#random),
    state = {},
  }: NewSession): Promise<StoredSession> {
    const key = keyOf({ appName, userId, id });
    if (this.#sessions.has(key)) {
      throw new SessionExistsError(`Session '${id}' of user '${userId}' exists already in app '${appName}'.`);
    }
    const nowMs = this.#clock.wallTime();
    const session: StoredSession = {
      id,
      appName,
      userId,
      state,
      history: [],
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    };
    this.#sessions.set(key, session);
    this.#counted(session, 1);
    const size = new SessionSize(session);
    this.#sizes.set(key, size);
    this.#bytes += size.bytes;
    this.#forgetOldest();
    return session;
  }

  async get(key: SessionKey): Promise<StoredSession | undefined> {
    return this.#sessions.get(keyOf(key));
  }

  async list(appName: string, userId: string): Promise<readonly SessionSummary[]> {
    return [...this.#sessions.values()]
      .filter((each) => each.appName === appName && each.userId === userId)
      .slice(-MAX_LISTED_SESSIONS);
  }

  async count(appName: string, userId: string): Promise<number> {
    return this.#counts.get(userKey({ appName, userId })) ?? 0;
  }

  async delete(key: SessionKey): Promise<boolean> {
    return this.#forget(keyOf(key), key);
  }

  async save(session: StoredSession): Promise<void> {
    // A session deleted while it was live stays deleted.
    if (!this.#sessions.has(keyOf(session))) return;
    this.#measured(session, (size) => size.measure(session));
    this.#keep(session);
  }

  /** Of the session that `get` gave out there is nothing to be changed: it has what is written down already. */
  async record(key: SessionKey, changes: SessionChanges): Promise<void> {
    const session = this.#sessions.get(keyOf(key));
    if (session === undefined) return;
    const { history, state, resumption, ...rest } = changes;
    if (history !== undefined) session.history.splice(history.from, Infinity, ...history.contents);
    // A state that says the same stays the same object: tools of the live session hold it.
    if (state !== undefined && JSON.stringify(state) !== JSON.stringify(session.state)) {
      session.state = { ...state };
    }
    if (resumption !== undefined) session.resumption = resumption ?? undefined;
    Object.assign(session, rest);
    this.#measured(session, (size) => {
      if (history !== undefined) size.historyIs(history.from, history.contents);
      if (state !== undefined) size.stateIs(session.state);
    });
    this.#keep(session);
  }

  /** As the one that was changed last. */
  #keep(session: StoredSession): void {
    const key = keyOf(session);
    session.updatedAtMs = this.#clock.wallTime();
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    this.#forgetOldest();
  }

  #measured(session: StoredSession, measure: (size: SessionSize) => void): void {
    const size = this.#sizes.get(keyOf(session));
    if (size === undefined) return;
    this.#bytes -= size.bytes;
    measure(size);
    this.#bytes += size.bytes;
  }

  /** Never the one that was changed last, however large it is. */
  #forgetOldest(): void {
    for (const [key, oldest] of this.#sessions) {
      const isTooMuch = this.#sessions.size > this.#maxSessions || this.#bytes > this.#maxMemoryBytes;
      if (!isTooMuch || this.#sessions.size === 1) return;
      this.#forget(key, oldest);
    }
  }

  #forget(key: string, user: Pick<SessionKey, 'appName' | 'userId'>): boolean {
    if (!this.#sessions.delete(key)) return false;
    this.#counted(user, -1);
    this.#bytes -= this.#sizes.get(key)?.bytes ?? 0;
    this.#sizes.delete(key);
    return true;
  }

  #counted(user: Pick<SessionKey, 'appName' | 'userId'>, more: number): void {
    const key = userKey(user);
    const count = (this.#counts.get(key) ?? 0) + more;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

function userKey({ appName, userId }: Pick<SessionKey, 'appName' | 'userId'>): string {
  return JSON.stringify([appName, userId]);
}

/** JSON keeps the parts apart whatever characters they hold. */
function keyOf({ appName, userId, id }: SessionKey): string {
  return JSON.stringify([appName, userId, id]);
}
