/** One way an object ends. */
export interface Way {
  /** How it is brought about, in words; stands in the first column. */
  readonly name: string;
  /** What it means, in one sentence; stands in the last column of tables that have one for it. */
  readonly why?: string;
  /** Brings it about, and says what was seen: one cell for each column between. Throws when anything is left behind. */
  play(): Promise<readonly string[]>;
}

/** All the ways one kind of object ends, as a table of docs/lifecycles.md. */
export interface WayTable {
  /** Names the place in the page: `<!-- ways: queue -->`. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly ways: readonly Way[];
}

/** Plays every way, one after the other, and gives the rows. */
export async function rowsOf({ name, columns, ways }: WayTable): Promise<string[][]> {
  const rows: string[][] = [];
  for (const way of ways) {
    try {
      const row = [way.name, ...(await way.play()), ...(way.why === undefined ? [] : [way.why])];
      if (row.length !== columns.length) {
        throw new Error(`it has ${row.length} cells for ${columns.length} columns`);
      }
      rows.push(row);
    } catch (error) {
      throw new Error(`docs/lifecycles.md, ${name}, '${way.name}': ${String(error)}`, { cause: error });
    }
  }
  return rows;
}
