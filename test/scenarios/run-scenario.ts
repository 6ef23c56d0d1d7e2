import { setImmediate as turn } from 'node:timers/promises';
import { describeError } from '../../src/kernel/index.ts';
import { MARGIN_MS } from './scenario.ts';
import type { Scenario, ScenarioResult } from './scenario.ts';
import { Stage } from './stage.ts';
import type { Ending } from './stage.ts';

/** Turns of the event loop in which a rejection nobody handles would be told. */
const SETTLING_TURNS = 5;

/** Plays one scenario and judges it. Never rejects: what goes wrong stands in the result. */
export async function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const stage = await Stage.set(scenario.provider);
  try {
    const { ending, problem } = await play(scenario, stage);
    const { durationMs } = stage;
    const sockets = await stage.socketsGone();
    for (let turns = 0; turns < SETTLING_TURNS; turns += 1) await turn();
    const { clause, name, also = '', expected } = scenario;
    const measured = {
      outcome: ending?.outcome ?? '—',
      reason: ending?.report?.reason ?? '—',
      durationMs,
      dials: stage.emulator.connections.count,
      sockets,
      unsent: ending?.report?.unsent.requests ?? 0,
      unhandled: unhandled.length,
    };
    const problems = [
      ...(problem === undefined ? [] : [problem]),
      ...differences(scenario, measured),
      ...stage.held().map((held) => `Still held: ${held}.`),
      ...unhandled.map((reason) => `Unhandled rejection: ${describeError(reason)}.`),
    ];
    const ok = problems.length === 0;
    return { clause, name, also, ok, ...measured, boundMs: expected.boundMs, problems };
  } finally {
    await stage[Symbol.asyncDispose]();
    process.off('unhandledRejection', note);
  }
}

async function play(
  scenario: Scenario,
  stage: Stage,
): Promise<{ readonly ending?: Ending; readonly problem?: string }> {
  try {
    return { ending: await scenario.play(stage) };
  } catch (error) {
    return { problem: describeError(error) };
  }
}

type Measured = Pick<ScenarioResult, 'outcome' | 'reason' | 'durationMs' | 'dials' | 'sockets' | 'unsent'>;

function differences({ expected }: Scenario, measured: Measured): string[] {
  const { outcome, reason, dials = 1, unsent = 0, boundMs } = expected;
  const problems: string[] = [];
  const compare = (what: string, is: unknown, should: unknown): void => {
    if (is !== should) problems.push(`${what} is ${String(is)} and should be ${String(should)}.`);
  };
  compare('The outcome', measured.outcome, outcome);
  if (reason !== undefined) compare('The reason', measured.reason, reason);
  compare('The number of dials', measured.dials, dials);
  compare('The number of upstream sockets', measured.sockets, 0);
  compare('The number of unsent requests', measured.unsent, unsent);
  if (measured.durationMs > boundMs + MARGIN_MS) {
    problems.push(`It took ${Math.round(measured.durationMs)} ms; the bound is ${boundMs} ms.`);
  }
  return problems;
}
