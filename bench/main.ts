import type { LoadOperations } from './load/main.ts';
import { describeMachine, machineFacts } from './machine.ts';
import { measureCapacity } from './parts/capacity.ts';
import { measureCloses } from './parts/close.ts';
import { measureCrowd } from './parts/crowd.ts';
import { measureIdle } from './parts/idle.ts';
import { measureLongCall } from './parts/long-call.ts';
import { measureProfile } from './parts/profile.ts';
import { measureRelays } from './parts/relay.ts';
import { Program, startedPrograms } from './process/program.ts';
import type { Load } from './relay-run.ts';
import { HELP, parseSettings } from './settings.ts';
import type { PartName, Settings } from './settings.ts';
import {
  capacityTable,
  closeTable,
  crowdTable,
  idleTable,
  longCallTable,
  profileTable,
  relayTable,
} from './tables.ts';

interface Part<Row> {
  readonly title: string;
  measure(settings: Settings, load: Load, providerPort: number): Promise<Row[]>;
  format(rows: readonly Row[]): string;
}

/** Says of a part what its rows are, and no more: who runs it does not look into them. */
function part<Row>(title: string, measure: Part<Row>['measure'], format: Part<Row>['format']): Part<unknown> {
  return { title, measure, format: (rows) => format(rows as readonly Row[]) };
}

const PARTS: Readonly<Record<PartName, Part<unknown>>> = {
  relay: part('CPU and latency of the relay', measureRelays, relayTable),
  capacity: part('Sessions one process carries', measureCapacity, capacityTable),
  idle: part('Memory of an idle session', measureIdle, idleTable),
  crowd: part('A crowd of sessions, a few of which talk', measureCrowd, crowdTable),
  'long-call': part('Heap over a long call', measureLongCall, longCallTable),
  close: part('From close() to no socket', measureCloses, closeTable),
  profile: part('Where the CPU goes (self time, idle left out)', measureProfile, profileTable),
};

async function run(settings: Settings): Promise<void> {
  const machine = machineFacts();
  const say = settings.json ? () => undefined : (text: string) => console.log(text);
  say(describeMachine(machine));
  const results: Record<string, unknown> = { machine };
  for (const name of settings.parts) {
    // A load of its own for each part: what one leaves behind cannot be in the figures of the next.
    await using load = await Program.start<LoadOperations>('load/main.ts', []);
    const { title, measure, format } = PARTS[name];
    const rows = await measure(settings, load, await load.ask('listen'));
    results[name] = rows;
    say(`\n${title}\n\n${format(rows)}`);
  }
  if (settings.json) console.log(JSON.stringify({ ...results, programs: startedPrograms }, undefined, 2));
}

async function main(): Promise<void> {
  let settings;
  try {
    settings = parseSettings(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 2;
    return;
  }
  if (settings === 'help') console.log(HELP);
  else await run(settings);
}

await main();
