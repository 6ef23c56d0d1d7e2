import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../support/checkout.ts';
import { pageTables } from './table.ts';
import type { RowResult } from './row.ts';

const PAGE = join(CHECKOUT, 'docs/closing.md');
const BEGIN = '<!-- matrix -->';
const END = '<!-- end of matrix -->';

/** What stands between the marks. */
export function matrixOfPage(): string {
  const page = readFileSync(PAGE, 'utf8');
  const [, rest] = page.split(BEGIN);
  const [tables] = rest?.split(END) ?? [];
  if (tables === undefined) throw new Error(`docs/closing.md has no tables between ${BEGIN} and ${END}.`);
  return tables;
}

export function writeMatrixPage(results: readonly RowResult[]): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before, after] = page.split(`${BEGIN}${matrixOfPage()}${END}`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${pageTables(results)}\n\n${END}${after}`);
}
