import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { deepgram } from '../../src/models/stt/index.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import { FOREIGN_UNWIND_MS } from '../../src/session/until-closed.ts';
import { ownBeside } from './call.ts';
import { recorder } from './cascade-rows.ts';
import { isAborted } from './ends.ts';
import { after, calling, hearing, speaking } from './moments.ts';
import {
  BadTransport,
  Refusal,
  deafLanguageModel,
  hangTool,
  refuse,
  rejectsLate,
  withClient,
} from './parts.ts';
import type { End, Group, Subject } from './row.ts';

const FORCED: readonly End[] = ['close()', 'participant left', 'drain(), close() after 500 ms'];
const IDLE: readonly End[] = ['close()', 'participant left', 'drain()'];
const refused = (): Promise<never> => Promise.reject(new Refusal('it will not'));

const subjects: readonly Subject[] = [
  {
    clause: 'C3',
    name: 'recorder close rejects',
    parts: () => recorder({ close: refused }),
    until: hearing,
    ends: ['close() of its owner'],
    named: ['recorder/recording failed'],
  },
  {
    clause: 'C3',
    name: 'realtime model close rejects',
    parts: () => ({ gemini: {}, model: (model) => withClient(model, refused) }),
    ends: IDLE,
    named: ['model leg/connection/client failed'],
  },
  {
    clause: 'C3',
    name: 'realtime model close throws',
    parts: () => ({ gemini: {}, model: (model) => withClient(model, refuse) }),
    ends: IDLE,
    named: ['model leg/connection/client failed'],
  },
  {
    clause: 'C3',
    name: 'detach of an output throws',
    parts: () => ({ beside: ownBeside('output', { stop: refuse, close: () => undefined }) }),
    until: speaking,
    ends: ['close() of its owner'],
    named: ['output failed'],
  },
  {
    clause: 'C3',
    name: 'close of an output throws',
    parts: () => ({ beside: ownBeside('output', { close: refuse }) }),
    until: speaking,
    ends: ['close() of its owner'],
    named: ['output failed'],
  },
  {
    clause: 'C8',
    name: 'output throws at every event, also when it is to be cleared',
    parts: () => ({ listen: (session) => void session.on('event', refuse) }),
    until: async (call) => {
      await speaking(call);
      call.session.interrupt();
    },
    ends: IDLE,
    logged: ['listener failed'],
  },
  {
    clause: 'C8',
    name: 'output rejects every event',
    parts: () => ({ listen: (session) => void session.on('event', refused) }),
    until: speaking,
    ends: FORCED,
    logged: ['listener failed'],
  },
  {
    clause: 'C3',
    name: 'transport close rejects',
    parts: () => ({
      recogniser: (baseUrl) => deepgram({ apiKey: 'any', baseUrl, transport: new BadTransport(refused) }),
    }),
    until: hearing,
    ends: IDLE,
    named: ['speech to text/connection/connection/link failed'],
  },
  {
    clause: 'C8',
    name: 'close listener throws',
    parts: () => ({ listen: (session) => void session.on('close', refuse) }),
    until: speaking,
    ends: [...FORCED, 'close() twice at once'],
    logged: ['listener failed'],
  },
  {
    clause: 'C8',
    name: 'close listener rejects',
    parts: () => ({ listen: (session) => void session.on('close', refused) }),
    until: speaking,
    ends: FORCED,
    logged: ['listener failed'],
  },
  {
    clause: 'C4',
    name: 'tool rejects long after the close began',
    parts: () => ({ agent: { tools: [hangTool(() => rejectsLate(2_500))] } }),
    until: calling,
    ends: [...FORCED, 'close(), abort() after 100 ms'],
    named: ['tool hang/run abandoned'],
    withinMs: (end) => (isAborted(end) ? 0 : TOOL_UNWIND_MS),
    afterwardsMs: 2_000,
  },
  {
    clause: 'C4',
    name: 'LLM rejects after the close',
    parts: () => ({ languageModel: deafLanguageModel(() => rejectsLate(2_000)) }),
    until: after(50, 'Hello'),
    ends: FORCED,
    named: ['reply 1/generation/deaf/answer abandoned'],
    withinMs: FOREIGN_UNWIND_MS,
    afterwardsMs: 2_000,
  },
  {
    clause: 'H2',
    name: 'store fails with every write',
    parts: () => ({ session: { journal: { record: refused } } }),
    until: speaking,
    ends: FORCED,
    named: ['journal failed'],
    logged: ['journal write failed'],
    withinMs: DEFAULT_STEP_BOUND_MS,
  },
];

export const throwingGroups: readonly Group[] = [{ title: 'Something throws', subjects }];
