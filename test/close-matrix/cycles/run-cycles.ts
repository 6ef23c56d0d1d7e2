import { setImmediate as turn } from 'node:timers/promises';
import { describeError, seededRandom } from '../../../src/kernel/index.ts';
import { uncollected } from '../../support/garbage.ts';
import { playCycle } from './cycle.ts';
import type { CycleEnd } from './cycle.ts';
import { describePlan, planCycle } from './plan.ts';
import { MemoryWorld } from './memory-world.ts';
import type { World } from './world.ts';

export interface CyclesOptions {
  readonly seed: number;
  readonly cycles: number;
  /** Only this one of them, counted from 0. */
  readonly only?: number | undefined;
}

/** What many cycles came to. */
export interface CyclesResult {
  readonly world: string;
  readonly seed: number;
  readonly cycles: number;
  /** How often each step was named, that was abandoned, overran or failed. */
  readonly named: Readonly<Record<string, number>>;
  readonly longestMs: number;
  readonly tookMs: number;
  /** What was left behind when all were over. */
  readonly left: {
    readonly sockets: number;
    readonly timers: number;
    readonly sessions: number;
    readonly unhandled: number;
    readonly lateDials: number;
  };
  readonly problems: readonly string[];
}

/** Cycles have seeds of their own, so that one of them is the same whoever runs beside it. */
const SEED_STRIDE = 1_000_003;

/** Opens and closes calls with something stuck in them, and looks at what is left. */
export async function runCycles(world: World, { seed, cycles, only }: CyclesOptions): Promise<CyclesResult> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const startedAtMs = performance.now();
  const ends: (CycleEnd & { readonly index: number })[] = [];
  const problems: string[] = [];
  const waiting = Array.from({ length: cycles }, (_, index) => index)
    .filter((index) => only === undefined || index === only)
    .values();
  const work = async (): Promise<void> => {
    for (const index of waiting) {
      const random = seededRandom(seed * SEED_STRIDE + index);
      const plan = planCycle(random);
      const tell = (problem: string): void => {
        problems.push(`seed ${seed}, cycle ${index}: ${problem}\n   ${describePlan(plan)}`);
      };
      try {
        const end = await playCycle(plan, world, random);
        ends.push({ ...end, index });
        for (const problem of end.problems) tell(problem);
      } catch (error) {
        tell(describeError(error));
      }
    }
  };
  await Promise.all(Array.from({ length: world.atOnce }, work));
  await world.settle();
  const { sockets } = world;
  const kept = (await uncollected(ends.map(({ ref }) => ref))).map((at) => ends[at]?.index ?? at);
  await world.end();
  for (let turns = 0; turns < 5; turns += 1) await turn();
  process.off('unhandledRejection', note);
  const left = {
    sockets,
    timers: world.timers,
    sessions: kept.length,
    unhandled: unhandled.length,
    lateDials: world instanceof MemoryWorld ? world.lateDials : 0,
  };
  for (const [what, count] of Object.entries(left)) {
    if (count > 0) problems.push(`seed ${seed}: ${count} ${what} are left.`);
  }
  for (const index of kept) {
    problems.push(
      `seed ${seed}, cycle ${index}: its session is in memory.\n   ${describePlan(planCycle(seededRandom(seed * SEED_STRIDE + index)))}`,
    );
  }
  problems.push(...unhandled.map((reason) => `Not handled: ${describeError(reason)}.`));
  return {
    world: world.name,
    seed,
    cycles: ends.length,
    named: counted(ends.flatMap(({ named }) => named)),
    longestMs: Math.max(...ends.map(({ tookMs }) => tookMs)),
    tookMs: performance.now() - startedAtMs,
    left,
    problems,
  };
}

function counted(names: readonly string[]): Record<string, number> {
  const counts = [...Map.groupBy(names, (name) => name)].map(([name, own]) => [name, own.length] as const);
  return Object.fromEntries(counts.toSorted((one, other) => other[1] - one[1]));
}

/** The figures in a few lines. */
export function describeCycles({
  world,
  seed,
  cycles,
  named,
  longestMs,
  tookMs,
  left,
}: CyclesResult): string {
  const steps = Object.values(named).reduce((sum, count) => sum + count, 0);
  const leftovers = Object.entries(left)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
  return [
    `${cycles} cycles on ${world}, seed ${seed} (${(tookMs / 1_000).toFixed(1)} s)`,
    `  left behind: ${leftovers}`,
    `  steps that were named: ${steps}, of ${Object.keys(named).length} kinds; the longest close took ${Math.round(longestMs)} ms`,
  ].join('\n');
}
