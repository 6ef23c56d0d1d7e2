import { readFileSync } from 'node:fs';
import type { CapacityRow } from './parts/capacity.ts';
import type { CloseRow } from './parts/close.ts';
import type { CrowdRow } from './parts/crowd.ts';
import type { IdleRow } from './parts/idle.ts';
import type { LongCallRow } from './parts/long-call.ts';
import type { ProfileRow } from './parts/profile.ts';
import type { RelayRow } from './parts/relay.ts';
import type { Machine } from './machine.ts';

/** What `npm run bench -- --json` prints; parts that were not asked for are missing. */
interface Results {
  readonly machine: Machine;
  readonly relay?: readonly RelayRow[];
  readonly capacity?: readonly CapacityRow[];
  readonly idle?: readonly IdleRow[];
  readonly crowd?: readonly CrowdRow[];
  readonly 'long-call'?: readonly LongCallRow[];
  readonly close?: readonly CloseRow[];
  readonly profile?: readonly ProfileRow[];
}

/** Several runs of the bench as tables of Markdown: the median of each figure, and from where to where it went. */
export function summarize(runs: readonly Results[]): string {
  const [first] = runs;
  if (first === undefined) return '';
  const { node, system, cpu, cores, memoryGb } = first.machine;
  const sections = [
    `${runs.length} runs, medians; in brackets the lowest and the highest. Node ${node}, ${system}, ${cores} × ${cpu}, ${memoryGb} GB.`,
    relaySection(merged(runs, 'relay', ({ wire, relay, sessions }) => `${wire} ${relay} ${sessions}`)),
    capacitySection(merged(runs, 'capacity', ({ wire, relay }) => `${wire} ${relay}`)),
    idleSection(merged(runs, 'idle', ({ wire, relay }) => `${wire} ${relay}`)),
    crowdSection(merged(runs, 'crowd', ({ wire, relay }) => `${wire} ${relay}`)),
    longCallSection(merged(runs, 'long-call', ({ wire }) => wire)),
    closeSection(merged(runs, 'close', ({ state }) => state)),
    ...(runs.find(({ profile }) => profile !== undefined)?.profile ?? []).map(profileSection),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

type PartOf<Name extends keyof Results> =
  NonNullable<Results[Name]> extends readonly (infer Row)[] ? Row : never;

/** The rows of one part that mean the same thing in every run, side by side. */
function merged<Name extends Exclude<keyof Results, 'machine'>>(
  runs: readonly Results[],
  part: Name,
  keyOf: (row: PartOf<Name>) => string,
): readonly (readonly PartOf<Name>[])[] {
  const rows = runs.flatMap((run) => (run[part] ?? []) as readonly PartOf<Name>[]);
  return [...Map.groupBy(rows, keyOf).values()];
}

function relaySection(groups: readonly (readonly RelayRow[])[]): string {
  return section(
    'CPU and latency of the relay',
    ['wire', 'relay', 'sessions', 'µs a frame', '÷ naive', '÷ bare', 'p50 ms', 'p99 ms', 'CPU'],
    groups.map((rows) => [
      ...named(rows),
      String(rows[0]?.sessions ?? ''),
      median(rows, (row) => row.cpuMicrosPerFrame).toFixed(1),
      spread(rows, (row) => row.toNaive),
      spread(rows, (row) => row.toBare),
      median(rows, (row) => row.p50Ms).toFixed(2),
      median(rows, (row) => row.p99Ms).toFixed(1),
      `${median(rows, (row) => row.relayCpuPercent).toFixed(0)} %`,
    ]),
  );
}

function capacitySection(groups: readonly (readonly CapacityRow[])[]): string {
  const bareOf = (wire: string): number => {
    const rows = groups.find(([row]) => row?.relay === 'bare' && row.wire === wire) ?? [];
    return median(rows, (row) => row.sessions);
  };
  return section(
    'Sessions one process carries with p99 under 10 ms',
    ['wire', 'relay', 'sessions', '÷ bare', 'ended by'],
    groups.map((rows) => [
      ...named(rows),
      `${median(rows, (row) => row.sessions).toFixed(0)} (${rows.map((row) => row.sessions).join(', ')})`,
      (median(rows, (row) => row.sessions) / Math.max(1, bareOf(rows[0]?.wire ?? ''))).toFixed(2),
      [...new Set(rows.map((row) => row.endedBy))].join(', '),
    ]),
  );
}

function idleSection(groups: readonly (readonly IdleRow[])[]): string {
  return section(
    'Memory of an idle session',
    ['wire', 'relay', 'RSS kB', 'heap kB', 'heap kept after its end kB'],
    groups.map((rows) => [
      ...named(rows),
      median(rows, (row) => row.rssKb).toFixed(1),
      median(rows, (row) => row.heapKb).toFixed(1),
      median(rows, (row) => row.keptKb).toFixed(2),
    ]),
  );
}

function crowdSection(groups: readonly (readonly CrowdRow[])[]): string {
  const [first] = groups[0] ?? [];
  return section(
    `A crowd: ${first?.idleSessions} idle sessions and ${first?.talkingSessions} that talk`,
    [
      'wire',
      'relay',
      'RSS kB',
      'heap kB',
      'idle CPU',
      'talking CPU',
      'loop p50 ms',
      'loop p99 ms',
      'p99 ms',
      'CPU',
      'RSS MB',
    ],
    groups.map((rows) => [
      ...named(rows),
      median(rows, (row) => row.idleRssKb).toFixed(1),
      median(rows, (row) => row.idleHeapKb).toFixed(1),
      `${median(rows, (row) => row.idleCpuPercent).toFixed(4)} %`,
      `${median(rows, (row) => row.talkingCpuPercent).toFixed(2)} %`,
      median(rows, (row) => row.talkingLoop.p50Ms).toFixed(1),
      median(rows, (row) => row.talkingLoop.p99Ms).toFixed(1),
      median(rows, (row) => row.p99Ms).toFixed(1),
      `${median(rows, (row) => row.relayCpuPercent).toFixed(0)} %`,
      median(rows, (row) => row.rssMb).toFixed(0),
    ]),
  );
}

function longCallSection(groups: readonly (readonly LongCallRow[])[]): string {
  return section(
    'Heap over a long call',
    ['wire', 'minutes of sound each way', 'heap at the first tenth kB', 'at the end kB', 'growth kB an hour'],
    groups.map((rows) => [
      rows[0]?.wire ?? '',
      String(rows[0]?.minutes ?? ''),
      median(rows, (row) => row.heapKb[0] ?? 0).toFixed(0),
      median(rows, (row) => row.heapKb.at(-1) ?? 0).toFixed(0),
      spread(rows, (row) => row.growthKbAnHour, 0),
    ]),
  );
}

function closeSection(groups: readonly (readonly CloseRow[])[]): string {
  return section(
    'From close() to no socket',
    ['closed while', 'closes', 'socket gone ms', 'at most ms', 'report at most ms', 'named in the report'],
    groups.map((rows) => [
      rows[0]?.state ?? '',
      String(rows.reduce((sum, row) => sum + row.closes, 0)),
      median(rows, (row) => row.socketMedianMs).toFixed(1),
      Math.max(...rows.map((row) => row.socketMaxMs)).toFixed(1),
      Math.max(...rows.map((row) => row.reportMaxMs)).toFixed(1),
      [...new Set(rows.flatMap((row) => row.overrun))].join(', '),
    ]),
  );
}

function profileSection({ wire, sessions, entries }: ProfileRow): string {
  return section(
    `Where the CPU goes: ${wire}, ${sessions} sessions`,
    ['share', 'function'],
    entries.map(({ name, percent }) => [`${percent.toFixed(1)} %`, `\`${name}\``]),
  );
}

function named(rows: readonly { readonly wire: string; readonly relay: string }[]): [string, string] {
  return [rows[0]?.wire ?? '', rows[0]?.relay ?? ''];
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function numbers<Row>(rows: readonly Row[], figure: (row: Row) => number | undefined): number[] {
  return rows
    .map(figure)
    .filter((value) => value !== undefined)
    .toSorted((one, other) => one - other);
}

function median<Row>(rows: readonly Row[], figure: (row: Row) => number | undefined): number {
  const sorted = numbers(rows, figure);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function spread<Row>(rows: readonly Row[], figure: (row: Row) => number | undefined, digits = 2): string {
  const sorted = numbers(rows, figure);
  const [lowest, highest] = [sorted[0] ?? Number.NaN, sorted.at(-1) ?? Number.NaN];
  const middle = median(rows, figure).toFixed(digits);
  return sorted.length < 2 ? middle : `${middle} (${lowest.toFixed(digits)}–${highest.toFixed(digits)})`;
}

if (import.meta.main) {
  const files = process.argv.slice(2);
  if (files.length === 0) {
    console.error('Give the files that `npm run bench -- --json > FILE` has written.');
    process.exitCode = 2;
  } else {
    console.log(summarize(files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Results)));
  }
}
