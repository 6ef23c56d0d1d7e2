import { describe, expect, it } from 'vitest';
import { ScriptedModel } from '../../src/testing/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

/** A turn of session `s1`, which is live. */
async function run(test: TestServer): Promise<string> {
  const body = {
    appName: 'demo',
    userId: 'u',
    sessionId: 's1',
    newMessage: { role: 'user', parts: [{ text: 'Hello' }] },
  };
  return (await test.request('/run', body)).text;
}

describe('a text turn that is said in a live session', () => {
  it('is given the answer also of a model that answers at once', async () => {
    const model = new ScriptedModel({
      onInput: ({ type }, connection) => {
        if (type === 'content') connection.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
      },
    });
    await using test = await startServer({ model, runTimeoutMs: 1_000 });
    await test.createSession();
    await test.welcomed('s1');
    await until('it is live', () => model.openConnections === 1);
    expect(await run(test)).toContain('"text":"Hi"');
  });

  it('is not ended by the end of the answer that it interrupts', async () => {
    await using test = await startServer();
    await test.createSession();
    const client = await test.welcomed('s1');
    await until('it is live', () => test.model.openConnections === 1);
    test.model.last.output({ type: 'text', text: 'As I was say' });
    const answer = run(test);
    await until('it is asked', () => test.model.last.received.length === 1);
    test.model.last.output({ type: 'interrupted' }, { type: 'turnComplete' });
    await until('the end is told', () => client.texts.some((text) => text.includes('turnComplete')));
    test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    expect(await answer).toContain('"text":"Hi"');
    expect(await answer).not.toContain('As I was say');
  });

  it('D1 is said there also while the server drains, and one for any other session is refused', async () => {
    const model = new ScriptedModel({
      onInput: ({ type }, connection) => {
        if (type === 'content') connection.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
      },
    });
    await using test = await startServer({ model, runTimeoutMs: 5_000 });
    await test.createSession();
    await test.createSession('s2');
    await test.welcomed('s1');
    await until('it is live', () => model.openConnections === 1);
    const drained = test.server.drain();
    expect(await run(test)).toContain('"text":"Hi"');
    const other = {
      appName: 'demo',
      userId: 'u',
      sessionId: 's2',
      newMessage: { parts: [{ text: 'Hello' }] },
    };
    expect((await test.request('/run', other)).status).toBe(503);
    expect((await test.request('/run_sse', other)).status).toBe(503);
    await test.server.abort();
    await drained;
  });
});
