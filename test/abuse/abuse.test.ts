import { beforeAll, describe, expect, it } from 'vitest';
import { ALL_INPUTS, heldBy, playAbuse } from './abuse-suite.ts';
import type { AbuseReport } from './abuse-suite.ts';

// Strangers against a real server, over real sockets; `npm run abuse` tells the same in a table.

const BOUND_MS = 240_000;

/** The server's code becomes warm, and its tables of the last minute are full. */
const HEAP_GROWTH_BYTES = 24 * 1024 * 1024;

/** What was received and let go of stays with the process's allocator for a while. */
const RSS_GROWTH_BYTES = 320 * 1024 * 1024;

let report: AbuseReport;

beforeAll(async () => {
  report = await playAbuse();
  const { calm, abused, answers } = report.healthy;
  process.stdout.write(
    `abuse: ${report.results.length} inputs; beside them ${answers} answers of the echo, ` +
      `p99 of a ping ${calm.p99Ms} ms before and ${abused.p99Ms} ms during it\n`,
  );
}, BOUND_MS);

describe('L abuse', () => {
  it.each(ALL_INPUTS.map(({ name }, index) => ({ name, index })))('L $name', ({ name, index }) => {
    const result = report.results[index];
    expect(result?.input.name).toBe(name);
    expect(result?.outcome).toMatch(result?.input.allowed ?? /never/);
  });
});

describe('L a server that was abused', () => {
  it('L was abused in more than three hundred ways, each with a name of its own', () => {
    expect(ALL_INPUTS.length).toBeGreaterThanOrEqual(300);
    expect(new Set(ALL_INPUTS.map(({ name }) => name)).size).toBe(ALL_INPUTS.length);
  });

  it('L lives, without an unhandled rejection, an uncaught exception or a line of its log that says it failed', () => {
    expect(report.isRunning).toBe(true);
    expect(report.after.faults).toEqual([]);
    expect(report.guarded.faults).toEqual([]);
    expect(report.printed).toEqual([]);
  });

  it('L has let go of everything, and nothing stands on the prototype of all objects', () => {
    expect(heldBy(report.after)).toEqual([]);
    expect(heldBy(report.guarded)).toEqual([]);
    expect(report.after.polluted).toBe(false);
  });

  it('L has its memory back, within a bound', () => {
    const { before, after } = report;
    expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_GROWTH_BYTES);
    expect(after.rssBytes - before.rssBytes).toBeLessThan(RSS_GROWTH_BYTES);
  });

  it('L has answered a healthy call all the time, and every answer was complete', () => {
    expect(report.healthy.end).toBe('good');
    expect(report.healthy.answers).toBeGreaterThan(1);
  });
});
