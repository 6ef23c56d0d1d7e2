import { RelayRun } from '../relay-run.ts';
import type { Load, StreamFigures } from '../relay-run.ts';
import type { Settings } from '../settings.ts';
import { relaysOf } from '../wires.ts';
import type { RelayKind, Wire } from '../wires.ts';

export interface RelayRow extends StreamFigures {
  readonly wire: string;
  readonly relay: RelayKind;
  /** CPU a frame as a multiple of the naive relay's, and of the bare binary one's, at as many sessions. */
  readonly toNaive: number | undefined;
  readonly toBare: number | undefined;
  /** Sessions or connections that were still there after every client had left. */
  readonly left: number;
}

const WARM_SESSIONS = 100;

/**
 * Every wire through every relay. The relays of a wire take turns, so that what else the machine does falls on all
 * of them alike.
 */
export async function measureRelays(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<RelayRow[]> {
  const rows: RelayRow[] = [];
  for (const wire of settings.wires) rows.push(...(await measureWire(settings, wire, load, providerPort)));
  return rows;
}

async function measureWire(
  settings: Settings,
  wire: Wire,
  load: Load,
  providerPort: number,
): Promise<RelayRow[]> {
  const { sessions, settleMs, measureMs, warmMs } = settings;
  await using stack = new AsyncDisposableStack();
  const runs: RelayRun[] = [];
  for (const kind of relaysOf(wire))
    runs.push(stack.use(await RelayRun.start(kind, wire, load, providerPort)));
  const warm = Math.min(WARM_SESSIONS, Math.max(...sessions));
  for (const run of runs) {
    await run.connect(warm);
    await run.measure(warm, 0, warmMs);
    await run.disconnect();
  }
  const rows: RelayRow[] = [];
  for (const count of sessions) {
    const measured: Omit<RelayRow, 'toNaive' | 'toBare'>[] = [];
    for (const run of runs) {
      await run.connect(count);
      const figures = await run.measure(count, settleMs, measureMs);
      measured.push({ wire: wire.id, relay: run.kind, ...figures, left: await run.disconnect() });
    }
    const cpuOf = (kind: RelayKind): number | undefined =>
      measured.find(({ relay }) => relay === kind)?.cpuMicrosPerFrame;
    rows.push(
      ...measured.map((row) => ({
        ...row,
        toNaive: ratio(row.cpuMicrosPerFrame, cpuOf('naive') ?? cpuOf('bare')),
        toBare: ratio(row.cpuMicrosPerFrame, cpuOf('bare')),
      })),
    );
  }
  return rows;
}

function ratio(value: number, base: number | undefined): number | undefined {
  return base === undefined || base === 0 ? undefined : value / base;
}
