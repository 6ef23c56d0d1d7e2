import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import { uncollected } from '../support/garbage.ts';
import type { Call, CallParts } from './call.ts';
import { calling } from './moments.ts';
import { hangTool, never } from './parts.ts';
import type { Group, NamedStep, Subject } from './row.ts';

/** A minute of it, 20 ms each. */
const FRAMES = 3_000;
const EVERY = 100;

/** Frames of a call that were looked at: none of them may be there when it is over. */
const frames = new WeakMap<Call, WeakRef<AudioChunk>[]>();

async function aMinuteOfAudio(call: Call): Promise<void> {
  await call.start();
  const refs: WeakRef<AudioChunk>[] = [];
  for (let count = 0; count < FRAMES; count += 1) {
    const frame = AudioChunk.fromSamples(new Int16Array(320), 16_000);
    call.session.queue.sendAudio(frame);
    if (count % EVERY === 0) refs.push(new WeakRef(frame));
  }
  frames.set(call, refs);
  await call.until('the recogniser has heard it', () => {
    const { audioMs = 0 } = call.services?.stt.connections.last ?? {};
    return audioMs >= FRAMES * 20;
  });
}

/** Everything that can be stuck at once. */
function stuckEverywhere(closeTimeoutMs?: number): CallParts {
  return {
    stt: { faults: [{ what: { type: 'ignoreClose' } }, { when: { on: 'end' }, what: { type: 'silence' } }] },
    tts: { faults: [{ what: { type: 'ignoreClose' } }] },
    agent: {
      tools: [hangTool((context) => never(context))],
      onEnter: (context) => never(context),
      toolsets: [
        {
          name: 'orders',
          open: async (scope) => {
            scope.own('database', {}, { close: (it) => never(it) });
            return [];
          },
        },
      ],
    },
    session: {
      journal: { record: (key, changes) => never(key, changes) },
      ...(closeTimeoutMs === undefined ? {} : { closeTimeoutMs }),
    },
  };
}

const SOCKETS: readonly NamedStep[] = [
  'speech to text/connection/connection/socket overran',
  'tts leg/connection/socket overran',
];
const WORK: readonly NamedStep[] = [
  'tool hang/run abandoned',
  'toolset orders/database abandoned',
  'activity clerk/on enter abandoned',
];

/** How short the deadline is where it comes before any step's own bound. */
const SHORT_CLOSE_MS = 300;

const subjects: readonly Subject[] = [
  {
    clause: 'C2',
    name: 'a second close of a tool that honours nothing joins the first',
    parts: () => ({ agent: { tools: [hangTool((context) => never(context))] } }),
    until: calling,
    ends: ['close(), and again after 300 ms'],
    named: ['tool hang/run abandoned'],
    withinMs: TOOL_UNWIND_MS,
  },
  {
    clause: 'C3',
    name: `closeTimeoutMs of ${SHORT_CLOSE_MS}: tool that honours nothing`,
    parts: () => ({
      agent: { tools: [hangTool((context) => never(context))] },
      session: { closeTimeoutMs: SHORT_CLOSE_MS },
    }),
    until: calling,
    ends: ['close()', 'participant left'],
    named: ['tool hang/run abandoned'],
    withinMs: SHORT_CLOSE_MS,
  },
  {
    clause: 'C3',
    name: 'everything stuck at once',
    parts: () => stuckEverywhere(),
    until: calling,
    ends: ['close()', 'participant left'],
    named: [...SOCKETS, ...WORK, 'journal abandoned'],
    // Phase after phase, a second each: sockets, own work, hooks.
    withinMs: 3 * DEFAULT_STEP_BOUND_MS,
  },
  {
    clause: 'C3',
    name: `closeTimeoutMs of ${SHORT_CLOSE_MS}: everything stuck at once`,
    parts: () => stuckEverywhere(SHORT_CLOSE_MS),
    until: calling,
    ends: ['close()', 'participant left'],
    // Nobody is left to be waited for when the deadline comes in the first phase: what is stuck behind it is told at once.
    named: [...SOCKETS, ...WORK],
    withinMs: SHORT_CLOSE_MS,
  },
  {
    clause: 'C10',
    name: 'never started',
    until: async () => undefined,
    ends: ['close()', 'drain()', 'queue.close()', 'close() twice at once'],
  },
  {
    clause: 'S5',
    name: `${FRAMES} frames of audio went in`,
    until: aMinuteOfAudio,
    ends: ['close()'],
    check: async (call) => {
      const kept = await uncollected(frames.get(call) ?? []);
      if (kept.length > 0) throw new Error(`${kept.length} of ${FRAMES / EVERY} frames are still in memory.`);
    },
  },
];

export const furtherGroups: readonly Group[] = [{ title: 'Further', subjects }];
