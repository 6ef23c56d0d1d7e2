import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVER_CLOSE_TIMEOUT_MS } from '../../src/server/index.ts';
import { freePorts } from '../support/balancer.ts';
import { startBalancer } from './drill-balancer.ts';
import type { BalancerName, DrillBalancer } from './drill-balancer.ts';
import { DrillServer } from './drill-server.ts';
import { Load } from './load.ts';
import { seconds, untilTrue } from './timeline.ts';
import type { Timeline } from './timeline.ts';

export interface RollingRestartOptions {
  readonly balancer: BalancerName;
  readonly calls: number;
  readonly talking: number;
  /** Processes the clients are divided among. */
  readonly clients: number;
  readonly sayEveryMs: number;
  readonly minCallMs: number;
  readonly maxCallMs: number;
  readonly preDrainDelayS: number;
  readonly drainTimeoutS: number;
}

/** A promise that was broken, in a sentence. */
export type Problem = string;

/** How long a process may take to start, and a balancer to notice it, on a machine that is busy. */
const START_BOUND_MS = 30_000;

/** Between two lines of progress. */
const PROGRESS_MS = 5_000;

/**
 * A deployment: two servers behind a balancer are restarted one after the other, while calls are under way and new ones keep
 * coming. No call is cut, no new one is refused, and each server ends with 0.
 */
export async function rollingRestart(options: RollingRestartOptions, timeline: Timeline): Promise<Problem[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-drill-'));
  try {
    return await restartBoth(options, timeline, `sqlite:${join(folder, 'sessions.sqlite')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function restartBoth(
  options: RollingRestartOptions,
  timeline: Timeline,
  store: string,
): Promise<Problem[]> {
  const { calls, talking, sayEveryMs, minCallMs, maxCallMs, drainTimeoutS, preDrainDelayS } = options;
  const problems: Problem[] = [];
  const [one = 0, two = 0] = await freePorts(2);
  const start = (port: number): Promise<DrillServer> =>
    DrillServer.start({ port, store, drainTimeoutS, preDrainDelayS });
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all([start(one), start(two)]);
  stack.defer(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const balancer = stack.use(await startBalancer(options.balancer, [one, two]));
  timeline.say(
    `two servers are up, on ports ${one} and ${two}, and ${balancer.name} before them on ${balancer.url}`,
  );

  const restartMs = (preDrainDelayS + drainTimeoutS) * 1_000 + SERVER_CLOSE_TIMEOUT_MS + 2 * START_BOUND_MS;
  const load = stack.use(
    Load.start(
      {
        url: balancer.url,
        app: 'default',
        calls,
        talking,
        sayEveryMs,
        minCallMs,
        maxCallMs,
        atMostMs: 2 * restartMs + START_BOUND_MS,
      },
      options.clients,
    ),
  );
  await load.untilUnderWay(calls, START_BOUND_MS + calls * 100);
  timeline.say(`${calls} calls are under way: ${talking} stream 50 frames a second, the others write`);

  for (const place of [0, 1] as const) {
    problems.push(...(await restart({ place, servers, balancer, load, timeline, options, start })));
  }
  // What the last server has been given since it is back has to hold as well.
  await load.untilUnderWay(calls, START_BOUND_MS);
  const end = await load.stop();
  timeline.say(
    `all have hung up: ${end.begun} calls in all, ${end.good} good, ${end.refused} refused, ${end.cut} cut, ` +
      `${end.answers} answers, ${end.frames} frames; the clients' own frames were ${end.lateMs} ms late at worst`,
  );
  for (const line of await balancer.summary()) timeline.say(line);
  if (end.refused > 0) problems.push(`${end.refused} new calls were refused`);
  if (end.cut > 0) problems.push(`${end.cut} calls were cut`);
  if (end.good !== end.begun) problems.push(`${end.begun - end.good} calls did not end well`);
  problems.push(...load.troubles);
  return problems;
}

interface Restart {
  readonly place: 0 | 1;
  readonly servers: DrillServer[];
  readonly balancer: DrillBalancer;
  readonly load: Load;
  readonly timeline: Timeline;
  readonly options: RollingRestartOptions;
  readonly start: (port: number) => Promise<DrillServer>;
}

async function restart(each: Restart): Promise<Problem[]> {
  const { place, servers, balancer, load, timeline, options, start } = each;
  const server = servers[place] as DrillServer;
  const name = `server ${place + 1}`;
  const problems: Problem[] = [];
  await untilTrue(`${name} has calls`, START_BOUND_MS, async () => (await server.calls()) > 0);
  const before = { calls: await server.calls(), begun: load.tally.begun };
  const startedAtMs = performance.now();
  server.signal();
  timeline.say(`SIGTERM to ${name}, which has ${before.calls} calls`);

  const boundMs =
    (options.preDrainDelayS + options.drainTimeoutS) * 1_000 + SERVER_CLOSE_TIMEOUT_MS + START_BOUND_MS;
  const exited = server.exit(boundMs);
  // Observed below; what fails before it must not leave it alone.
  exited.catch(() => undefined);
  if (await balancer.noticed(place)) {
    timeline.say(
      `${balancer.name} has noticed, ${seconds(performance.now() - startedAtMs)} after the signal`,
    );
  }
  const progress = setInterval(() => {
    void Promise.all([server.calls(), servers[1 - place]?.calls()])
      .then(([own, other]) => timeline.say(`${name} has ${own} calls, the other one ${other}`))
      // It ends between two looks.
      .catch(() => undefined);
  }, PROGRESS_MS);
  const exit = await exited.finally(() => clearInterval(progress));
  const newCalls = load.tally.begun - before.begun;
  timeline.say(
    `${name} has ended with ${exit.status ?? exit.signal} after ${seconds(exit.tookMs)}, ${server.cutCalls} cut; ` +
      `${newCalls} new calls have begun meanwhile`,
  );
  if (exit.status !== 0) problems.push(`${name} ended with ${exit.status ?? exit.signal} instead of 0`);
  if (newCalls === 0) problems.push(`no new call came while ${name} drained, so nothing was shown`);

  const next = await start(Number(new URL(server.url).port));
  servers[place] = next;
  timeline.say(`${name} is there again, a new process`);
  await balancer.isUp(place);
  await untilTrue(`${name} has calls again`, START_BOUND_MS, async () => (await next.calls()) > 0);
  timeline.say(`${name} is up and has calls again`);
  return problems;
}
