import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { gatewayTts } from '../../src/models/gateway-tts/index.ts';
import { deepgram } from '../../src/models/stt/index.ts';
import { PLAYOUT_REPORT_GRACE_MS } from '../../src/session/index.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import { FOREIGN_UNWIND_MS } from '../../src/session/until-closed.ts';
import { Recorder } from '../../src/speech/index.ts';
import { ownBeside } from './call.ts';
import type { CallParts } from './call.ts';
import { after, answering, asked, calling, hearing, speaking, starting } from './moments.ts';
import { BadTransport, DEAF_TRANSPORT, deafLanguageModel, hangTool, never, untilTold } from './parts.ts';
import type { End, Group, NamedStep, Subject } from './row.ts';
import { isAborted } from './ends.ts';

const FORCED: readonly End[] = ['close()', 'participant left', 'drain(), close() after 500 ms'];
/** Where something is stuck, a close can be hardened. */
const STUCK: readonly End[] = [...FORCED, 'close(), abort() after 100 ms', 'close() twice at once'];

/** Where nothing is under way that a drain could wait for. */
const IDLE: readonly End[] = ['close()', 'participant left', 'drain()', 'close() twice at once'];

const STUCK_IDLE: readonly End[] = [...IDLE, 'close(), abort() after 100 ms'];

const STT_SOCKET = 'speech to text/connection/connection/socket';
const TTS_SOCKET = 'tts leg/connection/socket';

/** One socket whose peer does not answer a goodbye: destroyed at its bound, or at once by an abort. */
const socketOf = (path: string): Pick<Subject, 'named' | 'withinMs'> => ({
  named: (end) => (isAborted(end) ? [] : [`${path} overran`]),
  withinMs: (end) => (isAborted(end) ? 0 : DEFAULT_SOCKET_CLOSE_TIMEOUT_MS),
});

/** What is left behind after its bound, or at once by an abort. */
const leftBehind = (step: string, boundMs: number): Pick<Subject, 'named' | 'withinMs'> => ({
  named: [`${step} abandoned` as NamedStep],
  withinMs: (end) => (isAborted(end) ? 0 : boundMs),
});

const spoken = (seconds: number): string => Array.from({ length: seconds * 3 }, () => 'word').join(' ');

const nothingStuck: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'nothing stuck: idle',
    ends: [...IDLE, 'queue.close()', 'close() of its owner'],
  },
  {
    clause: 'S3',
    name: 'nothing stuck: the agent speaks',
    until: speaking,
    ends: [...FORCED, 'queue.close()'],
  },
  {
    clause: 'S3',
    name: 'nothing stuck: it speaks for a second',
    until: async (call) => {
      await call.start();
      call.say(spoken(1));
      await call.until('the agent speaks', () => call.count('audio') > 0);
    },
    ends: ['drain()'],
    withinMs: 3_000,
    check: (call) => {
      if (call.count('turnComplete') !== 1) throw new Error('The answer was cut.');
    },
  },
  {
    clause: 'S3',
    name: 'nothing stuck: speech that cannot be interrupted',
    until: async (call) => {
      await call.start();
      call.session.say(spoken(20), { interruptible: false });
      await call.until('the agent speaks', () => call.count('audio') > 0);
    },
    ends: FORCED,
  },
  { clause: 'C3', name: 'nothing stuck: the user speaks', until: hearing, ends: IDLE },
  {
    clause: 'R10',
    name: 'nothing stuck: a tool that heeds its signal',
    parts: () => ({ agent: { tools: [hangTool(untilTold)] } }),
    until: calling,
    ends: FORCED,
  },
];

