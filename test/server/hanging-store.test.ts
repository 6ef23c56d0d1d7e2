import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { SAVE_BOUND_MS } from '../../src/server/live/stored-history.ts';
import { StoreError } from '../../src/session/index.ts';
import { MemorySessionStore } from '../../src/store/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const never = (): Promise<never> => new Promise(() => undefined);

const TURN = {
  appName: 'demo',
  userId: 'u',
  sessionId: 's1',
  newMessage: { role: 'user', parts: [{ text: 'Hello' }] },
};

describe('a store that hangs', () => {
  let clock: VirtualClock;
  let store: MemorySessionStore;
  let test: TestServer;

  beforeEach(async () => {
    clock = new VirtualClock();
    store = new MemorySessionStore({ clock });
    test = await startServer({ clock, store, runTimeoutMs: 60_000 });
    await test.createSession();
  });

  afterEach(async () => {
    const aborted = test.server.abort();
    await clock.advance(10_000);
    await aborted;
  });

  const turn = (route: string): Promise<Response> =>
    fetch(test.url + route, { method: 'POST', body: JSON.stringify(TURN) });

  it('C5 in a save: the client is let go of at its bound, and the call is over', async () => {
    const client = await test.adk('s1').opened();
    await until('it is live', () => test.model.openConnections === 1);
    store.save = never;
    client.send({ close: true });
    await until('the live session has ended', () => test.model.openConnections === 0);
    await clock.advance(SAVE_BOUND_MS);
    expect(await client.closed).toMatchObject({ code: 1000 });
    // What was told to give up has one turn of the clock to do so; then it is left behind.
    while (test.server.liveSessions > 0) await clock.settle();
  });

  it('C5 in a save that fails: the client is told how its session ended, not how the save did', async () => {
    const client = await test.adk('s1').opened();
    await until('it is live', () => test.model.openConnections === 1);
    store.save = () => Promise.reject(new Error('the disk is full'));
    client.send({ close: true });
    expect(await client.closed).toEqual({ code: 1000, reason: '' });
    await until('the call is over', () => test.server.liveSessions === 0);
  });

  it('C5 in a get: a client that leaves is not counted any more', async () => {
    store.get = never;
    const client = await test.adk('s1').opened();
    await until('it is counted', () => test.server.liveSessions === 1);
    client.socket.terminate();
    await until('the call is over', () => test.server.liveSessions === 0);
    expect(test.model.connections).toEqual([]);
  });

  it('D3 in a save for a while: the server has closed when the history is stored, and not before', async () => {
    await test.adk('s1').opened();
    await until('it is live', () => test.model.openConnections === 1);
    let isSaved = false;
    store.save = () =>
      new Promise((resolve) => {
        clock.setTimer(SAVE_BOUND_MS / 2, () => {
          isSaved = true;
          resolve();
        });
      });
    const closed = test.server.close().then(() => isSaved);
    await until('the live session has ended', () => test.model.openConnections === 0);
    await clock.advance(SAVE_BOUND_MS / 2);
    await until('the client has answered', () => test.server.liveSessions === 0);
    await clock.advance(1_000);
    expect(await closed).toBe(true);
  });

  it.each(['/run', '/run_sse'])('in a save: the answer of %s comes all the same', async (route) => {
    store.save = never;
    const answer = turn(route);
    await until('the model is asked', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    await until('its live session has ended', () => test.model.openConnections === 0);
    await clock.advance(10_000);
    expect(await (await answer).text()).toContain('"text":"Hi"');
    await until('it is over', () => test.server.liveSessions === 0);
  });

  it('in a get: a turn is given up at its bound', async () => {
    const get = store.get.bind(store);
    let asked = 0;
    // The first one is the route's, which looks whether there is such a session.
    store.get = (key) => ((asked += 1) === 1 ? get(key) : never());
    const answer = turn('/run');
    await until('it hangs', () => asked === 2);
    await clock.advance(60_000);
    expect((await answer).status).toBe(504);
    await until('it is over', () => test.server.liveSessions === 0);
  });

  it('that fails: nobody is told where it is, but the log', async () => {
    const failure = new StoreError('Sessions cannot be kept in /var/lib/s.sqlite: the disk is full.');
    store.get = () => Promise.reject(failure);
    const answer = await test.request('/apps/demo/users/u/sessions/s1');
    const text = 'Sessions cannot be kept or read now. The log of the server says why.';
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.text)).toEqual({ error: text, detail: text, code: 'HOLDFAST_STORE' });
    const client = test.adk('s1');
    expect(await client.closed).toEqual({ code: 1011, reason: `HOLDFAST_STORE: ${text}` });
    expect(client.texts.join()).not.toContain('/var/lib');
  });
});
