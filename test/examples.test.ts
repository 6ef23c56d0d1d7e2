import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GeminiEmulator } from '../src/testing/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { EXAMPLES, exampleFiles, promisedLines } from './support/examples.ts';
import { ProcessUnderTest, runHoldfast, serviceOf, startHoldfast, startService } from './support/process.ts';
import type { Service } from './support/process.ts';

// Every example as a user runs it: a process of its own, importing the built package by its name.

const BOUND_MS = 60_000;
const HELLO = join(CHECKOUT, 'test/fixtures/hello.wav');
const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');

/** As on a machine without a key, whatever this one has. */
const NO_KEY = { GEMINI_API_KEY: '', GOOGLE_API_KEY: '', GOOGLE_GEMINI_BASE_URL: '' };

const folder = mkdtempSync(join(tmpdir(), 'holdfast-examples-'));
let provider: GeminiEmulator;
beforeAll(async () => {
  provider = await GeminiEmulator.start({ playbackSpeed: 20 });
});
afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

type Environment = Readonly<Record<string, string>>;

/** As on a machine with a key, of a provider that is an emulator. */
function withKeyOf({ url }: GeminiEmulator): Environment {
  return { ...NO_KEY, GEMINI_API_KEY: 'any', GOOGLE_GEMINI_BASE_URL: url };
}

function start(file: string, parameters: readonly string[], env: Environment): ProcessUnderTest {
  const program = [join(EXAMPLES, file), ...parameters];
  return ProcessUnderTest.start(process.execPath, program, { cwd: folder, env: { ...NO_KEY, ...env } });
}

function serve(file: string): Promise<Service> {
  return serviceOf(start(file, [], { PORT: '0' }));
}

/** It ended well, has said nothing it should not have, and has left no process behind. */
async function expectCleanEnd(example: ProcessUnderTest): Promise<void> {
  const { status, signal } = await example.exit();
  expect({ status, signal, complained: example.complained }).toEqual({
    status: 0,
    signal: null,
    complained: [],
  });
  expect(example.hasLeftovers).toBe(false);
}

/** Runs an example to its end and compares what it prints with what its head promises. */
async function expectPromise(
  file: string,
  parameters: readonly string[] = [],
  env: Environment = {},
): Promise<void> {
  await using example = start(file, parameters, env);
  await expectCleanEnd(example);
  expect(example.printed).toEqual(promisedLines(file));
}

async function call(url: string, ...parameters: readonly string[]): Promise<void> {
  const { status, text } = await runHoldfast(['call', url, ...parameters]);
  expect({ status, said: status === 0 ? '' : text }).toEqual({ status: 0, said: '' });
}

