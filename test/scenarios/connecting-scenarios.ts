import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { ProviderError } from '../../src/session/index.ts';
import type { Fault } from '../../src/testing/index.ts';
import type { Scenario } from './scenario.ts';
import type { Ending } from './stage.ts';

const LOST = 'HOLDFAST_CONNECTION_LOST';
const AUTHENTICATION = 'HOLDFAST_AUTHENTICATION';
const INVALID = 'HOLDFAST_INVALID_REQUEST';
const QUOTA = 'HOLDFAST_QUOTA';
const OVERLOADED = 'HOLDFAST_OVERLOADED';
const REJECTED = 'HOLDFAST_HANDLE_REJECTED';
const TIMEOUT = 'HOLDFAST_CONNECT_TIMEOUT';

const CONNECT_TIMEOUT_MS = 400;
const RETRY_AFTER_S = 7;
const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;

/** What the error says of the provider's own words. */
function failureOf({ error }: Ending): ProviderError['failure'] {
  assert.ok(error instanceof ProviderError, 'the error does not say what the provider said');
  return error.failure;
}

const serverDown: Scenario = {
  clause: 'E',
  name: 'server down at start (ECONNREFUSED)',
  expected: { outcome: `threw ${LOST}`, reason: 'error', dials: 0, boundMs: BOUND_MS },
  play: async (stage) => {
    await stage.emulator.close();
    stage.asked();
    const ending = await stage.loop(stage.run());
    let cause: unknown = ending.error;
    while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
    assert.equal((cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    return ending;
  },
};

/** Refused upgrades: HTTP status and the body the service sends with it. */
const REFUSALS: readonly [status: number, body: string, code: string][] = [
  [400, 'API key not valid. Please pass a valid API key.', AUTHENTICATION],
  [401, 'Request had invalid authentication credentials.', AUTHENTICATION],
  [403, 'Permission denied on resource project.', AUTHENTICATION],
  [404, 'Not Found', INVALID],
  [429, 'Resource has been exhausted (e.g. check quota).', QUOTA],
  [500, 'Internal error encountered.', LOST],
  [503, 'The service is currently unavailable.', OVERLOADED],
];

function refusedUpgrade([status, message, code]: (typeof REFUSALS)[number]): Scenario {
  const body = JSON.stringify({ error: { code: status, message } });
  const busy = status === 429 || status === 503;
  return {
    clause: 'E',
    name: `${status} on upgrade`,
    ...(busy ? { also: 'the error keeps Retry-After' } : {}),
    provider: {
      faults: [
        {
          what: { type: 'httpStatus', status, body, ...(busy ? { retryAfter: `${RETRY_AFTER_S}` } : {}) },
        },
      ],
    },
    expected: { outcome: `threw ${code}`, reason: 'error', boundMs: BOUND_MS },
    play: async (stage) => {
      const ending = await stage.loop(stage.run());
      assert.equal(failureOf(ending).httpStatus, status);
      if (busy) assert.equal(failureOf(ending).retryAfterMs, RETRY_AFTER_S * 1_000);
      return ending;
    },
  };
}

/** Bounded by `connectTimeoutMs`, whatever is not answered. */
const NEVER: readonly [name: string, fault: Fault][] = [
  ['upgrade never answered', { type: 'neverAnswerUpgrade' }],
  ['setup never comes', { type: 'neverSetupComplete' }],
];

function neverAnswered([name, what]: (typeof NEVER)[number]): Scenario {
  return {
    clause: 'R11',
    name: `${name}, connectTimeoutMs ${CONNECT_TIMEOUT_MS}`,
    provider: { faults: [{ what }] },
    expected: {
      outcome: `threw ${TIMEOUT}`,
      reason: 'error',
      boundMs: CONNECT_TIMEOUT_MS + BOUND_MS,
    },
    play: async (stage) => {
      const ending = await stage.loop(stage.run({ connectTimeoutMs: CONNECT_TIMEOUT_MS }));
      assert.ok(stage.durationMs >= CONNECT_TIMEOUT_MS - 1, 'it did not wait for the time-out');
      return ending;
    },
  };
}

/** Undefined: no code in the frame, which is read as 1005. 1006: the TCP connection is reset. */
type Close = readonly [code: number | undefined, reason: string, error: string];

/** What the service says before it is set up, and what that means. No handle is sent with these. */
const BEFORE_SETUP: readonly Close[] = [
  [1000, '', LOST],
  [1001, 'going away', LOST],
  [undefined, '', LOST],
  [1006, '', LOST],
  [1007, 'Request contains an invalid argument.', INVALID],
  [1007, 'Invalid session handle', INVALID],
  [1007, 'API key expired. Please renew the API key.', AUTHENTICATION],
  [1007, 'API key not valid. Please pass a valid API key.', AUTHENTICATION],
  [1007, 'User location is not supported for the API use.', INVALID],
  [1007, 'TEXT is not supported by the model', INVALID],
  [1008, 'BidiGenerateContent session not found', LOST],
  [1008, 'Requested entity was not found.', INVALID],
  [1008, 'Operation is not implemented, or supported, or enabled.', LOST],
  [1008, 'models/nobody is not found for API version v1beta', INVALID],
  [1011, 'Internal error encountered.', LOST],
  [1011, 'The service is currently unavailable.', OVERLOADED],
  [1011, 'Deadline expired before operation could complete.', LOST],
  [1011, 'You exceeded your current quota, please check your plan and billing details.', QUOTA],
  [1012, 'service restart', LOST],
  [1013, 'try again later', OVERLOADED],
];

const IN_SESSION: readonly Close[] = [
  [1000, '', LOST],
  [1001, 'going away', LOST],
  [undefined, '', LOST],
  [1006, '', LOST],
  [1008, 'BidiGenerateContent session not found', REJECTED],
  [1008, 'Operation is not implemented, or supported, or enabled.', LOST],
  [1011, 'Internal error encountered.', LOST],
  [1011, 'Deadline expired before operation could complete.', LOST],
  [1012, 'service restart', LOST],
  [1013, 'try again later', OVERLOADED],
  [1007, 'Request contains an invalid argument.', INVALID],
  [1007, 'API key expired. Please renew the API key.', AUTHENTICATION],
  [1011, 'You exceeded your current quota, please check your plan and billing details.', QUOTA],
];

function faultOf([code, reason]: Close): Fault {
  if (code === 1006) return { type: 'reset' };
  return { type: 'close', ...(code === undefined ? {} : { code }), reason };
}

function described([code, reason]: Close): string {
  if (code === undefined) return '1005 (no code)';
  if (code === 1006) return '1006 (reset)';
  return reason === '' ? `${code}` : `${code} ${reason.split(/[.,(]/, 1)[0]}`;
}

function closedBeforeSetup(close: Close): Scenario {
  return {
    clause: 'E',
    name: `before setup: ${described(close)}`,
    provider: { faults: [{ when: { on: 'setup' }, what: faultOf(close) }] },
    expected: { outcome: `threw ${close[2]}`, reason: 'error', boundMs: BOUND_MS },
    play: async (stage) => {
      const ending = await stage.loop(stage.run());
      assert.equal(failureOf(ending).closeCode, close[0] ?? 1005);
      return ending;
    },
  };
}

function lostInSession(close: Close): Scenario {
  return {
    clause: 'R1',
    name: `in session: ${described(close)}`,
    expected: { outcome: `threw ${close[2]}`, reason: 'error', boundMs: BOUND_MS },
    play: async (stage) => {
      const ending = await stage.loopUntilConnected(stage.run(), () => stage.emulator.inject(faultOf(close)));
      assert.equal(failureOf(ending).closeCode, close[0] ?? 1005);
      assert.ok(
        stage.events.some((event) => event.type === 'connection' && event.state === 'lost'),
        'no event says that the connection was lost',
      );
      return ending;
    },
  };
}

const goAway: Scenario = {
  clause: 'R7',
  name: 'goAway, then close',
  also: 'the application is told, with the time left',
  provider: { faults: [{ what: { type: 'goAway', timeLeft: '50s' } }] },
  expected: { outcome: 'returned', reason: 'user_initiated', boundMs: BOUND_MS },
  play: async (stage) => {
    const ending = await stage.loop(stage.run(), (event) => {
      if (event.type !== 'goAway') return;
      stage.asked();
      stage.queue.close();
    });
    assert.ok(
      stage.events.some((event) => event.type === 'goAway' && event.timeLeftMs === 50_000),
      'goAway did not say 50 s',
    );
    return ending;
  },
};

/** Connections that do not come about, or go. */
export const connectingScenarios: readonly Scenario[] = [
  serverDown,
  ...REFUSALS.map(refusedUpgrade),
  {
    clause: 'E',
    name: 'TCP accepted, then reset',
    provider: { faults: [{ what: { type: 'refuseTcp' } }] },
    expected: { outcome: `threw ${LOST}`, reason: 'error', boundMs: BOUND_MS },
    play: (stage) => stage.loop(stage.run()),
  },
  ...NEVER.map(neverAnswered),
  ...BEFORE_SETUP.map(closedBeforeSetup),
  ...IN_SESSION.map(lostInSession),
  goAway,
];
