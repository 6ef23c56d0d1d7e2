import { describe, expect, it } from 'vitest';
import { WIRES, relaysOf } from '../bench/wires.ts';
import { CHECKOUT, shellEnvironment } from './support/checkout.ts';
import { runProgram } from './support/run-program.ts';

const BENCH_BOUND_MS = 180_000;

interface BenchJson {
  readonly machine: { readonly node: string; readonly cores: number };
  readonly relay: readonly Row[];
  readonly capacity: readonly Row[];
  readonly idle: readonly Row[];
  readonly crowd: readonly (Row & { readonly idleSessions: number; readonly talkingSessions: number })[];
  readonly 'long-call': readonly (Row & { readonly heapKb: readonly number[] })[];
  readonly close: readonly { readonly state: string; readonly overrun: readonly string[] }[];
  readonly programs: readonly { readonly name: string; readonly pid: number; readonly exit?: string }[];
}

interface Row {
  readonly wire: string;
  readonly relay?: string;
  readonly sessions?: number;
  readonly left: number;
  readonly spoiledFrames?: number;
  readonly toNaive?: number;
  readonly toBare?: number;
}

const run = (...options: string[]): ReturnType<typeof runProgram> =>
  runProgram(process.execPath, ['bench/main.ts', ...options], { cwd: CHECKOUT, env: shellEnvironment() });

const everyRelay = WIRES.flatMap((wire) => relaysOf(wire).map((relay) => `${wire.id} ${relay}`));
const nameOf = ({ wire, relay }: Row): string => `${wire} ${relay}`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const json = async (...options: string[]): Promise<BenchJson> => {
  const { status, stdout, stderr } = await run('--quick', '--json', ...options);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const results = JSON.parse(stdout) as BenchJson;
  expect(results.machine.node).toMatch(/^v\d+/);
  const { programs } = results;
  expect(programs.length).toBeGreaterThan(1);
  expect(programs.filter(({ exit, pid }) => exit !== '0' || isAlive(pid))).toEqual([]);
  return results;
};

describe('npm run bench', () => {
  it(
    'measures the relay on every wire beside the bare ones, spoils no frame and leaves nothing behind',
    async () => {
      const { relay } = await json('--only', 'relay', '--sessions', '2');
      expect(relay.map(nameOf)).toEqual(everyRelay);
      for (const row of relay) {
        expect({ ...row, name: nameOf(row) }).toMatchObject({
          name: nameOf(row),
          spoiledFrames: 0,
          left: 0,
          toNaive: expect.any(Number) as number,
          toBare: expect.any(Number) as number,
        });
      }
    },
    BENCH_BOUND_MS,
  );

  it(
    'finds the capacity, the memory of idle sessions, of a crowd and of a long call, and how long closes take',
    async () => {
      const wire = 'adk-gemini';
      const parts = ['capacity', 'idle', 'crowd', 'long-call', 'close'].flatMap((part) => ['--only', part]);
      const results = await json(...parts, '--wire', wire, '--crowd', '12,3');
      const ofWire = everyRelay.filter((name) => name.startsWith(wire));
      expect(results.capacity.map(nameOf)).toEqual(ofWire);
      expect(results.idle.map(nameOf)).toEqual(ofWire);
      expect(results.crowd.map(nameOf)).toEqual(ofWire);
      for (const { idleSessions, talkingSessions } of results.crowd) {
        expect({ idleSessions, talkingSessions }).toEqual({ idleSessions: 12, talkingSessions: 3 });
      }
      expect(results['long-call'].map(({ heapKb }) => heapKb.length)).toEqual([10]);
      for (const row of [...results.capacity, ...results.idle, ...results.crowd, ...results['long-call']]) {
        expect({ name: nameOf(row), left: row.left }).toEqual({ name: nameOf(row), left: 0 });
      }
      expect(results.close.map(({ state }) => state)).toEqual([
        'connecting',
        'waiting for setup',
        'idle',
        'streaming',
        'tool in flight',
        'half-open peer',
      ]);
    },
    BENCH_BOUND_MS,
  );

  it(
    'prints tables, and refuses options that make no sense',
    async () => {
      const table = await run('--quick', '--only', 'relay', '--wire', 'adk-gemini', '--sessions', '1');
      expect(table).toMatchObject({ status: 0, stderr: '' });
      expect(table.stdout).toMatch(/wire +relay +sessions +µs\/frame +÷ naive +÷ bare/);
      const help = await run('--help');
      expect(help).toMatchObject({ status: 0, stderr: '' });
      for (const part of ['relay', 'capacity', 'idle', 'crowd', 'long-call', 'close', 'profile']) {
        expect(help.stdout).toContain(part);
      }
      const wrongs = ['--only nothing', '--sessions 0', '--wire telegraph', '--seconds x', '--crowd 5'];
      for (const wrong of wrongs.map((options) => options.split(' '))) {
        const { status, stdout, stderr } = await run(...wrong);
        expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
        expect(stderr).toContain(wrong[0]);
      }
    },
    BENCH_BOUND_MS,
  );
});
