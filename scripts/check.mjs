// Everything about the sources that needs no running program: types, lint, format, unused code, import directions.
// All steps run, two at a time, and each says how it went: one run shows everything there is to mend.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, 'node_modules', '.bin');
const AT_ONCE = 2;

/** @type {ReadonlyArray<{ name: string, command: readonly string[], needs?: string }>} */
const STEPS = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'types without Node (browser-safe rooms)', command: ['tsc', '-p', 'tsconfig.browser.json'] },
  { name: 'types of the page', command: ['tsc', '-p', 'ui', '--noEmit'], needs: 'ui/tsconfig.json' },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'unused files, exports and dependencies', command: ['knip', '--no-progress', '--no-config-hints'] },
  {
    name: 'import directions',
    command: ['vitest', 'run', '--reporter=dot', 'test/import-directions.test.ts'],
  },
];

/** @param {readonly string[]} command @returns {Promise<{ ok: boolean, output: string, ms: number }>} */
function run([program, ...parameters]) {
  const began = performance.now();
  return new Promise((resolve) => {
    const child = spawn(join(BIN, program), parameters, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const end = (/** @type {boolean} */ ok) => resolve({ ok, output, ms: performance.now() - began });
    child.on('error', (error) => {
      output += `${error.message}\n`;
      end(false);
    });
    child.on('close', (status) => end(status === 0));
  });
}

const waiting = STEPS.filter(({ needs }) => needs === undefined || existsSync(join(ROOT, needs)));
const failed = [];

async function work() {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const { ok, output, ms } = await run(step.command);
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${step.name} (${(ms / 1000).toFixed(1)} s)`);
    if (ok) continue;
    failed.push(step.name);
    console.log(`\n${output.trim()}\n`);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
if (failed.length > 0) {
  console.log(`check failed: ${failed.join(', ')}`);
  process.exit(1);
}
