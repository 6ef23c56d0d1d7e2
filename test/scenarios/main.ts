// Runs the ways a session can end, or lose its connection and go on, against the Gemini emulator, over real sockets, and
// prints how each one did.
//
//   npm run scenarios                 all of them
//   npm run scenarios -- half-open    those whose name, clause or group has this in it
//   npm run -s scenarios -- --json    as JSON

import process from 'node:process';
import { styleText } from 'node:util';
import { runScenario } from './run-scenario.ts';
import type { ScenarioResult } from './scenario.ts';
import { scenarioGroups } from './scenarios.ts';
import { ScenarioTable } from './table.ts';

const parameters = process.argv.slice(2);
const asJson = parameters.includes('--json');
const wanted = parameters.filter((parameter) => !parameter.startsWith('--'));
const groups = scenarioGroups
  .map(({ title, scenarios }) => ({
    title,
    scenarios: scenarios.filter(({ clause, name }) =>
      wanted.every((word) => `${clause} ${name} ${title}`.toLowerCase().includes(word.toLowerCase())),
    ),
  }))
  .filter(({ scenarios }) => scenarios.length > 0);
const chosen = groups.flatMap(({ scenarios }) => scenarios);

const say = (text: string): void => {
  if (!asJson) process.stdout.write(`${text}\n`);
};

if (chosen.length === 0) {
  process.stderr.write(`No scenario is called '${wanted.join(' ')}'.\n`);
  process.exitCode = 2;
} else {
  const table = new ScenarioTable(chosen, {
    paint: (color, text) => styleText(color, text, { stream: process.stdout }),
    columns: process.stdout.columns ?? Number.POSITIVE_INFINITY,
  });
  const results: ScenarioResult[] = [];
  const startedAtMs = performance.now();
  say(table.head());
  // One after the other: sockets and rejections are counted for each.
  for (const { title, scenarios } of groups) {
    say(table.group(title));
    for (const scenario of scenarios) {
      const result = await runScenario(scenario);
      results.push(result);
      say(table.row(result));
    }
  }
  say(`\n${table.legend()}\n\n${table.foot(results, performance.now() - startedAtMs)}`);
  if (asJson) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  if (results.some(({ ok }) => !ok)) process.exitCode = 1;
}
