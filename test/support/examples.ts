import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { CHECKOUT } from './checkout.ts';

export const EXAMPLES = join(CHECKOUT, 'examples');

/** Every program of examples/, by its path in there. */
export function exampleFiles(): string[] {
  return readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort();
}

/**
 * What the head of an example says that it prints: the indented lines below its line that says `prints`. `…` stands for
 * the rest of a line.
 */
export function promisedLines(file: string): unknown[] {
  const source = readFileSync(join(EXAMPLES, file), 'utf8');
  const [, promised = ''] = /^\/\/ prints\b.*\n\/\/\n((?:\/\/ {3}.*\n)+)/m.exec(source) ?? [];
  const lines = promised.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`The head of examples/${file} does not say what it prints.`);
  return lines
    .map((line) => line.slice('//   '.length))
    .map((line) => (line.endsWith('…') ? expect.stringContaining(line.slice(0, -1)) : line));
}