/** How each example is proven. */
const PROOFS: Readonly<Record<string, () => Promise<void>>> = {
  'hello.ts': () => expectPromise('hello.ts'),
  'tools.ts': () => expectPromise('tools.ts'),
  'mcp-tools.ts': () => expectPromise('mcp-tools.ts'),
  'agents-handing-over.ts': () => expectPromise('agents-handing-over.ts'),
  'agent-session.ts': () => expectPromise('agent-session.ts'),
  'cancelling.ts': () => expectPromise('cancelling.ts'),
  'client.ts': () => expectPromise('client.ts'),
  'provider-fails.ts': () => expectPromise('provider-fails.ts'),

  'speak-wav.ts': async () => {
    await expectPromise('speak-wav.ts', [HELLO, 'answer.wav']);
    expect(readFileSync(join(folder, 'answer.wav')).toString('latin1', 0, 4)).toBe('RIFF');
  },

  'own-server.ts': async () => {
    await using server = await serve('own-server.ts');
    expect(await (await fetch(server.url)).text()).toBe('This is my own server.\n');
    expect(await (await fetch(`${server.url}/agents/list-apps`)).json()).toEqual(['parrot']);
    for (const wire of ['holdfast', 'adk']) {
      await call(
        `${server.url}/agents`,
        '--wire',
        wire,
        '--app',
        'parrot',
        '--verify',
        'echo',
        '--wav',
        HELLO,
      );
    }
    server.process.signal('SIGTERM');
    await expectCleanEnd(server.process);
    expect(server.process.printed).toEqual([`listening on ${server.url}`, 'stopped, calls cut: 0']);
  },

  'graceful-shutdown.ts': async () => {
    await using server = await serve('graceful-shutdown.ts');
    await using spoken = startHoldfast(['call', server.url, '--verify', 'echo', '--wav', SPOKEN]);
    await spoken.line(/sent [1-9]/);
    // A Ctrl-C under npm: it comes twice and counts once.
    server.process.signal('SIGINT');
    server.process.signal('SIGTERM');
    await server.process.line(/^draining, calls under way: 1$/);
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    const { status } = await spoken.exit();
    expect({ status, said: status === 0 ? '' : spoken.text }).toEqual({ status: 0, said: '' });
    await expectCleanEnd(server.process);
    expect(server.process.printed.at(-1)).toBe('drained, calls cut: 0');
  },

  'agents/bakery/agent.ts': async () => {
    const flags = ['--port', '0', '--model', 'gemini:gemini-2.5-flash'];
    await using server = await startService(['web', join(EXAMPLES, 'agents'), ...flags], {
      env: withKeyOf(provider),
    });
    expect(server.process.printed).toEqual([`Holdfast is listening on ${server.url}`]);
    expect(await (await fetch(`${server.url}/list-apps`)).json()).toEqual(['bakery']);
    await call(server.url, '--text', 'call reserve {"bread":"spelt","caller":"Ada"}');
    await call(server.url, '--text', 'call stock {"bread":"spelt"}');
    const sessions = `${server.url}/apps/bakery/users/user/sessions`;
    const stored = (await (await fetch(sessions)).json()) as { id: string; state: unknown }[];
    expect(stored.map(({ state }) => state)).toContainEqual({ reserved: { bread: 'spelt', caller: 'Ada' } });
    const told = await Promise.all(stored.map(async ({ id }) => (await fetch(`${sessions}/${id}`)).text()));
    expect(told.join('\n')).toContain('{"bread":"spelt","left":0}');
    server.process.signal('SIGTERM');
    expect(await server.process.exit()).toEqual({ status: 0, signal: null });
    expect(server.process.hasLeftovers).toBe(false);
  },
};

describe.concurrent('an example', () => {
  it.each(Object.entries(PROOFS))(
    '%s does what its head says',
    { timeout: BOUND_MS },
    async (_file, prove) => {
      expect.hasAssertions();
      await prove();
    },
  );

  it('hello.ts does the same over the wire of Gemini, given a key', { timeout: BOUND_MS }, async () => {
    expect.hasAssertions();
    await expectPromise('hello.ts', [], withKeyOf(provider));
  });

  it('cancelling.ts says goodbye to Gemini, given a key', { timeout: BOUND_MS }, async () => {
    await using own = await GeminiEmulator.start();
    await expectPromise('cancelling.ts', [], withKeyOf(own));
    await own.waitFor(() => own.sockets === 0);
    const endings = [...own.connections].map(({ ending }) => ending);
    // The other two may have been left before they were connected.
    expect(endings).toContainEqual({ by: 'client', code: 1000, reason: 'consumer_left' });
    expect(endings).toContainEqual({ by: 'client', code: 1000, reason: 'user_initiated' });
  });

  it('speak-wav.ts saves what a Gemini model answers, given a key', { timeout: BOUND_MS }, async () => {
    await using example = start('speak-wav.ts', [HELLO, 'gemini.wav'], withKeyOf(provider));
    await expectCleanEnd(example);
    expect(example.printed.at(-1)).toMatch(/^gemini\.wav: \d\.\d s of answer$/);
  });
});

describe('examples/', () => {
  it('holds no program without a proof, and no proof is of a program that is gone', () => {
    expect(Object.keys(PROOFS).sort()).toEqual(exampleFiles());
  });

  it('has a row in its README for each program, and no other', () => {
    const page = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
    const rows = [...page.matchAll(/^\| \[(.+?)\]\((.+?)\) +\| (\S.*?) +\| (\S.*?) +\|$/gm)];
    expect(rows.map(([, name = '']) => name).sort()).toEqual(exampleFiles());
    for (const [, name, target] of rows) expect(target).toBe(name);
  });

  it('shares nothing between its programs: each is to be copied', () => {
    const relative = exampleFiles().filter((file) =>
      /from '\.{1,2}\//.test(readFileSync(join(EXAMPLES, file), 'utf8')),
    );
    expect(relative).toEqual([]);
  });
});
