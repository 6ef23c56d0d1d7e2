import { RelayRun } from '../relay-run.ts';
import type { Load } from '../relay-run.ts';
import type { Settings } from '../settings.ts';
import { FRAMES_PER_SESSION_SECOND } from '../wires.ts';

export interface LongCallRow {
  readonly wire: string;
  readonly minutes: number;
  readonly seconds: number;
  /** Heap after a collection, at equal distances from the first tenth of the call to its end. */
  readonly heapKb: readonly number[];
  /** From the first of them to the last, for an hour of the call. */
  readonly growthKbAnHour: number;
  readonly rssMb: number;
  readonly left: number;
}

const INTERVALS = 10;

/** One session through which hours of sound go as fast as they can: what grows with the frames shows in the heap. */
export async function measureLongCall(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<LongCallRow[]> {
  const { longCallMinutes: minutes } = settings;
  const rows: LongCallRow[] = [];
  for (const wire of settings.wires) {
    await using run = await RelayRun.start('holdfast', wire, load, providerPort);
    await run.connect(1);
    // A loopback has a frame out for every frame in, and only those that come out are counted.
    const counted = wire.model === 'loopback' ? FRAMES_PER_SESSION_SECOND / 2 : FRAMES_PER_SESSION_SECOND;
    const frames = Math.ceil((minutes * 60 * counted) / INTERVALS);
    const heapKb: number[] = [];
    const beganAtMs = performance.now();
    let rssBytes = 0;
    for (let interval = 0; interval < INTERVALS; interval += 1) {
      await load.ask('flood', frames);
      const memory = await run.relay.ask('memory');
      heapKb.push(memory.heapBytes / 1_000);
      rssBytes = memory.rssBytes;
    }
    const seconds = (performance.now() - beganAtMs) / 1_000;
    const hours = (minutes / 60) * (1 - 1 / INTERVALS);
    rows.push({
      wire: wire.id,
      minutes,
      seconds,
      heapKb,
      growthKbAnHour: ((heapKb.at(-1) ?? 0) - (heapKb[0] ?? 0)) / hours,
      rssMb: rssBytes / 1_000_000,
      left: await run.disconnect(),
    });
  }
  return rows;
}
