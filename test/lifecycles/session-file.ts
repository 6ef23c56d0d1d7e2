import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { textContent } from '../../src/protocol/index.ts';
import { SqliteSessionStore } from '../../src/store/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, codeOf } from './words.ts';

const KEY = { appName: 'app', userId: 'user', id: 's1' };

/** Writes a turn into a session of the file. */
async function write(store: SqliteSessionStore): Promise<void> {
  await store.create(KEY);
  await store.record(KEY, { history: { from: 0, contents: [textContent('user', 'Hello')] } });
}

/** A process that writes a turn into a session of the file, and is killed. */
function killed(path: string): Promise<unknown> {
  const program = `
    const { SqliteSessionStore } = await import('${CHECKOUT}/src/store/index.ts');
    const store = new SqliteSessionStore({ path: ${JSON.stringify(path)} });
    const key = ${JSON.stringify(KEY)};
    await store.create(key);
    await store.record(key, { history: { from: 0, contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] } });
    process.kill(process.pid, 'SIGKILL');`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '--eval', program], (_error, stdout) =>
      resolve(stdout),
    );
  });
}

/** Plays with a file: what a later call came to, and then what is there for who opens it next. */
function file(name: string, why: string, end: (path: string) => Promise<string>): Way {
  return {
    name,
    why,
    play: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-lifecycles-'));
      try {
        const later = await end(join(folder, 'sessions.sqlite'));
        const left = readdirSync(folder).map((each) => each.replace('sessions.sqlite', ''));
        const files =
          left.length === 1 ? 'the file' : `the file, ${left.filter(Boolean).toSorted().join(', ')}`;
        await using next = new SqliteSessionStore({ path: join(folder, 'sessions.sqlite') });
        const turns = (await next.get(KEY))?.history.length ?? 0;
        return [later, files, turns === 1 ? '1 turn' : `${turns} turns`];
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

async function callAfter(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'goes on',
    (error: unknown) => `rejects ${codeOf(error)}`,
  );
}

export const sessionFile: WayTable = {
  name: 'session-file',
  columns: ['how it ends', 'a call after it', 'left on the disk', 'who opens it next finds', 'what it means'],
  ways: [
    file('`close()`', 'Nothing is under way then: every call is over when it returns.', async (path) => {
      const store = new SqliteSessionStore({ path });
      await write(store);
      await store.close();
      return callAfter(store.get(KEY));
    }),
    file('its process is killed [H3]', 'What was written is there; opening it tidies up.', async (path) => {
      await killed(path);
      return NOTHING;
    }),
    file(
      'another process holds it locked',
      'That is no end: a write waits a quarter of a second and is refused, the next one is taken.',
      async (path) => {
        await using store = new SqliteSessionStore({ path });
        await write(store);
        const other = new DatabaseSync(path);
        other.exec('BEGIN IMMEDIATE');
        const locked = await callAfter(store.record(KEY, { inputMs: 20 }));
        other.close();
        return `${locked}, then ${await callAfter(store.record(KEY, { inputMs: 20 }))}`;
      },
    ),
  ],
};
