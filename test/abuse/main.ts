// Abuses a server in every way there is, and prints what became of it.

import process from 'node:process';
import { styleText } from 'node:util';
import { heldBy, playAbuse } from './abuse-suite.ts';

const { results, before, after, guarded, isRunning, printed, healthy } = await playAbuse();

const groups = Map.groupBy(results, ({ input }) => input.name.split(':', 1)[0] ?? '');
for (const [group, members] of groups) {
  const outcomes = Map.groupBy(members, ({ outcome }) => outcome.slice(0, 60));
  const most = [...outcomes].toSorted((a, b) => b[1].length - a[1].length).slice(0, 4);
  const told = most.map(([outcome, all]) => `${all.length} × ${outcome}`).join(', ');
  process.stdout.write(`${group.padEnd(16)} ${String(members.length).padStart(4)}   ${told}\n`);
}

const mb = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;
const problems = [
  ...results.filter(({ isAllowed }) => !isAllowed).map(({ input, outcome }) => `${input.name}: ${outcome}`),
  ...(isRunning ? [] : ['the server has ended']),
  ...[...after.faults, ...guarded.faults, ...printed],
  ...[...heldBy(after), ...heldBy(guarded)].map((each) => `still held: ${each}`),
  ...(after.polluted ? ['something stands on the prototype of all objects'] : []),
  ...(healthy.end === 'good' ? [] : [`the healthy call: ${healthy.end}`]),
];

const { calm, abused, answers } = healthy;
process.stdout.write(
  `\n${results.length} inputs. Heap ${mb(before.heapBytes)} before, ${mb(after.heapBytes)} after; ` +
    `resident ${mb(before.rssBytes)} and ${mb(after.rssBytes)}.\n` +
    `Beside them ${answers} answers of the echo were complete. A ping took ${calm.p50Ms} ms (p99 ${calm.p99Ms}) before, ` +
    `and ${abused.p50Ms} ms (p99 ${abused.p99Ms}) meanwhile.\n`,
);
for (const problem of problems) process.stdout.write(styleText('red', `  ${problem}\n`));
process.exitCode = problems.length === 0 ? 0 : 1;
