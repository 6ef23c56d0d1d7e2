import { join } from 'node:path';
import { CHECKOUT } from '../support/checkout.ts';
import { ProcessUnderTest } from '../support/process.ts';
import { untilTrue } from './timeline.ts';

/** What one process of clients does. Durations in milliseconds. */
export interface LoadPlan {
  /** Tells the sessions of one process from those of another. */
  readonly name: string;
  readonly url: string;
  readonly app: string;
  readonly calls: number;
  /** How many of them stream their microphone all the time; the others say something in writing now and then. */
  readonly talking: number;
  readonly sayEveryMs: number;
  readonly minCallMs: number;
  readonly maxCallMs: number;
  /** It stops by itself after this long. */
  readonly atMostMs: number;
}

/** What has come of it so far. */
export interface LoadTally {
  readonly underWay: number;
  readonly begun: number;
  readonly good: number;
  readonly refused: number;
  readonly cut: number;
  readonly answers: number;
  /** Frames and answers' pieces that went either way. */
  readonly frames: number;
  /** The latest that a frame was sent: what the load itself was late by. */
  readonly lateMs: number;
}

const NOTHING: LoadTally = {
  underWay: 0,
  begun: 0,
  good: 0,
  refused: 0,
  cut: 0,
  answers: 0,
  frames: 0,
  lateMs: 0,
};

/** How long the last calls may take to hear their answer and hang up. */
const STOP_BOUND_MS = 60_000;

/** Processes full of clients, told and asked as one. */
export class Load implements AsyncDisposable {
  readonly #clients: readonly ProcessUnderTest[];

  /** Divides the calls among `processes`. */
  static start(plan: Omit<LoadPlan, 'name'>, processes: number): Load {
    const share = (of: number, index: number): number =>
      Math.floor(((index + 1) * of) / processes) - Math.floor((index * of) / processes);
    const clients = Array.from({ length: processes }, (_, index) => {
      const own: LoadPlan = {
        ...plan,
        name: `drill${index}`,
        calls: share(plan.calls, index),
        talking: share(plan.talking, index),
      };
      const program = join(CHECKOUT, 'test/drain-drill/load-client.ts');
      return ProcessUnderTest.start(process.execPath, [program, JSON.stringify(own)]);
    });
    return new Load(clients);
  }

  private constructor(clients: readonly ProcessUnderTest[]) {
    this.#clients = clients;
  }

  /** The latest of all of them together. */
  get tally(): LoadTally {
    return this.#clients
      .map((client) => latestTally(client.printed))
      .reduce((sum, { lateMs, ...counts }) => {
        const names = Object.keys(counts) as (keyof typeof counts)[];
        const added = Object.fromEntries(names.map((name) => [name, sum[name] + counts[name]]));
        return { ...sum, ...added, lateMs: Math.max(sum.lateMs, lateMs) };
      }, NOTHING);
  }

  /** Every call that did not end well, in a line each; a process that failed, with what it said. */
  get troubles(): string[] {
    return this.#clients.flatMap((client) => [
      ...client.printed.filter((line) => line.startsWith('{"trouble"')),
      ...client.complained.filter((line) => line !== ''),
    ]);
  }

  async untilUnderWay(calls: number, boundMs: number): Promise<void> {
    await untilTrue(`${calls} calls are under way`, boundMs, () => this.tally.underWay >= calls);
  }

  /** Has every call hang up, and waits until they have. */
  async stop(): Promise<LoadTally> {
    for (const client of this.#clients) client.type('stop\n');
    await Promise.all(this.#clients.map((client) => client.exit(STOP_BOUND_MS)));
    return this.tally;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
  }
}

function latestTally(lines: readonly string[]): LoadTally {
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const line = lines[index] ?? '';
    if (line.startsWith('{"tally"')) return (JSON.parse(line) as { tally: LoadTally }).tally;
  }
  return NOTHING;
}
