import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addServeOptions } from '../src/cli/serve-options.ts';
import { WORKER_PATIENCE_MS } from '../src/cli/workers/worker-group.ts';
import { SERVER_CLOSE_TIMEOUT_MS } from '../src/server/index.ts';
import { GRACE_MARGIN_S, graceNeededS, platforms } from './deploy/platform-files.ts';
import { CHECKOUT, shellEnvironment } from './support/checkout.ts';
import { TestClient } from './support/live-server.ts';
import { startService } from './support/process.ts';
import { runProgram } from './support/run-program.ts';

// docs/operating.md: what it says of flags, files, seconds and the log is what there is.

const BOUND_MS = 60_000;

const page = readFileSync(join(CHECKOUT, 'docs/operating.md'), 'utf8');

/** Flags of other programs that the page names, the drill among them. */
const OTHER_PROGRAMS = ['--balancer', '--stop-timeout', '--init', '--grace-period', '--help'];

interface PlatformRow {
  readonly platform: string;
  readonly graceS: number;
  readonly mostS: number;
  readonly preStopS: number;
  readonly preDrainDelayS: number;
  readonly drainTimeoutS: number;
  readonly neededS: number;
}

/** The rows of the page's table of platforms. */
function platformRows(): PlatformRow[] {
  const [, table = ''] = /^\| platform .*\n\|[-| ]+\|\n((?:\|.*\n)+)/m.exec(page) ?? [];
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [, platform = '', , , most, preStop, delay, drain, needed, set] = line
        .split('|')
        .map((cell) => cell.trim());
      return {
        platform,
        graceS: Number(set),
        mostS: most === 'any' ? Infinity : Number(most),
        preStopS: Number(preStop),
        preDrainDelayS: Number(delay),
        drainTimeoutS: Number(drain),
        neededS: Number(needed),
      };
    });
}

describe('docs/operating.md', () => {
  it('names flags that there are', () => {
    const known = addServeOptions(new Command()).options.map(({ long }) => long ?? '');
    const named = new Set(page.match(/(?<![\w-])--[a-z][a-z-]+/g));
    expect(named.size).toBeGreaterThan(5);
    expect([...named].filter((flag) => ![...known, ...OTHER_PROGRAMS].includes(flag))).toEqual([]);
  });

  it('links to files that there are, and to commands', () => {
    const links = [...page.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !existsSync(join(CHECKOUT, 'docs', link)))).toEqual([]);
    const { scripts } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const [, script = ''] of page.matchAll(/npm run ([\w-]+)/g)) expect(scripts).toHaveProperty(script);
  });

  it('tells what each part of a drain takes', () => {
    const secondsOf = (part: string): number =>
      Number(new RegExp(`^\\| ${part} .*\\|\\s*([\\d.]+) *\\|$`, 'm').exec(page)?.[1]);
    expect(secondsOf('close')).toBe(SERVER_CLOSE_TIMEOUT_MS / 1_000);
    expect(secondsOf('margin')).toBe(GRACE_MARGIN_S);
    expect(page).toContain(`With \`--workers\` add ${WORKER_PATIENCE_MS / 1_000} s`);
  });

  it('adds up for every platform', () => {
    const rows = platformRows();
    expect(rows.map(({ platform }) => platform)).toEqual(expect.arrayContaining(Object.keys(platforms())));
    for (const row of rows) {
      expect(row.neededS).toBe(graceNeededS(row));
      expect(row.graceS).toBeGreaterThanOrEqual(row.neededS);
      expect(row.graceS).toBeLessThanOrEqual(row.mostS);
    }
  });

  it.each(Object.entries(platforms()))('tells of %s what stands in its file', (name, platform) => {
    expect(platformRows().find((row) => row.platform === name)).toMatchObject(platform);
  });

  it('shows the log of a drain as it is', { timeout: BOUND_MS }, async () => {
    const [, shown = ''] = /^## What a drain looks like\n.*?```json\n(.*?)```/ms.exec(page) ?? [];
    await using server = await startService([
      ...['api-server', '--port', '0', '--pre-drain-delay', '1', '--drain-timeout', '3'],
    ]);
    const { process, url } = server;
    const call = async (id: string): Promise<TestClient> => {
      await fetch(`${url}/apps/default/users/ann/sessions/${id}`, { method: 'POST' });
      const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=ann&session_id=${id}`;
      return new TestClient(live).opened();
    };
    const short = await call('s-1');
    await call('s-2');
    process.signal('SIGTERM');
    await process.line(/"msg":"draining"/);
    // The first one hangs up when new calls are refused; the other one is cut.
    await process.line(/"stage":"refusing"/);
    short.socket.close(1_000);
    expect(await process.exit()).toEqual({ status: 1, signal: null });
    // What is written down is what is said, but for the moments and how long things took.
    const steady = (line: string): string => line.replaceAll(/"(time|\w+Ms)":\d+/g, '"$1":0');
    const from = process.lines.findIndex((line) => line.includes('"msg":"draining"'));
    const said = process.lines.slice(from).filter((line) => line !== '');
    expect(shown.trim().split('\n').map(steady)).toEqual(said.map(steady));
  });
});

describe('npm run drain-drill', () => {
  it('says what it does, and refuses what it does not know', async () => {
    const run = (...parameters: readonly string[]): ReturnType<typeof runProgram> =>
      runProgram(process.execPath, ['test/drain-drill/main.ts', ...parameters], {
        cwd: CHECKOUT,
        env: shellEnvironment(),
      });
    const help = await run('--help');
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('npm run drain-drill');
    expect(await run('--only', 'nothing')).toMatchObject({ status: 2, stdout: '' });
    expect(await run('nosuchvariant')).toMatchObject({ status: 2 });
  });
});
