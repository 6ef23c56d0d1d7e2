#!/usr/bin/env node
import { nodeWarning } from './node-version.ts';

// Nothing else is imported before: what an old Node says to that is the name of a function it does not have.
const warning = nodeWarning(process.versions.node);
if (warning === undefined) {
  const { runProgram } = await import('./program.ts');
  await runProgram(process.argv.slice(2));
} else {
  process.stderr.write(`holdfast: ${warning}\n`);
  process.exitCode = 1;
}
