import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { ServerOptions } from '../../src/server/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const TURN = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] } };

describe('draining a server', () => {
  let clock: VirtualClock;
  let test: TestServer;
  let lines: { message: string; fields: Record<string, unknown> }[];

  const start = async (options: Partial<ServerOptions> = {}): Promise<void> => {
    const note = (message: string, fields = {}): void => void lines.push({ message, fields });
    test = await startServer({
      clock,
      log: { debug: () => undefined, info: note, warn: note, error: note },
      ...options,
    });
  };

  beforeEach(() => {
    clock = new VirtualClock();
    lines = [];
  });

  afterEach(async () => {
    const aborted = test.server.abort();
    await clock.advance(10_000);
    await aborted;
  });

  /** Real sockets move in real time; virtual time stands still meanwhile. */
  const call = async (id: string) => {
    const client = await test.adk(await test.createSession(id)).opened();
    await until(`${id} is connected`, () => test.model.openConnections >= 1);
    return client;
  };

  it('D1 readiness is gone at once, and new sessions are accepted until the delay is over, then refused', async () => {
    await start({ preDrainDelayMs: 5_000 });
    const first = await call('a');
    const closed = test.server.drain();
    expect(test.server.ready).toBe(false);
    expect((await test.request('/ready')).status).toBe(503);
    expect((await test.request('/health')).status).toBe(200);
    const second = await call('b');
    await test.createSession('c');
    await clock.advance(5_000);

    const refused = await test.adk('c').refused;
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers['connection']).toBe('close');
    for (const [path, body] of [
      ['/run', { ...TURN, sessionId: 'c' }],
      ['/run_sse', { ...TURN, sessionId: 'c' }],
      ['/apps/demo/users/u/sessions', {}],
    ] as const) {
      const answer = await test.request(path, body);
      expect([path, answer.status]).toEqual([path, 503]);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.headers.get('connection')).toBe('close');
    }
    expect((await test.request('/health')).status).toBe(200);
    expect((await test.request('/ready')).status).toBe(503);

    first.send({ close: true });
    second.send({ close: true });
    await until('both calls are over', () => test.server.liveSessions === 0);
    await clock.advance(300);
    expect(await closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
  });

  it('D5 ends the moment the last call does, and not when the first one does', async () => {
    await start();
    const [a, b] = [await call('a'), await call('b')];
    let ended = false;
    const closed = test.server.drain().finally(() => (ended = true));
    a.send({ close: true });
    await until('one is over', () => test.server.liveSessions === 1);
    await clock.advance(60_000);
    expect(ended).toBe(false);
    b.sendText('still talking');
    await until('it is still heard', () => test.model.connections.some((each) => each.received.length === 1));
    b.send({ close: true });
    await until('the other is over', () => test.server.liveSessions === 0);
    await clock.advance(300);
    expect(await closed).toMatchObject({ cutCalls: 0, reason: 'drained' });
  });

  it('D5 counts a session that is accepted and has not started', async () => {
    await start();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    test.model.beforeConnect = () => gate;
    const client = await test.adk(await test.createSession('a')).opened();
    let ended = false;
    void test.server.drain().finally(() => (ended = true));
    await clock.advance(1_000);
    expect(ended).toBe(false);
    open();
    await until('it has started', () => test.model.openConnections === 1);
    client.send({ close: true });
    await until('it is over', () => test.server.liveSessions === 0);
    await clock.advance(300);
    await until('the drain has ended', () => ended);
  });

  it('D5 waits for a text turn under way, whose answer arrives', async () => {
    await start();
    await test.createSession('a');
    const answer = test.request('/run_sse', { ...TURN, sessionId: 'a' });
    await until('it is asked', () => test.model.connections[0]?.received.length === 1);
    const closed = test.server.drain();
    expect(test.server.liveSessions).toBe(1);
    test.model.last.output({ type: 'text', text: 'well' }, { type: 'turnComplete' });
    expect((await answer).text).toContain('"text":"well"');
    await clock.advance(300);
    expect(await closed).toMatchObject({ cutCalls: 0 });
  });

  it('D3 at the deadline the rest is closed in parallel with 1012 and a reason', async () => {
    await start({ drainTimeoutMs: 300_000 });
    const [a, b] = [await call('a'), await call('b')];
    const v1 = await test.welcomed(await test.createSession('c'));
    const closed = test.server.drain();
    await until('it is asked to come again', () => v1.having('type', 'goAway').length === 1);
    expect(v1.having('type', 'goAway')[0]).toEqual({ type: 'goAway', timeLeftMs: 300_000, reconnect: true });
    await clock.advance(299_000);
    expect(test.server.liveSessions).toBe(3);
    await clock.advance(1_000);
    expect(await a.closed).toEqual({ code: 1012, reason: 'server draining' });
    expect(await b.closed).toEqual({ code: 1012, reason: 'server draining' });
    expect(await v1.closed).toEqual({ code: 4100, reason: 'server draining' });
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ cutCalls: 3, reason: 'shutdown' });
    expect(test.model.openConnections).toBe(0);
    expect(test.server.resources()).toEqual([]);
  });

  it('D4 a close during a drain ends the calls now', async () => {
    await start();
    const client = await call('a');
    void test.server.drain();
    const closed = test.server.close();
    expect(await client.closed).toMatchObject({ code: 1012 });
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ cutCalls: 1 });
  });

  it('D4 an abort ends even with a client that does not answer', async () => {
    await start();
    const client = await call('a');
    client.socket.pause();
    void test.server.drain();
    void test.server.close();
    const closed = test.server.abort();
    await clock.advance(0);
    expect(await closed).toMatchObject({ verb: 'abort', cutCalls: 1 });
  });

  it('D3 a client that does not answer the close is not waited for longer than its bound', async () => {
    await start();
    const client = await call('a');
    client.socket.pause();
    const closed = test.server.close();
    await clock.advance(1_500);
    expect(await closed).toMatchObject({ cutCalls: 1 });
    expect(test.server.liveSessions).toBe(0);
  });

  it('D6 tells count, oldest, elapsed and deadline', async () => {
    await start({ drainProgressMs: 10_000, drainTimeoutMs: 60_000 });
    await call('a');
    await clock.advance(5_000);
    void test.server.drain();
    await clock.advance(10_000);
    expect(lines.filter(({ message }) => message === 'draining').map(({ fields }) => fields)).toEqual([
      { stage: 'refusing', calls: 1, oldestMs: 5_000, elapsedMs: 0, deadlineInMs: 60_000 },
      { stage: 'refusing', calls: 1, oldestMs: 15_000, elapsedMs: 10_000, deadlineInMs: 50_000 },
    ]);
  });

  it('D6 tells each stage when it begins', async () => {
    await start({ preDrainDelayMs: 4_000, drainProgressMs: 10_000, drainTimeoutMs: 60_000 });
    await call('a');
    void test.server.drain();
    await clock.advance(14_000);
    expect(lines.filter(({ message }) => message === 'draining').map(({ fields }) => fields)).toMatchObject([
      { stage: 'announced', elapsedMs: 0, deadlineInMs: 64_000 },
      { stage: 'refusing', elapsedMs: 4_000, deadlineInMs: 60_000 },
      { stage: 'refusing', elapsedMs: 14_000, deadlineInMs: 50_000 },
    ]);
  });

  it('D1 a drain with nothing under way is over at once, and leaves no timer', async () => {
    await start();
    const closed = test.server.drain();
    await clock.advance(300);
    expect(await closed).toMatchObject({ cutCalls: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it('an idle keep-alive connection does not hold up the end', async () => {
    await start();
    await test.request('/health');
    const closed = test.server.drain();
    await clock.advance(300);
    expect(await closed).toMatchObject({ cutCalls: 0 });
  });
});
