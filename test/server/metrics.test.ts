import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConnectionLostError } from '../../src/session/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const metricsOf = async (test: TestServer): Promise<string> => (await test.request('/metrics')).text;

function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/metrics`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });
}

describe('GET /metrics', () => {
  it('tells of live sessions, of their dials and of their ends', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    const during = await test.request('/metrics');
    expect(during.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(during.text).toContain('\nholdfast_live_sessions 1\n');
    expect(during.text).toContain('\nholdfast_model_dials_total 1\n');
    client.send({ type: 'close' });
    await client.closed;
    await until('it is over', () => test.server.liveSessions === 0);
    const after = await metricsOf(test);
    expect(after).toContain('\nholdfast_live_sessions 0\n');
    expect(after).toContain('\nholdfast_sessions_closed_total{reason="user_initiated"} 1\n');
  });

  it('R9 metrics: counts a lost connection of a call', async () => {
    await using test = await startServer();
    await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    test.model.last.fail(new ConnectionLostError('gone', { provider: 'test' }));
    // Whichever came of it: it is over, or the model is back.
    const counted = /reconnects_total\{cause="lost",outcome="(ended|resumed|reseeded)"\} 1\n/;
    await expect.poll(() => metricsOf(test)).toMatch(counted);
  });

  it('counts the live session of a text turn', async () => {
    await using test = await startServer();
    const turn = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] } };
    const answered = test.request('/run', { ...turn, sessionId: await test.createSession() });
    await until('it was said', () => test.model.connections[0]?.of('content').length === 1);
    test.model.last.output({ type: 'turnComplete' });
    expect((await answered).status).toBe(200);
    expect(await metricsOf(test)).toContain('\nholdfast_sessions_closed_total{reason="task_completed"} 1\n');
  });

  it('is answered to whom the other routes are, also while the server drains', async () => {
    await using test = await startServer();
    await test.welcomed(await test.createSession());
    expect(await statusFor(test.url, 'elsewhere.example')).toBe(403);
    void test.server.drain();
    expect((await test.request('/ready')).status).toBe(503);
    expect((await test.request('/metrics')).status).toBe(200);
  });

  it('is listed in docs/metrics.md, name by name', async () => {
    await using test = await startServer();
    const page = readFileSync(join(CHECKOUT, 'docs/metrics.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `(holdfast_\w+)` +\| (\w+)/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    const told = [...(await metricsOf(test)).matchAll(/^# TYPE (.*)$/gm)].map(([, type]) => type);
    expect(listed).toEqual(told);
  });
});
