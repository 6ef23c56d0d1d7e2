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

/** A few kilobytes each: far more than a process that forgets them at its end should hold. */
export const DEFAULT_MAX_SESSIONS = 100_000;

export interface MemorySessionStoreOptions {
  /** Default `DEFAULT_MAX_SESSIONS`. At the limit the session that was changed longest ago is forgotten. */
  readonly maxSessions?: number;
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
  readonly #maxSessions: number;
  readonly #clock: Clock;
  readonly #random: Random;

  /** @throws InvalidOptionError when `maxSessions` is not a whole number above zero. */
  constructor(options: MemorySessionStoreOptions = {}) {
    const { maxSessions = DEFAULT_MAX_SESSIONS, clock = systemClock, random = systemRandom } = options;
    if (!Number.isInteger(maxSessions) || maxSessions < 1) {
      throw new InvalidOptionError(`maxSessions must be a whole number above 0; it was ${maxSessions}.`);
    }
    this.#maxSessions = maxSessions;
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
    const wasThere = this.#sessions.delete(keyOf(key));
    if (wasThere) this.#counted(key, -1);
    return wasThere;
  }

  async save(session: StoredSession): Promise<void> {
    // A session deleted while it was live stays deleted.
    if (this.#sessions.has(keyOf(session))) this.#keep(session);
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
    this.#keep(session);
  }

  /** As the one that was changed last. */
  #keep(session: StoredSession): void {
    const key = keyOf(session);
    session.updatedAtMs = this.#clock.wallTime();
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
  }

  #forgetOldest(): void {
    if (this.#sessions.size <= this.#maxSessions) return;
    const [oldest] = this.#sessions;
    if (oldest === undefined) return;
    this.#sessions.delete(oldest[0]);
    this.#counted(oldest[1], -1);
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
