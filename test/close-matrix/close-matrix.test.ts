import { describe, expect, it } from 'vitest';
import { ROWS_AT_ONCE, playRows } from './play-rows.ts';
import { rows } from './rows.ts';
import type { Row, RowResult } from './row.ts';

// The rows that `npm run close-matrix` prints, each as a test. They are played side by side, because most of a row is
// waiting; each test waits for its own.

/** Beyond every bound of the product with all that stands before it in the queue: what reaches it hangs. */
const HANG_MS = 120_000;

const outcomes = new Map(rows.map((row) => [row, Promise.withResolvers<RowResult>()]));
let isBegun = false;

function resultOf(row: Row): Promise<RowResult> {
  if (!isBegun) {
    isBegun = true;
    let next = 0;
    void playRows(rows, ROWS_AT_ONCE, (result) => {
      const own = rows[next];
      next += 1;
      if (own !== undefined) outcomes.get(own)?.resolve(result);
    });
  }
  return outcomes.get(row)?.promise ?? Promise.reject(new Error('There is no such row.'));
}

const named = rows.map((row) => ({
  title: `${row.clause} close matrix: ${row.group}: ${row.name}, ${row.end}`,
  row,
}));

describe('the close matrix, over real sockets', () => {
  it.each(named)('$title', { timeout: HANG_MS }, async ({ row }) => {
    const { problems } = await resultOf(row);
    expect(problems).toEqual([]);
  });

  it('tells its rows apart', () => {
    expect(new Set(named.map(({ title }) => title)).size).toBe(rows.length);
  });
});
