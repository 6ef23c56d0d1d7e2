import { setImmediate as turn } from 'node:timers/promises';
import { describeError } from '../../src/kernel/index.ts';
import { received } from './received.ts';
import { MARGIN_MS, VIRTUAL_MARGIN_MS } from './scenario.ts';
import type { Scenario, ScenarioResult } from './scenario.ts';
import { Stage } from './stage.ts';
import type { Ending } from './stage.ts';

/** Turns of the event loop in which a rejection nobody handles would be told. */
const SETTLING_TURNS = 5;

/** Beyond every bound of the product: what takes longer hangs. */
const HANG_MS = 60_000;

/** Plays one scenario and judges it. Never rejects: what goes wrong stands in the result. */
export async function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const { clause, name, also = '', time = 'real', expected } = scenario;
  const stage = await Stage.set(scenario.provider, time);
  try {
    const { ending, problem } = await play(scenario, stage);
    const { durationMs } = stage;
    const sockets = await stage.socketsGone();
    const afterwards = problem === undefined ? await stage.afterwards() : [];
    for (let turns = 0; turns < SETTLING_TURNS; turns += 1) await turn();
    const { historyTurns, lost, doubled, isInOrder, repeatedMs } = received(
      stage.emulator.recorded,
      stage.said,
    );
    const measured = {
      outcome: ending?.outcome ?? '—',
      reason: ending?.report?.reason ?? '—',
      durationMs,
      dials: stage.dialsAtMs.length,
      dialsAtMs: stage.dialsAtMs,
      history: historyTurns,
      lost: lost.length,
      doubled: doubled.length,
      againMs: repeatedMs,
      sockets,
      unsent: ending?.report?.unsent.requests ?? 0,
      unhandled: unhandled.length,
    };
    const problems = [
      ...(problem === undefined ? [] : [problem]),
      ...differences(scenario, measured),
      ...untold(stage, measured),
      ...afterwards,
      ...(lost.length === (expected.lost ?? 0) ? [] : listed('The model does not know', lost)),
      ...(doubled.length === 0 ? [] : listed('The model knows twice', doubled)),
      ...(isInOrder ? [] : ['The model knows what was said in another order.']),
      ...stage.held().map((held) => `Still held: ${held}.`),
      ...unhandled.map((reason) => `Unhandled rejection: ${describeError(reason)}.`),
    ];
    const ok = problems.length === 0;
    return { clause, name, also, time, ok, ...measured, boundMs: expected.boundMs, problems };
  } finally {
    await stage[Symbol.asyncDispose]();
    process.off('unhandledRejection', note);
  }
}

/** More than these of a kind would say no more. */
const LISTED = 5;

function listed(what: string, ones: readonly string[]): string[] {
  if (ones.length === 0) return [`${what}: nothing.`];
  const more = ones.length > LISTED ? ` and ${ones.length - LISTED} more` : '';
  return [`${what}: ${ones.slice(0, LISTED).join(', ')}${more}.`];
}

async function play(
  scenario: Scenario,
  stage: Stage,
): Promise<{ readonly ending?: Ending; readonly problem?: string }> {
  const hanging = Promise.withResolvers<never>();
  const guard = setTimeout(() => hanging.reject(new Error(`It hangs: ${HANG_MS} ms are over.`)), HANG_MS);
  try {
    return { ending: await Promise.race([scenario.play(stage), hanging.promise]) };
  } catch (error) {
    return { problem: describeError(error) };
  } finally {
    clearTimeout(guard);
  }
}

type Measured = Omit<ScenarioResult, 'clause' | 'name' | 'also' | 'time' | 'ok' | 'boundMs' | 'problems'>;

function differences({ expected, time }: Scenario, measured: Measured): string[] {
  const { outcome, reason, dials = 1, history = 0, unsent = 0, againMs = 0, boundMs } = expected;
  const problems: string[] = [];
  const compare = (what: string, is: unknown, should: unknown): void => {
    if (is !== should) problems.push(`${what} is ${String(is)} and should be ${String(should)}.`);
  };
  compare('The outcome', measured.outcome, outcome);
  if (reason !== undefined) compare('The reason', measured.reason, reason);
  const [least, most] = typeof dials === 'number' ? [dials, dials] : dials;
  const isDialled = measured.dials >= least && measured.dials <= most;
  if (!isDialled)
    compare('The number of dials', measured.dials, least === most ? least : `${least} to ${most}`);
  compare('The number of history turns the provider was given', measured.history, history);
  if (againMs !== 'told') compare('What came to the provider again, in ms,', measured.againMs, againMs);
  compare('The number of upstream sockets', measured.sockets, 0);
  compare('The number of unsent requests', measured.unsent, unsent);
  const marginMs = time === 'virtual' ? VIRTUAL_MARGIN_MS : MARGIN_MS;
  if (measured.durationMs > boundMs + marginMs) {
    problems.push(`It took ${Math.round(measured.durationMs)} ms; the bound is ${boundMs} ms.`);
  }
  return problems;
}

/** What the events say was sent again is what came again, as far as its connections lived to hear it. */
function untold({ events }: Stage, { againMs }: Measured): string[] {
  const toldMs = events.reduce((sum, event) => sum + ('replayedMs' in event ? event.replayedMs : 0), 0);
  if (againMs <= toldMs) return [];
  return [`${againMs} ms came again, and the events tell of ${toldMs} ms.`];
}
