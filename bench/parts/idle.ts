import { RelayRun } from '../relay-run.ts';
import type { Load } from '../relay-run.ts';
import type { Settings } from '../settings.ts';
import { relaysOf } from '../wires.ts';
import type { RelayKind } from '../wires.ts';

export interface IdleRow {
  readonly wire: string;
  readonly relay: RelayKind;
  readonly sessions: number;
  readonly rssKb: number;
  readonly heapKb: number;
  readonly externalKb: number;
  /** Heap a session that is not given back when they have all ended; stored sessions are among it. */
  readonly keptKb: number;
  readonly left: number;
}

/** Sessions are opened, and ended, once before: what the first ones make is not theirs. */
const WARM_SESSIONS = 50;

/** Memory of connected sessions that say nothing, after a collection, as differences to none. */
export async function measureIdle(settings: Settings, load: Load, providerPort: number): Promise<IdleRow[]> {
  const { idleSessions: sessions } = settings;
  const rows: IdleRow[] = [];
  for (const wire of settings.wires) {
    for (const kind of relaysOf(wire)) {
      await using run = await RelayRun.start(kind, wire, load, providerPort);
      await run.connect(Math.min(WARM_SESSIONS, sessions));
      await run.disconnect();
      const before = await run.relay.ask('memory');
      await run.connect(sessions);
      const during = await run.relay.ask('memory');
      const left = await run.disconnect();
      const after = await run.relay.ask('memory');
      const perSession = (more: number, less: number): number => (more - less) / sessions / 1_000;
      rows.push({
        wire: wire.id,
        relay: kind,
        sessions,
        rssKb: perSession(during.rssBytes, before.rssBytes),
        heapKb: perSession(during.heapBytes, before.heapBytes),
        externalKb: perSession(during.externalBytes, before.externalBytes),
        keptKb: perSession(after.heapBytes, before.heapBytes),
        left,
      });
    }
  }
  return rows;
}
