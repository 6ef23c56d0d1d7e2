import { describe, expect, it } from 'vitest';
import { ADK_CLOSE_CODES, CLOSE_CODES } from '../../src/protocol/index.ts';
import { END_REASONS } from '../../src/session/session-end.ts';
import { closingReasons } from './closing-reasons.ts';
import { markdownTable, placesIn, readPage, renewed } from './page.ts';
import { tables } from './tables.ts';
import { rowsOf } from './way-table.ts';
import { wireGoodbyes } from './wire-goodbyes.ts';

const page = readPage();

/** What was seen, without what is written by hand and without the table that no client has to live through. */
function observations(): string {
  const shown = tables.filter((table) => table !== wireGoodbyes).map(({ name }) => `<!-- ways: ${name} -->`);
  return page
    .split('<!-- end -->')
    .map((part) => part.slice(part.indexOf('<!-- ways: ')))
    .filter((part) => shown.some((mark) => part.startsWith(mark)))
    .join('\n');
}

describe('docs/lifecycles.md', () => {
  it('has a place for every table, in the order in which they are kept', () => {
    expect(placesIn(page)).toEqual(tables.map(({ name }) => name));
  });

  it.each(tables)(
    'tells of “$name” what happens; otherwise run `node scripts/lifecycles.mjs`',
    async (table) => {
      const written = new Map([[table.name, markdownTable(table.columns, await rowsOf(table))]]);
      expect(renewed(page, written)).toBe(page);
    },
  );

  it('shows every reason a live session can end with', () => {
    const seen = observations();
    const missing = Object.keys(END_REASONS).filter((reason) => !seen.includes(`\`${reason}\``));
    expect(missing).toEqual([]);
  });

  it('shows every close code of both wires', () => {
    const seen = observations();
    const codes = [...Object.values(CLOSE_CODES).map(({ code }) => code), ...Object.values(ADK_CLOSE_CODES)];
    expect(codes.filter((code) => !new RegExp(`[|,] ${code} `).test(seen))).toEqual([]);
  });

  it('names every reason the sources close anything with', () => {
    const reasons = closingReasons();
    expect(reasons.size).toBeGreaterThan(20);
    expect([...reasons].filter(([reason]) => !page.includes(`\`${reason}\``))).toEqual([]);
  });
});
