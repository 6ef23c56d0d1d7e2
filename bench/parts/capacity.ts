import { RelayRun } from '../relay-run.ts';
import type { Load, StreamFigures } from '../relay-run.ts';
import type { Settings } from '../settings.ts';
import { relaysOf } from '../wires.ts';
import type { RelayKind, Wire } from '../wires.ts';

export interface CapacityRow {
  readonly wire: string;
  readonly relay: RelayKind;
  /** The most sessions at which 99 % of the frames were less than `BOUND_P99_MS` on their way; 0 for none. */
  readonly sessions: number;
  readonly p99Ms: number;
  readonly relayCpuPercent: number;
  readonly loadCpuPercent: number;
  /** What ended the search. */
  readonly endedBy: 'p99' | 'load' | 'maximum';
  readonly left: number;
}

export const BOUND_P99_MS = 10;
const SOUGHT_FROM_SHARE = 0.6;
/** Above this the load itself is late, and what it measures is its own delay. */
const LOAD_LIMIT_PERCENT = 95;
/** Something else may take the core for a moment: a step counts as failed when it fails three times. */
const TRIES = 3;

/** Sessions added step by step until frames are late: how many one core carries. */
export async function measureCapacity(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<CapacityRow[]> {
  const rows: CapacityRow[] = [];
  for (const wire of settings.wires) {
    for (const kind of relaysOf(wire)) rows.push(await seek(settings, wire, kind, load, providerPort));
  }
  return rows;
}

async function seek(
  settings: Settings,
  wire: Wire,
  kind: RelayKind,
  load: Load,
  providerPort: number,
): Promise<CapacityRow> {
  const { capacityStep: step, maxSessions } = settings;
  await using run = await RelayRun.start(kind, wire, load, providerPort);
  let sessions = await firstStep(run, settings);
  let best: StreamFigures | undefined;
  let last: StreamFigures | undefined;
  for (; sessions <= maxSessions; sessions += step) {
    await run.connect(sessions);
    last = await bestOf(run, sessions, settings);
    if (!isInTime(last)) break;
    best = last;
  }
  const left = await run.disconnect();
  return {
    wire: wire.id,
    relay: kind,
    sessions: best?.sessions ?? 0,
    p99Ms: best?.p99Ms ?? last?.p99Ms ?? 0,
    relayCpuPercent: best?.relayCpuPercent ?? 0,
    loadCpuPercent: best?.loadCpuPercent ?? 0,
    endedBy: sessions > maxSessions ? 'maximum' : endOf(last),
    left,
  };
}

/** From the cost at a moderate load follows where the end must be; the search begins somewhat before it. */
async function firstStep(
  run: RelayRun,
  { capacityStep: step, maxSessions, warmMs }: Settings,
): Promise<number> {
  const moderate = Math.min(100, maxSessions);
  await run.connect(moderate);
  await run.measure(moderate, 0, warmMs);
  const { relayCpuPercent } = await run.measure(moderate, 0, warmMs);
  const expected = (moderate * 100 * SOUGHT_FROM_SHARE) / Math.max(1, relayCpuPercent);
  return Math.max(moderate, Math.min(Math.floor(expected / step) * step, maxSessions - step));
}

async function bestOf(run: RelayRun, sessions: number, settings: Settings): Promise<StreamFigures> {
  let best = await run.measure(sessions, settings.settleMs, settings.measureMs);
  for (let tries = 1; tries < TRIES && !isInTime(best); tries += 1) {
    const again = await run.measure(sessions, settings.settleMs, settings.measureMs);
    if (again.p99Ms < best.p99Ms) best = again;
  }
  return best;
}

function isInTime({ p99Ms, arrivedPercent }: StreamFigures): boolean {
  return p99Ms < BOUND_P99_MS && arrivedPercent > 97;
}

function endOf(last: StreamFigures | undefined): 'p99' | 'load' {
  if (last === undefined) return 'p99';
  const isLoadFull = last.loadCpuPercent > LOAD_LIMIT_PERCENT;
  return isLoadFull && last.relayCpuPercent < LOAD_LIMIT_PERCENT ? 'load' : 'p99';
}
