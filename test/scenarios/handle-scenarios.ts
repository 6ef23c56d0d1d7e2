import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import type { ConnectionEventBody } from '../../src/protocol/index.ts';
import { HANDLE_CONFIRM_MS, MAX_HANDLE_FAILURES } from '../../src/session/resumption.ts';
import { newSession } from '../../src/session/session-store.ts';
import { systemClock, systemRandom } from '../../src/kernel/index.ts';
import type { FaultRule } from '../../src/testing/index.ts';
import { FRAME_MS } from './received.ts';
import type { Expected, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
const QUESTION = 'Where is my parcel?';

/** Time itself is not the point of these. */
const SOON = { delaysMs: [0, 50, 100, 200], jitterMs: 0 } as const;

const NO_HANDLES: FaultRule = {
  when: { on: 'serverMessage', kind: 'sessionResumptionUpdate' },
  what: { type: 'silence' },
};

const returned = (dials: number, history: number): Expected => ({
  outcome: 'returned',
  reason: 'user_initiated',
  dials,
  history,
  boundMs: BOUND_MS,
});

type Told = Extract<ConnectionEventBody, { state: 'reseeded' }>;

async function reseeded(stage: Stage): Promise<Told> {
  return (await stage.told('reseeded')) as Told & Awaited<ReturnType<Stage['told']>>;
}

/** How the provider answers a setup with a handle it no longer knows. */
const REJECTIONS = [
  { code: 1007, reason: 'Invalid session handle' },
  { code: 1007, reason: 'Request contains an invalid argument.' },
  { code: 1008, reason: 'BidiGenerateContent session not found' },
  { code: 1008, reason: 'Requested entity was not found.' },
];

const rejected = REJECTIONS.map((close): Scenario => ({
  clause: 'R6',
  name: `handle rejected: ${close.code} ${close.reason}`,
  also: 'it starts afresh at once, with the history, once',
  provider: { unknownHandleClose: close },
  expected: returned(3, 2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.emulator.forgetHandles();
    stage.inject({ type: 'reset' });
    assert.equal((await reseeded(stage)).why, 'handleRejected');
    await stage.ask('And now?');
    return stage.hangUp();
  },
}));

/** A handle of another model, say: it is taken, and the connection closed at once, every time. */
const acceptedThenClosed: Scenario = {
  clause: 'R6',
  name: 'handle taken, then closed with 1011, every time',
  also: `it is given up after ${MAX_HANDLE_FAILURES}, and the history given`,
  expected: returned(2 + MAX_HANDLE_FAILURES, 2),
  play: async (stage) => {
    await stage.connected({ reconnect: SOON });
    await stage.ask(QUESTION);
    const when = { on: 'setupComplete', resumed: true } as const;
    stage.emulator.addFaults([
      { when, what: { type: 'close', code: 1011, reason: 'Internal error encountered.' } },
    ]);
    stage.inject({ type: 'reset' });
    assert.equal((await reseeded(stage)).why, 'handleRejected');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const unconfirmed: Scenario = {
  clause: 'R6',
  name: `resumed, and no handle within ${HANDLE_CONFIRM_MS / 1_000} s of an answer`,
  also: 'the next loss starts afresh, with the history',
  time: 'virtual',
  provider: { faults: [{ ...NO_HANDLES, when: { ...NO_HANDLES.when, connection: 2 } }] },
  expected: returned(3, 4),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    await stage.ask('And now?');
    await stage.passes(HANDLE_CONFIRM_MS + 1_000);
    stage.inject({ type: 'reset' });
    assert.equal((await reseeded(stage)).why, 'handleUnconfirmed');
    await stage.ask('And then?');
    return stage.hangUp();
  },
};

/** Long enough for its loss to be seen in what an answer costs. */
const LONG_QUESTION = 'Where is my parcel, and who has it, and why is it not here? '.repeat(40);

const contextLost: Scenario = {
  clause: 'R6',
  name: 'resumed, and the context is gone (prompt tokens collapse)',
  also: 'it is told, and replaced by a fresh one with the history',
  time: 'virtual',
  provider: {
    faults: [
      {
        when: { on: 'serverMessage', kind: 'usageMetadata', connection: 2 },
        what: { type: 'setField', path: 'usageMetadata.promptTokenCount', value: 40 },
      },
    ],
  },
  expected: returned(3, 4),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(LONG_QUESTION);
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    stage.say('And now?');
    const event = await stage.told('swapped');
    assert.ok('how' in event && event.how === 'reseeded' && event.cause === 'contextLost', 'it is not told');
    await stage.ask('And then?');
    return stage.hangUp();
  },
};

const notNow: Scenario = {
  clause: 'R6',
  name: 'resumable: false, then lost in mid-answer',
  also: 'that is no rejection: it resumes with the handle from before',
  provider: { generationSpeed: 20 },
  expected: returned(2, 0),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.say('And what is in it, and who has sent it, and when will it be here?');
    await stage.event(({ type }) => type === 'audio');
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    await stage.answered();
    return stage.hangUp();
  },
};

