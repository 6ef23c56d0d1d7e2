import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../kernel/index.ts';
import { StoreError } from '../session/index.ts';
import { APPLICATION_ID, MIGRATIONS } from './sqlite-schema.ts';

/**
 * How long a call waits for another process that writes to the file. Its event loop stands still meanwhile, so it is
 * not long; a write takes less than a millisecond.
 */
export const SQLITE_BUSY_TIMEOUT_MS = 250;

/** SQLite's word for what another process holds (sqlite.org/rescode.html#busy). */
const BUSY = 5;

/** The primary result codes of SQLite that have an advice of their own (sqlite.org/rescode.html). */
const ADVICE: Readonly<Record<number, string>> = {
  5: 'another process holds it locked; end that one, or give another file',
  6: 'another process holds it locked; end that one, or give another file',
  8: 'it may not be written to; give this process the right to, or give another file',
  10: 'the disk it is on failed; look at the system log',
  11: 'it is damaged; move it away with its -wal and -shm files, or put a copy from a backup in its place',
  13: 'the disk is full; make room, or give a file on another disk',
  14: 'it cannot be opened; give a file in a folder this process may write to',
  26: 'it is no database; move it away, or give another file',
};

/**
 * Opens the file of a store, made with its folder where it is not there, in the newest version of its tables.
 * @throws StoreError when it cannot be.
 */
export function openSqliteFile(path: string): DatabaseSync {
  const file = resolve(path);
  return guarded(file, () => {
    create(file);
    // Not imported: what does not keep sessions in a file does not load it, nor see the warning that Node 22 prints.
    const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite');
    const database = new Database(file, { enableForeignKeyConstraints: true });
    try {
      setBusyTimeout(database, SQLITE_BUSY_TIMEOUT_MS);
      checkOwner(database, file);
      // Readers and the writer do not wait for each other; a process that is killed loses nothing it has written.
      logAhead(database);
      database.exec('PRAGMA synchronous = NORMAL');
      migrate(database, file);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Whether a failure was another process's writing, waited for in vain. */
export function isBusy(error: unknown): boolean {
  const { errcode } = Object(error) as { errcode?: unknown };
  return typeof errcode === 'number' && kindOf(errcode) === BUSY;
}

/** How long the calls to come wait for another process that writes. */
export function setBusyTimeout(database: DatabaseSync, timeoutMs: number): void {
  database.exec(`PRAGMA busy_timeout = ${timeoutMs}`);
}

/** What `work` gives. @throws StoreError that says of any failure what to do about it. */
export function guarded<Result>(file: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new StoreError(`Sessions cannot be kept in ${file}: ${adviceOf(error)}.`, { cause: error });
  }
}

/**
 * Everything that `work` writes, or nothing of it; what it reads is of one moment. Who is going to write says so in the
 * beginning: one that begins to read may find later that another process writes.
 */
export function transaction<Result>(
  database: DatabaseSync,
  kind: 'read' | 'write',
  work: () => Result,
): Result {
  database.exec(kind === 'write' ? 'BEGIN IMMEDIATE' : 'BEGIN');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // Some failures have ended it already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** A file of conversations and handles is its owner's alone. SQLite gives its other files the rights of this one. */
function create(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new StoreError(`Sessions cannot be kept in ${file}: it is a folder; give a file in it.`);
  }
  closeSync(openSync(file, 'a', 0o600));
}

function checkOwner(database: DatabaseSync, file: string): void {
  // Of one moment: between two looks another process may have made the file its own, which is ours as well.
  const [owner, tables] = transaction(database, 'read', () => [
    numberIn(database, 'PRAGMA application_id'),
    numberIn(database, 'SELECT count(*) FROM sqlite_schema'),
  ]);
  if (owner === APPLICATION_ID || (owner === 0 && tables === 0)) return;
  throw new StoreError(
    `Sessions cannot be kept in ${file}: it is the database of another program; give another file.`,
  );
}

/** Others who open the file in the same moment are in the way of the change for as long as they look at it. */
const LOG_AHEAD_TRIES = 20;

/**
 * Turns the write-ahead log on, which a file keeps. SQLite does not wait for other connections here as it does elsewhere, so
 * after each try that met one it is waited for the way it does wait: by asking for the whole file.
 */
function logAhead(database: DatabaseSync): void {
  for (let tries = 1; ; tries += 1) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || tries === LOG_AHEAD_TRIES) throw error;
      database.exec('BEGIN EXCLUSIVE; COMMIT');
    }
  }
}

function migrate(database: DatabaseSync, file: string): void {
  const newest = MIGRATIONS.length;
  const version = (): number => numberIn(database, 'PRAGMA user_version');
  if (version() > newest) {
    throw new StoreError(
      `Sessions cannot be kept in ${file}: a newer Holdfast has written it (version ${version()}, this one knows ` +
        `${newest}); update this one, or give another file.`,
    );
  }
  if (version() === newest) return;
  transaction(database, 'write', () => {
    // Asked again: another process may have been faster.
    for (const step of MIGRATIONS.slice(version())) database.exec(step);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${newest}`);
  });
}

function numberIn(database: DatabaseSync, query: string): number {
  const [value] = Object.values(database.prepare(query).get() ?? {});
  return Number(value);
}

function adviceOf(error: unknown): string {
  const { errcode, code, message } = error as { errcode?: unknown; code?: unknown; message?: unknown };
  const advice = typeof errcode === 'number' ? ADVICE[kindOf(errcode)] : undefined;
  if (advice !== undefined) return advice;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return 'this process may not write there; give it the right to, or give another file';
  }
  // Folders are made; what is still not there is behind a link to nowhere.
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOENT')
    return 'a part of its path is no folder; give another file';
  if (error instanceof TypeError && code === undefined)
    return 'there is something in the session that is no JSON';
  if (error instanceof SyntaxError) return 'what is written in it cannot be read; move it away';
  return `${String(message)}; see the cause of this error`;
}

/** Of a result code the byte below is the kind, and what is above it the detail. */
function kindOf(errcode: number): number {
  return errcode & 0xff;
}
