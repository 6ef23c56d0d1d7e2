import { createHook } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { isCollected } from '../../test/support/garbage.ts';
import { closesClean } from '../../test/support/closes-clean.ts';
import { LiveRig, frame } from '../../test/support/live-rig.ts';
import { ClosedError, InvalidOptionError, VirtualClock } from '../kernel/index.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { AgentSession } from './agent-session.ts';
import { Agent } from './agent.ts';
import type { ModelOutput } from './live-model.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const RATE_HZ = 24_000;
const samples = (ms: number, value = 0): AudioChunk =>
  AudioChunk.fromSamples(new Int16Array((ms * RATE_HZ) / 1_000).fill(value), RATE_HZ);
const voice = (ms: number, value = 100): ModelOutput => ({ type: 'audio', audio: samples(ms, value) });
const words = (text: string): ModelOutput => ({ type: 'transcript', speaker: 'agent', text, finished: true });

describe('AgentSession, what is handed to it', () => {
  it.each(['close', 'abort', 'drain'] as const)(
    'C3 C4 attach: a resource that hangs is named, one that throws too, and the %s comes in time',
    async (verb) => {
      const rig = await LiveRig.live();
      const well = rig.session.attach('well', { ends: 0 }, { close: (held) => void (held.ends += 1) });
      rig.session.attach('stuck', {}, { phase: 'hooks', close: never, abort: never });
      rig.session.attach(
        'broken',
        {},
        {
          close: () => {
            throw new Error('no');
          },
          abort: () => Promise.reject(new Error('no')),
        },
      );
      rig.session.attach('leaking', { socket: 'open' }, { close: never });
      expect(rig.session.resources()).toEqual(expect.arrayContaining(['well', 'stuck', 'broken', 'leaking']));
      void rig.session[verb]();
      await rig.clock.advance(5_000);
      expect(rig.closes).toHaveLength(1);
      const { steps } = await rig.session.closed;
      const outcomes = Object.fromEntries(steps.map(({ name, outcome }) => [name, outcome]));
      expect(outcomes).toMatchObject({ stuck: 'abandoned', broken: 'failed' });
      if (verb !== 'abort') {
        expect(well.ends).toBe(1);
        expect(outcomes).toMatchObject({ well: 'done', leaking: 'abandoned' });
      }
      expect(rig.session.resources()).toEqual([]);
      expect(rig.clock.pendingTimers).toBe(0);
    },
  );

  it('C1 attach: what is handed over to a session that closes is let go of at once', async () => {
    const rig = await LiveRig.live();
    void rig.session.close();
    const late = { closed: 0 };
    const attach = (): unknown =>
      rig.session.attach('late', late, { close: (held) => void (held.closed += 1) });
    expect(attach).toThrow(ClosedError);
    expect(late.closed).toBe(1);
    expect(() => rig.session.child('late')).toThrow(ClosedError);
    await closesClean(rig);
  });

  it('C6 detach: what has ended by itself is held no longer, and nothing else can be taken', async () => {
    const rig = await LiveRig.live();
    const ended = rig.session.attach('ended', {}, { close: never });
    expect(() => rig.session.attach('again', ended, {})).toThrow(InvalidOptionError);
    rig.session.detach(ended);
    const before = rig.session.resources();
    expect(before).not.toContain('ended');
    rig.session.detach(rig.session.queue);
    rig.session.detach({});
    expect(rig.session.resources()).toEqual(before);
    await closesClean(rig);
  });

  it('C6 attach: a session is collected while what was handed to it never lets go', async () => {
    const clock = new VirtualClock();
    const kept: object[] = [];
    const made = async (): Promise<WeakRef<object>> => {
      const session = new AgentSession({
        agent: new Agent({ name: 'a' }),
        model: new ScriptedModel(),
        clock,
      });
      await session.start();
      kept.push(session.attach('stuck', {}, { close: never, abort: never }));
      session.on('input', () => undefined);
      void session.close();
      await clock.advance(10_000);
      return new WeakRef(session);
    };
    expect(await isCollected(await made())).toBe(true);
    expect(kept).toHaveLength(1);
  });
});

describe('AgentSession, what is said to it', () => {
  it('C1 input: is told when the queue has taken it, before the model is, and not after a close', async () => {
    const rig = new LiveRig({ script: { onInput: ({ type }) => void order.push(`model ${type}`) } });
    const order: string[] = [];
    rig.session.on('input', ({ type }) => void order.push(`input ${type}`));
    rig.session.queue.sendAudio(frame());
    await rig.session.start();
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    expect(order).toEqual(['input audio', 'model audio', 'input content', 'model content']);
    void rig.session.close();
    expect(rig.session.queue.sendAudio(frame())).toBe(false);
    expect(order).toHaveLength(4);
    await closesClean(rig);
  });

  it('C8 input: a listener that throws, or says something itself, changes nothing for the others', async () => {
    const rig = await LiveRig.live();
    const heard: LiveRequest['type'][] = [];
    rig.session.on('input', () => {
      throw new Error('no');
    });
    rig.session.on('input', ({ type }) => {
      if (type === 'audio') rig.session.queue.sendAudioStreamEnd();
    });
    rig.session.on('input', ({ type }) => void heard.push(type));
    rig.session.queue.sendAudio(frame());
    expect(heard.toSorted()).toEqual(['audio', 'audioStreamEnd']);
    expect(rig.model.connection.inputs.map(({ type }) => type)).toEqual(['audio', 'audioStreamEnd']);
    await closesClean(rig);
  });

  it('S5 input: frames make no promise while somebody listens', async () => {
    const rig = await LiveRig.live();
    let heard = 0;
    rig.session.on('input', () => void (heard += 1));
    rig.session.output.mixWith((given) => given);
    const audio = frame();
    let promises = 0;
    const hook = createHook({ init: (_, type) => void (promises += type === 'PROMISE' ? 1 : 0) }).enable();
    for (let count = 0; count < 1_000; count += 1) {
      rig.session.queue.sendAudio(audio);
      rig.model.connection.output({ type: 'audio', audio });
    }
    hook.disable();
    expect({ heard, promises }).toEqual({ heard: 1_000, promises: 0 });
    await closesClean(rig);
  });

  it('L key: one that a transport tells is told on, keeps the session from its idle limit, and is nothing after a close', async () => {
    const rig = await LiveRig.live({ limits: { idleTimeoutMs: 1_000 } });
    const keys: string[] = [];
    rig.session.on('key', (key) => void keys.push(key));
    await rig.clock.advance(600);
    rig.session.press('5');
    await rig.clock.advance(600);
    expect(rig.session.isOpen).toBe(true);
    expect(() => rig.session.press('55')).toThrow(InvalidOptionError);
    void rig.session.close();
    rig.session.press('6');
    expect(keys).toEqual(['5']);
    await closesClean(rig);
  });
});

