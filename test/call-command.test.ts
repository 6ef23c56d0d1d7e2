import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { callCommand } from '../src/cli/call.ts';
import { echo } from '../src/models/echo/index.ts';
import { createServer } from '../src/server/index.ts';
import type { HoldfastServer } from '../src/server/index.ts';
import { Agent, AuthenticationError, ConnectionLostError } from '../src/session/index.ts';
import { parseWav } from '../src/speech/index.ts';
import { FaultProxy } from '../src/testing/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { ScriptedModel } from './support/scripted-model.ts';

const HELLO_WAV = join(CHECKOUT, 'test/fixtures/hello.wav');

let server: HoldfastServer;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-call-'));
  server = createServer({ agents: { default: new Agent({ name: 'assistant' }) }, model: echo() });
  ({ url } = await server.listen(0));
});

afterAll(async () => {
  await server.abort();
  await rm(folder, { recursive: true });
});

afterEach(() => {
  process.exitCode = undefined;
});

interface Result {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

async function call(...parameters: string[]): Promise<Result> {
  const out = vi.spyOn(console, 'log').mockReturnValue(undefined);
  const err = vi.spyOn(console, 'error').mockReturnValue(undefined);
  const program = new Command('holdfast');
  callCommand(program);
  const before = process.listeners('SIGINT');
  await program.parseAsync(['call', ...parameters], { from: 'user' });
  // A command listens to the end of its process, and this process runs a dozen of them.
  for (const each of process.listeners('SIGINT')) if (!before.includes(each)) process.off('SIGINT', each);
  const text = (spy: typeof out): string => spy.mock.calls.flat().join('\n');
  return { code: process.exitCode, out: text(out), err: text(err) };
}

describe('holdfast call', () => {
  it.each(['holdfast', 'adk'])('gets its own voice back from the echo over the %s wire', async (wire) => {
    const path = join(folder, `${wire}.wav`);
    const { code, out } = await call(
      url,
      '--wav',
      HELLO_WAV,
      '--wire',
      wire,
      '--verify',
      'echo',
      '--out',
      path,
    );
    expect(out).toMatch(/echo: correlation (1\.0000|0\.99\d\d), 0 gaps, 0 ms missing, 0 ms doubled\ngood$/);
    expect(code).toBe(0);
    const { rateHz, samples } = parseWav(await readFile(path));
    expect(rateHz).toBe(24_000);
    expect(samples.length).toBeGreaterThan(24_000 * 0.8);
  });

  it('C7 R8 gets its own voice back whole when its connection is cut while it speaks and while it listens', async () => {
    await using proxy = await FaultProxy.start({ target: url });
    const calling = call(proxy.url, '--wav', HELLO_WAV, '--verify', 'echo');
    const passed = (towards: 'toTarget' | 'toClient'): number =>
      [...proxy.connections].reduce((sum, link) => sum + link[towards].passed, 0);
    await proxy.waitFor(() => passed('toTarget') > 10_000);
    proxy.reset();
    const heard = passed('toClient');
    await proxy.waitFor(() => passed('toClient') > heard + 20_000);
    proxy.reset();
    const { code, out } = await calling;
    expect(out).toMatch(/echo: correlation (1\.0000|0\.99\d\d), 0 gaps, 0 ms missing, 0 ms doubled\ngood$/);
    expect(code).toBe(0);
    expect(proxy.connections.count).toBeGreaterThanOrEqual(4);
  });

  it.each(['holdfast', 'adk'])('has a text answered over the %s wire', async (wire) => {
    const { code, out } = await call(url, '--text', 'Hello there', '--wire', wire, '--json');
    expect(JSON.parse(out)).toMatchObject([{ text: 'Hello there', turns: 1, good: true }]);
    expect(code).toBe(0);
  });

  it('takes its flags from the environment too', async () => {
    process.env['HOLDFAST_CALL_TEXT'] = 'From outside';
    const { out, err } = await call(url, '--json');
    delete process.env['HOLDFAST_CALL_TEXT'];
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject([{ text: 'From outside' }]);
  });

  it('makes many calls at once and sums them up', async () => {
    const { code, out } = await call(url, '--text', 'Hello', '--sessions', '20');
    expect(out).toMatch(/turns +1 +1 +1 +1\n(.*\n)*20 of 20 calls good$/);
    expect(code).toBe(0);
  });

  it.each(['holdfast', 'adk'])(
    'says over the %s wire why the model cannot be reached, once and whole, and nothing that only follows',
    async (wire) => {
      const why = `There is no key. ${'Set one and start the server anew. '.repeat(4)}`.trim();
      const failing = createServer({
        agents: { default: new Agent({ name: 'assistant' }) },
        model: {
          ...echo(),
          connect: () => Promise.reject(new AuthenticationError(why, { provider: 'test' })),
        },
      });
      const { out } = await call((await failing.listen()).url, '--wire', wire, '--text', 'Hello');
      await failing.close();
      expect(out.split('\n').slice(1)).toEqual([
        expect.stringMatching(/^ {2}The server ended the call with \d{4}\.$/),
        `  HOLDFAST_AUTHENTICATION: ${why}`,
        'bad',
      ]);
    },
  );

  it('R9 call: tells a lost connection to the model in a line, when it happens', async () => {
    const model = new ScriptedModel();
    const losing = createServer({ agents: { default: new Agent({ name: 'assistant' }) }, model });
    const { url: where } = await losing.listen();
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const calling = call(where, '--text', 'Hello', '--timeout', '2');
    await expect.poll(() => model.connections[0]?.of('content').length).toBe(1);
    model.last.fail(new ConnectionLostError('Internal error', { provider: 'test' }));
    await calling;
    await losing.close();
    const lines = written.mock.calls.map(([text]) => String(text));
    written.mockRestore();
    expect(lines).toContain('connection lost (Internal error)\n');
    expect(lines.filter((line) => /^connect(ing|ed)/.test(line))).toEqual(
      lines.filter((line) => line.includes('attempt')),
    );
  });

  it('says what to do where it cannot call, and tells usage from failure by its exit code', async () => {
    const nobody = await call('http://127.0.0.1:9', '--text', 'x');
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringMatching(/is a server running there\?/)]);
    const noApp = await call(url, '--text', 'x', '--app', 'nothing');
    expect([noApp.code, noApp.err]).toEqual([1, expect.stringMatching(/404.*served are: default/)]);
    const noSession = await call(url, '--text', 'x', '--session', 'nothing');
    expect([noSession.code, noSession.out]).toEqual([1, expect.stringMatching(/Session not found/)]);
    const nothing = await call(url);
    expect([nothing.code, nothing.err]).toEqual([
      2,
      expect.stringMatching(/either --wav FILE or --text TEXT/),
    ]);
    const noFile = await call(url, '--wav', join(folder, 'none.wav'));
    expect([noFile.code, noFile.err]).toEqual([2, expect.stringMatching(/--wav .*none\.wav cannot be read/)]);
  });
});
