import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SessionKey, StoredResumption } from '../session/index.ts';

/** A session as it stands in its table; what is text here and an object elsewhere is JSON. */
export interface SessionRow {
  readonly number: number;
  readonly app: string;
  readonly user: string;
  readonly id: string;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly state: string;
  readonly handle: string | null;
  readonly handle_at_ms: number | null;
  readonly handle_model: string | null;
  readonly handle_history_length: number | null;
  readonly pending_calls: string | null;
  readonly input_ms: number | null;
  readonly usage: string | null;
  readonly active_agent: string | null;
}

const OF_KEY = 'WHERE app = ? AND user = ? AND id = ?';

const STATEMENTS = {
  insert: `INSERT INTO sessions (app, user, id, created_ms, updated_ms, state) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO NOTHING`,
  deleteOldest: `DELETE FROM sessions WHERE number IN (SELECT number FROM sessions ORDER BY updated_ms, number
                 LIMIT max(0, (SELECT count(*) FROM sessions) - ?))`,
  find: `SELECT * FROM sessions ${OF_KEY}`,
  list: 'SELECT * FROM sessions WHERE app = ? AND user = ? ORDER BY updated_ms DESC, number DESC LIMIT ?',
  count: 'SELECT count(*) AS sessions FROM sessions WHERE app = ? AND user = ?',
  delete: `DELETE FROM sessions ${OF_KEY}`,
  touch: `UPDATE sessions SET updated_ms = ? ${OF_KEY} RETURNING number`,
  turns: 'SELECT content FROM turns WHERE session = ? ORDER BY position',
  endOfTurns: 'SELECT coalesce(max(position) + 1, 0) AS position FROM turns WHERE session = ?',
  cutTurns: 'DELETE FROM turns WHERE session = ? AND position >= ?',
  addTurn: 'INSERT INTO turns (session, position, content) VALUES (?, ?, ?)',
  setState: 'UPDATE sessions SET state = ? WHERE number = ?',
  setResumption: `UPDATE sessions SET handle = ?, handle_at_ms = ?, handle_model = ?, handle_history_length = ?
                  WHERE number = ?`,
  setPendingCalls: 'UPDATE sessions SET pending_calls = ? WHERE number = ?',
  setInputMs: 'UPDATE sessions SET input_ms = ? WHERE number = ?',
  setActiveAgent: 'UPDATE sessions SET active_agent = ? WHERE number = ?',
  setUsage: 'UPDATE sessions SET usage = ? WHERE number = ?',
} as const;

/** The statements of a store, each prepared once. Whoever calls them sees to the transaction. */
export class SqliteRows {
  readonly #statements: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  constructor(database: DatabaseSync) {
    const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared) as Record<keyof typeof STATEMENTS, StatementSync>;
  }

  /** Returns false when there is one of this key. */
  insert(key: SessionKey, nowMs: number, state: string): boolean {
    return this.#statements.insert.run(...named(key), nowMs, nowMs, state).changes === 1;
  }

  /** Deletes the sessions unchanged for longest until `limit` are left. */
  deleteOldest(limit: number): void {
    this.#statements.deleteOldest.run(limit);
  }

  find(key: SessionKey): SessionRow | undefined {
    return this.#statements.find.get(...named(key)) as unknown as SessionRow | undefined;
  }

  /** The one that was changed last comes first. */
  list(app: string, user: string, limit: number): SessionRow[] {
    return this.#statements.list.all(app, user, limit) as unknown as SessionRow[];
  }

  count(app: string, user: string): number {
    return (this.#statements.count.get(app, user) as { sessions: number }).sessions;
  }

  /** Returns false when there is none; its turns go with it. */
  delete(key: SessionKey): boolean {
    return this.#statements.delete.run(...named(key)).changes === 1;
  }

  /** Marks a session as changed and gives its number, if there is one. */
  touch(key: SessionKey, nowMs: number): number | undefined {
    const row = this.#statements.touch.get(nowMs, ...named(key)) as { number: number } | undefined;
    return row?.number;
  }

  turns(number: number): string[] {
    return this.#statements.turns.all(number).map(({ content }) => String(content));
  }

  /**
   * Puts `turns` in the place of all from `from` on, or behind all where there are fewer: a gap would be a place that no
   * reader counts, and all that is written afterwards would be in the wrong one.
   */
  replaceTurns(number: number, from: number, turns: readonly string[]): void {
    const { position } = this.#statements.endOfTurns.get(number) as { position: number };
    const start = Math.min(from, position);
    this.#statements.cutTurns.run(number, start);
    for (const [index, turn] of turns.entries()) this.#statements.addTurn.run(number, start + index, turn);
  }

  setState(number: number, state: string): void {
    this.#statements.setState.run(state, number);
  }

  setResumption(number: number, resumption: StoredResumption | null): void {
    const { handle = null, atMs = null, modelId = null, historyLength = null } = resumption ?? {};
    this.#statements.setResumption.run(handle, atMs, modelId, historyLength, number);
  }

  setPendingCalls(number: number, calls: string): void {
    this.#statements.setPendingCalls.run(calls, number);
  }

  setInputMs(number: number, inputMs: number): void {
    this.#statements.setInputMs.run(inputMs, number);
  }

  setActiveAgent(number: number, name: string): void {
    this.#statements.setActiveAgent.run(name, number);
  }

  setUsage(number: number, usage: string): void {
    this.#statements.setUsage.run(usage, number);
  }
}

function named({ appName, userId, id }: SessionKey): [string, string, string] {
  return [appName, userId, id];
}
