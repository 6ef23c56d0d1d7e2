import type { Scenario, ScenarioResult } from './scenario.ts';

interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** The longest of these decides the width, so that a row can be written before the ones below are known. */
  readonly least: (scenario: Scenario) => string;
  cell(result: ScenarioResult): string;
}

const SCENARIO = 'scenario';
const short = (code: string): string => code.replace('HOLDFAST_', '');
const count = (title: string, of: (result: ScenarioResult) => number): Column => ({
  title,
  align: 'right',
  least: () => '',
  cell: (result) => `${Math.round(of(result))}`,
});

const COLUMNS: readonly Column[] = [
  { title: ' ', align: 'left', least: () => '', cell: ({ ok }) => (ok ? '✓' : '✗') },
  { title: 'clause', align: 'left', least: ({ clause }) => clause, cell: ({ clause }) => clause },
  { title: SCENARIO, align: 'left', least: ({ name }) => name, cell: ({ name }) => name },
  {
    title: 'outcome',
    align: 'left',
    least: ({ expected }) => short(expected.outcome),
    cell: ({ outcome }) => short(outcome),
  },
  {
    title: 'reason',
    align: 'left',
    least: ({ expected }) => expected.reason ?? '',
    cell: ({ reason }) => reason,
  },
  { ...count('ms', ({ durationMs }) => durationMs), least: () => '000000' },
  { ...count('bound', ({ boundMs }) => boundMs), least: ({ expected }) => `${expected.boundMs}` },
  { title: 'time', align: 'left', least: ({ time = 'real' }) => time, cell: ({ time }) => time },
  count('dials', ({ dials }) => dials),
  {
    title: 'at s',
    align: 'left',
    least: () => '0 +00.0 +00.0 +00.0 … +00.0',
    cell: ({ dialsAtMs }) => waits(dialsAtMs),
  },
  count('history', ({ history }) => history),
  count('lost', ({ lost }) => lost),
  count('doubled', ({ doubled }) => doubled),
  count('again ms', ({ againMs }) => againMs),
  count('sockets', ({ sockets }) => sockets),
  count('unsent', ({ unsent }) => unsent),
  count('unhandled', ({ unhandled }) => unhandled),
];

const GAP = '  ';

/** As many waits are shown as fit; where there are more, the first ones and the last. */
const SHOWN_WAITS = 4;

/** When it was dialled: the first time, and how many seconds after the time before each further time: `0 +1.4 +2.3`. */
function waits(dialsAtMs: readonly number[]): string {
  const all = dialsAtMs
    .slice(1)
    .map((atMs, index) => `+${((atMs - (dialsAtMs[index] ?? 0)) / 1_000).toFixed(1)}`);
  if (dialsAtMs.length <= 1) return '';
  if (all.length <= SHOWN_WAITS) return ['0', ...all].join(' ');
  return `0 ${all.slice(0, SHOWN_WAITS - 1).join(' ')} … ${all.at(-1)}`;
}

/** Where a terminal is narrow, these are cut, in this order and down to this many characters. */
const CUT: readonly (readonly [title: string, least: number])[] = [
  ['reason', 14],
  [SCENARIO, 30],
];

const LEGEND: readonly (readonly [title: string, meaning: string])[] = [
  [
    'ms',
    'from when the end was asked for, or came about, to when it was over; bound: what the product promises for it',
  ],
  [
    'time',
    'virtual: on a clock that is moved as fast as the sockets are quiet, and two hours more afterwards',
  ],
  ['dials', 'how often the provider was dialled; at s: when, each after the one before'],
  ['history', 'turns it was given as history, over all connections'],
  ['lost', 'what the user said and the model does not know in the end; doubled: what it knows twice'],
  ['again', 'speech it was sent more than once, which is what the events have told'],
  [
    'sockets',
    'those that are open to it when all is over; unsent: requests that the close report says were never sent',
  ],
];

export type Painter = (color: 'green' | 'red' | 'dim' | 'bold', text: string) => string;

export interface TableOptions {
  readonly paint: Painter;
  /** How wide a line may be; the longest columns are cut to fit, as far as that makes sense. */
  readonly columns: number;
}

/** The lines of a table that grows while scenarios run. */
export class ScenarioTable {
  readonly #widths: readonly number[];
  readonly #paint: Painter;

  constructor(scenarios: readonly Scenario[], { paint, columns }: TableOptions) {
    this.#paint = paint;
    const widths = COLUMNS.map(({ title, least }) =>
      Math.max(title.length, ...scenarios.map((scenario) => least(scenario).length)),
    );
    for (const [title, least] of CUT) {
      const index = COLUMNS.findIndex((column) => column.title === title);
      const wanted = widths[index] ?? 0;
      const excess = widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length) - columns;
      if (excess > 0) widths[index] = Math.min(wanted, Math.max(least, wanted - excess));
    }
    this.#widths = widths;
  }

  head(): string {
    const titles = this.#line(COLUMNS.map(({ title }) => title));
    return `${this.#paint('bold', titles)}\n${this.#paint('dim', '─'.repeat(titles.length))}`;
  }

  /** The line above a group of scenarios. */
  group(title: string): string {
    return `\n${this.#paint('bold', title)}`;
  }

  row(result: ScenarioResult): string {
    const line = this.#line(COLUMNS.map((column) => column.cell(result)));
    const mark = this.#paint(result.ok ? 'green' : 'red', line.slice(0, 1));
    const problems = result.problems.map((problem) => `\n   ${this.#paint('red', problem)}`);
    return mark + line.slice(1) + problems.join('');
  }

  foot(results: readonly ScenarioResult[], tookMs: number): string {
    const good = results.filter(({ ok }) => ok).length;
    const text = `${good} of ${results.length} scenarios end as they should (${(tookMs / 1_000).toFixed(1)} s)`;
    return this.#paint(good === results.length ? 'green' : 'red', text);
  }

  /** What the columns mean that do not say it themselves. */
  legend(): string {
    return LEGEND.map(([title, meaning]) => this.#paint('dim', `${title.padEnd(9)} ${meaning}`)).join('\n');
  }

  #line(cells: readonly string[]): string {
    const padded = COLUMNS.map(({ align }, index) => {
      const width = this.#widths[index] ?? 0;
      const cell = cut(cells[index] ?? '', width);
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
    });
    return padded.join(GAP).trimEnd();
  }
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
