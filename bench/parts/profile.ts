import { setTimeout as sleep } from 'node:timers/promises';
import type { ProfileEntry } from '../process/measurements.ts';
import { RelayRun } from '../relay-run.ts';
import type { Load } from '../relay-run.ts';
import type { Settings } from '../settings.ts';

export interface ProfileRow {
  readonly wire: string;
  readonly sessions: number;
  readonly entries: readonly ProfileEntry[];
}

const ENTRIES = 20;

/** Where Holdfast's own process spends its time on each wire, at the largest number of sessions asked for. */
export async function measureProfile(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<ProfileRow[]> {
  const sessions = Math.max(...settings.sessions);
  const rows: ProfileRow[] = [];
  for (const wire of settings.wires) {
    await using run = await RelayRun.start('holdfast', wire, load, providerPort);
    await run.connect(sessions);
    await load.ask('stream', null);
    await sleep(settings.warmMs);
    await run.relay.ask('startProfile');
    await sleep(settings.measureMs);
    rows.push({ wire: wire.id, sessions, entries: await run.relay.ask('stopProfile', ENTRIES) });
    await run.disconnect();
  }
  return rows;
}
