import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CHECKOUT, shellEnvironment } from '../support/checkout.ts';
import { TestClient, until } from '../support/live-server.ts';
import { ProcessUnderTest, startService } from '../support/process.ts';
import { runProgram } from '../support/run-program.ts';
import { tlsFile } from '../support/tls-fixture.ts';
import { dockerStages, instructionsOf, isIgnored } from './dockerfile.ts';
import type { Stage } from './dockerfile.ts';

// What the image does, without an engine that builds it: each step is run as it stands there, in folders of its own.

const BOUND_MS = 180_000;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  // Also for somebody who is not the one that runs the tests.
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

const [build, dependencies, image] = dockerStages() as [Stage, Stage, Stage];

/** `["node", "x"]` as its words. */
function execForm(text: string | undefined): string[] {
  return JSON.parse(text ?? 'null') as string[];
}

/** Runs a step of the Dockerfile with the Node of this checkout. */
async function runStep(step: string | undefined, cwd: string): Promise<void> {
  const PATH = `${dirname(process.execPath)}:${shellEnvironment().PATH}`;
  const run = await runProgram('sh', ['-c', step ?? 'false'], { cwd, env: shellEnvironment({ PATH }) });
  expect({ step, status: run.status, said: run.status === 0 ? '' : run.stderr }).toMatchObject({ status: 0 });
}

/** Who runs it: the user of the image where this one may become it, else who runs the tests. */
function asImageUser(): string[] {
  const [uid = '', gid = ''] = (instructionsOf(image, 'USER')[0] ?? '').split(':');
  const become = ['--reuid', uid, '--regid', gid, '--clear-groups', '--'];
  const tried = spawnSync('setpriv', [...become, process.execPath, '-v']);
  return tried.status === 0 ? ['setpriv', ...become] : [];
}

/** Runs the health check with these variables. */
function askHealth(env: Record<string, string>): Promise<{ status: number | null }> {
  const [, health] = /CMD (\[.*\])$/.exec(instructionsOf(image, 'HEALTHCHECK')[0] ?? '') ?? [];
  const [, ...check] = execForm(health);
  return runProgram(process.execPath, check, { cwd: tmpdir(), env });
}

describe('the Dockerfile', () => {
  it('lets signals reach node: exec form, no shell and no npm, SIGTERM, and nobody’s user', () => {
    const [entry] = instructionsOf(image, 'ENTRYPOINT');
    expect(execForm(entry)[0]).toBe('node');
    expect(execForm(instructionsOf(image, 'CMD')[0])).toEqual(['api-server']);
    expect(instructionsOf(image, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(instructionsOf(image, 'USER')[0]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('asks a server with a certificate how it is over TLS', { timeout: BOUND_MS }, async () => {
    const certificate = { HOLDFAST_TLS_CERT: tlsFile('cert.pem'), HOLDFAST_TLS_KEY: tlsFile('key.pem') };
    await using server = await startService(['api-server', '--port', '0', '--store', 'memory'], {
      env: certificate,
    });
    const HOLDFAST_PORT = new URL(server.url).port;
    expect(server.url).toMatch(/^https:/);
    expect(await askHealth({ ...certificate, HOLDFAST_PORT })).toMatchObject({ status: 0 });
    expect(await askHealth({ HOLDFAST_PORT })).toMatchObject({ status: 1 });
  });

  it('has a context with everything that the build reads', { timeout: BOUND_MS }, async () => {
    const context = makeFolder();
    const listed = spawnSync('git', ['ls-files', '-z'], { cwd: CHECKOUT, encoding: 'utf8' });
    // Of an archive there is no list; then all that is there is taken.
    const known = listed.status === 0 ? new Set(listed.stdout.split('\0')) : undefined;
    cpSync(CHECKOUT, context, {
      recursive: true,
      filter: (source) => {
        const path = source.slice(CHECKOUT.length + 1);
        if (path === '') return true;
        if (isIgnored(path) || path.split('/').includes('node_modules')) return false;
        return known === undefined || [...known].some((file) => file === path || file.startsWith(`${path}/`));
      },
    });
    for (const left of ['test', 'docs', '.git', 'src/index.test.ts', 'node_modules', '.env.local']) {
      expect({ left, isThere: existsSync(join(context, left)) }).toEqual({ left, isThere: false });
    }
    symlinkSync(join(CHECKOUT, 'node_modules'), join(context, 'node_modules'));
    await runStep(instructionsOf(build, 'RUN').at(-1), context);
    expect(existsSync(join(context, 'dist/cli/main.js'))).toBe(true);
    expect(existsSync(join(context, 'dist/ui/index.html'))).toBe(true);
  });

  it(
    'D1 makes an image whose server runs on its dependencies alone, and drains when it is told to stop',
    { timeout: BOUND_MS },
    async () => {
      const app = makeFolder();
      for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
        cpSync(join(CHECKOUT, file), join(app, file));
      }
      await runStep(instructionsOf(dependencies, 'RUN')[0], app);
      cpSync(join(CHECKOUT, 'dist'), join(app, 'dist'), { recursive: true });
      const state = join(app, 'state');
      mkdirSync(state);
      chmodSync(state, 0o777);

      const env = Object.fromEntries(
        instructionsOf(image, 'ENV').map((line) => line.split('=', 2) as [string, string]),
      );
      const token = 'a-token-of-the-tests';
      const changed = {
        ...env,
        HOLDFAST_PORT: '0',
        HOLDFAST_STORE: `sqlite:${state}/sessions.sqlite`,
        HOLDFAST_AUTH_TOKEN: token,
      };
      const command = [
        ...execForm(instructionsOf(image, 'ENTRYPOINT')[0]),
        ...execForm(instructionsOf(image, 'CMD')[0]),
      ].map((word) => (word === 'node' ? process.execPath : word));
      const [program = '', ...parameters] = [...asImageUser(), ...command];
      await using server = ProcessUnderTest.start(program, parameters, { cwd: app, env: changed });
      const [, port = ''] = await server.line(/listening on http:\/\/0\.0\.0\.0:(\d+)/);
      const url = `http://127.0.0.1:${port}`;

      const probe = (of: string): Promise<{ status: number | null }> => askHealth({ HOLDFAST_PORT: of });
      expect(await probe(port)).toMatchObject({ status: 0 });

      const headers = { authorization: `Bearer ${token}` };
      await fetch(`${url}/apps/default/users/u/sessions/s`, { method: 'POST', headers });
      const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=s`;
      const client = await new TestClient(live, [], headers).opened();
      // `setpriv` has become node: the signal goes to the process that was started.
      server.signal('SIGTERM');
      await server.line(/"msg":"draining"/);
      client.sendText('Still there?');
      await until('the call goes on', () => client.having('turnComplete').length > 0);
      client.socket.close(1_000);
      expect(await server.exit()).toEqual({ status: 0, signal: null });
      expect(await probe(port)).toMatchObject({ status: 1 });
    },
  );
});
