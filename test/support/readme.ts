import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';

/** The first program of README.md: the first fenced block marked `ts` or `js`. */
export function readmeProgram(): string {
  const page = readFileSync(join(CHECKOUT, 'README.md'), 'utf8');
  const program = /^```(?:ts|js)\n(.*?)^```$/ms.exec(page)?.[1];
  if (program === undefined) throw new Error('README.md has no program: no fenced block marked ts or js');
  return program;
}
