import { describe, expect, it } from 'vitest';
import { createSession, createTicket } from '../../src/client/index.ts';
import { TestClient, until } from '../support/live-server.ts';
import { BALANCERS, Stage, callsOnBoth } from './stage.ts';

// The balancers' configurations as they are shipped, with the real programs and real servers.

const BOUND_MS = 90_000;

describe.concurrent.each(BALANCERS)('%s before two servers', (_name, start) => {
  it(
    'D1 sends new calls past a server that drains, and to it who comes back to a call there',
    { timeout: BOUND_MS },
    async () => {
      await using stage = await Stage.open(start);
      const [draining] = stage.servers;
      const clients = await callsOnBoth(stage);
      const [onDraining = 0] = await stage.calls();
      draining.process.signal('SIGTERM');
      await draining.process.line(/"msg":"draining"/);

      // Also at once, when the balancer may not have noticed.
      const fresh: TestClient[] = [];
      for (let count = 0; count < 6; count += 1) fresh.push(await stage.newCall(`n${count}`));
      expect((await stage.calls())[0]).toBe(onDraining);

      // Each loses its connection without a word, and finds the live session it had, wherever that is.
      for (const [id, client] of clients) {
        client.socket.terminate();
        const back = await stage.call(id, client);
        expect(back.having('type', 'hello')[0]).toMatchObject({ resumed: true });
        clients.set(id, back);
      }
      expect((await stage.calls())[0]).toBe(onDraining);

      // Who hung up and calls again has a new call: not with the server that drains, where the balancer sends it first.
      for (const [id, client] of clients) {
        client.send({ type: 'close' });
        expect((await client.closed).code).toBe(4_000);
        clients.set(id, await stage.call(id));
      }
      expect(await draining.process.exit()).toEqual({ status: 0, signal: null });
      for (const client of [...clients.values(), ...fresh]) {
        client.send({ type: 'text', text: 'are you there?' });
        await until('the agent answered', () => JSON.stringify(client.messages).includes('are you there?'));
        client.socket.terminate();
      }
    },
  );

  it('has a session once: a newer client of it replaces the older one', { timeout: BOUND_MS }, async () => {
    await using stage = await Stage.open(start);
    for (const id of ['a', 'b', 'c', 'd']) {
      const older = await stage.newCall(id);
      const newer = await stage.adk(id);
      expect((await older.closed).code).toBe(4_001);
      newer.socket.terminate();
    }
  });

  it('sends a ticket to the server that gave it', { timeout: BOUND_MS }, async () => {
    const token = 'a-token-of-the-tests';
    await using stage = await Stage.open(start, { HOLDFAST_AUTH_TOKEN: token });
    const { url } = stage.balancer;
    for (const sessionId of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const target = { url, token, appName: 'default', userId: 'u', sessionId };
      await createSession(target);
      const protocols = ['holdfast.v1', `ticket.${await createTicket(target)}`];
      const client = await new TestClient(stage.live(sessionId), protocols).opened();
      client.socket.terminate();
    }
  });

  it('sends new calls past a server that was killed', { timeout: BOUND_MS }, async () => {
    await using stage = await Stage.open(start);
    stage.servers[1].process.signal('SIGKILL');
    await stage.servers[1].process.exit();
    for (let count = 0; count < 6; count += 1) (await stage.newCall(`s${count}`)).socket.terminate();
  });
});
