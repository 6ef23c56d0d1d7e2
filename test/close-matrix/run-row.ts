import { setImmediate as turn } from 'node:timers/promises';
import { describeError } from '../../src/kernel/index.ts';
import type { StepReport } from '../../src/kernel/index.ts';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { canBeCollected } from './collected.ts';
import type { LogLine } from '../support/live-rig.ts';
import { Call, passes } from './call.ts';
import { LATE_RESOLUTION_MS, MachineLateness } from './machine-lateness.ts';
import type { CallEnd } from './call.ts';
import { idle } from './moments.ts';
import { ASK, REASON_OF } from './ends.ts';
import { boundOf } from './row.ts';
import type { Row, RowResult } from './row.ts';

/** What goodbyes over the loopback take, and a timer of the machine may be late, where it has nothing else to do. */
export const SLACK_MS = 250;

/** Beyond every bound of the product: what takes longer hangs. */
const HANG_MS = 20_000;

/** Turns of the event loop in which a rejection nobody handles would be told. */
const SETTLING_TURNS = 5;

/** Rejections that nobody handled, of the whole process: rows run side by side. */
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => void unhandled.push(reason));

interface Played {
  readonly end: CallEnd;
  /** How late the machine was with its timers in all, from the moment before the end was asked for. */
  readonly machineLateMs: number;
  /** From the last verb to when no service saw a socket of the call any more. */
  readonly socketsGoneMs: number;
}

/** How often a row is played on a machine that had no time for it. */
const MOST_PLAYS = 4;

/**
 * Plays one row and judges it. Never rejects: what goes wrong stands in the result. Bounds of sockets are short, and a
 * machine that stands still for longer passes them: what fails while it did is played again.
 */
export async function runRow(row: Row): Promise<RowResult> {
  for (let plays = 1; ; plays += 1) {
    const { result, machineLateMs } = await playOnce(row);
    if (result.ok || machineLateMs < SLACK_MS || plays === MOST_PLAYS) return result;
  }
}

async function playOnce(row: Row): Promise<{ readonly result: RowResult; readonly machineLateMs: number }> {
  const { group, clause, name, end } = row;
  const unhandledBefore = unhandled.length;
  const problems: string[] = [];
  let played: Played | undefined;
  let sockets = 0;
  try {
    await using call = await Call.prepare(row.parts?.() ?? {});
    played = await within(HANG_MS, play(row, call));
    sockets = await call.socketsLeft();
    if (row.afterwardsMs !== undefined) await passes(row.afterwardsMs);
    await row.check?.(call, end);
    problems.push(...judge(row, played, call));
    if (!(await canBeCollected(played.end.ref))) problems.push('The session is still in memory.');
  } catch (error) {
    problems.push(describeError(error));
  }
  for (let turns = 0; turns < SETTLING_TURNS; turns += 1) await turn();
  if (sockets > 0) problems.push(`${sockets} sockets are still open.`);
  problems.push(
    ...unhandled
      .slice(unhandledBefore)
      .map((reason) => `Unhandled rejection (of this row, or one beside it): ${describeError(reason)}.`),
  );
  const named = played === undefined ? [] : namedSteps(played.end, end).map(stepText);
  const tookMs = played?.end.tookMs ?? Number.NaN;
  const ok = problems.length === 0;
  const result = { group, clause, name, end, ok, tookMs, withinMs: boundOf(row), named, sockets, problems };
  return { result, machineLateMs: played?.machineLateMs ?? 0 };
}

/** Holds the session for as long as it runs, and gives nothing of it back. */
async function play(row: Row, call: Call): Promise<Played> {
  await (row.until ?? idle)(call);
  const lateness = new MachineLateness();
  const gone = socketsGone(call);
  await ASK[row.end](call);
  const end = await call.over();
  await passes(2 * LATE_RESOLUTION_MS);
  const machineLateMs = lateness.stop();
  return { end, machineLateMs, socketsGoneMs: (await gone) - end.askedAtMs };
}

/** When the last socket went. */
async function socketsGone(call: Call): Promise<number> {
  await call.socketsLeft();
  return performance.now();
}

/** The report of whoever was told to end. */
function stepsOf(end: CallEnd, how: Row['end']): readonly StepReport[] {
  return how === 'close() of its owner' ? end.ownerSteps : end.report.steps;
}

function namedSteps(end: CallEnd, how: Row['end']): StepReport[] {
  return stepsOf(end, how).filter(({ outcome }) => outcome !== 'done');
}

/** Numbers and ids are `…`: `session …/model leg/connection/reply 1/…`. */
function stepText({ name, outcome }: Pick<StepReport, 'name' | 'outcome'>): string {
  return `${name.replaceAll(/session [^/]+/g, 'session …')} ${outcome}`;
}

