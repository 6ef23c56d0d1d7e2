import { describe, expect, it } from 'vitest';
import { runHoldfast, startHoldfast, startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

// Somebody who administers a server, from a command line of their own.

const TOKEN = 'an-admin-token-of-a-test';
const BOUND_MS = 90_000;

const serve = (env: Record<string, string> = { HOLDFAST_ADMIN_TOKEN: TOKEN }): Promise<Service> =>
  startService(['api-server', '--port', '0'], { env });

const asAdmin = { env: { HOLDFAST_ADMIN_TOKEN: TOKEN } };

async function session(url: string, id: string): Promise<WebSocket> {
  const sessions = `${url}/apps/default/users/ann/sessions`;
  await fetch(sessions, { method: 'POST', body: JSON.stringify({ sessionId: id }) });
  const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=ann&session_id=${id}`;
  const socket = new WebSocket(live);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  return socket;
}

describe.concurrent('a server that is administered', () => {
  it(
    'D1 D5 D6 lists its calls, drains on demand, and the command ends well when the last call has',
    { timeout: BOUND_MS },
    async () => {
      await using server = await serve();
      const idle = await runHoldfast(['ps', server.url], asAdmin);
      expect(idle).toMatchObject({ status: 0, text: 'No call is under way.' });
      const socket = await session(server.url, 'a');

      const { lines } = await runHoldfast(['ps', server.url], asAdmin);
      expect(lines[0]).toMatch(/^AGE +KIND +APP +USER +SESSION +CLIENT +MODEL +AGENT +STATE +RESOURCES$/);
      expect(lines[1]).toMatch(
        /^\d+ s +run_live +default +ann +a +adk +connected +default +live +.*client socket/,
      );
      const json = await runHoldfast(['ps', server.url, '--json', '--admin-token', TOKEN]);
      expect(JSON.parse(json.text)).toMatchObject({ stage: 'serving', sessions: [{ id: 'a', user: 'ann' }] });

      await using drain = startHoldfast(['drain', server.url], asAdmin);
      await drain.line(/^refusing: 1 call under way, the oldest since \d+ s, cut in (4 min \d+|300) s$/);
      expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      expect(drain.isRunning).toBe(true);
      socket.send(JSON.stringify({ close: true }));
      expect(await drain.exit()).toMatchObject({ status: 0 });
      expect(drain.printed.at(-1)).toMatch(/^The server has drained in \d+ s; no call was cut\.$/);
      expect(await server.process.exit()).toMatchObject({ status: 0 });
    },
  );

  it('D4 is made harder from outside, and the command says what was cut', { timeout: BOUND_MS }, async () => {
    await using server = await serve();
    await session(server.url, 'a');
    const begun = await runHoldfast(['drain', server.url, '--no-wait'], asAdmin);
    expect(begun.status).toBe(0);
    expect(begun.text).toMatch(/^refusing: 1 call under way/);
    await using drain = startHoldfast(['drain', server.url, '--close'], asAdmin);
    expect(await drain.exit()).toMatchObject({ status: 1 });
    expect(drain.printed.at(-1)).toMatch(/; 1 call was cut\.$/);
    expect(await server.process.exit()).toMatchObject({ status: 1 });
  });

  it('D5 is over at once where nothing is under way', { timeout: BOUND_MS }, async () => {
    await using server = await serve();
    const { status, text } = await runHoldfast(['drain', server.url], asAdmin);
    expect({ status, text }).toMatchObject({ status: 0, text: expect.stringMatching(/no call was cut\.$/) });
    expect(await server.process.exit()).toMatchObject({ status: 0 });
  });

  it(
    'tells a drain that somebody stopped harder from one that went well',
    { timeout: BOUND_MS },
    async () => {
      await using server = await serve();
      await session(server.url, 'a');
      await using drain = startHoldfast(['drain', server.url], asAdmin);
      await drain.line(/^refusing/);
      server.process.signal('SIGKILL');
      expect(await drain.exit()).toMatchObject({ status: 1 });
      expect(drain.text).toContain('went away before its drain was over, with 1 under way');
    },
  );
});

describe.concurrent('what goes wrong with administration is told in a line', () => {
  it.each([
    ['no token', [], {}, 2, '--admin-token, or HOLDFAST_ADMIN_TOKEN'],
    ['a wrong one', ['--admin-token', 'wrong-wrong-wrong'], {}, 1, 'does not take this token'],
  ])('%s', { timeout: BOUND_MS }, async (_name, flags, env, exit, words) => {
    await using server = await serve();
    for (const command of ['ps', 'drain']) {
      const { status, lines } = await runHoldfast([command, server.url, ...flags], { env });
      expect({ status, lines }).toEqual({ status: exit, lines: [expect.stringContaining(words)] });
      expect(lines[0]).toMatch(/^holdfast: /);
    }
  });

  it('administration that is off', { timeout: BOUND_MS }, async () => {
    await using server = await serve({});
    const { status, lines } = await runHoldfast(['ps', server.url], asAdmin);
    expect(status).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(/was answered with 403\. Administration is turned off here/),
    ]);
  });

  it('nobody there', { timeout: BOUND_MS }, async () => {
    const { status, lines } = await runHoldfast(['drain', 'http://127.0.0.1:9'], asAdmin);
    expect(status).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^holdfast: http:\/\/127\.0\.0\.1:9 cannot be reached/)]);
  });

  it('a token that nobody should use', { timeout: BOUND_MS }, async () => {
    const { status, text } = await runHoldfast(['api-server', '--port', '0', '--admin-token', 'letmein']);
    expect(status).toBe(2);
    expect(text).toContain('give at least 16 characters');
    expect(text).not.toContain('letmein');
  });
});
