import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as session from '../src/session/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/agents.md'), 'utf8');

describe('docs/agents.md', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(PAGE);
  });

  it('lists the constants with their values', () => {
    const rows = [...PAGE.matchAll(/^\| `([A-Z_]+)`\s+\| (\d+)\s+\| .*\.\s+\|$/gm)];
    expect(rows).toHaveLength(7);
    for (const [, name, value] of rows) {
      expect(session).toHaveProperty(name!, Number(value));
    }
  });
});
