import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { ProcessUnderTest, serviceOf, startHoldfast } from '../support/process.ts';

// The checkout's own command, with npm between the signal and the server.

const { findScript } = createRequire(import.meta.url)('../../scripts/system-programs.cjs') as {
  findScript(): string | undefined;
};

const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');

/** A build may come first, and a call of ten seconds is waited for. */
const BOUND_MS = 120_000;
const ON_ANY_PORT = { env: { HOLDFAST_PORT: '0' } };
const CTRL_C = '\u0003';

async function speakTo(url: string): Promise<ProcessUnderTest> {
  const call = startHoldfast(['call', url, '--verify', 'echo', '--wav', SPOKEN]);
  await call.line(/sent [1-9]/);
  return call;
}

async function expectGood(call: ProcessUnderTest): Promise<void> {
  const { status } = await call.exit();
  expect({ status, said: status === 0 ? '' : call.text }).toEqual({ status: 0, said: '' });
}

describe.concurrent('npm start', () => {
  it('prints its address, and serves the page there', { timeout: BOUND_MS }, async () => {
    await using service = await serviceOf(ProcessUnderTest.start('npm', ['start'], ON_ANY_PORT));
    const page = await fetch(service.url);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await page.text()).toMatch(/<title>[^<]*Holdfast[^<]*<\/title>/);
    expect(await (await fetch(`${service.url}/list-apps`)).json()).toEqual(['default']);
    service.process.signal('SIGTERM');
    expect(await service.process.exit()).toEqual({ status: 0, signal: null });
  });

  it(
    'D4 lets the call go on when npm is told TERM, and exits 0 after it',
    { timeout: BOUND_MS },
    async () => {
      await using service = await serviceOf(ProcessUnderTest.start('npm', ['start'], ON_ANY_PORT));
      await using call = await speakTo(service.url);
      service.process.signal('SIGTERM');
      await service.process.line(/"msg":"draining"/);
      expect(call.isRunning).toBe(true);
      await expectGood(call);
      expect(await service.process.exit()).toEqual({ status: 0, signal: null });
      await expect(fetch(`${service.url}/health`)).rejects.toThrow('fetch failed');
    },
  );

  it(
    'D4 lets the call go on after one Ctrl-C, says what it waits for, and exits 0 after it',
    { timeout: BOUND_MS },
    async () => {
      // -e: the exit code is that of the command. `exec`, because a shell between them (dash, where SHELL is not
      // set) takes the Ctrl-C too and then reports 130, whatever its command exits with.
      const terminal = ProcessUnderTest.start(
        findScript() ?? 'script',
        ['-qfec', 'exec npm start', '/dev/null'],
        ON_ANY_PORT,
      );
      await using service = await serviceOf(terminal);
      await using call = await speakTo(service.url);
      terminal.type(CTRL_C);
      await terminal.line(/Waiting for 1 call to end\. Ctrl-C again to end it now\./);
      expect((await fetch(`${service.url}/ready`)).status).toBe(503);
      await expectGood(call);
      expect(await terminal.exit()).toEqual({ status: 0, signal: null });
      expect(terminal.text).not.toContain('Ending');
      await terminal.line(/^The call has ended by itself, after \d+ s\.$/);
    },
  );
});
