import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Scenario } from './scenario.ts';
import type { Ending, Stage } from './stage.ts';

const PROGRAM = fileURLToPath(new URL('./programs/close-and-exit.ts', import.meta.url));

/** Far more than an empty event loop needs to end, far less than any time-out that could hold it. */
const EXIT_BOUND_MS = 1_000;

/** Runs the program against the provider; the duration counts from its last line to its exit. */
async function runProgram(stage: Stage): Promise<Ending> {
  const child = spawn(process.execPath, [PROGRAM, stage.emulator.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const guard = setTimeout(() => child.kill('SIGKILL'), 20_000);
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += String(chunk);
    if (said.includes('returned')) stage.asked();
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  stage.over();
  clearTimeout(guard);
  assert.equal(said.trim(), 'returned user_initiated');
  assert.equal(status, 0);
  return { outcome: 'returned' };
}

/** What is left behind in a process. */
export const processScenarios: readonly Scenario[] = [
  {
    clause: 'C6',
    name: 'program that only closes its queue',
    also: 'nothing keeps its process',
    expected: { outcome: 'returned', boundMs: EXIT_BOUND_MS },
    play: runProgram,
  },
  {
    clause: 'C6',
    name: 'the same on a half-open peer',
    also: 'nothing keeps its process',
    provider: { faults: [{ what: { type: 'halfOpen' } }] },
    expected: { outcome: 'returned', boundMs: EXIT_BOUND_MS },
    play: runProgram,
  },
];
