// Keeps docs/lifecycles.md true: brings every object to every end it can have, and writes down what was seen.
//
//   node scripts/lifecycles.mjs            writes the tables anew
//   node scripts/lifecycles.mjs --check    changes nothing; fails when a table is stale
//
// The ways are in test/lifecycles, one file an object. What stands around the tables is written by hand.
import { markdownTable, readPage, renewed, writePage } from '../test/lifecycles/page.ts';
import { tables } from '../test/lifecycles/tables.ts';
import { rowsOf } from '../test/lifecycles/way-table.ts';

const written = new Map();
for (const table of tables) written.set(table.name, markdownTable(table.columns, await rowsOf(table)));

const page = readPage();
const now = renewed(page, written);
if (!process.argv.includes('--check')) writePage(now);
else if (now !== page) {
  process.stderr.write('docs/lifecycles.md is stale: run `node scripts/lifecycles.mjs`.\n');
  process.exitCode = 1;
}
