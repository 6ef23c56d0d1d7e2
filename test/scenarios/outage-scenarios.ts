import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_ATTEMPTS,
  DEFAULT_RECONNECT_DELAYS_MS,
  DEFAULT_RECONNECT_JITTER_MS,
  ReconnectExhaustedError,
} from '../../src/session/index.ts';
import type { Fault, FaultRule } from '../../src/testing/index.ts';
import type { Scenario } from './scenario.ts';
import type { Ending, Stage } from './stage.ts';

const EXHAUSTED = 'HOLDFAST_RECONNECT_EXHAUSTED';
const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
const MINUTE_MS = 60_000;
const QUESTION = 'Where is my parcel?';

/** All ten attempts: the delays before them, with the most jitter. */
const ALL_ATTEMPTS_MS =
  DEFAULT_RECONNECT_DELAYS_MS.reduce((sum, delayMs) => sum + delayMs, 0) +
  (DEFAULT_MAX_ATTEMPTS - 1) * DEFAULT_RECONNECT_JITTER_MS;

/** A step of the virtual clock, in which a dial may be seen a little late. */
const GRAIN_MS = 100;

/** The waits between the dials are the policy's: each delay, and up to its jitter. */
function expectBackoff(dialsAtMs: readonly number[], attemptMs = 0): void {
  const attempts = dialsAtMs.slice(2);
  attempts.forEach((atMs, index) => {
    const waitedMs = atMs - (dialsAtMs[index + 1] ?? 0) - attemptMs;
    const delayMs = DEFAULT_RECONNECT_DELAYS_MS[index + 1] ?? 0;
    const isRight =
      waitedMs >= delayMs - GRAIN_MS && waitedMs <= delayMs + DEFAULT_RECONNECT_JITTER_MS + GRAIN_MS;
    assert.ok(
      isRight,
      `attempt ${index + 2} came after ${Math.round(waitedMs)} ms, and not ${delayMs} to ${delayMs + DEFAULT_RECONNECT_JITTER_MS}`,
    );
  });
}

function expectExhausted({ error }: Ending, cause: string): void {
  assert.ok(error instanceof ReconnectExhaustedError);
  assert.equal(error.meter, 'attempts');
  assert.equal(error.used.attempts, DEFAULT_MAX_ATTEMPTS);
  assert.equal((error.cause as { code?: string }).code, cause);
}

/** One question was answered, and then the server is gone, with every connection. */
async function serverGone(stage: Stage, forMs: number): Promise<void> {
  await stage.connected();
  await stage.ask(QUESTION);
  stage.asked();
  stage.emulator.stopListening({ forMs });
  stage.inject({ type: 'reset' });
  await stage.told('lost');
}

function downFor(forMs: number, name: string, dials: number): Scenario {
  return {
    clause: 'R3',
    name: `server down for ${name}`,
    also: 'each attempt comes after its delay and jitter; the next question is answered',
    time: 'virtual',
    expected: { outcome: 'returned', reason: 'user_initiated', dials, boundMs: BOUND_MS },
    play: async (stage) => {
      await serverGone(stage, forMs);
      await stage.told('resumed');
      expectBackoff(stage.dialsAtMs);
      await stage.ask('And now?');
      return stage.hangUp();
    },
  };
}

const downForTen: Scenario = {
  clause: 'R5',
  name: 'server down for 10 min',
  also: 'the error has the meters in it, and the last failure as its cause',
  time: 'virtual',
  expected: {
    outcome: `threw ${EXHAUSTED}`,
    reason: 'error',
    dials: 1 + DEFAULT_MAX_ATTEMPTS,
    boundMs: ALL_ATTEMPTS_MS,
  },
  play: async (stage) => {
    await serverGone(stage, 10 * MINUTE_MS);
    const ending = await stage.ended();
    expectBackoff(stage.dialsAtMs);
    expectExhausted(ending, 'HOLDFAST_CONNECTION_LOST');
    return ending;
  },
};

const SPOKEN_S = 20;

const spokenThrough: Scenario = {
  clause: 'R8',
  name: `server down for 60 s, the user speaks for ${SPOKEN_S} of them`,
  also: 'every word is heard in the end',
  time: 'virtual',
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 8, boundMs: BOUND_MS },
  play: async (stage) => {
    await serverGone(stage, MINUTE_MS);
    for (let second = 0; second < SPOKEN_S; second += 1) {
      stage.speak(50);
      await stage.passes(1_000);
    }
    stage.beQuiet(60);
    await stage.told('resumed');
    await stage.answered();
    return stage.hangUp();
  },
};

