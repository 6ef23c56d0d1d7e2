import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { SERVER_CLOSE_TIMEOUT_MS } from '../../src/server/index.ts';
import { ADK_CLOSE_CODES, CLOSE_CODES } from '../../src/protocol/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { DrillCall } from './drill-call.ts';
import type { CallEnd, CallPlan, Wire } from './drill-call.ts';
import { DrillServer } from './drill-server.ts';
import type { DrillServerOptions } from './drill-server.ts';
import type { SpokenFrames } from './spoken-frames.ts';
import { pause, seconds } from './timeline.ts';

/** How much there is of it: the drill takes more than the tests. */
export interface Scale {
  /** Clients that are open and say nothing. */
  readonly idleSessions: number;
  readonly drainTimeoutS: number;
  /** How long after its moment a call may be cut where nothing hangs, in milliseconds; before it none may. */
  readonly nearMs: number;
}

export interface Outcome {
  /** What was measured, for people. */
  readonly measured: string;
  /** Promises that were broken. */
  readonly problems: readonly string[];
}

/** One thing that can be in the way of a drain, and what is promised then. */
export interface Variant {
  readonly clause: string;
  readonly name: string;
  run(stage: VariantStage): Promise<Outcome>;
}

/** A folder with the app `slow`. */
export const AGENTS_DIR = join(CHECKOUT, 'test/drain-drill/agents');

/** What this machine may take to end a process that is done. */
const EXIT_SLACK_MS = 2_000;

/** Signals within half a second of one that counted do not count: this is beyond. */
const BEYOND_ECHO_MS = 700;

/** How the end of a server is told to a client that it cuts. */
function cutCode(wire: Wire): number {
  return wire === 'adk' ? ADK_CLOSE_CODES.draining : CLOSE_CODES.draining.code;
}

/** What a variant stands on: it starts servers and makes calls, which all end with it. */
export class VariantStage implements AsyncDisposable {
  readonly scale: Scale;
  readonly spoken: SpokenFrames;
  readonly #stack = new AsyncDisposableStack();

  constructor(scale: Scale, spoken: SpokenFrames) {
    this.scale = scale;
    this.spoken = spoken;
  }

  async server(options: Partial<DrillServerOptions> = {}): Promise<DrillServer> {
    const { drainTimeoutS } = this.scale;
    const server = await DrillServer.start({ store: 'memory', drainTimeoutS, ...options });
    // A variant that took too long has been cleared away meanwhile.
    if (!this.#stack.disposed) return this.#stack.use(server);
    await server[Symbol.asyncDispose]();
    throw new Error('The variant was over before its server was there.');
  }

  /** A call that is under way. @throws Error for one that is not taken. */
  async call({ url }: DrillServer, plan: Partial<CallPlan> & Pick<CallPlan, 'wire'>): Promise<DrillCall> {
    const call = new DrillCall(
      { url, app: 'default', id: randomUUID(), manner: 'says', sayEveryMs: 300, ...plan },
      this.spoken,
    );
    this.#stack.defer(() => call.drop());
    if (await call.opened) return call;
    throw new Error(`A call was not taken: ${JSON.stringify(await call.ended)}`);
  }

  /** Sends the first signal, and waits until the server drains. Returns when it was sent. */
  async drain(server: DrillServer): Promise<number> {
    const atMs = performance.now();
    server.signal();
    await server.process.line(/"msg":"draining"/);
    return atMs;
  }

  /** Sends one more signal, so late that it counts. Returns when. */
  async signalAgain(server: DrillServer): Promise<number> {
    await pause(BEYOND_ECHO_MS);
    const atMs = performance.now();
    server.signal();
    return atMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Looks at calls that are to be cut at a moment, and at most `lateMs` after it. Gives what is wrong, each thing once. */
export function cutProblems(
  calls: readonly DrillCall[],
  ends: readonly CallEnd[],
  { atMs, lateMs }: { readonly atMs: number; readonly lateMs: number },
): string[] {
  const problems = ends.flatMap((end, index): string[] => {
    const wire = calls[index]?.plan.wire ?? 'adk';
    if (end.tag !== 'cut') return [`a call over ${wire} was not cut but ${JSON.stringify(end)}`];
    const found: string[] = [];
    if (end.code !== cutCode(wire)) {
      found.push(`a call over ${wire} was closed with ${end.code} '${end.why}', not ${cutCode(wire)}`);
    }
    const offMs = end.atMs - atMs;
    if (offMs < 0) found.push(`a call over ${wire} was cut before its moment`);
    if (offMs > lateMs) found.push(`a call over ${wire} was cut ${seconds(offMs)} after its moment`);
    return found;
  });
  return [...new Set(problems)];
}

/** How far from `atMs` the calls were cut: `+0.01 to +0.03 s`. */
export function cutMoments(ends: readonly CallEnd[], atMs: number): string {
  const off = ends.flatMap((end) => (end.tag === 'cut' ? [(end.atMs - atMs) / 1_000] : []));
  const told = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(2)}`;
  return off.length === 0 ? 'none' : `${told(Math.min(...off))} to ${told(Math.max(...off))} s`;
}

/** Waits for a server's end. It is there by `sinceMs` + `withinMs`, or that is a problem. */
export async function exitProblems(
  server: DrillServer,
  want: {
    readonly status: number;
    readonly cut: number;
    readonly sinceMs: number;
    readonly withinMs: number;
  },
): Promise<{ readonly tookMs: number; readonly problems: string[] }> {
  const { status, signal } = await server.exit(want.withinMs + 60_000);
  const tookMs = performance.now() - want.sinceMs;
  const problems: string[] = [];
  if (status !== want.status) problems.push(`the exit code was ${status ?? signal}, not ${want.status}`);
  if (server.cutCalls !== want.cut) problems.push(`${server.cutCalls} calls were cut, not ${want.cut}`);
  if (tookMs > want.withinMs + EXIT_SLACK_MS) {
    problems.push(`it took ${seconds(tookMs)} to end, not ${seconds(want.withinMs)} at most`);
  }
  return { tookMs, problems };
}

/** How long a server takes at most from the signal to its end. */
export function boundMs({ drainTimeoutS }: Scale): number {
  return drainTimeoutS * 1_000 + SERVER_CLOSE_TIMEOUT_MS;
}

/** Nothing in a variant takes longer than this, whatever hangs, in milliseconds. */
const VARIANT_BOUND_MS = 180_000;

/** Plays a variant. Never rejects: what kept it from its end is a problem as well. */
export async function playVariant(variant: Variant, scale: Scale, spoken: SpokenFrames): Promise<Outcome> {
  await using stage = new VariantStage(scale, spoken);
  const { promise: late, resolve } = Promise.withResolvers<Outcome>();
  const problem = `it did not come to its end within ${seconds(VARIANT_BOUND_MS)}`;
  const timer = setTimeout(() => resolve({ measured: '', problems: [problem] }), VARIANT_BOUND_MS);
  const played = variant
    .run(stage)
    .catch((error: unknown): Outcome => ({ measured: '', problems: [(error as Error).message] }));
  // Awaited here: the stage is cleared away when it is over, and not before.
  return await Promise.race([played, late]).finally(() => clearTimeout(timer));
}
