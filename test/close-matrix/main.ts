import { rows } from './rows.ts';
import { runRow } from './run-row.ts';

const words = process.argv.slice(2);
const chosen = rows.filter((r) => words.every((w) => `${r.group} ${r.name} ${r.end}`.toLowerCase().includes(w.toLowerCase())));
const startedAt = performance.now();
const queue = chosen.entries();
let bad = 0;
await Promise.all(Array.from({ length: Number(process.env.N ?? 8) }, async () => {
  for (const [, row] of queue) {
    const r = await runRow(row);
    if (!r.ok) bad += 1;
    console.log(r.ok ? 'ok    ' : 'FAILED', r.name, '|', r.end, '|', Math.round(r.tookMs), r.withinMs, r.named.join(', '), r.sockets, r.problems.join('\n      '));
  }
}));
console.log(chosen.length, bad, Math.round(performance.now() - startedAt));