const downAfterGoAway: Scenario = {
  clause: 'R7',
  name: 'goAway, then the server is down for 60 s',
  also: 'it recovers',
  time: 'virtual',
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 8, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.emulator.stopListening({ forMs: MINUTE_MS });
    stage.inject({ type: 'goAway', timeLeft: '50s' });
    await stage.told('swapped');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** What the dial after a loss is answered with, and what becomes of the session. */
const REFUSED: readonly (readonly [status: number, error: string | undefined])[] = [
  [401, 'HOLDFAST_AUTHENTICATION'],
  [403, 'HOLDFAST_AUTHENTICATION'],
  [429, 'HOLDFAST_QUOTA'],
  [500, undefined],
  [503, undefined],
];

function refusedRedial([status, error]: (typeof REFUSED)[number]): Scenario {
  return {
    clause: 'R1',
    name: `redial: HTTP ${status}`,
    also: error === undefined ? 'it is tried again, and resumed' : 'it is told at once',
    time: 'virtual',
    expected:
      error === undefined
        ? { outcome: 'returned', reason: 'user_initiated', dials: 3, boundMs: BOUND_MS }
        : { outcome: `threw ${error}`, reason: 'error', dials: 2, boundMs: BOUND_MS },
    play: async (stage) => {
      await stage.connected();
      await stage.ask(QUESTION);
      stage.meets(2, { type: 'httpStatus', status });
      stage.asked();
      stage.inject({ type: 'reset' });
      if (error !== undefined) return stage.ended();
      await stage.told('resumed');
      await stage.ask('And now?');
      return stage.hangUp();
    },
  };
}

const askedToWait: Scenario = {
  clause: 'R3',
  name: 'redial: HTTP 503, Retry-After 20',
  also: 'the provider is not asked before',
  time: 'virtual',
  expected: { outcome: 'returned', reason: 'user_initiated', dials: 3, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.connected();
    await stage.ask(QUESTION);
    stage.meets(2, { type: 'httpStatus', status: 503, retryAfter: '20' });
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    const [, second = 0, third = 0] = stage.dialsAtMs;
    assert.ok(third - second >= 20_000, `it was asked after ${third - second} ms`);
    return stage.hangUp();
  },
};

/** What every dial after the first connection comes to, for ever. */
interface Loop {
  readonly name: string;
  readonly when?: FaultRule['when'];
  readonly what: Fault;
  /** What an attempt costs before it has failed. */
  readonly attemptMs?: number;
  readonly cause: string;
}

const LOOPS: readonly Loop[] = [
  {
    name: 'accepted and closed again',
    when: { on: 'setupComplete' },
    what: { type: 'close', code: 1011, reason: 'Internal error encountered.' },
    cause: 'HOLDFAST_CONNECTION_LOST',
  },
  {
    name: 'accepted and reset',
    when: { on: 'setupComplete' },
    what: { type: 'reset' },
    cause: 'HOLDFAST_CONNECTION_LOST',
  },
  {
    name: 'closed before setup',
    when: { on: 'setup' },
    what: { type: 'close', code: 1012 },
    cause: 'HOLDFAST_CONNECTION_LOST',
  },
  {
    name: 'setup never answered',
    what: { type: 'neverSetupComplete' },
    attemptMs: DEFAULT_CONNECT_TIMEOUT_MS,
    cause: 'HOLDFAST_CONNECT_TIMEOUT',
  },
  {
    name: 'upgrade never answered',
    what: { type: 'neverAnswerUpgrade' },
    attemptMs: DEFAULT_CONNECT_TIMEOUT_MS,
    cause: 'HOLDFAST_CONNECT_TIMEOUT',
  },
];

function forEver({ name, when = {}, what, attemptMs = 0, cause }: Loop): Scenario {
  return {
    clause: attemptMs === 0 ? 'R4' : 'R11',
    name: `redial: ${name}, for ever`,
    also: 'no handshake resets an attempt; no socket stays',
    time: 'virtual',
    expected: {
      outcome: `threw ${EXHAUSTED}`,
      reason: 'error',
      dials: 1 + DEFAULT_MAX_ATTEMPTS,
      boundMs: ALL_ATTEMPTS_MS + DEFAULT_MAX_ATTEMPTS * attemptMs,
    },
    play: async (stage) => {
      await stage.connected();
      await stage.ask(QUESTION);
      stage.emulator.addFaults([{ when, what }]);
      stage.asked();
      stage.inject({ type: 'reset' });
      const ending = await stage.ended();
      expectBackoff(stage.dialsAtMs, attemptMs);
      expectExhausted(ending, cause);
      return ending;
    },
  };
}

/** A provider that is not to be had for a while, or for ever, in the middle of a session. */
export const outageScenarios: readonly Scenario[] = [
  downFor(1_000, '1 s', 3),
  downFor(MINUTE_MS, '60 s', 8),
  downForTen,
  spokenThrough,
  downAfterGoAway,
  ...REFUSED.map(refusedRedial),
  askedToWait,
  ...LOOPS.map(forEver),
];