describe('AgentSession, what it gives out', () => {
  it('S4 output: what is played beside the voice is one stream with it, and is no speech', async () => {
    const rig = await LiveRig.live();
    const { output, playout } = rig.session;
    expect(output.play(samples(100))).toBe(true);
    expect(rig.session.currentSpeech).toBeUndefined();
    rig.model.connection.output(words('Good morning.'), voice(200));
    output.play(samples(300));
    expect(rig.of('audio').map(({ positionSamples }) => positionSamples)).toEqual([0, 2_400, 7_200]);
    expect(playout.sentSamples).toBe(14_400);
    expect(output.aheadMs).toBe(600);
    const speech = rig.session.currentSpeech!;
    expect(speech.state).toEqual({ tag: 'speaking', fromSamples: 2_400 });
    rig.model.connection.output({ type: 'turnComplete' });
    expect(speech.state).toMatchObject({ tag: 'playing', toSamples: 7_200 });
    // It is done when its last sample was heard, whatever comes behind it.
    await rig.clock.advance(299);
    expect(speech.isDone).toBe(false);
    await rig.clock.advance(1);
    expect(speech).toMatchObject({ isDone: true, heardText: 'Good morning.' });
    expect(() => output.play(frame(16_000))).toThrow(InvalidOptionError);
    expect(output.play(samples(0))).toBe(false);
    await closesClean(rig);
    expect(output.play(samples(20))).toBe(false);
  });

  it('S4 output: a barge-in cuts the history to what was heard of the words, by positions of the one stream', async () => {
    const rig = await LiveRig.live();
    const { output, playout } = rig.session;
    output.play(samples(1_000));
    rig.model.connection.output(words('one two three four'), voice(400));
    playout.reported((1_200 * RATE_HZ) / 1_000);
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    expect(rig.history).toEqual(['model: one two']);
    expect(playout.cutAtSamples).toBe(28_800);
    expect(rig.of('interrupted')).toEqual([expect.objectContaining({ positionSamples: 33_600 })]);
    expect(rig.model.connection.truncations).toEqual([200]);
    await closesClean(rig);
  });

  it('S4 output: words that come behind sounds belong to the voice, and a truncation is never beyond it', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(400));
    await rig.clock.advance(400);
    rig.session.output.play(samples(600));
    rig.model.connection.output(words('one two three four'));
    await rig.clock.advance(600);
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    expect(rig.history).toEqual(['model: one two three four']);
    expect(rig.model.connection.truncations).toEqual([400]);
    await closesClean(rig);
  });

  it('S4 output: how much of the words was heard is a share of the voice, and not of sounds behind it', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(400));
    rig.session.output.play(samples(600));
    rig.session.playout.reported((300 * RATE_HZ) / 1_000);
    rig.model.connection.output(
      words('one two three four'),
      { type: 'interrupted' },
      { type: 'turnComplete' },
    );
    expect(rig.history).toEqual(['model: one two three']);
    await closesClean(rig);
  });

  it('S3 output: a client that no longer reports is not waited for, however long sounds go on', async () => {
    const rig = await LiveRig.live();
    const { output, playout } = rig.session;
    rig.model.connection.output(words('Hello.'), voice(500), { type: 'turnComplete' });
    playout.reported(100);
    const speech = rig.session.currentSpeech!;
    for (let ms = 0; ms < 3_000; ms += 100) {
      if (ms >= 500) output.play(samples(100));
      await rig.clock.advance(100);
    }
    expect(speech.isDone).toBe(true);
    await closesClean(rig);
  });

  it('C8 output: a mix is laid under the voice, and one that throws is taken away', async () => {
    const rig = await LiveRig.live();
    const { output } = rig.session;
    let calls = 0;
    const unmix = output.mixWith(({ sampleCount, rateHz }) => {
      calls += 1;
      if (calls === 2) throw new Error('no');
      return AudioChunk.fromSamples(new Int16Array(sampleCount).fill(7), rateHz);
    });
    expect(() => output.mixWith((given) => given)).toThrow(InvalidOptionError);
    rig.model.connection.output(voice(20), voice(20), voice(20));
    expect(rig.of('audio').map(({ audio }) => audio.samples[0])).toEqual([7, 100, 100]);
    expect(rig.book.at('error')).toEqual(['mixing failed']);
    unmix();
    output.mixWith((given) => given)();
    expect(rig.session.resources()).not.toContain('mix');
    output.mixWith((given) => given);
    expect(rig.session.resources()).toContain('mix');
    await closesClean(rig);
    expect(() => output.mixWith((given) => given)).toThrow(ClosedError);
  });
});
