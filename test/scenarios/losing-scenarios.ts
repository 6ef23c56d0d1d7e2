import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import type { ConnectionRecovery } from '../../src/protocol/index.ts';
import { ProviderError } from '../../src/session/index.ts';
import type { Fault } from '../../src/testing/index.ts';
import { described, faultOf } from './provider-closes.ts';
import type { Close } from './provider-closes.ts';
import { FRAME_MS } from './received.ts';
import type { Scenario } from './scenario.ts';

const LOST = 'HOLDFAST_CONNECTION_LOST';
const REJECTED = 'HOLDFAST_HANDLE_REJECTED';
const OVERLOADED = 'HOLDFAST_OVERLOADED';
const AUTHENTICATION = 'HOLDFAST_AUTHENTICATION';
const INVALID = 'HOLDFAST_INVALID_REQUEST';
const QUOTA = 'HOLDFAST_QUOTA';

const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
const QUESTION = 'Where is my parcel?';

/** Time itself is not the point of these. */
const SOON = { delaysMs: [0, 50, 100, 200], jitterMs: 0, overloadDelayMs: 50 } as const;

/** What a session with a handle does about an end: it resumes, it starts afresh with the history, or it ends too. */
type Cure = 'resumed' | 'reseeded' | 'none';

/** Every close of the service in a session, the error of a session without a handle, and the cure with one. */
const CLOSES: readonly (readonly [code: Close[0], reason: string, error: string, cure: Cure])[] = [
  [1000, '', LOST, 'resumed'],
  [1001, 'going away', LOST, 'resumed'],
  [undefined, '', LOST, 'resumed'],
  [1006, '', LOST, 'resumed'],
  [1007, 'Request contains an invalid argument.', INVALID, 'none'],
  [1007, 'Invalid session handle', REJECTED, 'reseeded'],
  [1007, 'API key expired. Please renew the API key.', AUTHENTICATION, 'none'],
  [1007, 'API key not valid. Please pass a valid API key.', AUTHENTICATION, 'none'],
  [1007, 'User location is not supported for the API use.', INVALID, 'none'],
  [1007, 'TEXT is not supported by the model', INVALID, 'none'],
  [1008, 'BidiGenerateContent session not found', REJECTED, 'reseeded'],
  [1008, 'Requested entity was not found.', REJECTED, 'reseeded'],
  [1008, 'Operation is not implemented, or supported, or enabled.', LOST, 'resumed'],
  [1008, 'models/nobody is not found for API version v1beta', INVALID, 'none'],
  [1011, 'Internal error encountered.', LOST, 'resumed'],
  [1011, 'The service is currently unavailable.', OVERLOADED, 'resumed'],
  [1011, 'Deadline expired before operation could complete.', LOST, 'resumed'],
  [1011, 'You exceeded your current quota, please check your plan and billing details.', QUOTA, 'none'],
  [1012, 'service restart', LOST, 'resumed'],
  [1013, 'try again later', OVERLOADED, 'resumed'],
];

function withoutHandle([code, reason, error]: (typeof CLOSES)[number]): Scenario {
  return {
    clause: 'R1',
    name: `no handle: ${described([code, reason])}`,
    expected: { outcome: `threw ${error}`, reason: 'error', boundMs: BOUND_MS },
    play: async (stage) => {
      await stage.connected({ reconnect: SOON });
      stage.asked();
      stage.inject(faultOf([code, reason]));
      await stage.told('lost');
      const ending = await stage.ended();
      assert.ok(ending.error instanceof ProviderError, 'the error does not say what the provider said');
      assert.equal(ending.error.failure.closeCode, code ?? 1005);
      return ending;
    },
  };
}

