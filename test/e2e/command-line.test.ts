import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runHoldfast } from '../support/process.ts';

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
