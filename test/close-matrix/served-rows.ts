import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import type { Call, CallParts } from './call.ts';
import { calling, idle, speaking } from './moments.ts';
import { hangTool, never } from './parts.ts';
import type { End, Group, Subject } from './row.ts';

const LEFT: readonly End[] = ['client vanishes', 'client hangs up', 'server closes'];

/** A server that closes says how many calls that costs. */
const cut = (end: End): readonly string[] => (end === 'server closes' ? ['calls are cut'] : []);

const served =
  (parts: CallParts = {}) =>
  (): CallParts => ({ isServed: true, ...parts });

/** The client has stopped reading: what is said to it, a close too, is never answered. */
function deafTo(moment: (call: Call) => Promise<void>): (call: Call) => Promise<void> {
  return async (call) => {
    await moment(call);
    call.served.stopReading();
  };
}

const subjects: readonly Subject[] = [
  { clause: 'C7', name: 'nothing stuck: idle', parts: served(), until: idle, ends: LEFT, logged: cut },
  {
    clause: 'C7',
    name: 'nothing stuck: the agent speaks',
    parts: served(),
    until: speaking,
    ends: LEFT,
    logged: cut,
  },
  {
    clause: 'C7',
    name: 'client does not answer the close',
    parts: served(),
    until: deafTo(speaking),
    ends: ['close()', 'queue.close()', 'server closes'],
    // The session does not wait for its client; the call does, and is over a second later.
    logged: (end) => ['close step overran', ...cut(end)],
  },
  {
    clause: 'C4',
    name: 'tool that honours nothing',
    parts: served({ agent: { tools: [hangTool((context) => never(context))] } }),
    until: calling,
    ends: LEFT,
    logged: cut,
    named: ['tool hang/run abandoned'],
    withinMs: TOOL_UNWIND_MS,
  },
  {
    clause: 'C10',
    name: 'STT does not answer the close frame',
    parts: served({
      stt: {
        faults: [{ what: { type: 'ignoreClose' } }, { when: { on: 'end' }, what: { type: 'silence' } }],
      },
    }),
    until: speaking,
    ends: LEFT,
    logged: cut,
    named: ['speech to text/connection/connection/socket overran'],
    withinMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
  },
];

export const servedGroups: readonly Group[] = [{ title: 'A call of a server', subjects }];