const reseedByPolicy: Scenario = {
  clause: 'R2',
  name: "no handle, lost, withoutHandle: 'reseed'",
  also: 'it starts afresh, with the history',
  provider: { faults: [NO_HANDLES] },
  expected: returned(2, 2),
  play: async (stage) => {
    await stage.connected({ reconnect: { ...SOON, withoutHandle: 'reseed' } });
    await stage.ask(QUESTION);
    stage.inject({ type: 'reset' });
    assert.equal((await reseeded(stage)).why, 'noHandle');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** Models, and whether they take a history only when the setup has announced it. */
const GENERATIONS = [
  { model: 'gemini-2.5-flash', announces: false },
  { model: 'gemini-3.1-flash-live-preview', announces: true },
];

/** How long the model is listened to, for an answer nobody has asked for. */
const LISTEN_MS = 30_000;

const generations = GENERATIONS.map(({ model, announces }): Scenario => ({
  clause: 'R2',
  name: `fresh start on ${model}`,
  also: `history ${announces ? 'announced in the setup' : 'as content'}; the model does not answer it again`,
  time: 'virtual',
  expected: returned(3, 4),
  play: async (stage) => {
    await stage.connected({ model: stage.model(model) });
    await stage.ask(QUESTION);
    await stage.ask('And now?');
    stage.emulator.forgetHandles();
    stage.inject({ type: 'reset' });
    await reseeded(stage);
    await stage.passes(LISTEN_MS);
    const { last } = stage.emulator.connections;
    const asked = (last?.setup?.historyConfig as { initialHistoryInClientContent?: boolean } | undefined)
      ?.initialHistoryInClientContent;
    assert.equal(asked, announces ? true : undefined);
    const outputs = stage.emulator.recorded.filter(
      ({ connection, event, message }) =>
        connection === 3 && event === 'out' && 'serverContent' in (message as object),
    );
    assert.deepEqual(outputs, [], 'the model has answered what it had answered before');
    await stage.ask('And then?');
    return stage.hangUp();
  },
}));

const SPOKEN_TURNS = 3;

const spokenStartedAgain: Scenario = {
  clause: 'R2',
  name: `session with ${SPOKEN_TURNS} spoken turns is started again, without a handle`,
  also: 'what was only spoken is in its history',
  time: 'virtual',
  provider: { faults: [NO_HANDLES] },
  expected: returned(2, 2 * SPOKEN_TURNS),
  play: async (stage) => {
    const session = newSession(systemClock, systemRandom);
    await stage.connected({ session });
    for (let turn = 0; turn < SPOKEN_TURNS; turn += 1) {
      // Utterances of different lengths, so that each has a transcript of its own.
      stage.speak(20 + 10 * turn);
      stage.beQuiet(60);
      await stage.answered();
    }
    await stage.hangUp();
    await stage.connected({ session });
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** The handle update of the second answer does not come. */
const behind: Scenario = {
  clause: 'R8',
  name: 'resumed with a handle that is one answer behind',
  also: 'question and answer are told in words, and not answered again',
  provider: { faults: [{ ...NO_HANDLES, when: { ...NO_HANDLES.when, connection: 1, nth: 4 } }] },
  expected: returned(2, 2),
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    await stage.ask('And now?');
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    const answers = stage.events.filter(({ type }) => type === 'turnComplete').length;
    await stage.ask('And then?');
    assert.equal(stage.events.filter(({ type }) => type === 'turnComplete').length, answers + 1);
    return stage.hangUp();
  },
};

const SPOKEN_FRAMES = 20;

const rejectedInSentence: Scenario = {
  clause: 'R8',
  name: 'handle rejected, user in mid-sentence, after a spoken turn',
  also: 'the turn is given as history, the half sentence said again, the whole of it answered',
  time: 'virtual',
  expected: { ...returned(3, 2), againMs: SPOKEN_FRAMES * FRAME_MS },
  play: async (stage) => {
    await stage.connected();
    stage.speak(30);
    stage.beQuiet(60);
    await stage.answered();
    stage.speak(SPOKEN_FRAMES);
    await stage.provider(({ connections }) => connections.last?.inputs.audio === 90 + SPOKEN_FRAMES);
    stage.emulator.forgetHandles();
    stage.inject({ type: 'reset' });
    await reseeded(stage);
    stage.speak(SPOKEN_FRAMES);
    stage.beQuiet(60);
    await stage.answered();
    return stage.hangUp();
  },
};

/** A session that is started again in another process, say, with the handle it had. */
const startedAgain: Scenario = {
  clause: 'R2',
  name: 'session is started again, with a handle',
  also: 'it is resumed, and not given its history',
  expected: returned(2, 0),
  play: async (stage) => {
    const session = newSession(systemClock, systemRandom);
    await stage.connected({ session });
    await stage.ask(QUESTION);
    await stage.hangUp();
    await stage.connected({ session });
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const startedTooLate: Scenario = {
  clause: 'R6',
  name: 'session is started again, and its handle rejected',
  also: 'it is given its history at once',
  expected: returned(3, 2),
  play: async (stage) => {
    const session = newSession(systemClock, systemRandom);
    await stage.connected({ session });
    await stage.ask(QUESTION);
    await stage.hangUp();
    stage.emulator.forgetHandles();
    await stage.connected({ session });
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** Handles that are good, and that are not. */
export const handleScenarios: readonly Scenario[] = [
  ...rejected,
  acceptedThenClosed,
  unconfirmed,
  contextLost,
  notNow,
  reseedByPolicy,
  ...generations,
  behind,
  rejectedInSentence,
  startedAgain,
  startedTooLate,
  spokenStartedAgain,
];
