import { describe, expect, it } from 'vitest';
import { runHoldfast, startHoldfast, startService } from '../support/process.ts';

// A port of operations, and what a server says of the platform it finds itself on.

const TOKEN = 'an-admin-token-of-a-test';
const BOUND_MS = 90_000;

const status = async (url: string): Promise<number | 'refused'> => {
  try {
    return (await fetch(url, { headers: { connection: 'close' } })).status;
  } catch {
    return 'refused';
  }
};

describe.concurrent('a server with a port of operations', () => {
  it(
    'D1 closes its public port when no call can be resumed, and is asked to the end on the other',
    { timeout: BOUND_MS },
    async () => {
      const flags = ['--ops-port', '0', '--admin-token', TOKEN, '--client-grace', '0'];
      await using server = await startService(['api-server', '--port', '0', ...flags]);
      const { process, url } = server;
      const [, operations = ''] = await process.line(/^Operations are at (http:\S+)$/);
      expect(await Promise.all([status(`${url}/metrics`), status(`${operations}/metrics`)])).toEqual([
        404, 200,
      ]);

      const sessions = `${url}/apps/default/users/u/sessions`;
      await fetch(sessions, { method: 'POST', body: JSON.stringify({ sessionId: 'a' }) });
      const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=a`;
      const socket = new WebSocket(live);
      await new Promise((resolve) => socket.addEventListener('open', resolve));
      process.signal('SIGTERM');
      await process.line(/"msg":"public listener closed"/);
      expect(await status(`${url}/health`)).toBe('refused');
      expect(await status(`${operations}/ready`)).toBe(503);
      const ps = await runHoldfast(['ps', operations, '--admin-token', TOKEN]);
      expect(ps.text).toContain('The server is draining (refusing).');

      await using drain = startHoldfast(['drain', operations, '--admin-token', TOKEN]);
      await drain.line(/^refusing: 1 call under way/);
      socket.send(JSON.stringify({ close: true }));
      expect(await drain.exit()).toMatchObject({ status: 0 });
      expect(await process.exit()).toEqual({ status: 0, signal: null });
      expect(process.log).toContainEqual(
        expect.objectContaining({ msg: 'drain over', calls: 1, ended: 1, cut: 0 }),
      );
    },
  );

  it('says that its operations port is taken', { timeout: BOUND_MS }, async () => {
    await using server = await startService(['api-server', '--port', '0']);
    const { port } = new URL(server.url);
    const { status: exit, text } = await runHoldfast(['api-server', '--port', '0', '--ops-port', port]);
    expect(exit).toBe(1);
    expect(text).toContain(`127.0.0.1:${port} is in use`);
  });
});

describe.concurrent('a server on a platform that would cut its drain short', () => {
  it.each([
    [{ HOLDFAST_PLATFORM_GRACE: '60' }, [], /A drain may take 307\.5 s: .* kills a process 60 s after/],
    [
      { DYNO: 'web.1' },
      ['--pre-drain-delay', '5'],
      /A drain may take 312\.5 s: .*Heroku kills a process 30 s/,
    ],
    [{ HOLDFAST_PLATFORM_GRACE: '310' }, [], undefined],
    [{ DYNO: 'web.1' }, ['--drain-timeout', '20'], undefined],
  ])('with %j and %j it warns: %s', { timeout: BOUND_MS }, async (env, flags, warning) => {
    await using server = await startService(['api-server', '--port', '0', ...flags], { env });
    server.process.signal('SIGTERM');
    await server.process.exit();
    if (warning === undefined) expect(server.process.text).not.toContain('the platform may');
    else expect(server.process.text).toMatch(warning);
  });
});
