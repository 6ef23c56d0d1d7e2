import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TWO_HOURS_MS } from '../../test/support/live-rig.ts';
import {
  CLIENT,
  ENDINGS,
  MUTE_PEER,
  PEER,
  SupervisedRace,
  textsOf,
} from '../../test/support/supervised-race.ts';
import type { Act, RaceOptions } from '../../test/support/supervised-race.ts';
import { DEFAULT_MAX_ATTEMPTS } from './reconnect-policy.ts';
import type { SessionCloseReport } from './session-end.ts';

/** Ten thousand orders in every run of the tests; a soak sets it higher. */
const TIMES = Number(process.env['RACE_TIMES'] ?? 1);

const options = fc.record<RaceOptions>({
  acceptsAtOnce: fc.constantFrom(true, true, true, false),
  takesContent: fc.boolean(),
  withoutHandle: fc.constantFrom('reseed', 'reseed', 'reseed', 'fail'),
  isStored: fc.boolean(),
  isTight: fc.boolean(),
});

const acts = (from: readonly Act[], maxLength: number): fc.Arbitrary<Act[]> =>
  fc.array(fc.constantFrom(...from), { maxLength, size: 'max' });

const lasting = (from: readonly Act[]): readonly Act[] => from.filter((act) => !ENDINGS.has(act));

/** The texts the client typed, as far as they stand in `texts`. */
const typed = (texts: readonly string[]): number[] =>
  texts.filter((text) => /^T\d+$/.test(text)).map((text) => Number(text.slice(1)));

const isOrdered = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));

/** Runs the client's acts against the peer's, in an order that the scheduler chooses. */
async function run(
  setting: RaceOptions,
  client: readonly Act[],
  peer: readonly Act[],
  scheduler: fc.Scheduler,
): Promise<SupervisedRace> {
  const race = new SupervisedRace(setting, scheduler);
  if (setting.acceptsAtOnce) await race.rig.clock.settle();
  for (const side of [client, peer])
    scheduler.scheduleSequence(side.map((act) => ({ label: act, builder: () => race.act(act) })));
  await scheduler.waitIdle();
  return race;
}

/** C1 C3 C6 C10: it ends once, within its bound, and from then on nothing happens and nothing is held. */
async function end(race: SupervisedRace, scheduler: fc.Scheduler): Promise<SessionCloseReport> {
  const { rig } = race;
  const closing = rig.session.close();
  await rig.clock.advance(5_000);
  const report = await closing;
  expect(report.durationMs).toBeLessThanOrEqual(5_000);
  const seen = { events: rig.events.length, dials: rig.model.dials.length };
  for (const act of [...CLIENT, ...PEER]) if (act !== 'long' && act !== 'wait') await race.act(act);
  await scheduler.waitIdle();
  await rig.clock.advance(TWO_HOURS_MS);
  expect(rig.events).toHaveLength(seen.events);
  expect(rig.model.dials).toHaveLength(seen.dials);
  expect(rig.closes).toEqual([report]);
  expect(rig.session.resources()).toEqual([]);
  expect(rig.clock.pendingTimers).toBe(0);
  expect(rig.model.openConnections).toBe(0);
  expect(rig.book.closings).toEqual(['closing', 'closed']);
  expect(rig.events.every(({ seq }, index) => seq === index + 1)).toBe(true);
  expect(race.problems).toEqual([]);
  return report;
}

const told = (race: SupervisedRace) =>
  race.rig.of('connection').flatMap((event) => ('replayedMs' in event ? [event] : []));

/** R8: every input is received in order, or told to be lost. */
function checkInput(race: SupervisedRace, report: SessionCloseReport): void {
  const { dials } = race.rig.model;
  const received = dials.map((dial) => race.received(dial));
  for (const numbers of received) expect(isOrdered(numbers)).toBe(true);
  const missing = race.queued.filter((_, number) => !received.some((numbers) => numbers.includes(number)));
  const missingAudio = missing.filter(({ type }) => type === 'audio');
  const gapMs = told(race).reduce((sum, { audioGapMs }) => sum + audioGapMs, 0);
  // A gap also counts what an older connection had: it may be more than what nobody had, and never less.
  expect(report.unsent.audioMs + gapMs).toBeGreaterThanOrEqual(missingAudio.length * 20);
  const missingOthers = missing.length - missingAudio.length;
  expect(report.unsent.requests - report.unsent.audioMs / 20).toBe(missingOthers);
  if (dials.length < 2) {
    expect(gapMs).toBe(0);
    expect(missing).toHaveLength(report.unsent.requests);
  }
}

/** R8: what was sent twice is what the events say. */
function checkReplays(race: SupervisedRace, isUnhindered: boolean): void {
  const connected = race.rig.model.dials.filter((dial) => race.received(dial).length > 0);
  const before = new Set<number>();
  let replayedMs = 0;
  for (const dial of connected) {
    const numbers = race.received(dial).filter((number) => race.queued[number]?.type === 'audio');
    replayedMs += numbers.filter((number) => before.has(number)).length * 20;
    for (const number of numbers) before.add(number);
  }
  const toldMs = told(race).reduce((sum, event) => sum + event.replayedMs, 0);
  if (isUnhindered) expect(toldMs).toBe(replayedMs);
  else expect(toldMs).toBeGreaterThanOrEqual(replayedMs);
}

