import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { Recorder } from '../../src/speech/index.ts';
import { isAborted } from './ends.ts';
import { speaking } from './moments.ts';
import { Refusal, never, refuse } from './parts.ts';
import type { End, Group, NamedStep, Subject } from './row.ts';

const FORCED: readonly End[] = ['close()', 'participant left', 'drain(), close() after 500 ms'];
const STUCK: readonly End[] = [...FORCED, 'close(), abort() after 100 ms', 'close() twice at once'];

const leftBehind = (step: string): Pick<Subject, 'named' | 'withinMs'> => ({
  named: [`${step} abandoned` as NamedStep],
  withinMs: (end) => (isAborted(end) ? 0 : DEFAULT_STEP_BOUND_MS),
});

const subjects: readonly Subject[] = [
  {
    clause: 'C4',
    name: 'room or host never closes',
    parts: () => ({
      listen: (session) => void session.attach('room', {}, { close: (room) => never(room) }),
    }),
    until: speaking,
    ends: STUCK,
    ...leftBehind('room'),
  },
  {
    clause: 'C5',
    name: 'recorder close never settles',
    parts: () => ({
      listen: (session) => {
        const to = { name: 'memory', write: async () => undefined, close: () => never() };
        new Recorder({ owner: session.child('recording', { phase: 'hooks' }), to });
      },
    }),
    until: speaking,
    ends: [...FORCED, 'close() twice at once'],
    ...leftBehind('recorder/recording'),
  },
  {
    clause: 'C8',
    name: 'detach of an output throws',
    parts: () => ({
      listen: (session) => void session.attach('output', {}, { stop: refuse, close: () => undefined }),
    }),
    until: speaking,
    ends: FORCED,
    named: ['output failed'],
  },
  {
    clause: 'C8',
    name: 'transport close rejects',
    parts: () => ({
      listen: (session) =>
        void session.attach('transport', {}, { close: () => Promise.reject(new Refusal('it will not')) }),
    }),
    until: speaking,
    ends: FORCED,
    named: ['transport failed'],
  },
];

export const attachedGroups: readonly Group[] = [{ title: 'Attached to the session', subjects }];
