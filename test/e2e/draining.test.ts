import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SIGNAL_ECHO_MS } from '../../src/cli/signals.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { TestClient } from '../support/live-server.ts';
import { startHoldfast, startService } from '../support/process.ts';
import type { ProcessUnderTest, Service } from '../support/process.ts';

// A deployment under real calls: what a signal does to them, and to those who come too late.

const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');
const WIRES = ['holdfast', 'adk'] as const;
const BOUND_MS = 90_000;

function serve(...parameters: readonly string[]): Promise<Service> {
  return startService(['api-server', '--port', '0', ...parameters]);
}

/** A spoken call of eight seconds, and more, that is under way. */
async function speakTo(url: string, wire: string): Promise<ProcessUnderTest> {
  const call = startHoldfast(['call', url, '--wire', wire, '--verify', 'echo', '--wav', SPOKEN]);
  await call.line(/sent [1-9]/);
  return call;
}

async function status(url: string): Promise<number> {
  return (await fetch(url)).status;
}

/** A client of the ADK wire that has been answered once, and only goes when it is told to. */
async function stayOn(url: string, id: string): Promise<TestClient> {
  const sessions = `${url}/apps/default/users/u/sessions`;
  await fetch(sessions, { method: 'POST', body: JSON.stringify({ sessionId: id }) });
  const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=${id}`;
  const client = await new TestClient(live).opened();
  client.sendText('Hello');
  const answered = (): boolean => client.having('turnComplete').length > 0;
  while (!answered()) await new Promise((resolve) => client.socket.once('message', resolve));
  return client;
}

/** Until the next signal counts as one of its own. */
function beyondEcho(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SIGNAL_ECHO_MS + 50));
}

describe.concurrent('TERM with a spoken call under way', () => {
  it.each(WIRES)(
    'D1 D5 the call over %s ends good, who comes later is refused, then the exit code is 0',
    { timeout: BOUND_MS },
    async (wire) => {
      await using server = await serve();
      const { process } = server;
      await using call = await speakTo(server.url, wire);
      process.signal('SIGTERM');
      await process.line(/"msg":"draining"/);

      expect(await status(`${server.url}/ready`)).toBe(503);
      expect(await status(`${server.url}/health`)).toBe(200);
      const refused = await fetch(`${server.url}/apps/default/users/u/sessions`, { method: 'POST' });
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const live = `${server.url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=x`;
      const late = await new TestClient(live).refused;
      expect(late.status).toBe(503);
      expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
      expect(call.isRunning).toBe(true);

      expect({ exit: await call.exit(), last: call.lines.at(-1) }).toEqual({
        exit: { status: 0, signal: null },
        last: 'good',
      });
      expect(await process.exit()).toEqual({ status: 0, signal: null });
      expect(process.text).not.toMatch(/"level":[45]0/);
    },
  );
});

describe.concurrent('a signal to a server', () => {
  it('D5 ends it at once when nothing is under way', { timeout: BOUND_MS }, async () => {
    await using server = await serve();
    const { process } = server;
    // `fetch` keeps its connection, which is no call.
    expect(await status(`${server.url}/ready`)).toBe(200);
    process.signal('SIGTERM');
    expect(await process.exit()).toEqual({ status: 0, signal: null });
  });

  it(
    'D4 takes no harm from an echo of the signal that arrives while it ends',
    { timeout: BOUND_MS },
    async () => {
      await using server = await serve();
      const { process } = server;
      const echoes = setInterval(() => process.signal('SIGINT'), 0);
      try {
        expect(await process.exit()).toEqual({ status: 0, signal: null });
      } finally {
        clearInterval(echoes);
      }
    },
  );

  it('D4 lets calls end when its terminal is closed, also twice', { timeout: BOUND_MS }, async () => {
    await using server = await serve();
    const { process, url } = server;
    const client = await stayOn(url, 'a');
    process.signal('SIGHUP');
    await process.line(/"msg":"draining"/);
    await beyondEcho();
    process.signal('SIGHUP');
    await beyondEcho();
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    client.socket.close(1000);
    expect(await process.exit()).toEqual({ status: 0, signal: null });
  });

  it.each(WIRES)(
    'D3 cuts the call over %s at the deadline, and says so',
    { timeout: BOUND_MS },
    async (wire) => {
      await using server = await serve('--drain-timeout', '1');
      const { process, url } = server;
      await using call = await speakTo(url, wire);
      process.signal('SIGTERM');
      expect(await call.exit()).toEqual({ status: 1, signal: null });
      expect(call.text).toContain(`ended the call with ${wire === 'adk' ? 1012 : 4100}`);
      expect(await process.exit()).toEqual({ status: 1, signal: null });
      expect(process.lines).toContain('holdfast: 1 call was cut (shutdown)');
    },
  );

  it(
    'D4 takes two in half a second for one, and a later one for an end now',
    { timeout: BOUND_MS },
    async () => {
      await using server = await serve();
      const { process, url } = server;
      const client = await stayOn(url, 'a');
      process.signal('SIGINT');
      process.signal('SIGTERM');
      await process.line(/"msg":"draining"/);
      await beyondEcho();
      expect(client.socket.readyState).toBe(client.socket.OPEN);
      process.signal('SIGTERM');
      expect(await client.closed).toEqual({ code: 1012, reason: 'server draining' });
      expect(await process.exit()).toEqual({ status: 1, signal: null });
      expect(process.lines).toContain('holdfast: 1 call was cut (shutdown)');
    },
  );

  it(
    'D4 does not wait for a client that does not answer, the third time',
    { timeout: BOUND_MS },
    async () => {
      await using server = await serve();
      const { process, url } = server;
      const client = await stayOn(url, 'a');
      // It reads nothing any more, so it never answers the goodbye.
      client.socket.pause();
      process.signal('SIGTERM');
      await process.line(/"msg":"draining"/);
      await beyondEcho();
      process.signal('SIGTERM');
      await process.line(/"msg":"calls are cut"/);
      await beyondEcho();
      process.signal('SIGTERM');
      expect(await process.exit()).toEqual({ status: 1, signal: null });
      expect(process.log).toContainEqual(
        expect.objectContaining({ msg: 'closed', owner: 'server', verb: 'abort' }),
      );
      client.socket.terminate();
    },
  );
});
