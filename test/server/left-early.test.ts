import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/store/index.ts';
import { startServer, until } from '../support/live-server.ts';

it.each(['/run', '/run_sse'])(
  'C7 a client of %s that has left before its turn begins is not answered',
  async (route) => {
    const store = new MemorySessionStore();
    await using test = await startServer({ store });
    await test.createSession();
    const get = store.get.bind(store);
    const gate = Promise.withResolvers<void>();
    let isAsked = false;
    // By the route, which looks whether there is such a session.
    store.get = async (key) => {
      isAsked = true;
      await gate.promise;
      return get(key);
    };
    const leaver = new AbortController();
    const body = {
      appName: 'demo',
      userId: 'u',
      sessionId: 's1',
      newMessage: { parts: [{ text: 'Hello' }] },
    };
    const answer = fetch(test.url + route, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: leaver.signal,
    });
    answer.catch(() => undefined);
    await until('the store is asked', () => isAsked);
    leaver.abort();
    // A request after it has come by the same way, so that the server has seen the first one go.
    await test.request('/health');
    gate.resolve();
    // By the time these are answered a turn would have begun, and nobody would end it.
    for (let round = 0; round < 5; round += 1) await test.request('/health');
    await until('nothing is under way', () => test.server.liveSessions === 0);
    expect(test.model.openConnections).toBe(0);
  },
);

it('a client that resets its connection while its upgrade is refused ends nothing', async () => {
  await using test = await startServer();
  const socket = new Socket();
  const request = new IncomingMessage(socket);
  request.url = '/there-is-none';
  test.server.handleUpgrade(request, socket, Buffer.alloc(0));
  // Thrown here, it would have ended the process.
  expect(() => socket.emit('error', new Error('write ECONNRESET'))).not.toThrow();
});
