import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { ServerOptions, SessionEndReport } from '../../src/server/index.ts';
import type { StoredSession } from '../../src/session/index.ts';
import { MemorySessionStore } from '../../src/store/memory.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

// What becomes of calls that a drain has to cut.

const TURN = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] } };
const KEY = { appName: 'demo', userId: 'u', id: 's1' };
const USAGE = { promptTokens: 12, responseTokens: 34, totalTokens: 46 };

let clock: VirtualClock;
let test: TestServer;
let store: MemorySessionStore;
let ends: { report: SessionEndReport; session: StoredSession }[];
let lines: { message: string; fields: Record<string, unknown> }[];

beforeEach(() => {
  clock = new VirtualClock();
  store = new MemorySessionStore({ clock });
  ends = [];
  lines = [];
});
afterEach(async () => {
  const aborted = test.server.abort();
  await clock.advance(10_000);
  await aborted;
});

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  const note = (message: string, fields = {}): void => void lines.push({ message, fields });
  test = await startServer({
    clock,
    store,
    drainTimeoutMs: 60_000,
    onSessionEnd: (report, session) => void ends.push({ report, session: structuredClone(session) }),
    log: { debug: () => undefined, info: note, warn: note, error: note },
    ...options,
  });
}

/** Until the server has closed, in virtual time. */
async function over(): Promise<void> {
  let isOver = false;
  void test.server.closed.then(() => (isOver = true));
  const beganAtMs = clock.now();
  while (!isOver && clock.now() - beganAtMs < 20_000) {
    await clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(isOver).toBe(true);
}

describe('D3 a call that is cut at the deadline', () => {
  it.each(['adk', 'holdfast.v1'] as const)(
    'D3 over %s: everything said in it is stored, with its usage, and told to onSessionEnd',
    async (wire) => {
      await start();
      await test.createSession('s1');
      const client = wire === 'adk' ? await test.adk('s1').opened() : await test.welcomed('s1');
      await until('connected', () => test.model.openConnections === 1);
      void test.server.drain();
      // In the middle of an answer, of which a part has been said.
      test.model.last.output(
        { type: 'transcript', speaker: 'user', text: 'What is left?', finished: true },
        { type: 'usage', usage: USAGE },
        { type: 'text', text: 'A word, and ' },
        { type: 'text', text: 'another one' },
      );
      await clock.advance(60_000);
      await over();
      expect((await client.closed).code).toBe(wire === 'adk' ? 1012 : 4100);

      const kept = await store.get(KEY);
      expect(JSON.stringify(kept?.history)).toContain('What is left?');
      expect(JSON.stringify(kept?.history)).toContain('A word, and another one');
      expect(ends).toHaveLength(1);
      expect(ends[0]?.report).toMatchObject({
        reason: 'shutdown',
        isGivenUp: false,
        close: { reason: 'shutdown', usage: USAGE },
      });
      expect(ends[0]?.session.history).toEqual(kept?.history);
      expect(await test.server.closed).toMatchObject({
        cutCalls: 1,
        drain: { calls: 1, ended: 0, cut: 1, durationMs: 60_000 },
      });
    },
  );

  it('D3 /run is answered with 503, a stream ends with an event that says why', async () => {
    await start();
    await test.createSession('a');
    await test.createSession('b');
    const run = test.request('/run', { ...TURN, sessionId: 'a' });
    const stream = test.request('/run_sse', { ...TURN, sessionId: 'b', streaming: true });
    await until('both are asked', () => test.model.connections.length === 2);
    await until('both are heard', () => test.model.connections.every((each) => each.received.length === 1));
    for (const connection of test.model.connections) connection.output({ type: 'text', text: 'Half' });
    void test.server.drain();
    await clock.advance(60_000);
    await over();
    const answer = await run;
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(answer.headers.get('connection')).toBe('close');
    const events = (await stream).text.trim().split('\n\n');
    expect(events.some((event) => event.includes('Half'))).toBe(true);
    expect(JSON.parse(events.at(-1)?.replace('data: ', '') ?? '')).toEqual({
      error: 'The server shut down before the answer came.',
      error_details: { code: 'HOLDFAST_UNAVAILABLE' },
    });
    expect(await test.server.closed).toMatchObject({ cutCalls: 2 });
    expect(test.model.openConnections).toBe(0);
  });

  it('D4 D6 the log ends with how it went', async () => {
    await start();
    await test.createSession('a');
    const leaves = await test.adk('a').opened();
    const stays = await test.welcomed(await test.createSession('b'));
    await until('both are live', () => test.model.openConnections === 2);
    void test.server.drain();
    await clock.advance(5_000);
    leaves.send({ close: true });
    await leaves.closed;
    await clock.advance(55_000);
    await over();
    await stays.closed;
    expect(lines.filter(({ message }) => message === 'drain over')).toEqual([
      {
        message: 'drain over',
        fields: { calls: 2, ended: 1, cut: 1, drainMs: 60_000, closeMs: expect.any(Number) },
      },
    ]);
  });
});

describe('a client of a text turn, while the server drains', () => {
  it('C7 D5 that leaves ends its turn, and with it the drain', async () => {
    await start();
    await test.createSession('a');
    const leaver = new AbortController();
    const body = JSON.stringify({ ...TURN, sessionId: 'a' });
    for (const path of ['/run', '/run_sse']) {
      const asked = fetch(test.url + path, { method: 'POST', body, signal: leaver.signal });
      asked.then((response) => response.text()).catch(() => undefined);
    }
    await until('one is asked', () => test.model.openConnections === 1);
    await until('both are there', () => test.server.liveSessions === 2);
    void test.server.drain();
    leaver.abort();
    await until('both are over', () => test.server.liveSessions === 0);
    await over();
    expect(await test.server.closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
    expect(test.model.openConnections).toBe(0);
  });

  it('L D5 that stops reading is given up, and with it the drain ends', async () => {
    const printed = vi.spyOn(console, 'error');
    await start({ maxBufferedBytes: 65_536 });
    await test.createSession('a');
    const response = await fetch(`${test.url}/run_sse`, {
      method: 'POST',
      body: JSON.stringify({ ...TURN, sessionId: 'a', streaming: true }),
    });
    await until('it is asked', () => test.model.connections[0]?.received.length === 1);
    void test.server.drain();
    // Nobody reads the body: the buffers of the system fill up, then the server's own.
    const text = 'x'.repeat(16_384);
    for (let sent = 0; sent < 4_000 && test.model.openConnections > 0; sent += 1) {
      test.model.last.output({ type: 'text', text });
      if (sent % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until('the turn is over', () => test.server.liveSessions === 0);
    await over();
    expect(await test.server.closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
    // Whoever stops reading writes nothing into anybody's log.
    expect(printed).not.toHaveBeenCalled();
    await response.body?.cancel().catch(() => undefined);
  });
});

describe('a client that came back to its call and has not said so at the deadline', () => {
  it('D4 is no call that was cut, and none that ended', async () => {
    await start({ drainTimeoutMs: 3_000 });
    await test.createSession('s1');
    const caller = await test.welcomed('s1');
    const drained = test.server.drain();
    const silent = await test.holdfast('s1').opened();
    await until('it is let in', () => test.server.liveSessions === 2);
    caller.socket.close(1000);
    await until('the call is over', () => test.server.liveSessions === 1);
    await clock.advance(3_000);
    await over();
    expect((await silent.closed).code).toBe(4100);
    expect(await drained).toMatchObject({ cutCalls: 0, drain: { calls: 1, ended: 1, cut: 0 } });
    expect(lines.map(({ message }) => message)).not.toContain('calls are cut');
  });
});