const languageModels: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'LLM service never answers',
    parts: () => ({ llm: { faults: [{ what: { type: 'slowFirstByte', ms: 60_000 } }] } }),
    until: asked,
    ends: FORCED,
  },
  {
    clause: 'C3',
    name: 'LLM stream never settles, before its text',
    parts: () => ({ llm: { faults: [{ what: { type: 'stall' } }] } }),
    until: asked,
    ends: FORCED,
  },
  {
    clause: 'C3',
    name: 'LLM stream never settles, in mid-text',
    parts: () => ({ llm: { faults: [{ what: { type: 'stall', afterPieces: 3 } }] } }),
    until: answering,
    ends: FORCED,
  },
  {
    clause: 'C4',
    name: 'LLM of your own never returns',
    parts: () => ({ languageModel: deafLanguageModel(() => never()) }),
    until: after(50, 'Hello'),
    ends: STUCK,
    ...leftBehind('reply 1/generation/deaf/answer', FOREIGN_UNWIND_MS),
  },
  {
    clause: 'C4',
    name: 'LLM of your own never returns, in mid-text',
    parts: () => ({ languageModel: deafLanguageModel(() => never(), 'Well, now. ') }),
    until: answering,
    ends: STUCK,
    ...leftBehind('reply 1/generation/deaf/answer', FOREIGN_UNWIND_MS),
  },
  {
    clause: 'C4',
    name: 'instructions never come',
    parts: () => ({ agent: { instructions: () => never() } }),
    until: starting(() => true),
    ends: IDLE,
    named: ['model leg/connection/setup abandoned'],
  },
];

const voices: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'TTS takes everything and says nothing',
    parts: () => ({ tts: { faults: [{ what: { type: 'mute' } }] } }),
    until: answering,
    ends: FORCED,
  },
  {
    clause: 'C3',
    name: 'TTS stream never settles, in mid-speech',
    until: async (call) => {
      await speaking(call);
      call.services?.tts.inject({ type: 'mute' });
    },
    ends: FORCED,
  },
  {
    clause: 'C10',
    name: 'TTS goes dead in mid-speech (half-open)',
    until: async (call) => {
      await speaking(call);
      call.services?.tts.inject({ type: 'halfOpen' });
    },
    ends: STUCK,
    ...socketOf(TTS_SOCKET),
  },
  {
    clause: 'C10',
    name: 'TTS does not answer the close frame',
    parts: () => ({ tts: { faults: [{ what: { type: 'ignoreClose' } }] } }),
    until: speaking,
    ends: STUCK,
    ...socketOf(TTS_SOCKET),
  },
  {
    clause: 'C10',
    name: 'TTS does not answer the upgrade',
    parts: () => ({ tts: { faults: [{ what: { type: 'neverAnswerUpgrade' } }] } }),
    until: starting(({ services }) => services?.tts.connections.count === 1),
    ends: IDLE,
  },
  {
    clause: 'C4',
    name: 'TTS of your own never connects',
    parts: () => ({
      voice: (baseUrl) =>
        gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl, transport: DEAF_TRANSPORT }),
    }),
    until: starting(({ services }) => services?.stt.connections.count === 1),
    ends: IDLE,
    named: ['tts leg/connection/connect abandoned'],
  },
];

const recognisers: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'STT takes everything and writes nothing',
    parts: () => ({ stt: { faults: [{ what: { type: 'mute' } }] } }),
    until: hearing,
    ends: IDLE,
  },
  {
    clause: 'C10',
    name: 'STT goes dead while the user speaks (half-open)',
    until: async (call) => {
      await hearing(call);
      call.services?.stt.inject({ type: 'halfOpen' });
    },
    ends: STUCK_IDLE,
    ...socketOf(STT_SOCKET),
  },
  {
    clause: 'C10',
    name: 'STT ignores the end: it does not answer the close frame',
    parts: () => ({
      stt: {
        faults: [{ what: { type: 'ignoreClose' } }, { when: { on: 'end' }, what: { type: 'silence' } }],
      },
    }),
    until: hearing,
    ends: STUCK_IDLE,
    ...socketOf(STT_SOCKET),
  },
  {
    clause: 'C10',
    name: 'STT does not answer the upgrade',
    parts: () => ({ stt: { faults: [{ what: { type: 'neverAnswerUpgrade' } }] } }),
    until: starting(({ services }) => services?.stt.connections.count === 1),
    ends: IDLE,
  },
  {
    clause: 'C4',
    name: 'STT of your own never connects',
    parts: () => ({
      recogniser: (baseUrl) => deepgram({ apiKey: 'any', baseUrl, transport: DEAF_TRANSPORT }),
    }),
    until: starting(({ services }) => services?.tts.connections.count === 1),
    ends: IDLE,
    named: ['speech to text/connection/connection/connect abandoned'],
  },
  {
    clause: 'C4',
    name: 'STT of your own never closes what stands beside its socket',
    parts: () => ({
      recogniser: (baseUrl) =>
        deepgram({ apiKey: 'any', baseUrl, transport: new BadTransport(() => never()) }),
    }),
    until: hearing,
    ends: STUCK_IDLE,
    ...leftBehind('speech to text/connection/connection/link', DEFAULT_STEP_BOUND_MS),
  },
];

