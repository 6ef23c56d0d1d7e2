import { runRow } from './run-row.ts';
import type { Row, RowResult } from './row.ts';

/** How many rows are played side by side: most of each is waiting, and the machine is to have time for all of them. */
export const ROWS_AT_ONCE = 12;

/** Plays rows, so many at once, and gives their results in their order. `told` is called in that order too, as they come. */
export async function playRows(
  rows: readonly Row[],
  atOnce: number,
  told: (result: RowResult) => void,
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  const waiting = rows.entries();
  let next = 0;
  const work = async (): Promise<void> => {
    for (const [index, row] of waiting) {
      results[index] = await runRow(row);
      for (let ready = results[next]; ready !== undefined; ready = results[next]) {
        next += 1;
        told(ready);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}