function judge(row: Row, { end, machineLateMs, socketsGoneMs }: Played, call: Call): string[] {
  const { report, tookMs, closeEvents, held } = end;
  const problems: string[] = [];
  const boundMs = boundOf(row);
  const allowedMs = boundMs + SLACK_MS + machineLateMs;
  if (!(tookMs <= allowedMs)) {
    problems.push(`It took ${Math.round(tookMs)} ms; the bound is ${boundMs} ms.`);
  }
  const reason = row.reason ?? REASON_OF[row.end];
  if (report.reason !== reason) problems.push(`The reason is '${report.reason}' and should be '${reason}'.`);
  if (closeEvents !== 1) problems.push(`The close event was emitted ${closeEvents} times.`);
  if (held.length > 0) problems.push(`Still held: ${held.join(', ')}.`);
  const named = namedSteps(end, row.end);
  const expected = typeof row.named === 'function' ? row.named(row.end) : (row.named ?? []);
  if (!areNamed(named.map(stepText), expected)) {
    problems.push(`Named are [${named.map(stepText).join(', ')}], and should be [${expected.join(', ')}].`);
  }
  // Whatever else is stuck, sockets go first (C5), at the latest when their peer had its time to answer.
  const isPeerSilent = named.some(({ name, outcome }) => name.endsWith('/socket') && outcome === 'overran');
  const socketsMs = (isPeerSilent ? DEFAULT_SOCKET_CLOSE_TIMEOUT_MS : 0) + SLACK_MS + machineLateMs;
  if (row.end !== 'drain()' && socketsGoneMs > socketsMs) {
    problems.push(
      `Sockets were there for ${Math.round(socketsGoneMs)} ms; the bound is ${Math.round(socketsMs)} ms.`,
    );
  }
  return [...problems, ...judgeLog(row, named, end, call.book.lines)];
}

/** Whether these are the steps, and no others. They are told by the ends of their paths. */
function areNamed(texts: readonly string[], expected: readonly string[]): boolean {
  const isMeant = (text: string, step: string): boolean => text === step || text.endsWith(`/${step}`);
  const left = [...texts];
  for (const step of expected) {
    const at = left.findIndex((text) => isMeant(text, step));
    if (at < 0) return false;
    left.splice(at, 1);
  }
  return left.length === 0;
}

/** Every step that is named stands in exactly one line, with the reason; closing and closed come as a pair. */
function judgeLog(
  row: Row,
  named: readonly StepReport[],
  { sessionId, report }: CallEnd,
  lines: readonly LogLine[],
): string[] {
  const problems: string[] = [];
  const pair = lines.filter(
    ({ level, message, fields }) =>
      level === 'info' &&
      String(fields['owner']).endsWith(`/session ${sessionId}`) &&
      (message === 'closing' || message === 'closed'),
  );
  const said = pair.map(({ message, fields }) => `${message} ${fields['reason']}`).join(', ');
  const ending = pair.find(({ message }) => message === 'closing')?.fields['reason'];
  if (said !== `closing ${ending}, closed ${ending}`) problems.push(`The log says [${said}].`);
  if (report.reason !== 'shutdown' && ending !== report.reason) {
    problems.push(`The log gives the reason ${ending}.`);
  }
  const told = lines.filter(({ level }) => level === 'warn' || level === 'error');
  const ofSteps = new Set(named.flatMap((step) => linesOf(step, told)));
  for (const step of named) problems.push(...untold(step, told, pair));
  const others = new Set(told.filter((line) => !ofSteps.has(line)).map(({ message }) => message));
  const allowed = new Set(typeof row.logged === 'function' ? row.logged(row.end) : row.logged);
  if (others.symmetricDifference(allowed).size > 0) {
    problems.push(
      `Warnings and errors are [${[...others].join(', ')}], and should be [${[...allowed].join(', ')}].`,
    );
  }
  return problems;
}

/** The lines that tell of a step, by its path. */
function linesOf({ name, outcome }: StepReport, told: readonly LogLine[]): LogLine[] {
  const wanted = outcome === 'failed' ? 'close step failed' : 'close step overran';
  return told.filter(
    ({ message, fields }) =>
      message === wanted && `${fields['owner']}/${fields['step']}`.endsWith(`/${name}`),
  );
}

function untold(step: StepReport, told: readonly LogLine[], pair: readonly LogLine[]): string[] {
  const lines = linesOf(step, told);
  if (step.outcome === 'abandoned' && lines.length === 0) {
    // Nobody was waited for, so nobody was late: what was left behind stands in the line of the end.
    const abandoned = pair.find(({ message }) => message === 'closed')?.fields['abandoned'];
    const isThere = Array.isArray(abandoned) && abandoned.includes(step.name);
    return isThere ? [] : [`The log does not name ${step.name}.`];
  }
  const withReason = lines.filter(
    ({ fields }) => step.outcome === 'failed' || typeof fields['reason'] === 'string',
  );
  return lines.length === 1 && withReason.length === 1
    ? []
    : [`${lines.length} lines of the log tell of ${step.name}, ${withReason.length} with a reason.`];
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const hanging = Promise.withResolvers<never>();
  const guard = setTimeout(() => hanging.reject(new Error(`It hangs: ${ms} ms are over.`)), ms);
  try {
    return await Promise.race([work, hanging.promise]);
  } finally {
    clearTimeout(guard);
  }
}
