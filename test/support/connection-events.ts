import type { ConnectionEventBody, ConnectionRecovery } from '../../src/protocol/index.ts';

type State = ConnectionEventBody['state'];

export const RECOVERY: ConnectionRecovery = {
  cause: 'lost',
  attempt: 2,
  gapMs: 640,
  cutTurn: true,
  replayedMs: 1_200,
  audioGapMs: 0,
  historyTurns: 0,
};

/** One of each state, so that a new one cannot be forgotten. */
export const CONNECTION_EVENTS: {
  readonly [S in State]: Extract<ConnectionEventBody, { readonly state: S }>;
} = {
  connecting: { type: 'connection', state: 'connecting', attempt: 1 },
  connected: { type: 'connection', state: 'connected', resumed: false, historyTurns: 3, afterMs: 210 },
  lost: { type: 'connection', state: 'lost', cause: 'lost', code: 1011, reason: 'Internal error' },
  waiting: { type: 'connection', state: 'waiting', attempt: 2, delayMs: 2_300.5 },
  resumed: { type: 'connection', state: 'resumed', ...RECOVERY },
  reseeded: { type: 'connection', state: 'reseeded', why: 'handleRejected', ...RECOVERY, historyTurns: 4 },
  swapped: { type: 'connection', state: 'swapped', how: 'resumed', ...RECOVERY, cause: 'age' },
  handleRejected: { type: 'connection', state: 'handleRejected', reason: 'no such session' },
  exhausted: {
    type: 'connection',
    state: 'exhausted',
    meter: 'attempts',
    attempts: 10,
    outageMs: 151_000,
    redials: 12,
  },
};

/** The events of an outage that ends well, in their order. */
export const OUTAGE: readonly ConnectionEventBody[] = [
  CONNECTION_EVENTS.lost,
  { ...CONNECTION_EVENTS.connecting, attempt: 1 },
  CONNECTION_EVENTS.waiting,
  { ...CONNECTION_EVENTS.connecting, attempt: 2 },
  CONNECTION_EVENTS.connected,
  CONNECTION_EVENTS.resumed,
];
