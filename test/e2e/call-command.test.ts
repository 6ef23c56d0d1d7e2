import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { runHoldfast, startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

const HELLO = join(CHECKOUT, 'test/fixtures/hello.wav');
const BOUND_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-call-command-'));
let server: Service;
beforeAll(async () => {
  server = await startService(['api-server', '--port', '0']);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A port nobody listens on: it was free a moment ago. */
async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** Runs it, and expects one line that says what is wrong, without a stack. */
async function expectComplaint(parameters: readonly string[], status: number, says: RegExp): Promise<void> {
  const result = await runHoldfast(parameters);
  expect(result.status).toBe(status);
  const lines = result.lines.filter((line) => line !== '' && !line.startsWith('Add --help'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^holdfast/);
  expect(lines[0]).toMatch(says);
}

describe.concurrent('holdfast call says in one line what it cannot do', () => {
  it('a missing recording: 2', { timeout: BOUND_MS }, () =>
    expectComplaint(['call', server.url, '--wav', '/nowhere/question.wav'], 2, /\/nowhere\/question\.wav/),
  );

  it('a file that is no WAV: 2', { timeout: BOUND_MS }, async () => {
    const path = join(folder, 'notes.wav');
    writeFileSync(path, 'These are notes, and no recording at all.');
    await expectComplaint(['call', server.url, '--wav', path], 2, /WAV/);
  });

  it('neither a recording nor a text: 2', { timeout: BOUND_MS }, () =>
    expectComplaint(['call', server.url], 2, /--wav FILE or --text TEXT/),
  );

  it('a URL that is none: 2', { timeout: BOUND_MS }, () =>
    expectComplaint(['call', 'nonsense', '--text', 'Hello'], 2, /'nonsense' is no URL/),
  );

  it('a server that is not there: 1', { timeout: BOUND_MS }, async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await expectComplaint(['call', url, '--text', 'Hello'], 1, /is a server running there/);
  });

  it('an app the server does not have: 1, and which it has', { timeout: BOUND_MS }, () =>
    expectComplaint(['call', server.url, '--app', 'nobody', '--text', 'Hello'], 1, /'nobody'.*default/),
  );

  it('a wire nobody speaks: 2', { timeout: BOUND_MS }, () =>
    expectComplaint(['call', server.url, '--wire', 'morse', '--text', 'Hello'], 2, /holdfast, adk/),
  );

  it('a folder it cannot write to: 2, after the verdict', { timeout: BOUND_MS }, async () => {
    const result = await runHoldfast(['call', server.url, '--wav', HELLO, '--out', '/nowhere/answer.wav']);
    expect(result.status).toBe(2);
    expect(result.lines).toContain('good');
    expect(result.lines.at(-1)).toMatch(/^holdfast call: --out \/nowhere\/answer\.wav cannot be written/);
    expect(result.text).not.toMatch(/^\s+at /m);
  });
});
