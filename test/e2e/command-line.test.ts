import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runHoldfast, startService } from '../support/process.ts';

const BOUND_MS = 60_000;

describe('the command line of a server', () => {
  it('says in one line what to do about a port that is taken', { timeout: BOUND_MS }, async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => void taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { status, lines } = await runHoldfast(['api-server', '--port', String(port)]);
    taken.close();
    expect(status).toBe(1);
    expect(lines.filter((line) => line !== '')).toEqual([
      `holdfast: 127.0.0.1:${port} is in use. Stop what listens there, or choose another port with --port (0 takes a free one).`,
    ]);
  });

  it('is spelled as the ADK spells it, too', { timeout: BOUND_MS }, async () => {
    await using server = await startService(['api_server', '--port', '0', '--drain_timeout', '0.5']);
    const sessions = `${server.url}/apps/default/users/u/sessions`;
    await fetch(sessions, { method: 'POST', body: JSON.stringify({ sessionId: 'a' }) });
    const live = `${server.url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=a`;
    const socket = new WebSocket(live);
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener('close', ({ code }) => resolve(code)),
    );
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    server.process.signal('SIGTERM');
    expect(await closed).toBe(1012);
    expect(await server.process.exit()).toEqual({ status: 1, signal: null });
  });

  it.each([
    [['api-server', '--model', 'foo'], "There is no model 'foo'"],
    [['api-server', '--port', 'x'], "option '--port <port>' argument 'x' is invalid"],
    [['api-server', '--drain-timeout', '-1'], 'Give a number of seconds'],
    [['emulate', 'gemini', '--port', '1.5'], 'Give a whole number from 0 to 65535'],
    [['sing'], "unknown command 'sing'"],
  ])('ends with 2 and words when it is wrong: %j', { timeout: BOUND_MS }, async (parameters, words) => {
    const { status, text } = await runHoldfast(parameters);
    expect(status).toBe(2);
    expect(text).toMatch(/^holdfast: /);
    expect(text).toContain(words);
  });
});
