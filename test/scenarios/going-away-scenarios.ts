import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import { DEFAULT_MAX_ATTEMPTS, DEFAULT_RECONNECT_DELAYS_MS } from '../../src/session/reconnect-policy.ts';
import { lookup } from './lookup-tool.ts';
import type { Expected, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
const QUESTION = 'Where is my parcel?';
const LONG_QUESTION = 'And what is in it, and who has sent it, and when will it be here?';

const SPOKEN = { generationSpeed: 4, playbackSpeed: 1 };

const returned = (dials: Expected['dials'] & {}, history = 0): Expected => ({
  outcome: 'returned',
  reason: 'user_initiated',
  dials,
  history,
  boundMs: BOUND_MS,
});

/** Samples the provider has sent, and samples the session has told. */
function heardOf(stage: Stage): { readonly sent: number; readonly told: number } {
  let [sent, told] = [0, 0];
  for (const { event, message } of stage.emulator.recorded) {
    if (event === 'out') sent += samplesIn(message);
  }
  for (const event of stage.events) if (event.type === 'audio') told += event.audio.samples.length;
  return { sent, told };
}

function samplesIn(message: unknown): number {
  const { serverContent } = message as {
    serverContent?: { modelTurn?: { parts?: { inlineData?: { data?: string } }[] } };
  };
  const parts = serverContent?.modelTurn?.parts ?? [];
  return parts.reduce((sum, { inlineData }) => {
    if (inlineData?.data === undefined) return sum;
    return sum + AudioChunk.fromBase64(inlineData.data, 24_000).samples.length;
  }, 0);
}

const idle: Scenario = {
  clause: 'R7',
  name: 'goAway while idle',
  also: 'it is told with the time left, and the connection swapped at once',
  expected: returned(2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.inject({ type: 'goAway', timeLeft: '50s' });
    const notice = await stage.event(({ type }) => type === 'goAway');
    assert.ok(notice.type === 'goAway' && notice.timeLeftMs === 50_000, 'goAway did not say 50 s');
    const event = await stage.told('swapped');
    assert.ok(
      'how' in event && event.how === 'resumed' && event.cause === 'goAway',
      'the swap is told wrongly',
    );
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const inAnswer: Scenario = {
  clause: 'R7',
  name: 'goAway in mid-answer',
  also: 'the whole answer is delivered before the swap',
  time: 'virtual',
  provider: SPOKEN,
  expected: returned(2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.say(LONG_QUESTION);
    await stage.event(({ type }) => type === 'audio');
    stage.inject({ type: 'goAway', timeLeft: '50s' });
    await stage.answered();
    const event = await stage.told('swapped');
    assert.ok('cutTurn' in event && !event.cutTurn, 'the answer was cut');
    const { sent, told } = heardOf(stage);
    assert.equal(told, sent);
    return stage.hangUp();
  },
};

const inTool: Scenario = {
  clause: 'R10',
  name: 'goAway while a tool runs for 3 s',
  also: 'the result goes to the connection that knows the call, and is answered',
  time: 'virtual',
  expected: returned(2),
  play: async (stage) => {
    await stage.connected({ tools: [lookup(stage.clock, 3_000)] });
    await stage.ask(QUESTION);
    stage.say('call lookup {}');
    await stage.event(({ type }) => type === 'toolCall');
    stage.inject({ type: 'goAway', timeLeft: '50s' });
    await stage.answered();
    await stage.told('swapped');
    const [first] = [...stage.emulator.connections];
    assert.equal(first?.toolResults.length, 1);
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const withoutHandle: Scenario = {
  clause: 'R7',
  name: 'goAway, and there is no handle',
  also: 'it is swapped all the same, with the history',
  time: 'virtual',
  provider: {
    faults: [{ when: { on: 'serverMessage', kind: 'sessionResumptionUpdate' }, what: { type: 'silence' } }],
  },
  expected: returned(2, 2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.inject({ type: 'goAway', timeLeft: '50s' });
    const event = await stage.told('swapped');
    assert.ok('how' in event && event.how === 'reseeded', 'the swap is told wrongly');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** The peer says goAway and never anything again, in the middle of an answer: there is no turn's end to wait for. */
const thenSilence: Scenario = {
  clause: 'R7',
  name: 'goAway (10 s) in mid-answer, then silence',
  also: 'it is swapped before the time is over, and the question answered',
  time: 'virtual',
  provider: SPOKEN,
  expected: returned(2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.say(LONG_QUESTION);
    await stage.event(({ type }) => type === 'audio');
    const saidAtMs = stage.clock.now();
    stage.inject({ type: 'goAway', timeLeft: '10s' });
    stage.inject({ type: 'halfOpen' });
    const event = await stage.told('swapped');
    assert.ok(stage.clock.now() - saidAtMs <= 10_000, 'the time was over');
    assert.ok('cutTurn' in event && event.cutTurn, 'the event does not say that the answer was cut');
    await stage.answered();
    return stage.hangUp();
  },
};

const everySetup: Scenario = {
  clause: 'R4',
  name: 'goAway (0 s) right after every setup',
  also: 'its attempts come with the delays of any other failure',
  time: 'virtual',
  expected: {
    outcome: 'threw HOLDFAST_RECONNECT_EXHAUSTED',
    reason: 'error',
    dials: 1 + DEFAULT_MAX_ATTEMPTS,
    boundMs:
      DEFAULT_RECONNECT_DELAYS_MS.reduce((sum, delayMs) => sum + delayMs, 0) +
      DEFAULT_MAX_ATTEMPTS * 1_000 +
      2_000,
  },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.emulator.addFaults([{ when: { on: 'setupComplete' }, what: { type: 'goAway', timeLeft: '0s' } }]);
    stage.asked();
    stage.inject({ type: 'goAway', timeLeft: '0s' });
    const ending = await stage.ended();
    stage.dialsAtMs.slice(2).forEach((atMs, index) => {
      const waitedMs = atMs - (stage.dialsAtMs[index + 1] ?? 0);
      assert.ok(waitedMs >= (DEFAULT_RECONNECT_DELAYS_MS[index + 1] ?? 0) - 100, `it waited ${waitedMs} ms`);
    });
    return ending;
  },
};

const EVERY_MS = 10_000;
const SILENT_MINUTES = 5;

const everySetupInTime: Scenario = {
  clause: 'R4',
  name: `goAway (50 s) right after every setup, for ${SILENT_MINUTES} min in which nobody speaks`,
  also: 'each connection is given ten seconds to show itself, and is swapped then',
  time: 'virtual',
  // The first one has shown itself by an answer.
  expected: returned([(SILENT_MINUTES * 60_000) / EVERY_MS, 2 + (SILENT_MINUTES * 60_000) / EVERY_MS]),
  play: async (stage) => {
    stage.emulator.addFaults([{ when: { on: 'setupComplete' }, what: { type: 'goAway', timeLeft: '50s' } }]);
    await stage.connected();
    await stage.ask(QUESTION);
    await stage.passes(SILENT_MINUTES * 60_000);
    return stage.hangUp();
  },
};

const SWAPS = 100;

/** Between an answer and the next question: a turn's end, at which a swap can be made. */
const PAUSE_MS = 300;

const everyMoment: Scenario = {
  clause: 'R4',
  name: `goAway every 0.8 s of a talk, ${SWAPS} times`,
  also: 'the talk goes on',
  time: 'virtual',
  expected: returned(1 + SWAPS),
  play: async (stage) => {
    stage.emulator.addFaults([
      {
        when: { on: 'setupComplete', after: { ms: 800 }, times: SWAPS },
        what: { type: 'goAway', timeLeft: '1s' },
      },
    ]);
    await stage.connected();
    for (let turn = 1; stage.emulator.connections.count <= SWAPS; turn += 1) {
      await stage.ask(`Question ${turn}?`);
      await stage.passes(PAUSE_MS);
    }
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const TICKS = 292;
const TICK_MS = 5;

const overSwap: Scenario = {
  clause: 'R8',
  name: `goAway (1 s) while the user speaks: ${TICKS} frames, one each ${TICK_MS} ms`,
  also: 'all of them are heard, in order, and the whole is answered',
  time: 'virtual',
  expected: { ...returned(2), againMs: 'told' },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    for (let tick = 0; tick < TICKS; tick += 1) {
      stage.speak(1);
      if (tick === 50) stage.inject({ type: 'goAway', timeLeft: '1s' });
      await stage.passes(TICK_MS);
    }
    stage.beQuiet(60);
    await stage.told('swapped');
    await stage.answered();
    return stage.hangUp();
  },
};

/** The provider says that it will go, in every moment of a talk. */
export const goingAwayScenarios: readonly Scenario[] = [
  idle,
  inAnswer,
  inTool,
  withoutHandle,
  thenSilence,
  everySetup,
  everySetupInTime,
  everyMoment,
  overSwap,
];
