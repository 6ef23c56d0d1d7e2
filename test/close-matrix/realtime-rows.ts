import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import type { CallParts } from './call.ts';
import { isAborted } from './ends.ts';
import { calling, speaking, starting } from './moments.ts';
import { hangTool, never, withClient } from './parts.ts';
import type { End, Group, Subject } from './row.ts';

const FORCED: readonly End[] = ['close()', 'participant left', 'drain(), close() after 500 ms'];
const STUCK: readonly End[] = [...FORCED, 'close(), abort() after 100 ms', 'close() twice at once'];

const IDLE: readonly End[] = ['close()', 'participant left', 'drain()', 'close() twice at once'];
const STUCK_IDLE: readonly End[] = [...IDLE, 'close(), abort() after 100 ms'];

const on =
  (gemini: GeminiEmulatorOptions = {}, rest: CallParts = {}) =>
  (): CallParts => ({ gemini, ...rest });

const socket: Pick<Subject, 'named' | 'withinMs'> = {
  named: (end) => (isAborted(end) ? [] : ['model leg/connection/socket overran']),
  withinMs: (end) => (isAborted(end) ? 0 : DEFAULT_SOCKET_CLOSE_TIMEOUT_MS),
};

const subjects: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'nothing stuck: idle',
    parts: on(),
    ends: [...IDLE, 'queue.close()', 'close() of its owner'],
  },
  { clause: 'S3', name: 'nothing stuck: the agent speaks', parts: on(), until: speaking, ends: FORCED },
  {
    clause: 'C10',
    name: 'provider does not answer the close frame',
    parts: on({ faults: [{ what: { type: 'ignoreClose' } }] }),
    ends: STUCK_IDLE,
    ...socket,
  },
  {
    clause: 'C10',
    name: 'provider goes dead (half-open) in mid-speech',
    parts: on(),
    until: async (call) => {
      await speaking(call);
      call.realtime?.inject({ type: 'halfOpen' });
    },
    ends: STUCK,
    ...socket,
  },
  {
    clause: 'C10',
    name: 'provider does not answer the upgrade',
    parts: on({ faults: [{ what: { type: 'neverAnswerUpgrade' } }] }),
    until: starting(({ realtime }) => realtime?.connections.count === 1),
    ends: IDLE,
  },
  {
    clause: 'C10',
    name: 'provider never says that the setup is complete',
    parts: on({ faults: [{ what: { type: 'neverSetupComplete' } }] }),
    until: starting(({ realtime }) => realtime?.connections.last?.messages.setup === 1),
    ends: IDLE,
  },
  {
    clause: 'C10',
    name: 'connection was lost, and is not to be had again',
    parts: on({}, { session: { reconnect: { withoutHandle: 'reseed' } } }),
    until: async (call) => {
      await call.start();
      call.realtime?.stopListening();
      call.realtime?.inject({ type: 'reset' });
      await call.until('it is waited for', () => call.count('connection') > 3);
    },
    ends: IDLE,
  },
  {
    clause: 'C4',
    name: 'tool that honours nothing',
    parts: on({}, { agent: { tools: [hangTool((context) => never(context))] } }),
    until: calling,
    ends: STUCK,
    named: ['tool hang/run abandoned'],
    withinMs: (end) => (isAborted(end) ? 0 : TOOL_UNWIND_MS),
  },
  {
    clause: 'C4',
    name: 'model close never settles',
    parts: on({}, { model: (model) => withClient(model, () => never()) }),
    ends: STUCK_IDLE,
    named: ['model leg/connection/client abandoned'],
    withinMs: (end) => (isAborted(end) ? 0 : DEFAULT_STEP_BOUND_MS),
  },
  {
    clause: 'C4',
    name: 'model of your own never connects',
    parts: on(
      {},
      {
        model: (model) =>
          withClient(
            model,
            async () => undefined,
            () => never(),
          ),
      },
    ),
    until: starting(() => true),
    ends: IDLE,
    named: ['model leg/connection/connect abandoned'],
  },
];

export const realtimeGroups: readonly Group[] = [{ title: 'Realtime models', subjects }];
