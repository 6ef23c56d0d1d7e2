import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SIGNAL_ECHO_MS } from '../../src/cli/signals.ts';
import { CHECKOUT, shellEnvironment } from '../support/checkout.ts';
import { ServedProcess, converse, eventually, readinessOf } from '../support/served-process.ts';

/** Building, starting and talking take seconds on a busy machine. */
const BOUND_MS = 180_000;

const MAIN = join(CHECKOUT, 'src/cli/main.ts');

describe('real processes and real signals', () => {
  const started: ServedProcess[] = [];

  const start = (
    program: string,
    parameters: readonly string[],
    env: Record<string, string>,
  ): ServedProcess => {
    const served = new ServedProcess(program, parameters, { cwd: CHECKOUT, env });
    started.push(served);
    return served;
  };

  const holdfast = (...parameters: readonly string[]): ServedProcess =>
    start(process.execPath, [MAIN, ...parameters, '--log-level', 'warn'], { HOLDFAST_PORT: '0' });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((served) => served.stop()));
  });

  it(
    'D5 TERM with a call under way: the call goes on to its end, then the process exits 0',
    { timeout: BOUND_MS },
    async () => {
      const served = holdfast('api-server');
      const url = await served.url();
      const client = await served.call('a');
      served.child.kill('SIGTERM');
      while ((await readinessOf(url)) === 200) await new Promise((resolve) => setTimeout(resolve, 5));
      await converse(client, 'still here');
      expect(served.hasExited).toBe(false);
      expect((await fetch(`${url}/health`)).status).toBe(200);
      client.send({ close: true });
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect(await served.exited).toBe(0);
      expect(served.stdout.match(/listening on/g)).toHaveLength(1);
    },
  );

  it(
    'D4 a second signal ends the calls now, with exit code 1 and a report',
    { timeout: BOUND_MS },
    async () => {
      const served = holdfast('api-server');
      const client = await served.call('a');
      served.child.kill('SIGTERM');
      const url = await served.url();
      while ((await readinessOf(url)) === 200) await new Promise((resolve) => setTimeout(resolve, 5));
      // A second one only counts when it cannot be an echo of the first.
      await new Promise((resolve) => setTimeout(resolve, SIGNAL_ECHO_MS));
      served.child.kill('SIGTERM');
      expect(await client.closed).toMatchObject({ code: 1012, reason: 'server draining' });
      expect(await served.exited).toBe(1);
      expect(served.stderr).toContain('holdfast: 1 call was cut (shutdown)');
    },
  );

  it('D3 at the deadline the rest is cut', { timeout: BOUND_MS }, async () => {
    const served = holdfast('api-server', '--drain_timeout', '0.3');
    const client = await served.call('a');
    served.child.kill('SIGINT');
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(await served.exited).toBe(1);
  });

  it(
    'ends at once with nothing under way, also with an idle keep-alive connection',
    { timeout: BOUND_MS },
    async () => {
      const served = holdfast('api-server');
      await fetch(`${await served.url()}/health`);
      served.child.kill('SIGTERM');
      expect(await served.exited).toBe(0);
    },
  );

  it('D4 TERM to npm start: the call goes on to its end', { timeout: BOUND_MS }, async () => {
    const served = start('npm', ['start'], shellEnvironment({ HOLDFAST_PORT: '0' }));
    const url = await served.url();
    const client = await served.call('a');
    served.child.kill('SIGTERM');
    while ((await readinessOf(url)) === 200) await new Promise((resolve) => setTimeout(resolve, 5));
    await converse(client, 'still here');
    client.send({ close: true });
    expect(await client.closed).toMatchObject({ code: 1000 });
    expect(await served.exited).toBe(0);
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
  });

  it(
    'D4 one Ctrl-C in the terminal of npm start counts once, and says what it waits for',
    { timeout: BOUND_MS },
    async () => {
      const served = start(
        'script',
        ['-qfec', 'npm start', '/dev/null'],
        shellEnvironment({ HOLDFAST_PORT: '0' }),
      );
      const url = await served.url();
      const client = await served.call('a');
      served.child.stdin?.write('\x03');
      await eventually('it says what it waits for', () =>
        served.output.includes('Waiting for 1 call to end.'),
      );
      expect(await readinessOf(url)).toBe(503);
      await converse(client, 'still here');
      expect(served.output).not.toContain('Ending 1 call');
      client.send({ close: true });
      expect(await client.closed).toMatchObject({ code: 1000 });
      await served.exited;
    },
  );

  it('says in one line what to do about a port that is taken', { timeout: BOUND_MS }, async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => void taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const served = holdfast('api-server', '--port', String(port));
    expect(await served.exited).toBe(1);
    expect(served.stderr).toBe(
      `holdfast: 127.0.0.1:${port} is in use. Stop what listens there, or choose another port with --port (0 takes a free one).\n`,
    );
    taken.close();
  });

  it.each([
    [['api-server', '--model', 'foo'], "There is no model 'foo'"],
    [['api-server', '--port', 'x'], "option '--port <port>' argument 'x' is invalid"],
    [['api-server', '--drain-timeout', '-1'], 'Give a number of seconds'],
    [['sing'], "unknown command 'sing'"],
  ])('a wrong command line ends with 2 and words: %j', { timeout: BOUND_MS }, async (parameters, words) => {
    const served = holdfast(...parameters);
    expect(await served.exited).toBe(2);
    expect(served.stderr).toMatch(/^holdfast: /);
    expect(served.stderr).toContain(words);
  });
});
