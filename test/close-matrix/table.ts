import { ENDS } from './row.ts';
import type { Row, RowResult } from './row.ts';

export type Painter = (color: 'green' | 'red' | 'dim' | 'bold', text: string) => string;

const GAP = '  ';
const TITLES = ['what is stuck', 'how it is closed', 'ms', 'bound', 'sockets', '', 'steps that were named'];

/** The lines of the matrix as it is played. */
export class MatrixTable {
  readonly #paint: Painter;
  readonly #widths: readonly number[];

  constructor(rows: readonly Row[], paint: Painter) {
    this.#paint = paint;
    const widest = (of: (row: Row) => string): number => Math.max(...rows.map((row) => of(row).length));
    this.#widths = [widest(({ name }) => name), widest(({ end }) => end), 5, 5, 7, 6, 0];
  }

  head(): string {
    const line = this.#line(TITLES);
    return `${this.#paint('bold', line)}\n${this.#paint('dim', '─'.repeat(line.length))}`;
  }

  group(title: string): string {
    return `\n${this.#paint('bold', title)}`;
  }

  row({ name, end, tookMs, withinMs, sockets, ok, named, problems }: RowResult): string {
    const ms = Number.isNaN(tookMs) ? '–' : `${Math.round(tookMs)}`;
    const verdict = ok ? 'ok' : 'FAILED';
    const line = this.#line([name, end, ms, `${withinMs}`, `${sockets}`, verdict, named.join(', ')]);
    const told = problems.map((problem) => `\n   ${this.#paint('red', problem)}`).join('');
    return (ok ? line : this.#paint('red', line)) + told;
  }

  foot(results: readonly RowResult[], tookMs: number): string {
    const good = results.filter(({ ok }) => ok).length;
    const text = `${good} of ${results.length} closes end as they should (${(tookMs / 1_000).toFixed(1)} s)`;
    return this.#paint(good === results.length ? 'green' : 'red', text);
  }

  #line(cells: readonly string[]): string {
    const isNumber = (index: number): boolean => index >= 2 && index <= 4;
    const padded = cells.map((cell, index) => {
      const width = this.#widths[index] ?? 0;
      return isNumber(index) ? cell.padStart(width) : cell.padEnd(width);
    });
    return padded.join(GAP).trimEnd();
  }
}

const HEAD = ['what is stuck', 'steps that are named', ...ENDS.map((end) => `\`${end}\``)];

/** The tables of the page, one a group, a line for each thing that is stuck. `results` in the order of the rows. */
export function pageTables(results: readonly RowResult[]): string {
  const groups = Map.groupBy(results, ({ group }) => group);
  return [...groups].map(([title, own]) => [`### ${title}`, '', ...pageTable(own)].join('\n')).join('\n\n');
}

function pageTable(results: readonly RowResult[]): string[] {
  const ends = ENDS.filter((end) => results.some((result) => result.end === end));
  const head = HEAD.filter((title) => !title.startsWith('`') || ends.some((end) => title === `\`${end}\``));
  const lines = [...Map.groupBy(results, ({ name }) => name)].map(([name, own]) => {
    const ms = ends.map((end) => {
      const result = own.find((each) => each.end === end);
      return result === undefined ? '' : `${Math.round(result.tookMs)}`;
    });
    // An abort destroys at once what a close would have waited for: the politest end says the most.
    const named = own[0]?.named.map((step) => `\`${step}\``).join(', ') ?? '';
    return `| ${[name, named, ...ms].join(' | ')} |`;
  });
  return [`| ${head.join(' | ')} |`, `| --- | --- | ${ends.map(() => '---: |').join(' ')}`, ...lines];
}
