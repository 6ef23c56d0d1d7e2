import { InvalidOptionError, randomId, systemClock, systemRandom } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import { SessionExistsError } from '../session/index.ts';
import type {
  NewSession,
  SessionChanges,
  SessionKey,
  SessionStore,
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

/** Sessions in this process's memory. They end with it. */
export class MemorySessionStore implements SessionStore {
  /** By key; a save moves a session to the end, so the first one is the one unchanged for longest. */
  readonly #sessions = new Map<string, StoredSession>();
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
    this.#forgetOldest();
    return session;
  }

  async get(key: SessionKey): Promise<StoredSession | undefined> {
    return this.#sessions.get(keyOf(key));
  }

  async list(appName: string, userId: string): Promise<readonly StoredSession[]> {
    return [...this.#sessions.values()].filter((each) => each.appName === appName && each.userId === userId);
  }

  async delete(key: SessionKey): Promise<boolean> {
    return this.#sessions.delete(keyOf(key));
  }

  async save(session: StoredSession): Promise<void> {
    const key = keyOf(session);
    // A session deleted while it was live stays deleted.
    if (!this.#sessions.delete(key)) return;
    session.updatedAtMs = this.#clock.wallTime();
    this.#sessions.set(key, session);
  }

  /** The session is the object that `get` gave out, and has changed already. */
  async record(_key: SessionKey, _changes: SessionChanges): Promise<void> {
    // Nothing to be written down.
  }

  #forgetOldest(): void {
    if (this.#sessions.size <= this.#maxSessions) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }
}

/** JSON keeps the parts apart whatever characters they hold. */
function keyOf({ appName, userId, id }: SessionKey): string {
  return JSON.stringify([appName, userId, id]);
}
