import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as kernel from '../src/kernel/index.ts';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../src/models/ws-transport.ts';
import { SERVER_CLOSE_TIMEOUT_MS } from '../src/server/server-options.ts';
import { ENTER_UNWIND_MS, EXIT_TIMEOUT_MS } from '../src/session/activity.ts';
import * as session from '../src/session/index.ts';
import { TOOL_UNWIND_MS } from '../src/session/tool-calls.ts';
import { FOREIGN_UNWIND_MS } from '../src/session/until-closed.ts';
import { matrixOfPage } from './close-matrix/page.ts';
import { ENDS, boundOf } from './close-matrix/row.ts';
import type { Row } from './close-matrix/row.ts';
import { rows } from './close-matrix/rows.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/closing.md'), 'utf8');
const CONSTANTS: Readonly<Record<string, unknown>> = {
  ...kernel,
  ...session,
  DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
  ENTER_UNWIND_MS,
  EXIT_TIMEOUT_MS,
  FOREIGN_UNWIND_MS,
  SERVER_CLOSE_TIMEOUT_MS,
  TOOL_UNWIND_MS,
};

/** What a figure on the page may be above the bound of its row: goodbyes, and a machine with other things to do. */
const MEASURED_SLACK_MS = 500;

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

interface Line {
  readonly group: string;
  readonly ends: readonly string[];
  readonly cells: readonly string[];
}

/** The lines of the measured tables. */
function measuredLines(): Line[] {
  return matrixOfPage()
    .split('### ')
    .slice(1)
    .flatMap((part) => {
      const [title = '', ...rest] = part.split('\n');
      const [head = '', , ...lines] = rest.filter((line) => line.startsWith('|'));
      const ends = cellsOf(head)
        .slice(2)
        .map((end) => end.replaceAll('`', ''));
      return lines.map((line) => ({ group: title.trim(), ends, cells: cellsOf(line) }));
    });
}

/** The row of a figure. */
function rowOf({ group, cells }: Line, end: string | undefined): Row | undefined {
  return rows.find((row) => row.group === group && row.name === cells[0] && row.end === end);
}

describe('docs/closing.md', () => {
  it('shows a program that prints what the page says', { timeout: 60_000 }, async () => {
    await expectPageProgram(PAGE);
  });

  it('lists the constants with their values', () => {
    const told = [...PAGE.matchAll(/^\| `([A-Z_]+)`\s+\|\s+([\d ]+) \|/gm)];
    expect(told.length).toBeGreaterThan(10);
    for (const [, name = '', value = ''] of told) {
      expect(`${name} ${String(CONSTANTS[name])}`).toBe(`${name} ${value.replaceAll(' ', '')}`);
    }
  });

  it('has every row of the matrix, in its order, with a figure for each way to end and for no other', () => {
    const lines = measuredLines();
    const subjects = [...new Set(rows.map(({ group, name }) => `${group}: ${name}`))];
    expect(lines.map(({ group, cells }) => `${group}: ${cells[0]}`)).toEqual(subjects);
    for (const line of lines) {
      expect(line.ends).toEqual(ENDS.filter((end) => line.ends.includes(end)));
      const figures = line.cells.slice(2);
      const measured = line.ends.filter((_, index) => figures[index] !== '');
      expect(measured).toEqual(line.ends.filter((end) => rowOf(line, end) !== undefined));
    }
  });

  it('says nothing that is above the bound of its row', () => {
    for (const line of measuredLines()) {
      for (const [index, end] of line.ends.entries()) {
        const figure = line.cells[index + 2];
        const row = rowOf(line, end);
        if (figure === '' || row === undefined) continue;
        expect(Number(figure)).toBeLessThanOrEqual(boundOf(row) + MEASURED_SLACK_MS);
      }
    }
  });

  it('names the steps that the rows expect', () => {
    for (const line of measuredLines()) {
      const row = rowOf(
        line,
        line.ends.find((end) => rowOf(line, end) !== undefined),
      );
      const expected = typeof row?.named === 'function' ? row.named(row.end) : (row?.named ?? []);
      for (const step of expected) expect(line.cells[1]).toContain(step);
      if (expected.length === 0) expect(line.cells[1]).toBe('');
    }
  });
});