/** R2 R8: what was typed stands once in the history, in order, and a peer is told of it once. */
function checkHistory(race: SupervisedRace): void {
  const { rig } = race;
  const history = typed(textsOf(rig.session.session.history));
  expect(isOrdered(history)).toBe(true);
  const sent = race.queued.flatMap((input, number) =>
    input.type === 'content' && rig.model.dials.some((dial) => race.received(dial).includes(number))
      ? typed(textsOf([input.content]))
      : [],
  );
  expect(history).toEqual(sent);
  for (const dial of rig.model.dials) {
    const known = dial.setup.resumptionHandle === undefined ? race.known(dial) : race.told(dial);
    expect(isOrdered(typed(known))).toBe(true);
  }
}

/** R10: each call has one result, and it comes after the call. */
function checkCalls(race: SupervisedRace): void {
  const turns = race.rig.history.filter((turn) => /call|result/.test(turn));
  const ids = (kind: string): string[] =>
    turns.filter((turn) => turn.includes(kind)).map((turn) => turn.replace(/\D/g, ''));
  expect(ids('result').toSorted()).toEqual(ids('call').toSorted());
  for (const id of ids('call'))
    expect(turns.indexOf(`model: call it(${id})`)).toBeLessThan(turns.indexOf(`user: result it(${id})`));
}

/** R4 R9: an outage has no more attempts than the policy allows, and each new connection is told of once. */
function checkConnections(race: SupervisedRace): void {
  const events = race.rig.of('connection');
  for (const event of events)
    if ('attempt' in event) expect(event.attempt).toBeLessThanOrEqual(DEFAULT_MAX_ATTEMPTS);
  const connected = events.filter(({ state }) => state === 'connected').length;
  expect(told(race).length).toBeLessThanOrEqual(connected);
  expect(told(race).length).toBeGreaterThanOrEqual(connected - 1);
}

const HINDRANCES: ReadonlySet<Act> = new Set(['block', 'deafen'] as const);

/** Fails when a promise is rejected that nobody looks at. */
async function watched(check: () => Promise<void>): Promise<void> {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    await check();
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
}

describe('The supervisor, races', () => {
  it(
    'C1 C3 C6 C10 R2 R4 R8 R9 R10: whatever happens in whatever order, nothing is lost, doubled or held',
    async () => {
      await watched(() =>
        fc.assert(
          fc.asyncProperty(
            options,
            acts(CLIENT, 12),
            acts(PEER, 40),
            fc.scheduler(),
            async (setting, client, peer, scheduler) => {
              const race = await run(setting, client, peer, scheduler);
              const report = await end(race, scheduler);
              checkInput(race, report);
              checkReplays(race, !peer.some((act) => HINDRANCES.has(act)) && !setting.isTight);
              checkHistory(race);
              checkCalls(race);
              checkConnections(race);
            },
          ),
          { numRuns: 4_000 * TIMES },
        ),
      );
    },
    120_000 * TIMES,
  );

  it(
    'R2 R8: once everything works again, the model knows every text that was typed, each told once',
    async () => {
      await watched(() =>
        fc.assert(
          fc.asyncProperty(
            options,
            acts(lasting(CLIENT), 12),
            acts(lasting(PEER), 40),
            fc.scheduler(),
            async (setting, client, peer, scheduler) => {
              const race = await run({ ...setting, takesContent: true }, client, peer, scheduler);
              await race.heal();
              const { session, model } = race.rig;
              const isLive = session.state === 'live';
              const report = await end(race, scheduler);
              checkHistory(race);
              checkConnections(race);
              if (!isLive) return;
              expect(report.unsent).toEqual({ requests: 0, audioMs: 0 });
              const all = typed(
                race.queued.flatMap((input) => (input.type === 'content' ? textsOf([input.content]) : [])),
              );
              expect([...new Set(typed(race.known(model.connection)))].toSorted((a, b) => a - b)).toEqual(
                all,
              );
            },
          ),
          { numRuns: 3_000 * TIMES },
        ),
      );
    },
    120_000 * TIMES,
  );

  it(
    'R8: a model that never answered has, over its last connection, everything that was said',
    async () => {
      await watched(() =>
        fc.assert(
          fc.asyncProperty(
            options,
            acts(lasting(CLIENT), 12),
            acts(lasting(MUTE_PEER), 30),
            fc.scheduler(),
            async (setting, client, peer, scheduler) => {
              const race = await run({ ...setting, isTight: false }, client, peer, scheduler);
              await race.heal();
              const { session, model } = race.rig;
              const isLive = session.state === 'live';
              await end(race, scheduler);
              checkReplays(race, false);
              if (!isLive) return;
              // At a boundary the handle knows what was said; anything else is said again to the last one itself.
              const received = peer.includes('handle')
                ? [...new Set(race.heard(model.connection))].toSorted((a, b) => a - b)
                : race.received(model.connection);
              const said = race.queued.flatMap((input, number) =>
                input.type === 'audio' && input.audio.samples[0] === 0 ? [] : [number],
              );
              expect(received.filter((number) => said.includes(number))).toEqual(said);
            },
          ),
          { numRuns: 3_000 * TIMES },
        ),
      );
    },
    120_000 * TIMES,
  );
});
