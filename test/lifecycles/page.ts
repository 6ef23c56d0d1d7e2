import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../support/checkout.ts';

export const PAGE = join(CHECKOUT, 'docs/lifecycles.md');

/** A generated table with its marks. */
const MARKED = /<!-- ways: ([\w-]+) -->\n[^]*?<!-- end -->/g;

export function readPage(): string {
  return readFileSync(PAGE, 'utf8');
}

export function writePage(page: string): void {
  writeFileSync(PAGE, page);
}

/** The names of the tables the page has a place for. */
export function placesIn(page: string): string[] {
  return [...page.matchAll(MARKED)].map(([, name = '']) => name);
}

/** The page with these tables in their places; everything around them stays. */
export function renewed(page: string, tables: ReadonlyMap<string, string>): string {
  return page.replaceAll(MARKED, (old, name: string) => {
    const table = tables.get(name);
    return table === undefined ? old : `<!-- ways: ${name} -->\n\n${table}\n\n<!-- end -->`;
  });
}

/** The table as the formatter would write it, so that the page stays as both of them want it. */
export function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = columns.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