const around: readonly Subject[] = [
  {
    clause: 'C8',
    name: 'audio and text output never take an event',
    parts: () => ({ listen: (session) => void session.on('event', (event) => never(event)) }),
    until: speaking,
    ends: FORCED,
  },
  {
    clause: 'S3',
    name: 'playout is never reported finished',
    until: async (call) => {
      await speaking(call);
      call.session.playout.reported(1);
    },
    ends: FORCED,
  },
  {
    clause: 'S3',
    name: 'playout of a second of speech is never reported finished',
    until: async (call) => {
      await call.start();
      call.say(spoken(1));
      await call.until('the agent speaks', () => call.count('audio') > 0);
      call.session.playout.reported(1);
    },
    ends: ['drain()'],
    withinMs: 3_000 + PLAYOUT_REPORT_GRACE_MS,
  },
  {
    clause: 'C4',
    name: 'tool that honours nothing',
    parts: () => ({ agent: { tools: [hangTool((context) => never(context))] } }),
    until: calling,
    ends: [...STUCK, 'queue.close()', 'close() of its owner'],
    ...leftBehind('tool hang/run', TOOL_UNWIND_MS),
  },
  {
    clause: 'S3',
    name: 'tool that honours nothing, and ends at its own time-out of 700 ms',
    parts: () => ({ agent: { tools: [hangTool((context) => never(context), 700)] } }),
    until: calling,
    ends: ['drain()'],
    // It is told to end, and named, when its time is up; the model hears of it and says something.
    withinMs: 700 + TOOL_UNWIND_MS + 4_000,
    logged: ['close step overran'],
  },
  {
    clause: 'C4',
    name: 'store never takes what is written down',
    parts: () => ({ session: { journal: { record: (key, changes) => never(key, changes) } } }),
    until: answering,
    // An abort hands the last write over without waiting, and has nothing to name.
    ends: [...FORCED, 'close() twice at once'],
    ...leftBehind('journal', DEFAULT_STEP_BOUND_MS),
  },
  {
    clause: 'C5',
    name: 'recorder close never settles',
    parts: () => recorder({ close: () => never() }),
    until: hearing,
    ends: ['close() of its owner'],
    ...leftBehind('recorder/recording', DEFAULT_STEP_BOUND_MS),
  },
  {
    clause: 'C5',
    name: 'disk of a recorder never takes a block',
    parts: () => recorder({ write: (bytes) => never(bytes) }),
    until: hearing,
    ends: ['close() of its owner'],
    ...leftBehind('recorder/recording', DEFAULT_STEP_BOUND_MS),
  },
  {
    clause: 'C5',
    name: 'room or transport around the call never closes',
    parts: () => ({ beside: ownBeside('room', { close: (room) => never(room) }) }),
    until: speaking,
    ends: ['close() of its owner'],
    ...leftBehind('room', DEFAULT_STEP_BOUND_MS),
  },
];

/** A recorder on a disk of memory, with something about it that is not as it should be. */
export function recorder(how: {
  readonly write?: (bytes: Uint8Array) => Promise<void>;
  readonly close?: () => Promise<void>;
}): CallParts {
  const sink = { name: 'memory', write: how.write ?? taken, close: how.close ?? taken };
  return {
    beside: (owner) => {
      const recording = new Recorder({ owner, to: sink });
      recording.user(new Int16Array(1_600), 16_000);
    },
  };
}

const taken = async (): Promise<void> => undefined;

export const cascadeGroups: readonly Group[] = [
  { title: 'Nothing stuck', subjects: nothingStuck },
  { title: 'The language model is stuck', subjects: languageModels },
  { title: 'The voice is stuck', subjects: voices },
  { title: 'The recogniser is stuck', subjects: recognisers },
  { title: 'What stands around is stuck', subjects: around },
];
