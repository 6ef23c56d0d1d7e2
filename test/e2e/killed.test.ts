import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredSession } from '../../src/session/index.ts';
import { SqliteSessionStore } from '../../src/store/index.ts';
import { GeminiEmulator } from '../../src/testing/index.ts';
import { TestClient } from '../support/live-server.ts';
import { startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

// A server that is killed in the middle of a call, and started again.

const BOUND_MS = 90_000;
const PATIENCE_MS = 20_000;
const KEY = { appName: 'default', userId: 'u', id: 's1' };
const SESSIONS = '/apps/default/users/u/sessions';

let folder: string;
let provider: GeminiEmulator;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-killed-'));
  provider = await GeminiEmulator.start({ generationSpeed: 20, playbackSpeed: 20 });
});

afterEach(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

function serve(): Promise<Service> {
  const store = `sqlite:${join(folder, 'sessions.sqlite')}`;
  const flags = ['--port', '0', '--model', 'gemini:gemini-2.5-flash', '--store', store];
  const env = { GEMINI_API_KEY: 'any', GOOGLE_GEMINI_BASE_URL: provider.url };
  return startService(['api-server', ...flags], { env });
}

/** A client of the ADK wire, in the session. */
async function call({ url }: Service): Promise<TestClient> {
  return new TestClient(
    `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=s1`,
  ).opened();
}

/** Resolves when `condition` holds; looks again and again. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`It never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Says something and waits for the whole answer. */
async function ask(client: TestClient, text: string): Promise<void> {
  const answers = client.having('turnComplete').length;
  client.sendText(text);
  await until(`'${text}' is answered`, () => client.having('turnComplete').length > answers);
}

/** The session as the file has it, looked at from another process than the server's. */
async function stored(): Promise<StoredSession | undefined> {
  await using store = new SqliteSessionStore({ path: join(folder, 'sessions.sqlite') });
  return await store.get(KEY);
}

/** What was said, as the server tells it. */
async function told({ url }: Service): Promise<string[]> {
  const session = (await (await fetch(`${url}${SESSIONS}/s1`)).json()) as {
    events: { content: { parts: { text?: string }[] } }[];
  };
  return session.events.map(({ content }) => content.parts.map(({ text }) => text ?? '').join(''));
}

describe('a server killed with kill -9 in the middle of a call', () => {
  it(
    'H3 R2 goes on with the session, when it is started again, with the handle and nothing said twice',
    { timeout: BOUND_MS },
    async () => {
      let handle: string | undefined;
      {
        await using server = await serve();
        await fetch(server.url + SESSIONS, { method: 'POST', body: JSON.stringify({ sessionId: 's1' }) });
        const client = await call(server);
        await ask(client, 'one');
        await ask(client, 'two');
        await until('the file has both turns and the handle', async () => {
          const session = await stored();
          handle = session?.resumption?.handle;
          return session?.history.length === 4 && session.resumption?.historyLength === 4;
        });
        server.process.signal('SIGKILL');
        expect(await server.process.exit()).toEqual({ status: null, signal: 'SIGKILL' });
        expect((await client.closed).code).toBe(1006);
      }

      await using server = await serve();
      expect(await told(server)).toEqual(['one', 'one', 'two', 'two']);
      const client = await call(server);
      await ask(client, 'three');
      const [first, second, ...more] = provider.connections;
      expect(more).toEqual([]);
      expect(first?.resumedFrom).toBeUndefined();
      expect(second?.resumedFrom).toBe(handle);
      expect(second?.rememberedAtSetup.turns).toBe(4);
      // Nothing but what was said on it.
      expect(second?.turns.map(({ text }) => text)).toEqual(['three']);
      client.send({ close: true });
      expect((await client.closed).code).toBe(1000);
      await until('the session is stored', async () => (await stored())?.history.length === 6);
      expect(await told(server)).toEqual(['one', 'one', 'two', 'two', 'three', 'three']);
    },
  );
});
