import { describe, expect, it } from 'vitest';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

// Every way by which a client changes the state of a session.

const SESSIONS = '/apps/demo/users/u/sessions';
const bounded = (): Promise<TestServer> => startServer({ maxStateBytes: 1_000 });
const large = (characters: number): string => 'x'.repeat(characters);

async function patch(test: TestServer, stateDelta: object): Promise<number> {
  const body = JSON.stringify({ stateDelta });
  return (await fetch(`${test.url}${SESSIONS}/s1`, { method: 'PATCH', body })).status;
}

async function stateOf(test: TestServer): Promise<object> {
  const { text } = await test.request(`${SESSIONS}/s1`);
  return (JSON.parse(text) as { state: object }).state;
}

describe('L the state of a session', () => {
  it('L has a bound over all changes of it by PATCH, and makes room where fields become smaller', async () => {
    await using test = await bounded();
    await test.createSession();
    expect(await patch(test, { a: large(600) })).toBe(200);
    expect(await patch(test, { b: large(600) })).toBe(429);
    expect(await patch(test, { a: large(700) })).toBe(200);
    expect(await patch(test, { a: null, b: large(600) })).toBe(200);
    expect(await stateOf(test)).toEqual({ a: null, b: large(600) });
    const { text } = await test.request('/metrics');
    expect(text).toContain('holdfast_limits_reached_total{limit="state_bytes"} 1\n');
  });

  it('L has it where the session begins', async () => {
    await using test = await bounded();
    expect((await test.request(SESSIONS, { state: { a: large(1_000) } })).status).toBe(429);
    expect((await test.request(SESSIONS, { state: { a: large(900) } })).status).toBe(200);
  });

  it.each(['/run', '/run_sse'])('L has it with %s', async (route) => {
    await using test = await bounded();
    await test.createSession();
    const turn = { appName: 'demo', userId: 'u', sessionId: 's1', newMessage: { parts: [{ text: 'hi' }] } };
    const { text } = await test.request(route, { ...turn, stateDelta: { a: large(1_000) } });
    expect(text).toContain('HOLDFAST_LIMIT_REACHED');
    expect(await stateOf(test)).toEqual({});
  });

  it('L has it where the session is live, and the session goes on', async () => {
    await using test = await bounded();
    await test.createSession();
    const client = await test.adk('s1').opened();
    client.send({ state_delta: { a: large(600) } });
    await until('the first is told', () => client.texts.some((text) => text.includes('"stateDelta":{"a"')));
    client.send({ state_delta: { b: large(600) } });
    await until('the second is refused', () => client.having('errorCode').length === 1);
    expect(await patch(test, { b: large(600) })).toBe(429);
    client.send({ state_delta: { a: 1 } });
    await until('a smaller one is told', () =>
      client.texts.some((text) => text.includes('"stateDelta":{"a":1}')),
    );
    expect(await patch(test, { b: large(600) })).toBe(200);
  });
});
