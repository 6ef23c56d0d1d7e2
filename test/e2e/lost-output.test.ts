import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/live-server.ts';
import { HOLDFAST, ProcessUnderTest, runHoldfast } from '../support/process.ts';

// What becomes of a server whose words nobody takes any more: it serves, and ends, as if somebody did. And of one that
// cannot have what it needs: it ends, instead of being half there.

const BOUND_MS = 90_000;

/** A server whose output goes where a shell is told to send it. */
function serve(redirection: string, ...flags: readonly string[]): ProcessUnderTest {
  const script = `exec "$@" ${redirection}`;
  const command = [process.execPath, HOLDFAST, 'api-server', '--port', '0', ...flags];
  return ProcessUnderTest.start('bash', ['-c', script, 'bash', ...command]);
}

/** Lets it end as it should with a call that is under way, after more has been logged than waits for room. */
async function servesAndEnds(server: ProcessUnderTest, url: string): Promise<void> {
  const session = `${url}/apps/default/users/u/sessions/a`;
  expect((await fetch(session, { method: 'POST' })).status).toBe(200);
  const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=a`;
  const client = await new TestClient(live).opened();
  expect((await fetch(`${url}/no-such-thing`)).status).toBe(404);
  server.signal('SIGTERM');
  while ((await fetch(`${url}/ready`)).status !== 503);
  client.socket.close(1000);
  expect(await server.exit()).toEqual({ status: 0, signal: null });
}

describe.concurrent('a server holds its calls, and drains', () => {
  it('with its log on a full disk', { timeout: BOUND_MS }, async () => {
    await using server = serve('2>/dev/full', '--log-level', 'debug');
    const [, url = ''] = await server.line(/listening on (http:\S+)/);
    await servesAndEnds(server, url);
  });

  it.each([
    ['on a full disk', '>/dev/full'],
    ['read by nobody any more', '> >(true)'],
  ])('with its output %s', { timeout: BOUND_MS }, async (_, redirection) => {
    await using server = serve(redirection);
    const [, url = ''] = await server.line(/"url":"(http:[^"]+)"/);
    await servesAndEnds(server, url);
  });

  it('with a log that nobody reads any more', { timeout: BOUND_MS }, async () => {
    await using server = serve('2> >(true)');
    const [, url = ''] = await server.line(/listening on (http:\S+)/);
    await servesAndEnds(server, url);
  });
});

describe.concurrent('a server whose port is taken', () => {
  it('ends, also where it has its port of operations already', { timeout: BOUND_MS }, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    try {
      const { port } = taken.address() as AddressInfo;
      const flags = ['--port', String(port), '--ops-port', '0'];
      const { status, text } = await runHoldfast(['api-server', ...flags]);
      expect(text).toContain(`holdfast: 127.0.0.1:${port} is in use`);
      expect(status).toBe(1);
    } finally {
      taken.close();
    }
  });
});
