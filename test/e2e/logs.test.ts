import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startService } from '../support/process.ts';

// What a server with its keys in the environment writes to its log, where an agent gives them away.

const SECRET = 'plum tree/orchard';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-'));
  await mkdir(join(folder, 'leaky'));
  await writeFile(
    join(folder, 'leaky', 'agent.js'),
    'throw new Error("GET /v1?q=" + encodeURIComponent(process.env.PLUM_API_KEY) + " with " + process.env.PLUM_API_KEY);',
  );
});

afterAll(async () => rm(folder, { recursive: true }));

it('has no key of the environment in it, however it is spelled', { timeout: 60_000 }, async () => {
  await using service = await startService(['api-server', folder, '--port', '0', '--store', 'memory'], {
    env: { PLUM_API_KEY: SECRET },
  });
  const { process } = service;
  await process.line(/"msg":"agent not loaded"/);
  process.signal('SIGTERM');
  expect((await process.exit()).status).toBe(0);
  expect(process.text).toContain('GET /v1?q=[redacted] with [redacted]');
  expect(process.text).not.toContain('plum');
});
