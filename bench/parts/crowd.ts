import { setTimeout as sleep } from 'node:timers/promises';
import type { LoopDelay } from '../process/measurements.ts';
import { RelayRun } from '../relay-run.ts';
import type { Load } from '../relay-run.ts';
import type { Settings } from '../settings.ts';
import { relaysOf } from '../wires.ts';
import type { RelayKind } from '../wires.ts';

/** One process with many sessions at once, most of which say nothing. */
export interface CrowdRow {
  readonly wire: string;
  readonly relay: RelayKind;
  readonly idleSessions: number;
  readonly talkingSessions: number;
  /** Memory of the whole process for each session there is, while all are idle, as a difference to none. */
  readonly idleRssKb: number;
  readonly idleHeapKb: number;
  /** CPU of an idle session, as a share of one core: pings, timers, and what the process does anyway. */
  readonly idleCpuPercent: number;
  readonly idleLoop: LoopDelay;
  /** CPU that talking adds, for each session that talks, as a share of one core. */
  readonly talkingCpuPercent: number;
  readonly talkingLoop: LoopDelay;
  readonly p99Ms: number;
  /** How much of a core the relay was busy in all, with both. */
  readonly relayCpuPercent: number;
  readonly loadCpuPercent: number;
  readonly arrivedPercent: number;
  readonly rssMb: number;
  readonly left: number;
}

/** Sessions are opened, and ended, once before: what the first ones make is not theirs. */
const WARM_SESSIONS = 50;

/** Memory, CPU and the event loop's delay with a crowd of idle sessions, and with some of them talking beside it. */
export async function measureCrowd(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<CrowdRow[]> {
  const rows: CrowdRow[] = [];
  for (const wire of settings.wires) {
    for (const kind of relaysOf(wire)) {
      await using run = await RelayRun.start(kind, wire, load, providerPort);
      rows.push({ wire: wire.id, relay: kind, ...(await measureOne(run, settings)) });
    }
  }
  return rows;
}

async function measureOne(run: RelayRun, settings: Settings): Promise<Omit<CrowdRow, 'wire' | 'relay'>> {
  const { crowdIdle, crowdTalking, warmMs, settleMs, measureMs } = settings;
  const sessions = crowdIdle + crowdTalking;
  await run.connect(Math.min(WARM_SESSIONS, sessions));
  await run.measure(Math.min(WARM_SESSIONS, sessions), 0, warmMs);
  await run.disconnect();
  const before = await run.relay.ask('memory');
  await run.connect(sessions);
  const during = await run.relay.ask('memory');
  await run.relay.ask('startLoopDelay');
  const cpuBefore = await run.relay.ask('cpu');
  const beganAtMs = performance.now();
  await sleep(measureMs);
  const idleMs = performance.now() - beganAtMs;
  const idleCpu = ((await run.relay.ask('cpu')) - cpuBefore) / idleMs / 10;
  const idleLoop = await run.relay.ask('stopLoopDelay');
  await run.relay.ask('startLoopDelay');
  const talking = await run.measure(crowdTalking, settleMs, measureMs, crowdTalking);
  const talkingLoop = await run.relay.ask('stopLoopDelay');
  return {
    idleSessions: crowdIdle,
    talkingSessions: crowdTalking,
    idleRssKb: (during.rssBytes - before.rssBytes) / sessions / 1_000,
    idleHeapKb: (during.heapBytes - before.heapBytes) / sessions / 1_000,
    idleCpuPercent: idleCpu / sessions,
    idleLoop,
    talkingCpuPercent: (talking.relayCpuPercent - idleCpu) / crowdTalking,
    talkingLoop,
    p99Ms: talking.p99Ms,
    relayCpuPercent: talking.relayCpuPercent,
    loadCpuPercent: talking.loadCpuPercent,
    arrivedPercent: talking.arrivedPercent,
    rssMb: talking.rssMb,
    left: await run.disconnect(),
  };
}
