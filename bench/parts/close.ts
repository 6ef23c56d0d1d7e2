import type { ProviderManners } from '../load/provider.ts';
import { Program } from '../process/program.ts';
import type { Load } from '../relay-run.ts';
import type { CloseState, ClosingOperations } from '../servers/closing-session.ts';
import type { Settings } from '../settings.ts';

export interface CloseRow {
  readonly state: CloseState;
  readonly closes: number;
  readonly socketMedianMs: number;
  readonly socketMaxMs: number;
  readonly reportMaxMs: number;
  readonly overrun: readonly string[];
}

/** In which state a session is closed, and what keeps it there. */
const STATES: readonly (readonly [CloseState, ProviderManners])[] = [
  ['connecting', 'no upgrade'],
  ['waiting for setup', 'no setup'],
  ['idle', 'talks'],
  ['streaming', 'streams'],
  ['tool in flight', 'calls a tool'],
  ['half-open peer', 'half open'],
];

/** How long after `close()` the process holds no socket any more. */
export async function measureCloses(
  settings: Settings,
  load: Load,
  providerPort: number,
): Promise<CloseRow[]> {
  await using program = await Program.start<ClosingOperations>('servers/closing-session.ts', [
    String(providerPort),
  ]);
  const rows: CloseRow[] = [];
  for (const [state, manners] of STATES) {
    await load.ask('behave', manners);
    // Once unmeasured: the first of its kind is not compiled yet.
    await program.ask('close', state);
    const times = [];
    for (let close = 0; close < settings.closes; close += 1) times.push(await program.ask('close', state));
    const socketMs = times.map((one) => one.socketMs).sort((one, other) => one - other);
    rows.push({
      state,
      closes: times.length,
      socketMedianMs: socketMs[socketMs.length >> 1] ?? 0,
      socketMaxMs: socketMs.at(-1) ?? 0,
      reportMaxMs: Math.max(...times.map((one) => one.reportMs)),
      overrun: [...new Set(times.flatMap((one) => one.overrun))],
    });
  }
  await load.ask('behave', 'talks');
  return rows;
}
