import { describe, expect, it } from 'vitest';
import { runScenario } from './run-scenario.ts';
import { scenarios } from './scenarios.ts';

// The rows that `npm run scenarios` prints, each as a test. Durations are judged by the product's own bounds.

/** Beyond every bound of the product with its margin: what reaches it hangs. */
const HANG_MS = 90_000;

const rows = scenarios.map((scenario) => {
  const { clause, name, also, expected } = scenario;
  const end = also === undefined ? expected.outcome : `${also}; ${expected.outcome}`;
  return { title: `${clause} ${name}: ${end}`, scenario };
});

describe('a session over real sockets', () => {
  it.each(rows)('$title', { timeout: HANG_MS }, async ({ scenario }) => {
    const { problems } = await runScenario(scenario);
    expect(problems).toEqual([]);
  });

  it('is told apart in every row', () => {
    const names = scenarios.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
