import { parseArgs } from 'node:util';
import { WIRES } from './wires.ts';
import type { Wire } from './wires.ts';

export const PARTS = ['relay', 'capacity', 'idle', 'crowd', 'long-call', 'close', 'profile'] as const;
export type PartName = (typeof PARTS)[number];

export interface Settings {
  readonly json: boolean;
  readonly parts: readonly PartName[];
  readonly wires: readonly Wire[];
  /** How many sessions the relay part holds at a time, one after the other. */
  readonly sessions: readonly number[];
  /** How long a stream runs before it is measured, and while it is. */
  readonly settleMs: number;
  readonly measureMs: number;
  /** Before the first measurement, so that everything hot is compiled. */
  readonly warmMs: number;
  readonly idleSessions: number;
  /** Sessions of the crowd that say nothing, and those that talk beside them. */
  readonly crowdIdle: number;
  readonly crowdTalking: number;
  /** How much sound the long call carries, each way. */
  readonly longCallMinutes: number;
  readonly closes: number;
  readonly capacityStep: number;
  readonly maxSessions: number;
}

export const HELP = `npm run bench -- [options]

Measures the relay of live audio: the server in a process of its own, the load in another one.

  --only <part>        ${PARTS.join(', ')}; may be repeated (default: all but profile)
  --wire <id>          ${WIRES.map(({ id }) => id).join(', ')}; may be repeated (default: all)
  --sessions <list>    sessions of the relay part (default 1,10,100,300)
  --seconds <n>        how long each measurement takes (default 5)
  --idle <n>           idle sessions (default 1000)
  --crowd <n,m>        sessions of the crowd: idle ones, and talking ones (default 2000,200)
  --minutes <n>        sound of the long call, each way (default 120)
  --step <n>           sessions added at a time while looking for the capacity (default 25)
  --max <n>            sessions at which the search for the capacity ends (default 900)
  --quick              a few seconds of everything: shows that the bench works, its figures mean nothing
  --json               the results as JSON instead of tables
  --help               this text

docs/performance.md says how to read the tables.
`;

/** @throws TypeError or RangeError for options that make no sense. */
export function parseSettings(args: readonly string[]): Settings | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      wire: { type: 'string', multiple: true },
      sessions: { type: 'string' },
      seconds: { type: 'string' },
      idle: { type: 'string' },
      crowd: { type: 'string' },
      minutes: { type: 'string' },
      step: { type: 'string' },
      max: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  const measureMs = numberOf('seconds', values.seconds, quick ? 0.2 : 5) * 1_000;
  const [crowdIdle = '', crowdTalking = ''] = (values.crowd ?? (quick ? '10,4' : '2000,200')).split(',');
  return {
    json: values.json,
    parts: (values.only ?? PARTS.filter((name) => name !== 'profile')).map((name) =>
      oneOf('only', name, PARTS),
    ),
    wires: values.wire === undefined ? WIRES : values.wire.map(wireOf),
    sessions: (values.sessions ?? (quick ? '1,4' : '1,10,100,300'))
      .split(',')
      .map((count) => wholeOf('sessions', count, 1)),
    settleMs: quick ? 100 : 1_000,
    measureMs,
    warmMs: quick ? 100 : 3_000,
    idleSessions: wholeOf('idle', values.idle, quick ? 20 : 1_000),
    crowdIdle: wholeOf('crowd', crowdIdle, 1),
    crowdTalking: wholeOf('crowd', crowdTalking, 1),
    longCallMinutes: numberOf('minutes', values.minutes, quick ? 0.1 : 120),
    closes: quick ? 1 : 10,
    capacityStep: wholeOf('step', values.step, quick ? 4 : 25),
    maxSessions: wholeOf('max', values.max, quick ? 8 : 900),
  };
}

function wireOf(id: string): Wire {
  const ids = WIRES.map((wire) => wire.id);
  const wire = WIRES[ids.indexOf(oneOf('wire', id, ids))];
  if (wire === undefined) throw new RangeError(`--wire: '${id}' is not known.`);
  return wire;
}

function oneOf<Name extends string>(option: string, given: string, known: readonly Name[]): Name {
  const found = known.find((name) => name === given);
  if (found === undefined)
    throw new RangeError(`--${option} must be one of ${known.join(', ')}; it was '${given}'.`);
  return found;
}

function wholeOf(option: string, given: string | undefined, fallback: number): number {
  const value = numberOf(option, given, fallback);
  if (!Number.isInteger(value))
    throw new RangeError(`--${option} must be a whole number; it was '${given}'.`);
  return value;
}

function numberOf(option: string, given: string | undefined, fallback: number): number {
  const value = given === undefined ? fallback : Number(given);
  if (!(value > 0) || value > 100_000)
    throw new RangeError(`--${option} must be above 0; it was '${given}'.`);
  return value;
}
