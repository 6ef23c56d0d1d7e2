import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS } from '../../src/session/index.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { lookup } from './lookup-tool.ts';
import type { Expected, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

/** What becomes of a session, as far as it differs from state to state. */
type Course = Partial<Pick<Expected, 'outcome' | 'reason' | 'dials' | 'history' | 'againMs' | 'boundMs'>>;

/** A state a live session can be in when its end is asked for, or when nothing is. */
interface State {
  readonly clause: string;
  readonly name: string;
  readonly provider?: GeminiEmulatorOptions;
  /** Begins a call and brings it there. */
  reach(stage: Stage): Promise<unknown>;
  /** How often was dialled until then, and how many turns of history were given. Default 1 and 0. */
  readonly until?: Pick<Course, 'dials' | 'history'>;
  /** What the provider does when nobody does anything. Default: nothing new. */
  heal?(stage: Stage): unknown;
  /** How the session shows that it goes on. Default: the next question is answered. */
  goOn?(stage: Stage): Promise<unknown>;
  /** Within which time it has to. Default `DEFAULT_WITHIN_MS`. */
  readonly withinMs?: number;
  /** What the whole has cost when nobody did anything. Default: what it had cost until then. */
  readonly then?: Course;
}

/** A dial that is not answered costs ten seconds, and what comes after it some. */
const DEFAULT_WITHIN_MS = 30_000;

/** A quiet connection is probed after 15 s, and the probe waited for for 60 s; it is looked at every 2.5 s. */
const PROBED_WITHIN_MS = 85_000;

const QUESTION = 'Where is my parcel?';
const LONG_QUESTION = 'Tell me all there is to tell about parcels, and do not leave anything out, please.';

/** An answer is heard at the speed of speech, so that there is a middle of it. */
const SPOKEN = { generationSpeed: 4, playbackSpeed: 1 };

/** A call in which one question was answered: the session has a handle, and a history of two turns. */
async function answered(stage: Stage): Promise<void> {
  await stage.connected();
  await stage.ask(QUESTION);
}

async function inAnswer(stage: Stage): Promise<void> {
  await stage.connected();
  stage.say(LONG_QUESTION);
  await stage.event(({ type }) => type === 'audio');
}

/** The connection is lost, and the next dial meets this. */
async function lostInto(stage: Stage, what: Parameters<Stage['meets']>[1]): Promise<void> {
  await answered(stage);
  stage.meets(2, what);
  stage.inject({ type: 'reset' });
  await stage.provider(({ connections }) => connections.count === 2);
}

const states: readonly State[] = [
  {
    clause: 'C10',
    name: 'dialling, upgrade not answered',
    provider: { faults: [{ what: { type: 'neverAnswerUpgrade' } }] },
    reach: async (stage) => {
      stage.begin();
      await stage.provider(({ connections }) => connections.count === 1);
    },
    goOn: (stage) => stage.ended(),
    then: { outcome: 'threw HOLDFAST_CONNECT_TIMEOUT', reason: 'error', boundMs: DEFAULT_CONNECT_TIMEOUT_MS },
  },
  {
    clause: 'C10',
    name: 'setup not answered',
    provider: { faults: [{ what: { type: 'neverSetupComplete' } }] },
    reach: async (stage) => {
      stage.begin();
      await stage.provider(({ connections }) => connections.last?.messages.setup === 1);
    },
    goOn: (stage) => stage.ended(),
    then: { outcome: 'threw HOLDFAST_CONNECT_TIMEOUT', reason: 'error', boundMs: DEFAULT_CONNECT_TIMEOUT_MS },
  },
  { clause: 'C10', name: 'connected, nothing said yet', reach: (stage) => stage.connected() },
  { clause: 'C10', name: 'idle after an answer', reach: answered },
  {
    clause: 'C10',
    name: 'user in mid-sentence',
    reach: async (stage) => {
      await answered(stage);
      stage.speak(20);
      await stage.provider(({ connections }) => connections.last?.inputs.audio === 20);
    },
    goOn: async (stage) => {
      stage.speak(10);
      stage.beQuiet(60);
      await stage.answered();
    },
  },
  {
    clause: 'C10',
    name: 'agent in mid-answer',
    provider: SPOKEN,
    reach: inAnswer,
    goOn: (stage) => stage.answered(),
  },
  {
    clause: 'C10',
    name: 'tool under way',
    reach: async (stage) => {
      await stage.connected({ tools: [lookup(stage.clock, 5_000)] });
      stage.say('call lookup {}');
      await stage.event(({ type }) => type === 'toolCall');
    },
    goOn: (stage) => stage.answered(),
  },
  {
    clause: 'C10',
    name: 'redial, upgrade not answered',
    reach: (stage) => lostInto(stage, { type: 'neverAnswerUpgrade' }),
    until: { dials: 2 },
    then: { dials: 3 },
  },
  {
    clause: 'C10',
    name: 'redial, setup not answered',
    reach: async (stage) => {
      await lostInto(stage, { type: 'neverSetupComplete' });
      await stage.provider(({ connections }) => connections.last?.messages.setup === 1);
    },
    until: { dials: 2 },
    then: { dials: 3 },
  },
  {
    clause: 'C10',
    name: 'back-off, server down',
    reach: async (stage) => {
      await answered(stage);
      stage.emulator.stopListening();
      stage.inject({ type: 'reset' });
      await stage.told('waiting');
    },
    until: { dials: 2 },
    heal: (stage) => stage.emulator.listenAgain(),
    then: { dials: 3 },
  },
  {
    clause: 'C10',
    name: 'back-off, 503 with Retry-After',
    reach: async (stage) => {
      await lostInto(stage, { type: 'httpStatus', status: 503, retryAfter: '20' });
      await stage.told('waiting');
    },
    until: { dials: 2 },
    then: { dials: 3 },
  },
  {
    clause: 'C10',
    name: 'back-off, accepted and dropped twice',
    reach: async (stage) => {
      await answered(stage);
      stage.emulator.addFaults([
        { when: { on: 'setupComplete', times: 2 }, what: { type: 'close', code: 1012 } },
      ]);
      stage.inject({ type: 'reset' });
      await stage.told('waiting');
      await stage.told('waiting');
    },
    until: { dials: 3 },
    then: { dials: 4, history: 2 },
  },
  {
    clause: 'C10',
    name: 'handle rejected, setup of the fresh start not answered',
    reach: async (stage) => {
      stage.meets(3, { type: 'delaySetup', ms: 5_000 });
      await answered(stage);
      stage.emulator.forgetHandles();
      stage.inject({ type: 'reset' });
      await stage.told('handleRejected');
      await stage.provider(
        ({ connections }) => connections.last?.number === 3 && connections.last.messages.setup === 1,
      );
    },
    until: { dials: 3 },
    then: { dials: 3, history: 2 },
  },
  {
    clause: 'C10',
    name: 'goAway said, agent in mid-answer',
    provider: SPOKEN,
    reach: async (stage) => {
      await inAnswer(stage);
      stage.inject({ type: 'goAway', timeLeft: '50s' });
      await stage.event(({ type }) => type === 'goAway');
    },
    goOn: async (stage) => {
      await stage.answered();
      await stage.told('swapped');
      await stage.ask('And now?');
    },
    then: { dials: 2 },
  },
  {
    clause: 'C10',
    name: 'swap, goodbye not answered',
    reach: async (stage) => {
      stage.meets(1, { type: 'ignoreClose' });
      await answered(stage);
      stage.inject({ type: 'goAway', timeLeft: '50s' });
      await stage.provider(({ recorded }) =>
        recorded.some(
          ({ event, fault }) => event === 'fault' && (fault as { type: string }).type === 'ignoreClose',
        ),
      );
    },
    then: { dials: 2 },
  },
  {
    clause: 'C10',
    name: 'swap, setup not answered',
    reach: async (stage) => {
      stage.meets(2, { type: 'delaySetup', ms: 5_000 });
      await answered(stage);
      stage.inject({ type: 'goAway', timeLeft: '50s' });
      await stage.provider(
        ({ connections }) => connections.count === 2 && connections.last?.messages.setup === 1,
      );
    },
    until: { dials: 2 },
    then: { dials: 2 },
  },
  {
    clause: 'C10',
    name: 'half-open, not noticed yet',
    reach: async (stage) => {
      await answered(stage);
      stage.inject({ type: 'halfOpen' });
    },
    withinMs: PROBED_WITHIN_MS,
    then: { dials: 2 },
  },
  {
    clause: 'C10',
    name: 'half-open, probe not answered',
    reach: async (stage) => {
      await answered(stage);
      stage.inject({ type: 'halfOpen' });
      await stage.passes(20_000);
    },
    withinMs: PROBED_WITHIN_MS - 20_000,
    then: { dials: 2 },
  },
  {
    clause: 'C10',
    name: 'resumed a moment ago',
    reach: async (stage) => {
      await answered(stage);
      stage.inject({ type: 'reset' });
      await stage.told('resumed');
    },
    until: { dials: 2 },
    then: { dials: 2 },
  },
];

const goesOn = (state: State): Scenario => ({
  clause: state.clause,
  name: `${state.name}: nobody does anything`,
  ...(state.provider === undefined ? {} : { provider: state.provider }),
  time: 'virtual',
  also: state.goOn === undefined ? 'the next question is answered' : 'it goes on',
  expected: {
    outcome: 'returned',
    reason: 'user_initiated',
    boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
    ...state.until,
    ...state.then,
  },
  play: async (stage) => {
    await state.reach(stage);
    stage.asked();
    const reachedAtMs = stage.clock.now();
    await state.heal?.(stage);
    await (state.goOn?.(stage) ?? stage.ask('And now?'));
    const tookMs = stage.clock.now() - reachedAtMs;
    assert.ok(tookMs <= (state.withinMs ?? DEFAULT_WITHIN_MS), `it took ${tookMs} ms to go on`);
    return stage.isOver ? stage.ended() : stage.hangUp();
  },
});

const ends = (state: State, how: 'close' | 'leave'): Scenario => ({
  clause: how === 'close' ? 'C10' : 'C7',
  name: `${state.name}: ${how === 'close' ? 'close()' : 'the consumer leaves'}`,
  ...(state.provider === undefined ? {} : { provider: state.provider }),
  time: 'virtual',
  also: 'nothing is dialled in the two hours after it',
  expected: {
    outcome: 'returned',
    reason: how === 'close' ? 'user_initiated' : 'consumer_left',
    boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
    ...state.until,
  },
  play: async (stage) => {
    await state.reach(stage);
    return how === 'close' ? stage.hangUp() : stage.leave();
  },
});

/** Every state, and in each of them: nobody does anything, the queue is closed, the consumer leaves. */
export const stateScenarios: readonly Scenario[] = states.flatMap((state) => [
  goesOn(state),
  ends(state, 'close'),
  ends(state, 'leave'),
]);