function withHandle([code, reason, error, cure]: (typeof CLOSES)[number]): Scenario {
  const name = `with a handle: ${described([code, reason])}`;
  const told = {
    resumed: 'it is resumed',
    reseeded: 'it starts afresh, with the history',
    none: 'it ends too',
  };
  return {
    clause: cure === 'reseeded' ? 'R6' : 'R1',
    name,
    also: told[cure],
    expected:
      cure === 'none'
        ? { outcome: `threw ${error}`, reason: 'error', boundMs: BOUND_MS }
        : {
            outcome: 'returned',
            reason: 'user_initiated',
            dials: 2,
            history: cure === 'reseeded' ? 2 : 0,
            boundMs: BOUND_MS,
          },
    play: async (stage) => {
      await stage.connected({ reconnect: SOON });
      await stage.ask(QUESTION);
      stage.asked();
      stage.inject(faultOf([code, reason]));
      if (cure === 'none') return stage.ended();
      await stage.told(cure);
      await stage.ask('And now?');
      return stage.hangUp();
    },
  };
}

/** Ends of a connection that say nothing, at a moment when something is under way. */
const SUDDEN: readonly (readonly [name: string, fault: Fault])[] = [
  ['reset', { type: 'reset' }],
  ['TCP ended without a close frame', { type: 'endWithoutCloseFrame' }],
];

/** The agent has begun to answer: what it had said is delivered, and the rest is asked for again. */
function cutInAnswer([name, fault]: (typeof SUDDEN)[number]): Scenario {
  return {
    clause: 'R8',
    name: `${name}, agent in mid-answer`,
    also: 'the event says that its turn was cut; the question is answered',
    provider: { generationSpeed: 20 },
    expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
    play: async (stage) => {
      await stage.connected({ reconnect: SOON });
      await stage.ask(QUESTION);
      stage.say('And what is in it, and who has sent it, and when will it be here?');
      await stage.event(({ type }) => type === 'audio');
      stage.inject(fault);
      const event = await stage.told('resumed');
      assert.ok('cutTurn' in event && event.cutTurn, 'the event does not say that the turn was cut');
      await stage.answered();
      return stage.hangUp();
    },
  };
}

const cutTwice: Scenario = {
  clause: 'R8',
  name: 'reset in mid-answer, and again in mid-answer',
  also: 'the question is answered by the third connection',
  provider: { generationSpeed: 20 },
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 3, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected({ reconnect: SOON });
    await stage.ask(QUESTION);
    stage.say('And what is in it, and who has sent it, and when will it be here?');
    for (let cut = 0; cut < 2; cut += 1) {
      await stage.event(({ type }) => type === 'audio');
      stage.inject({ type: 'reset' });
      await stage.told('resumed');
    }
    await stage.answered();
    return stage.hangUp();
  },
};

const cutOnStrict: Scenario = {
  clause: 'R8',
  name: 'reset in mid-answer, on gemini-3.1-flash-live-preview',
  also: 'the question is asked again, and answered',
  provider: { generationSpeed: 20 },
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected({ reconnect: SOON, model: stage.model('gemini-3.1-flash-live-preview') });
    await stage.ask(QUESTION);
    stage.say('And what is in it, and who has sent it, and when will it be here?');
    await stage.event(({ type }) => type === 'audio');
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    await stage.answered();
    return stage.hangUp();
  },
};

const SPOKEN_FRAMES = 20;

/** The user has said half a sentence: it is sent again to the new connection, and told. */
function cutInSentence([name, fault]: (typeof SUDDEN)[number]): Scenario {
  return {
    clause: 'R8',
    name: `${name}, user in mid-sentence`,
    also: 'the event says how much is sent again; the whole sentence is answered',
    expected: {
      outcome: 'returned',
      reason: 'user_initiated',
      dials: 2,
      againMs: SPOKEN_FRAMES * FRAME_MS,
      boundMs: BOUND_MS,
    },
    play: async (stage) => {
      await stage.connected({ reconnect: SOON });
      await stage.ask(QUESTION);
      stage.speak(SPOKEN_FRAMES);
      await stage.provider(({ connections }) => connections.last?.inputs.audio === SPOKEN_FRAMES);
      stage.inject(fault);
      // The user knows nothing of it and goes on speaking.
      stage.speak(SPOKEN_FRAMES);
      const event = await stage.told('resumed');
      // What went into a socket that was gone was sent as well, and is sent again.
      const { replayedMs } = event as ConnectionRecovery;
      const mostMs = 2 * SPOKEN_FRAMES * FRAME_MS;
      assert.ok(
        replayedMs >= SPOKEN_FRAMES * FRAME_MS && replayedMs <= mostMs,
        `replayedMs is ${replayedMs}`,
      );
      stage.speak(SPOKEN_FRAMES);
      stage.beQuiet(60);
      await stage.answered();
      assert.equal(stage.emulator.connections.last?.inputs.audio, 3 * SPOKEN_FRAMES + 60);
      return stage.hangUp();
    },
  };
}

