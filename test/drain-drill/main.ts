// Restarts real servers behind a real balancer under real calls, then puts things in the way of a drain, and prints what
// became of the calls.

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs, styleText } from 'node:util';
import { BALANCER_NAMES } from './drill-balancer.ts';
import { rollingRestart } from './rolling-restart.ts';
import type { Problem } from './rolling-restart.ts';
import { SpokenFrames } from './spoken-frames.ts';
import { Timeline, seconds } from './timeline.ts';
import { playVariant } from './variant.ts';
import type { Scale } from './variant.ts';
import { variants } from './variants.ts';

const HELP = `Restarts two servers behind a balancer, one after the other, while calls are under way and new ones keep coming; then puts
things in the way of a drain. Prints a timeline and whether every promise was kept.

  npm run drain-drill                      everything: some three minutes
  npm run drain-drill -- --only restart    the rolling restart
  npm run drain-drill -- --only variants   what is in the way of a drain
  npm run drain-drill -- tool signal       the variants with one of these words in them

  --calls <n>            calls under way during the restart (default 200), over both wires in turn
  --talking <n>          how many of them stream a microphone, 50 frames a second (default a fifth); the others write
  --balancer <name>      haproxy (the default) or nginx, which needs no --pre-drain-delay
  --clients <n>          processes the clients are divided among (default 2)
  --drain-timeout <s>    --drain-timeout of the servers during the restart (default 60)
  --pre-drain-delay <s>  --pre-drain-delay of the servers during the restart (default 3)
  --longest-call <s>     no call of the restart lasts longer, but for its last answer (default 40)
  --idle <n>             sessions of the variant with idle ones (default 1000)
  --help                 this

A call counts as cut when it ends otherwise than by its client, or when an answer is missing, is not what was said, or has
a gap. Exit code 1 when a promise was broken, 2 for wrong arguments.
`;

/** Between the answer and the next sentence of a call that writes. */
const SAY_EVERY_MS = 3_000;

/** No call of the restart is shorter. */
const SHORTEST_CALL_MS = 8_000;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      calls: { type: 'string', default: '200' },
      talking: { type: 'string' },
      balancer: { type: 'string', default: 'haproxy' },
      clients: { type: 'string', default: '2' },
      'drain-timeout': { type: 'string', default: '60' },
      'pre-drain-delay': { type: 'string', default: '3' },
      'longest-call': { type: 'string', default: '40' },
      idle: { type: 'string', default: '1000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const only = positionals.length > 0 ? 'variants' : (values.only ?? 'all');
  if (!['all', 'restart', 'variants'].includes(only)) throw new Error('--only takes restart or variants.');
  const calls = numberOf('--calls', values.calls, 1);
  const talking = numberOf('--talking', values.talking ?? `${Math.floor(calls / 5)}`, 0);
  if (talking > calls) throw new Error('--talking takes no more than there are calls.');
  const maxCallMs = numberOf('--longest-call', values['longest-call'], 1) * 1_000;
  const timeline = new Timeline((line) => void process.stdout.write(`${line}\n`));
  timeline.line(`Node ${process.versions.node} on ${availableParallelism()} cores`);
  const problems: Problem[] = [];
  if (only !== 'variants') {
    const balancer = BALANCER_NAMES.find((name) => name === values.balancer);
    if (balancer === undefined) throw new Error('--balancer takes haproxy or nginx.');
    timeline.line(`\nA rolling restart with ${calls} calls through ${balancer}\n`);
    const found = await rollingRestart(
      {
        balancer,
        calls,
        talking,
        clients: numberOf('--clients', values.clients, 1),
        sayEveryMs: SAY_EVERY_MS,
        minCallMs: Math.min(SHORTEST_CALL_MS, maxCallMs),
        maxCallMs,
        preDrainDelayS: numberOf('--pre-drain-delay', values['pre-drain-delay'], 0),
        drainTimeoutS: numberOf('--drain-timeout', values['drain-timeout'], 1),
      },
      timeline,
    );
    timeline.line(`\n${verdict(found)}  no call cut, no new call refused, exit codes 0`);
    for (const problem of found) timeline.line(`        ${problem}`);
    problems.push(...found);
  }
  if (only !== 'restart') {
    const scale = { idleSessions: numberOf('--idle', values.idle, 1), drainTimeoutS: 5, nearMs: 1_000 };
    problems.push(...(await playVariants(positionals, scale, timeline)));
  }
  const told = problems.length === 0 ? 'Every promise was kept' : `${problems.length} promises were broken`;
  timeline.line(`\n${told}, in ${seconds(timeline.nowMs)}.`);
  return problems.length === 0 ? 0 : 1;
}

async function playVariants(words: readonly string[], scale: Scale, timeline: Timeline): Promise<Problem[]> {
  const chosen = variants.filter(
    ({ clause, name }) =>
      words.length === 0 ||
      words.some((word) => `${clause} ${name}`.toLowerCase().includes(word.toLowerCase())),
  );
  if (chosen.length === 0) throw new Error(`No variant has one of '${words.join(' ')}' in it.`);
  timeline.line(`\nIn the way of a drain of ${scale.drainTimeoutS} s\n`);
  const spoken = new SpokenFrames();
  const problems: Problem[] = [];
  for (const variant of chosen) {
    const outcome = await playVariant(variant, scale, spoken);
    timeline.line(`${verdict(outcome.problems)}  ${variant.clause}  ${variant.name}`);
    if (outcome.measured !== '') timeline.line(`            ${outcome.measured}`);
    for (const problem of outcome.problems) timeline.line(`            ${problem}`);
    problems.push(...outcome.problems);
  }
  return problems;
}

function verdict(problems: readonly Problem[]): string {
  const good = problems.length === 0;
  return styleText(good ? 'green' : 'red', good ? 'kept  ' : 'BROKEN', { stream: process.stdout });
}

/** @throws Error for what is no whole number, or too small. */
function numberOf(flag: string, text: string, least: number): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= least) return number;
  throw new Error(`${flag} takes a whole number, ${least} or more.`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
