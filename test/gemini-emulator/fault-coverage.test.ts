import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULT_TYPES } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { GEMINI_FAULTS, GENERIC_FAULTS } from './known-faults.ts';

const FOLDER = join(CHECKOUT, 'test/gemini-emulator');
/** The tests that talk to the emulator, with their names as they are written. */
const sources = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.test.ts') && !/fault-(page|coverage)/.test(file))
  .map((file) => readFileSync(join(FOLDER, file), 'utf8'));
const names = new Set(
  sources.flatMap((source) =>
    [...source.matchAll(/(?:\bit|\)|^\s*)\(?\s*'((?:[^'\\]|\\.)+)'(?:,|: async)/gm)].map(([, name]) => name),
  ),
);

describe('faults of the Gemini emulator', () => {
  it.each([...GENERIC_FAULTS, ...GEMINI_FAULTS])('shows on the wire: $fault', ({ tests }) => {
    expect(tests).not.toEqual([]);
    for (const test of tests) expect(names).toContain(test);
  });

  it.each(FAULT_TYPES)('has a test whose script says %s', (type) => {
    expect(sources.filter((source) => new RegExp(`type: '?${type}\\b`).test(source))).not.toEqual([]);
  });
});