/** A probe's own bounds, as short as real sockets allow. */
const PROBED = { ...SOON, probeAfterMs: 100, probeTimeoutMs: 300 } as const;

const halfOpenIdle: Scenario = {
  clause: 'R12',
  name: 'half-open while idle, probeAfterMs 100, probeTimeoutMs 300',
  also: 'it is found out by a probe, and resumed',
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected({ reconnect: PROBED });
    await stage.ask(QUESTION);
    stage.inject({ type: 'halfOpen' });
    const lost = await stage.told('lost');
    assert.ok('cause' in lost && lost.cause === 'silent', 'the event does not say that it was silent');
    await stage.told('resumed');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

const halfOpenInAnswer: Scenario = {
  clause: 'R12',
  name: 'half-open in mid-answer, the same bounds',
  also: 'the question is answered by the next connection',
  provider: { generationSpeed: 20 },
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected({ reconnect: PROBED });
    await stage.ask(QUESTION);
    stage.say('And what is in it, and who has sent it, and when will it be here?');
    await stage.event(({ type }) => type === 'audio');
    stage.inject({ type: 'halfOpen' });
    const event = await stage.told('resumed');
    assert.ok('cutTurn' in event && event.cutTurn, 'the event does not say that the turn was cut');
    await stage.answered();
    return stage.hangUp();
  },
};

const quiet: Scenario = {
  clause: 'R12',
  name: 'nobody says anything for ten minutes, pongs 25 s late',
  also: 'nothing is done about it, but for the swap before its age limit',
  time: 'virtual',
  provider: {
    connectionLifetimeMs: 3_600_000,
    faults: [{ when: { connection: 1 }, what: { type: 'latePongs', ms: 25_000 } }],
  },
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    await stage.passes(8.5 * 60_000);
    assert.equal(stage.emulator.connections.count, 1, 'a healthy connection was replaced');
    await stage.passes(1.5 * 60_000);
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** Silence that waits in the queue when the buffers of both sockets are full of it: some ten seconds. */
const WAITING_FRAMES = 500;

/** A little longer than it takes to find out: the provider sees its old connection end when it reads again. */
const STALLED_MS = 13_000;

const stalled: Scenario = {
  clause: 'R12',
  name: 'peer stops reading, the microphone is open',
  also: 'what does not leave for 10 s tells that it is stalled; what is said then is heard',
  time: 'virtual',
  // The first one to resume is refused, because the provider has not read of the old one's end.
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 3, againMs: 'told', boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.inject({ type: 'stallReads', ms: STALLED_MS });
    while (stage.queue.size < WAITING_FRAMES) {
      stage.beQuiet(WAITING_FRAMES);
      await stage.passes(1);
    }
    stage.speak(SPOKEN_FRAMES);
    stage.beQuiet(60);
    const lost = await stage.told('lost');
    assert.ok('cause' in lost && lost.cause === 'stalled', 'the event does not say that it was stalled');
    await stage.told('resumed');
    await stage.answered();
    return stage.hangUp();
  },
};

/** Connections that are lost in the middle of a session. */
export const losingScenarios: readonly Scenario[] = [
  ...CLOSES.map(withHandle),
  ...CLOSES.map(withoutHandle),
  ...SUDDEN.map(cutInAnswer),
  cutTwice,
  cutOnStrict,
  ...SUDDEN.map(cutInSentence),
  halfOpenIdle,
  halfOpenInAnswer,
  stalled,
  quiet,
];
