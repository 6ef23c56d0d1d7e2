// Closes live sessions with something stuck in them, or throwing, in every way there is, and prints how each one did.

import process from 'node:process';
import { parseArgs, styleText } from 'node:util';
import { MemoryWorld } from './cycles/memory-world.ts';
import { describeCycles, runCycles } from './cycles/run-cycles.ts';
import type { CyclesOptions } from './cycles/run-cycles.ts';
import { SocketWorld } from './cycles/socket-world.ts';
import { writeMatrixPage } from './page.ts';
import { ROWS_AT_ONCE, playRows } from './play-rows.ts';
import type { RowResult } from './row.ts';
import { rows } from './rows.ts';
import { MatrixTable } from './table.ts';

const HELP = `Closes live sessions with something stuck in them, or throwing, over real sockets, and prints how each one did.

  npm run close-matrix                    the whole matrix
  npm run close-matrix -- tool drain      the rows that have all of these words in them
  npm run -s close-matrix -- --json       as JSON
  npm run close-matrix -- --cycles 1000   calls with stuck parts chosen at random instead of the rows

  --cycles <n>   opens and closes so many calls, on simulated sockets, with stuck parts, moments and ends at random
  --sockets      of these cycles: on loopback sockets, in real time
  --seed <n>     what they are chosen by (default: another one every time; it is printed)
  --only <n>     plays only this one of them, counted from 0

  --json         prints the results as JSON
  --at-once <n>  how many rows are played side by side (default ${ROWS_AT_ONCE})
  --page         writes the measured tables of docs/closing.md; not with words
  --help         this

Each row has a session of its own on emulated services. It fails where the close event comes late or twice, where a step
that is stuck is not named in the report and in one line of the log, where a socket is left, a rejection is not handled, or
the session stays in memory. Exit code 1 when a row has failed, 2 for wrong arguments.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      sockets: { type: 'boolean', default: false },
      cycles: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      'at-once': { type: 'string', default: `${ROWS_AT_ONCE}` },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const atOnce = numberOf('--at-once', values['at-once'], 1);
  if (values.cycles !== undefined) {
    return playCycles({
      isReal: values.sockets,
      cycles: numberOf('--cycles', values.cycles, 1),
      seed: values.seed === undefined ? Date.now() % 1_000_000 : numberOf('--seed', values.seed, 0),
      only: values.only === undefined ? undefined : numberOf('--only', values.only, 0),
      asJson: values.json,
    });
  }
  if (values.page && positionals.length > 0)
    throw new Error('--page writes the whole matrix, and takes no words.');
  const chosen = rows.filter(({ group, clause, name, end }) =>
    positionals.every((word) =>
      `${group} ${clause} ${name} ${end}`.toLowerCase().includes(word.toLowerCase()),
    ),
  );
  if (chosen.length === 0) throw new Error(`No row has '${positionals.join(' ')}' in it.`);

  const say = (text: string): void => {
    if (!values.json) process.stdout.write(`${text}\n`);
  };
  const table = new MatrixTable(chosen, (color, text) => styleText(color, text, { stream: process.stdout }));
  const startedAtMs = performance.now();
  let group = '';
  say(table.head());
  const results = await playRows(chosen, atOnce, (result) => {
    if (result.group !== group) say(table.group(result.group));
    group = result.group;
    say(table.row(result));
  });
  say(`\n${table.foot(results, performance.now() - startedAtMs)}`);
  if (values.json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  if (!results.every(({ ok }) => ok)) return 1;
  if (values.page) await writePage(results);
  return 0;
}

/** A figure that is so far above its bound, in milliseconds, tells of the machine, and is measured again. */
const MEASURED_NEAR_MS = 25;

/** How often, at most, and how many side by side: what else the process does is not to be measured. */
const MEASURES = 8;
const MEASURED_AT_ONCE = 2;

/** What the product takes, not what else the machine does. */
async function writePage(first: readonly RowResult[]): Promise<void> {
  const best = [...first];
  for (let count = 1; count < MEASURES; count += 1) {
    const far = rows.flatMap((row, index) => {
      const { tookMs, withinMs } = best[index] ?? { tookMs: 0, withinMs: 0 };
      return tookMs > withinMs + MEASURED_NEAR_MS ? [{ row, index }] : [];
    });
    const again = await playRows(
      far.map(({ row }) => row),
      MEASURED_AT_ONCE,
      () => undefined,
    );
    for (const [at, { index }] of far.entries()) {
      const [result, other] = [best[index], again[at]];
      if (result !== undefined && other?.ok === true && other.tookMs < result.tookMs) best[index] = other;
    }
  }
  writeMatrixPage(best);
}

/** @throws Error for what is no whole number, or too small. */
function numberOf(flag: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  throw new Error(`${flag} takes a whole number, ${least} or more.`);
}

async function playCycles(options: CyclesOptions & { isReal: boolean; asJson: boolean }): Promise<number> {
  const world = options.isReal ? await SocketWorld.open() : new MemoryWorld();
  const result = await runCycles(world, options);
  if (options.asJson) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  else {
    process.stdout.write(`${describeCycles(result)}\n`);
    for (const [step, count] of Object.entries(result.named)) {
      process.stdout.write(`  ${String(count).padStart(6)}  ${step}\n`);
    }
    for (const problem of result.problems) process.stdout.write(`${styleText('red', problem)}\n`);
  }
  return result.problems.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
