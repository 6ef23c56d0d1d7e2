import type { DatabaseSync } from 'node:sqlite';
import { ClosedError, InvalidOptionError, randomId, systemClock, systemRandom } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import type { Content, FunctionCall, Usage } from '../protocol/index.ts';
import { MAX_LISTED_SESSIONS, SessionExistsError } from '../session/index.ts';
import type {
  NewSession,
  SessionChanges,
  SessionKey,
  SessionStore,
  SessionSummary,
  StoredResumption,
  StoredSession,
} from '../session/index.ts';
import {
  SQLITE_BUSY_TIMEOUT_MS,
  guarded,
  isBusy,
  openSqliteFile,
  setBusyTimeout,
  transaction,
} from './sqlite-file.ts';
import { SqliteRows } from './sqlite-rows.ts';
import type { SessionRow } from './sqlite-rows.ts';

/** Some gigabytes of conversations. Who needs more has an eye on his disk, and says so. */
export const DEFAULT_MAX_STORED_SESSIONS = 100_000;

export interface SqliteSessionStoreOptions {
  /** The file; it is made, with its folder, where it is not there. */
  readonly path: string;
  /** Default `DEFAULT_MAX_STORED_SESSIONS`. At the limit the session that was changed longest ago is deleted. */
  readonly maxSessions?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Sessions in a file. They outlive the process, also one that is killed; what the last moments of a machine that loses
 * its power wrote may be gone, and nothing else.
 *
 * ```ts
 * await using store = new SqliteSessionStore({ path: 'sessions.sqlite' });
 * const server = createServer({ agents, store });
 * ```
 *
 * It works synchronously: the event loop stands still for the tenth of a millisecond that writing down a turn takes.
 * Several processes may share a file, each session being live in one of them. A session is as large as what was said
 * in it; what a client may send at a time is bounded by the server.
 *
 * Every method rejects with a StoreError when the file cannot be read or written, and with a ClosedError after `close`.
 */
export class SqliteSessionStore implements SessionStore, AsyncDisposable {
  /** Where the sessions are: an absolute path. */
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #rows: SqliteRows;
  readonly #maxSessions: number;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Whether another process held the file for longer than a write waits, and no write has succeeded since. */
  #isLocked = false;

  /** @throws StoreError when the file cannot be used; InvalidOptionError for an option that cannot work. */
  constructor({
    path,
    maxSessions = DEFAULT_MAX_STORED_SESSIONS,
    clock = systemClock,
    random = systemRandom,
  }: SqliteSessionStoreOptions) {
    if (path === '') throw new InvalidOptionError('path must name a file; it was empty.');
    if (!Number.isInteger(maxSessions) || maxSessions < 1) {
      throw new InvalidOptionError(`maxSessions must be a whole number above 0; it was ${maxSessions}.`);
    }
    this.#database = openSqliteFile(path);
    this.path = this.#database.location() ?? path;
    this.#rows = new SqliteRows(this.#database);
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
    const nowMs = this.#clock.wallTime();
    this.#inOne('write', (rows) => {
      if (!rows.insert({ appName, userId, id }, nowMs, JSON.stringify(state))) {
        throw new SessionExistsError(
          `Session '${id}' of user '${userId}' exists already in app '${appName}'.`,
        );
      }
      rows.deleteOldest(this.#maxSessions);
    });
    return { id, appName, userId, state, history: [], createdAtMs: nowMs, updatedAtMs: nowMs };
  }

