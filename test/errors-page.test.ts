import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/checkout.ts';

const SOURCES = readdirSync(join(CHECKOUT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('cli/'))
  .map((path) => readFileSync(join(CHECKOUT, 'src', path), 'utf8'));

/** A code is always a text in the sources; so are the names of environment variables, which only src/cli has. */
const CODE_IN_SOURCE = /'(HOLDFAST_[A-Z_]+)'/g;
const ROW = /^\| `(HOLDFAST_[A-Z_]+)`\s+\| (?:`(\w+)`|an? .+?)\s+\|/gm;

const codes = new Set(
  SOURCES.flatMap((source) => [...source.matchAll(CODE_IN_SOURCE)].map((match) => match[1])),
);
const rows = [...readFileSync(join(CHECKOUT, 'docs/errors.md'), 'utf8').matchAll(ROW)];

describe('docs/errors.md', () => {
  it('lists every code of the sources, once, and no other', () => {
    expect(codes.size).toBeGreaterThan(30);
    expect(new Set(rows.map((row) => row[1]))).toEqual(codes);
    expect(rows).toHaveLength(codes.size);
  });

  it('names the class that carries the code', () => {
    const wrong = rows.filter(([, code, name]) => {
      if (name === undefined) return false;
      const declared = new RegExp(`class ${name} extends \\w+ \\{\\s+readonly code = '${code}'`);
      return !SOURCES.some((source) => declared.test(source));
    });
    expect(wrong.map((row) => row[0])).toEqual([]);
  });
});
