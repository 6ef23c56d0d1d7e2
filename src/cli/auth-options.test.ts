import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { Lifetime } from '../kernel/index.ts';
import { authenticatorsOf } from './auth-options.ts';
import { addServeOptions } from './serve-options.ts';
import type { ServeFlags } from './serve-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-auth-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const owner = Lifetime.root({ name: 'server' });
const TOKEN = 'one-token-0123456789';
const OTHER = 'other-token-0123456789';

/** The flags of a command line, in an environment. */
async function flagsOf(parameters: string[], environment: Record<string, string> = {}): Promise<ServeFlags> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    let flags: ServeFlags | undefined;
    const program = new Command().exitOverride();
    addServeOptions(program.command('web')).action((_dir, given: ServeFlags) => {
      flags = { ...given };
    });
    await program.parseAsync(['web', ...parameters], { from: 'user' });
    return flags!;
  } finally {
    process.env = before;
  }
}

describe('the flags of authentication', () => {
  it('ask for nothing when there are none, or only empty variables', async () => {
    expect(authenticatorsOf(await flagsOf([]))).toEqual([]);
    expect(
      authenticatorsOf(
        await flagsOf([], { HOLDFAST_AUTH_TOKEN: '', HOLDFAST_JWKS_URL: '', HOLDFAST_JWT_ALGORITHMS: '' }),
      ),
    ).toEqual([]);
  });

  it('take tokens from the variable and from a file with notes', async () => {
    const path = file('tokens', `# ours\n${TOKEN}  # until May\n\n${OTHER}\r\n`);
    for (const flags of [
      await flagsOf(['--auth-token-file', path]),
      await flagsOf([], { HOLDFAST_AUTH_TOKEN: TOKEN, HOLDFAST_AUTH_TOKEN_FILE: file('other', OTHER) }),
    ]) {
      const [check] = authenticatorsOf(flags).map((each) => each.open(owner));
      expect(check?.(TOKEN)).toMatchObject({ users: 'all' });
      expect(check?.(OTHER)).toMatchObject({ users: 'all' });
      expect(() => check?.('a-third-token-0123456789')).toThrow(/not known/);
    }
  });

  it.each([
    [['--auth-token', 'short'], /at least 16/],
    [['--auth-token-file', join(folder, 'missing')], /cannot be read/],
    [['--auth-token-file', file('empty', '# nothing\n')], /holds no token/],
    [['--jwt-secret', 'hunter2'], /at least 32 bytes/],
    [['--jwt-issuer', 'me'], /need one of --jwks-url/],
    [['--jwks-url', 'https://a.example/keys'], /issuer and an audience/],
  ])('refuse %j in words, without the secret', async (parameters, words) => {
    const flags = await flagsOf(parameters);
    const attempt = (): unknown => authenticatorsOf(flags);
    expect(attempt).toThrow(words);
    expect(attempt).not.toThrow(/hunter2/);
  });

  it.each([
    ['false', undefined],
    ['0', undefined],
    ['', undefined],
    ['true', true],
    ['1', true],
  ])('take HOLDFAST_INSECURE_NO_AUTH=%s by what it says', async (value, expected) => {
    const environment = { HOLDFAST_INSECURE_NO_AUTH: value };
    expect((await flagsOf([], environment)).insecureNoAuth).toBe(expected);
    expect((await flagsOf(['--insecure-no-auth'], environment)).insecureNoAuth).toBe(true);
  });
});