  async get(key: SessionKey): Promise<StoredSession | undefined> {
    return this.#inOne('read', (rows) => {
      const row = rows.find(key);
      return row === undefined ? undefined : sessionOf(row, rows.turns(row.number));
    });
  }

  async list(appName: string, userId: string): Promise<readonly SessionSummary[]> {
    return this.#guarded(() =>
      this.#rows.list(appName, userId, MAX_LISTED_SESSIONS).toReversed().map(summaryOf),
    );
  }

  async count(appName: string, userId: string): Promise<number> {
    return this.#guarded(() => this.#rows.count(appName, userId));
  }

  async delete(key: SessionKey): Promise<boolean> {
    return this.#inOne('write', (rows) => rows.delete(key));
  }

  /** Writes what is not written yet: turns that stand in the file already are left alone. */
  async save(session: StoredSession): Promise<void> {
    const updatedAtMs = this.#clock.wallTime();
    const { state, history, resumption = null, pendingCalls = [], inputMs, activeAgent, usage } = session;
    this.#inOne('write', (rows) => {
      const number = rows.touch(session, updatedAtMs);
      if (number === undefined) return;
      const turns = history.map((content) => JSON.stringify(content));
      const written = rows.turns(number);
      const changed = turns.findIndex((turn, position) => turn !== written[position]);
      const from = changed < 0 ? turns.length : changed;
      rows.replaceTurns(number, from, turns.slice(from));
      write(rows, number, {
        state,
        resumption,
        pendingCalls,
        ...(inputMs === undefined ? {} : { inputMs }),
        ...(activeAgent === undefined ? {} : { activeAgent }),
        ...(usage === undefined ? {} : { usage }),
      });
    });
    session.updatedAtMs = updatedAtMs;
  }

  async record(key: SessionKey, changes: SessionChanges): Promise<void> {
    this.#inOne('write', (rows) => {
      const number = rows.touch(key, this.#clock.wallTime());
      if (number === undefined) return;
      const { history } = changes;
      if (history !== undefined) {
        const turns = history.contents.map((content) => JSON.stringify(content));
        rows.replaceTurns(number, history.from, turns);
      }
      write(rows, number, changes);
    });
  }

  /** Lets go of the file. What was written is in it; every later call is refused. */
  async close(): Promise<void> {
    if (this.#database.isOpen) this.#guarded(() => this.#database.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What `work` does happens at one moment, as others see it and as it is kept. */
  #inOne<Result>(kind: 'read' | 'write', work: (rows: SqliteRows) => Result): Result {
    return this.#guarded(() => {
      try {
        const result = transaction(this.#database, kind, () => work(this.#rows));
        if (kind === 'write') this.#setLocked(false);
        return result;
      } catch (error) {
        if (isBusy(error)) this.#setLocked(true);
        throw error;
      }
    });
  }

  /** The event loop stands still while a write waits: a hundred live sessions wait once for who holds the file. */
  #setLocked(isLocked: boolean): void {
    if (this.#isLocked === isLocked) return;
    this.#isLocked = isLocked;
    setBusyTimeout(this.#database, isLocked ? 0 : SQLITE_BUSY_TIMEOUT_MS);
  }

  #guarded<Result>(work: () => Result): Result {
    if (!this.#database.isOpen) throw new ClosedError(`The store in ${this.path} has been closed.`);
    return guarded(this.path, work);
  }
}

/** Everything but the history. */
function write(rows: SqliteRows, number: number, changes: Omit<SessionChanges, 'history'>): void {
  const { state, resumption, pendingCalls, inputMs, activeAgent, usage } = changes;
  if (state !== undefined) rows.setState(number, JSON.stringify(state));
  if (resumption !== undefined) rows.setResumption(number, resumption);
  if (pendingCalls !== undefined) rows.setPendingCalls(number, JSON.stringify(pendingCalls));
  if (inputMs !== undefined) rows.setInputMs(number, inputMs);
  if (activeAgent !== undefined) rows.setActiveAgent(number, activeAgent);
  if (usage !== undefined) rows.setUsage(number, JSON.stringify(usage));
}

function summaryOf(row: SessionRow): SessionSummary {
  const { app, user, id, state, created_ms, updated_ms } = row;
  return {
    id,
    appName: app,
    userId: user,
    state: parse<Record<string, unknown>>(state),
    createdAtMs: created_ms,
    updatedAtMs: updated_ms,
  };
}

function sessionOf(row: SessionRow, turns: readonly string[]): StoredSession {
  const { pending_calls, input_ms, active_agent, usage } = row;
  const resumption = resumptionOf(row);
  return {
    ...summaryOf(row),
    history: turns.map((turn) => parse<Content>(turn)),
    ...(resumption === undefined ? {} : { resumption }),
    ...(pending_calls === null ? {} : { pendingCalls: parse<FunctionCall[]>(pending_calls) }),
    ...(input_ms === null ? {} : { inputMs: input_ms }),
    ...(active_agent === null ? {} : { activeAgent: active_agent }),
    ...(usage === null ? {} : { usage: parse<Usage>(usage) }),
  };
}

function resumptionOf(row: SessionRow): StoredResumption | undefined {
  const { handle, handle_at_ms, handle_model, handle_history_length } = row;
  if (handle === null) return undefined;
  return {
    handle,
    atMs: handle_at_ms ?? 0,
    modelId: handle_model ?? '',
    historyLength: handle_history_length ?? 0,
  };
}

function parse<Value>(json: string): Value {
  return JSON.parse(json) as Value;
}
