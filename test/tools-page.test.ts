import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as mcp from '../src/mcp/index.ts';
import { SESSION_END_BOUND_MS } from '../src/mcp/http-link.ts';
import { SIGTERM_GRACE_MS, STDIN_END_GRACE_MS } from '../src/mcp/server-process.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/tools.md'), 'utf8');
const MCP = PAGE.slice(PAGE.indexOf('\n## MCP\n'));

/** A program loads all of the sources, on a machine that may have other things to do. */
const RUN_BOUND_MS = 60_000;

describe('docs/tools.md', { timeout: RUN_BOUND_MS }, () => {
  it('shows a toolset that does what the page says', async () => {
    await expectPageProgram(PAGE);
  });

  it('shows MCP servers that can be written so', async () => {
    await expectPageProgram(MCP);
  });

  it('lists the constants with their values', () => {
    const rows = [...MCP.matchAll(/^\| `([A-Z_]+)`\s+\| (\d+)\s+\| [A-Z].*\.\s+\|$/gm)];
    expect(rows).toHaveLength(6);
    const exported: Readonly<Record<string, unknown>> = mcp;
    for (const [, name = '', value] of rows) expect(String(exported[name])).toBe(value);
  });

  it('tells the bounds of an end as they are', () => {
    expect(MCP).toContain(`after ${STDIN_END_GRACE_MS} ms a SIGTERM`);
    expect(MCP).toContain(`after ${SIGTERM_GRACE_MS} ms more a SIGKILL`);
    expect(MCP).toContain(`within ${SESSION_END_BOUND_MS / 1_000} s`);
  });

  it('names errors that there are', () => {
    const named = new Set(MCP.match(/\bMcp\w+Error\b/g));
    expect([...named].filter((name) => !(name in mcp))).toEqual([]);
    expect(named.size).toBe(3);
  });
});
