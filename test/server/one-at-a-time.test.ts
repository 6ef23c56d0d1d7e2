import { describe, expect, it } from 'vitest';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

interface Turn {
  readonly answer: Promise<Response>;
  leave(): void;
}

/** Asks for a turn of session `s1`, and can leave before it is answered. */
function ask(test: TestServer, text: string): Turn {
  const leaver = new AbortController();
  const body = {
    appName: 'demo',
    userId: 'u',
    sessionId: 's1',
    newMessage: { role: 'user', parts: [{ text }] },
  };
  const answer = fetch(`${test.url}/run`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: leaver.signal,
  });
  answer.catch(() => undefined);
  return { answer, leave: () => leaver.abort() };
}

const asked = (test: TestServer, connections: number): Promise<void> =>
  until(
    `connection ${connections} is asked`,
    () => test.model.connections[connections - 1]?.received.length === 1,
  );

describe('a stored session is live once at a time', () => {
  it('also when a turn that waited for another one has left', async () => {
    await using test = await startServer();
    await test.createSession();
    const first = ask(test, 'first');
    await asked(test, 1);
    const second = ask(test, 'second');
    await until('the second one waits', () => test.server.liveSessions === 2);
    second.leave();
    await until('it has left', () => test.server.liveSessions === 1);
    const third = ask(test, 'third');
    await until('the third one waits', () => test.server.liveSessions === 2);
    expect(test.model.connections).toHaveLength(1);
    test.model.last.output({ type: 'text', text: 'one' }, { type: 'turnComplete' });
    expect((await first.answer).status).toBe(200);
    await asked(test, 2);
    test.model.last.output({ type: 'text', text: 'three' }, { type: 'turnComplete' });
    expect((await third.answer).status).toBe(200);
    expect(JSON.stringify(test.model.last.setup.history)).toContain('one');
  });

  it('also when a live client takes over what two turns stand in line for', async () => {
    await using test = await startServer();
    await test.createSession();
    const first = ask(test, 'first');
    await asked(test, 1);
    const second = ask(test, 'second');
    await until('the second one waits', () => test.server.liveSessions === 2);
    await test.adk('s1').opened();
    expect((await first.answer).status).toBe(409);
    expect((await second.answer).status).toBe(409);
    await until('the client has it', () => test.model.connections.length === 2);
    expect(test.model.openConnections).toBe(1);
  });

  it('and what is deleted is written by nobody afterwards, however many stood in line for it', async () => {
    await using test = await startServer();
    await test.createSession();
    const first = ask(test, 'first');
    await asked(test, 1);
    const second = ask(test, 'second');
    await until('the second one waits', () => test.server.liveSessions === 2);
    const path = '/apps/demo/users/u/sessions/s1';
    expect((await fetch(test.url + path, { method: 'DELETE' })).status).toBe(200);
    expect((await first.answer).status).toBe(404);
    expect((await second.answer).status).toBe(404);
    expect(test.model.openConnections).toBe(0);
    expect((await test.request(path)).status).toBe(404);
  });
});
