import { TokenForge } from '../support/token-forge.ts';
import type { AbuseInput } from './abuse-input.ts';
import { authInputs } from './auth-inputs.ts';
import { BODY_INPUTS } from './body-inputs.ts';
import { FLOOD_INPUTS } from './flood-inputs.ts';
import { FRAME_INPUTS } from './frame-inputs.ts';
import { FUZZ_INPUTS } from './fuzz-inputs.ts';
import { HealthyCall } from './healthy-call.ts';
import type { Latency } from './healthy-call.ts';
import { HTTP_INPUTS } from './http-inputs.ts';
import { runAbuse } from './run-abuse.ts';
import type { AbuseResult } from './run-abuse.ts';
import { SLOW_INPUTS } from './slow-inputs.ts';
import { Target } from './target.ts';
import type { TargetState } from './target.ts';
import { WIRE_INPUTS } from './wire-inputs.ts';

const forge = new TokenForge(Math.floor(Date.now() / 1_000));

/** What is put in side by side, one after the other, and to a server that asks who comes. */
const TOGETHER = [
  ...FRAME_INPUTS,
  ...WIRE_INPUTS,
  ...BODY_INPUTS,
  ...HTTP_INPUTS,
  ...SLOW_INPUTS,
  ...FUZZ_INPUTS,
];
const ALONE = FLOOD_INPUTS;
const GUARDED = await authInputs(forge);

export const ALL_INPUTS: readonly AbuseInput[] = [...TOGETHER, ...ALONE, ...GUARDED];

/** How many strangers there are at a time. */
const LANES = 12;

/** How long the healthy call is alone, to compare with, in milliseconds. */
const CALM_MS = 1_500;

/** How long the server may take to be rid of the last of them: longer than any of its bounds. */
const SETTLED_WITHIN_MS = 30_000;

/** What became of the server, and of those who meant well. */
export interface AbuseReport {
  readonly results: readonly AbuseResult[];
  readonly before: TargetState;
  readonly after: TargetState;
  readonly guarded: TargetState;
  readonly isRunning: boolean;
  /** What both processes printed besides where they listen. */
  readonly printed: readonly string[];
  readonly healthy: {
    readonly end: string;
    readonly answers: number;
    readonly calm: Latency;
    readonly abused: Latency;
  };
}

/** Everything there is against real servers, with a healthy call beside it all the time. */
export async function playAbuse(): Promise<AbuseReport> {
  await using target = await Target.start();
  await using guarded = await Target.start({ ABUSE_PUBLIC_KEY: forge.publicPem });
  using call = await HealthyCall.begin(target);
  await pause(CALM_MS);
  const calm = call.latency();
  const before = await target.state();
  const results = [
    ...(await runAbuse(target, TOGETHER, LANES, 1)),
    ...(await runAbuse(target, ALONE, 1, 2)),
    ...(await runAbuse(guarded, GUARDED, LANES, 3)),
  ];
  const abused = call.latency();
  const end = await call.end();
  const answers = call.answers;
  const [after, guardedAfter] = [await settled(target), await settled(guarded)];
  const isRunning = target.process.isRunning && guarded.process.isRunning;
  const printed = [target, guarded]
    .flatMap(({ process: { lines } }) => [...lines])
    .filter((line) => !/^(state at|listening on) /.test(line));
  const healthy = { end: end.tag === 'good' ? 'good' : JSON.stringify(end), answers, calm, abused };
  return { results, before, after, guarded: guardedAfter, isRunning, printed, healthy };
}

/** How a server is once nothing goes on in it any more, or after a while. */
async function settled(target: Target): Promise<TargetState> {
  const until = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const state = await target.state();
    if (heldBy(state).length === 0 || performance.now() > until) return state;
    await pause(100);
  }
}

/** What a server always has: its listener, its look at the event loop, and what it knows of the last minute. */
const ALWAYS = new Set([
  'http server',
  'event loop delay',
  'event loop',
  'session rates',
  'upgrade rates',
  'limit log',
  'auth log',
]);

/** What it still holds of somebody. */
export function heldBy({ resources, liveSessions }: TargetState): string[] {
  return [
    ...resources.filter((each) => !ALWAYS.has(each)),
    ...Array<string>(liveSessions).fill('live session'),
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
