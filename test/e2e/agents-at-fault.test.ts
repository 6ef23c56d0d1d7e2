import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HOLDFAST, ProcessUnderTest, runHoldfast, startService } from '../support/process.ts';

// What the agents of a folder do to the server that has them.

const BOUND_MS = 90_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-at-fault-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function agents(app: string, source: string): string {
  mkdirSync(join(folder, app, app), { recursive: true });
  writeFileSync(join(folder, app, app, 'agent.ts'), source);
  return join(folder, app);
}

const FORGETFUL = `
import { Agent, echo } from 'holdfast';
export const rootAgent = new Agent({
  name: 'forgetful',
  model: echo(),
  onEnter: () => {
    void Promise.reject(new Error('forgotten by its agent'));
  },
});
`;

const SLOW = `
process.stderr.write('agents are being loaded\\n');
await new Promise((resolve) => setTimeout(resolve, 600_000));
`;

const WORKERS = ['--workers', '2', '--store', `sqlite:${join(folder, 'sessions.sqlite')}`];

describe.concurrent('an agent', () => {
  it('that forgets a promise ends no call, and no server', { timeout: BOUND_MS }, async () => {
    await using server = await startService(['api-server', agents('forgetful', FORGETFUL), '--port', '0']);
    const call = await runHoldfast(['call', server.url, '--app', 'forgetful', '--text', 'hello']);
    expect({ status: call.status, last: call.lines.at(-1) }).toEqual({ status: 0, last: 'good' });
    expect(server.process.text).toContain('forgotten by its agent');
    server.process.signal('SIGTERM');
    expect(await server.process.exit()).toEqual({ status: 0, signal: null });
  });

  // The first process of a container hears only the signals that it listens to.
  it.each([
    ['SIGTERM', 'the process', []],
    ['SIGINT', 'the process', []],
    ['SIGTERM', 'the process', WORKERS],
    ['SIGINT', 'the group', WORKERS],
  ] as const)(
    'that takes long to load keeps no server from hearing %s to %s, with %j',
    { timeout: BOUND_MS },
    async (signal, whom, flags) => {
      const command = [HOLDFAST, 'api-server', agents('slow', SLOW), '--port', '0', ...flags];
      await using server = ProcessUnderTest.start(process.execPath, command);
      await server.line(/agents are being loaded/);
      if (whom === 'the group') process.kill(-server.pid, signal);
      else server.signal(signal);
      expect(await server.exit()).toEqual({ status: 0, signal: null });
    },
  );
});
