import { BOUND_P99_MS } from './parts/capacity.ts';
import type { CapacityRow } from './parts/capacity.ts';
import type { CloseRow } from './parts/close.ts';
import type { CrowdRow } from './parts/crowd.ts';
import type { IdleRow } from './parts/idle.ts';
import type { LongCallRow } from './parts/long-call.ts';
import type { ProfileRow } from './parts/profile.ts';
import type { RelayRow } from './parts/relay.ts';
import { formatTable } from './table.ts';

/** Above this the load is as busy as what it loads, and latencies are partly its own. */
const BUSY_LOAD_PERCENT = 90;
const FULL_ARRIVAL_PERCENT = 99;

export function relayTable(rows: readonly RelayRow[]): string {
  const head = ['wire', 'relay', 'sessions', 'µs/frame', '÷ naive', '÷ bare', 'p50 ms', 'p99 ms'];
  return formatTable(
    [...head, 'CPU', 'load CPU', 'RSS MB', 'arrived', 'remark'],
    rows.map((row) => [
      row.wire,
      row.relay,
      String(row.sessions),
      row.cpuMicrosPerFrame.toFixed(1),
      ratio(row.toNaive),
      ratio(row.toBare),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      percent(row.relayCpuPercent),
      percent(row.loadCpuPercent),
      row.rssMb.toFixed(0),
      `${row.arrivedPercent.toFixed(1)}%`,
      remarkOf(row),
    ]),
  );
}

function remarkOf(row: RelayRow): string {
  const remarks = [];
  if (row.loadCpuPercent > BUSY_LOAD_PERCENT) remarks.push('the load is busy: latency is partly its own');
  if (row.arrivedPercent < FULL_ARRIVAL_PERCENT) remarks.push('not every frame came through in time');
  if (row.spoiledFrames > 0) remarks.push(`${row.spoiledFrames} frames spoiled`);
  if (row.left > 0) remarks.push(`${row.left} left behind`);
  return remarks.join('; ');
}

const CAPACITY_ENDS: Readonly<Record<CapacityRow['endedBy'], string>> = {
  p99: '',
  load: 'at least: the load was full before the relay',
  maximum: 'at least: no more were asked for',
};

export function capacityTable(rows: readonly CapacityRow[]): string {
  return formatTable(
    ['wire', 'relay', `sessions with p99 < ${BOUND_P99_MS} ms`, 'p99 ms', 'CPU', 'load CPU', 'remark'],
    rows.map((row) => [
      row.wire,
      row.relay,
      String(row.sessions),
      row.p99Ms.toFixed(2),
      percent(row.relayCpuPercent),
      percent(row.loadCpuPercent),
      CAPACITY_ENDS[row.endedBy],
    ]),
  );
}

export function idleTable(rows: readonly IdleRow[]): string {
  return formatTable(
    ['wire', 'relay', 'sessions', 'RSS kB', 'heap kB', 'external kB', 'heap kept kB'],
    rows.map((row) => [
      row.wire,
      row.relay,
      String(row.sessions),
      row.rssKb.toFixed(1),
      row.heapKb.toFixed(1),
      row.externalKb.toFixed(1),
      row.keptKb.toFixed(2),
    ]),
  );
}

export function crowdTable(rows: readonly CrowdRow[]): string {
  const head = ['wire', 'relay', 'idle + talking', 'RSS kB', 'heap kB', 'idle CPU %', 'idle loop p99/max ms'];
  return formatTable(
    [
      ...head,
      'talking CPU %',
      'loop p50/p99/max ms',
      'frame p99 ms',
      'CPU',
      'load CPU',
      'RSS MB',
      'arrived',
      'left',
    ],
    rows.map((row) => [
      row.wire,
      row.relay,
      `${row.idleSessions} + ${row.talkingSessions}`,
      row.idleRssKb.toFixed(1),
      row.idleHeapKb.toFixed(1),
      row.idleCpuPercent.toFixed(4),
      `${row.idleLoop.p99Ms.toFixed(1)}/${row.idleLoop.maxMs.toFixed(1)}`,
      row.talkingCpuPercent.toFixed(3),
      [row.talkingLoop.p50Ms, row.talkingLoop.p99Ms, row.talkingLoop.maxMs]
        .map((ms) => ms.toFixed(1))
        .join('/'),
      row.p99Ms.toFixed(2),
      percent(row.relayCpuPercent),
      percent(row.loadCpuPercent),
      row.rssMb.toFixed(0),
      `${row.arrivedPercent.toFixed(1)}%`,
      String(row.left),
    ]),
  );
}

export function longCallTable(rows: readonly LongCallRow[]): string {
  return formatTable(
    ['wire', 'minutes', 'in seconds', 'heap kB after each tenth', 'growth kB/h', 'RSS MB'],
    rows.map((row) => [
      row.wire,
      String(row.minutes),
      row.seconds.toFixed(1),
      row.heapKb.map((kb) => kb.toFixed(0)).join(' '),
      row.growthKbAnHour.toFixed(1),
      row.rssMb.toFixed(0),
    ]),
  );
}

export function closeTable(rows: readonly CloseRow[]): string {
  return formatTable(
    ['closed while', 'closes', 'socket gone ms', 'at most ms', 'report at most ms', 'steps that overran'],
    rows.map((row) => [
      row.state,
      String(row.closes),
      row.socketMedianMs.toFixed(1),
      row.socketMaxMs.toFixed(1),
      row.reportMaxMs.toFixed(1),
      row.overrun.join(', '),
    ]),
  );
}

export function profileTable(rows: readonly ProfileRow[]): string {
  return formatTable(
    ['wire', 'sessions', 'share', 'function'],
    rows.flatMap(({ wire, sessions, entries }) =>
      entries.map(({ name, percent: share }) => [wire, String(sessions), `${share.toFixed(1)}%`, name]),
    ),
  );
}

function ratio(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}

function percent(value: number): string {
  return `${value.toFixed(0)}%`;
}
