import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../../test/support/checkout.ts';
import { ClosedError } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { StoreError } from '../session/index.ts';
import { SqliteSessionStore } from './sqlite.ts';
import { SQLITE_BUSY_TIMEOUT_MS, guarded } from './sqlite-file.ts';
import { MIGRATIONS } from './sqlite-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const fresh = (): string => join(folder, `${(files += 1)}.sqlite`);
const key = { appName: 'app', userId: 'user', id: 's1' };

/** The StoreError that opening the file ends with. */
function refusal(path: string): string {
  try {
    new SqliteSessionStore({ path });
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return (error as Error).message;
  }
  throw new Error('It was opened.');
}

/** Opens the file as another program would. */
function withDatabase(path: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path);
  work(database);
  database.close();
}

describe('SqliteSessionStore, its file', () => {
  it('is made with its folder, for its owner alone', async () => {
    const path = join(folder, 'deep', 'down', 'sessions.sqlite');
    await using store = new SqliteSessionStore({ path });
    await store.create(key);
    expect(store.path).toBe(path);
    const modes = [join(folder, 'deep'), join(folder, 'deep', 'down'), path, `${path}-wal`].map(
      (each) => statSync(each).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o600, 0o600]);
  });

  it('keeps the rights that somebody gave it', async () => {
    const path = fresh();
    writeFileSync(path, '');
    chmodSync(path, 0o640);
    await using store = new SqliteSessionStore({ path });
    await store.create(key);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it.each([
    ['a folder', (path: string) => mkdirSync(path), 'it is a folder; give a file in it.'],
    [
      'no database',
      (path: string) => writeFileSync(path, 'words '.repeat(1_000)),
      'it is no database; move it away, or give another file.',
    ],
    [
      'damaged',
      (path: string) => {
        withDatabase(path, (database) => database.exec('CREATE TABLE a (b)'));
        // Behind the header, which still says what kind of file it is.
        const file = openSync(path, 'r+');
        writeSync(file, Buffer.alloc(3_000, 0xff), 0, 3_000, 100);
        closeSync(file);
      },
      'it is damaged; move it away with its -wal and -shm files',
    ],
    [
      'the database of another program',
      (path: string) => withDatabase(path, (database) => database.exec('CREATE TABLE recipes (name TEXT)')),
      'it is the database of another program; give another file.',
    ],
  ])('is refused when it is %s', (_, make, words) => {
    const path = fresh();
    make(path);
    const message = refusal(path);
    expect(message).toContain(`Sessions cannot be kept in ${path}: `);
    expect(message).toMatch(words);
  });

  it('is refused when a part of its path is a file, or a link to nowhere', () => {
    const path = fresh();
    writeFileSync(path, '');
    expect(refusal(join(path, 'sessions.sqlite'))).toContain('a part of its path is no folder');
    const link = fresh();
    symlinkSync(join(folder, 'nowhere'), link);
    expect(refusal(join(link, 'deep', 'sessions.sqlite'))).toContain('a part of its path is no folder');
  });

  it('is refused when a newer version has written it', async () => {
    const path = fresh();
    await new SqliteSessionStore({ path }).close();
    withDatabase(path, (database) => database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`));
    expect(refusal(path)).toMatch(/a newer Holdfast has written it \(version 3, this one knows 2\); update/);
  });

  it('is refused, in a moment, while another process holds it locked', async () => {
    const path = fresh();
    await using store = new SqliteSessionStore({ path });
    await store.create(key);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.record(key, { inputMs: 20 })).rejects.toThrow(/another process holds it locked/);
    // Reading waits for nobody.
    expect(await store.get(key)).toMatchObject(key);
    other.exec('COMMIT');
    await store.record(key, { inputMs: 20 });
    other.close();
    const exclusive = fresh();
    withDatabase(exclusive, (database) => {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      expect(refusal(exclusive)).toContain('another process holds it locked; end that one');
    });
  });

  it.each([
    [{ code: 'EACCES' }, 'this process may not write there'],
    [{ code: 'EROFS' }, 'this process may not write there'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 8 }, 'it may not be written to'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 13 }, 'the disk is full'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 14 | (1 << 8) }, 'it cannot be opened'],
    [{ code: 'ERR_OTHER' }, 'why; see the cause of this error'],
  ])('says what to do about %j', (fields, words) => {
    const cause = Object.assign(new Error('why'), fields);
    const failing = (): never =>
      guarded('/a/file', () => {
        throw cause;
      });
    expect(failing).toThrow(`Sessions cannot be kept in /a/file: ${words}`);
    expect(failing).toThrow(expect.objectContaining({ code: 'HOLDFAST_STORE', cause }));
  });
});

describe('SqliteSessionStore', () => {
  it('writes all of a record or nothing', async () => {
    await using store = new SqliteSessionStore({ path: fresh() });
    await store.create(key);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const history = { from: 0, contents: [textContent('user', 'Hello')] };
    await expect(store.record(key, { history, state: circular })).rejects.toThrow(
      /there is something in the session that is no JSON/,
    );
    expect(await store.get(key)).toMatchObject({ history: [], state: {} });
    await store.record(key, { history });
    expect((await store.get(key))?.history).toHaveLength(1);
  });

  it('waits once for who holds the file, however many write, and again when it is free', async () => {
    const path = fresh();
    await using store = new SqliteSessionStore({ path });
    await store.create(key);
    const other = new DatabaseSync(path);
    const record = () => store.record(key, { state: { a: 1 } });
    for (let round = 1; round <= 2; round += 1) {
      other.exec('BEGIN IMMEDIATE');
      const startedAt = performance.now();
      for (let write = 1; write <= 20; write += 1) await expect(record()).rejects.toThrow(/holds it locked/);
      const waitedMs = performance.now() - startedAt;
      expect(waitedMs).toBeGreaterThan(SQLITE_BUSY_TIMEOUT_MS * 0.8);
      expect(waitedMs).toBeLessThan(SQLITE_BUSY_TIMEOUT_MS * 5);
      expect(await store.get(key)).toMatchObject(key);
      other.exec('ROLLBACK');
      await record();
    }
    other.close();
  });

  it('C1 close: refuses everything after it, and closes once', async () => {
    const path = fresh();
    const store = new SqliteSessionStore({ path });
    await store.create(key);
    await store.close();
    await store.close();
    await expect(store.get(key)).rejects.toThrow(ClosedError);
    await expect(store.record(key, {})).rejects.toThrow(`The store in ${path} has been closed.`);
    await using later = new SqliteSessionStore({ path });
    expect(await later.get(key)).toMatchObject(key);
  });

  it('refuses options that cannot work', () => {
    expect(() => new SqliteSessionStore({ path: '' })).toThrow('path must name a file');
    expect(() => new SqliteSessionStore({ path: fresh(), maxSessions: 0.5 })).toThrow('maxSessions');
  });

  it('is loaded by nobody who keeps no sessions in a file', async () => {
    const entries = ['index', 'kernel/index', 'server/index', 'client/index', 'testing/index', 'store/index'];
    const program = `
      for (const entry of ${JSON.stringify(entries)}) await import('${CHECKOUT}/src/' + entry + '.ts');
      console.log(process.moduleLoadList.filter((name) => /sqlite$/.test(name)).join());`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program,
    ]);
    expect({ stdout, stderr }).toEqual({ stdout: '\n', stderr: '' });
  });
});
