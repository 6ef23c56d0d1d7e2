import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveRig } from '../../test/support/live-rig.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import { HoldfastError } from '../kernel/index.ts';
import type { ModelOutput } from './live-model.ts';
import type { SpeechHandle } from './speech-handle.ts';

const voice: ModelOutput = { type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(12_000), 24_000) };
const words: ModelOutput = {
  type: 'transcript',
  speaker: 'agent',
  text: 'Once upon a time. ',
  finished: false,
};
const userWords: ModelOutput = { type: 'transcript', speaker: 'user', text: 'Stop', finished: true };
const call: ModelOutput = { type: 'toolCall', calls: [{ id: '1', name: 'none', args: {} }] };

/** Everything that can happen to speeches, each at any moment. */
const DEEDS: Readonly<Record<string, (rig: LiveRig, handles: SpeechHandle[]) => unknown>> = {
  say: ({ session }, handles) => handles.push(session.say('Hello.', { priority: handles.length % 3 })),
  sayOffRecord: ({ session }, handles) => handles.push(session.say('Hm.', { addToHistory: false })),
  sayFirmly: ({ session }, handles) => handles.push(session.say('Listen.', { interruptible: false })),
  reply: ({ session }, handles) => handles.push(session.generateReply({ instructions: 'Sing.' })),
  answer: ({ session }, handles) => handles.push(session.generateReply({ userInput: 'And?' })),
  ask: ({ session }) => session.queue.sendContent(textContent('user', 'Hello')),
  interruptOne: (_, handles) => handles[0]?.interrupt(),
  interruptCurrent: ({ session }) => session.currentSpeech?.interrupt(),
  interruptAll: ({ session }) => session.interrupt(),
  voice: ({ model }) => model.connection.output(voice),
  words: ({ model }) => model.connection.output(words),
  userWords: ({ model }) => model.connection.output(userWords),
  call: ({ model }) => model.connection.output(call),
  text: ({ model }) => model.connection.output({ type: 'text', text: 'Hi.' }),
  bargeIn: ({ model }) => model.connection.output({ type: 'interrupted' }),
  complete: ({ model }) => model.connection.output({ type: 'turnComplete' }),
  lost: ({ model }) => model.connection.end({ code: 1006 }),
  report: ({ session }) => session.playout.reported(session.playout.sentSamples - 6_000),
  moment: ({ clock }) => clock.advance(100),
  while: ({ clock }) => clock.advance(12_000),
  drain: ({ session }) => void session.drain(),
};

async function played(deeds: readonly string[], isInterruptible: boolean): Promise<void> {
  const rig = new LiveRig({
    falseInterruptionTimeoutMs: 1_000,
    userAwayTimeoutMs: 5_000,
    script: { isInterruptible, capabilities: { saysText: true, takesContent: true } },
  });
  const handles: SpeechHandle[] = [];
  const open = new Set<SpeechHandle>();
  rig.session.on('speechStarted', (speech) => void open.add(speech));
  rig.session.on('speechEnded', (speech) => void open.delete(speech));
  rig.session.on('speechStarted', (speech) => void handles.push(speech));
  await rig.session.start();
  for (const deed of deeds) {
    try {
      await DEEDS[deed]!(rig, handles);
    } catch (error) {
      // After a drain has begun nothing more may be asked for.
      if (!(error instanceof HoldfastError)) throw error;
    }
    await rig.clock.settle();
    const { heardSamples, sentSamples } = rig.session.playout;
    expect(heardSamples).toBeLessThanOrEqual(sentSamples);
  }
  const waits = Promise.all(handles.map((speech) => speech.waitForPlayout()));
  void rig.session.close();
  await rig.clock.advance(5_000);
  await waits;
  expect(rig.session.state).toBe('closed');
  expect(rig.session.resources()).toEqual([]);
  expect(rig.clock.pendingTimers).toBe(0);
  expect(rig.model.openConnections).toBe(0);
  expect(handles.every(({ isDone, text, heardText }) => isDone && text.startsWith(heardText))).toBe(true);
  expect([...open]).toEqual([]);
  expect(rig.book.at('error').filter((message) => message !== 'session failed')).toEqual([]);
}

describe('AgentSession, speeches in every order', () => {
  it('S3 C6 whatever happens to speeches in whatever order, every wait ends and nothing is held', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...Object.keys(DEEDS)), { maxLength: 25 }),
        fc.boolean(),
        played,
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it('S3 drain: where every turn that begins is completed, a drain ends by itself', async () => {
    const asked = [
      'say',
      'sayOffRecord',
      'sayFirmly',
      'reply',
      'answer',
      'ask',
      'voice',
      'bargeIn',
      'moment',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...asked), { maxLength: 12 }),
        fc.boolean(),
        async (deeds, is) => {
          const rig = await LiveRig.live({
            script: { isInterruptible: is, capabilities: { saysText: true, takesContent: true } },
          });
          for (const deed of deeds) await DEEDS[deed]!(rig, []);
          void rig.session.drain();
          for (let round = 0; round < 30 && rig.session.state === 'draining'; round += 1) {
            rig.model.connection.output(voice, { type: 'turnComplete' });
            await rig.clock.advance(11_000);
          }
          expect(rig.session.state).toBe('closed');
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
