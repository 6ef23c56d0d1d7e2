import { describe, expect, it } from 'vitest';
import { LiveRig, frame } from '../../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../../test/support/live-rig.ts';
import { InvalidOptionError } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ModelOutput } from '../../session/index.ts';
import { dtmfTones } from '../dtmf-tones.ts';
import { collectDigits } from './index.ts';

const RATE_HZ = 16_000;
const PROMPT_MS = 3_000;
const voice = (ms: number): ModelOutput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(ms * 24), 24_000),
});

/** A model that takes three seconds for whatever it is to say. */
const SPEAKER: LiveRigOptions = {
  script: {
    capabilities: { saysText: true },
    onSay: (_, connection) => connection.output(voice(PROMPT_MS), { type: 'turnComplete' }),
  },
};

/** The user's telephone sends the tones of keys, in frames, in real time. */
async function types(rig: LiveRig, keys: string): Promise<void> {
  const samples = dtmfTones(keys, { rateHz: RATE_HZ });
  for (let at = 0; at < samples.length; at += RATE_HZ / 50) {
    rig.session.queue.sendAudio(AudioChunk.fromSamples(samples.slice(at, at + RATE_HZ / 50), RATE_HZ));
    await rig.clock.advance(20);
  }
}

async function closed(rig: LiveRig): Promise<void> {
  void rig.session.close();
  await rig.clock.advance(5_000);
  expect(rig.session.resources()).toEqual([]);
  expect(rig.clock.pendingTimers).toBe(0);
}

describe('collectDigits', () => {
  it('hears keys in the audio of the user, and gives up its part of the session', async () => {
    const rig = await LiveRig.live();
    const collecting = collectDigits(rig.session, { maxKeys: 4 });
    await types(rig, '25');
    await rig.clock.advance(2_000);
    await types(rig, '80');
    expect(await collecting).toEqual({ digits: '2580', why: 'full' });
    await rig.clock.settle();
    expect(rig.session.resources().filter((path) => path.startsWith('ivr'))).toEqual([]);
    await closed(rig);
  });

  it('S4 ivr: the first key stops the prompt, and the time for it begins when the prompt is over', async () => {
    const rig = await LiveRig.live(SPEAKER);
    const collecting = collectDigits(rig.session, { prompt: 'Your PIN?', maxKeys: 2 });
    expect(rig.model.connection.said).toEqual([
      { text: 'Your PIN?', interruptible: true, addToHistory: true },
    ]);
    const prompt = rig.session.currentSpeech!;
    await rig.clock.advance(1_000);
    await types(rig, '1');
    expect(prompt.state).toEqual({ tag: 'done', end: 'interrupted' });
    expect(rig.of('interrupted')).toHaveLength(1);
    await types(rig, '#');
    expect(await collecting).toEqual({ digits: '1', why: 'terminator' });
    const waiting = collectDigits(rig.session, { prompt: 'And now?', firstKeyTimeoutMs: 2_000 });
    let result: unknown;
    void waiting.then((value) => (result = value));
    await rig.clock.advance(PROMPT_MS + 1_999);
    expect(result).toBeUndefined();
    await rig.clock.advance(1);
    expect(result).toEqual({ digits: '', why: 'nothing' });
    await closed(rig);
  });

  it('takes a prompt of your own, and tells a model that says nothing word for word what to say', async () => {
    const rig = await LiveRig.live({ script: { capabilities: { takesContent: true } } });
    const asked = rig.session.generateReply({ instructions: 'Ask for the PIN.' });
    const collecting = collectDigits(rig.session, { prompt: asked, firstKeyTimeoutMs: 1_000 });
    rig.model.connection.output(voice(500), { type: 'turnComplete' });
    await rig.clock.advance(1_500);
    expect(await collecting).toEqual({ digits: '', why: 'nothing' });
    const again = collectDigits(rig.session, { prompt: 'Once more, please.' });
    expect(JSON.stringify(rig.model.connection.inputs.at(-1))).toContain('Once more, please.');
    await closed(rig);
    expect(await again).toEqual({ digits: '', why: 'closed' });
  });

  it('takes keys that a transport tells, and counts none twice that is in the audio too', async () => {
    const rig = await LiveRig.live();
    const collecting = collectDigits(rig.session, { maxKeys: 3 });
    await types(rig, '7');
    rig.session.press('7');
    await types(rig, '8');
    rig.session.press('8');
    rig.session.press('9');
    expect(await collecting).toEqual({ digits: '789', why: 'full' });
    await closed(rig);
  });

  it('counts a key once that still sounds, or is told, when the next is collected', async () => {
    const rig = await LiveRig.live();
    const tone = dtmfTones('5', { rateHz: RATE_HZ, toneMs: 400 });
    const collected: string[] = [];
    const menus = (async () => {
      for (let menu = 0; menu < 2; menu += 1) {
        const { digits } = await collectDigits(rig.session, { maxKeys: 1, firstKeyTimeoutMs: 3_000 });
        collected.push(digits);
      }
    })();
    for (let at = 0; at < tone.length; at += 320) {
      rig.session.queue.sendAudio(AudioChunk.fromSamples(tone.slice(at, at + 320), RATE_HZ));
      await rig.clock.advance(20);
    }
    rig.session.press('5');
    await rig.clock.advance(3_000);
    await menus;
    expect(collected).toEqual(['5', '']);
    await closed(rig);
  });

  it('S4 ivr: who speaks over the prompt is listened to as well', async () => {
    const rig = await LiveRig.live(SPEAKER);
    const collecting = collectDigits(rig.session, { prompt: 'Your PIN?', firstKeyTimeoutMs: 1_000 });
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    await rig.clock.advance(1_000);
    expect(await collecting).toEqual({ digits: '', why: 'nothing' });
    await closed(rig);
  });

  it('C6 ivr: what cannot work is refused, and leaves nothing behind', async () => {
    const rig = await LiveRig.live();
    await expect(collectDigits(rig.session, { maxKeys: 0 })).rejects.toThrow(InvalidOptionError);
    await expect(collectDigits(rig.session, { prompt: 'Hello?' })).rejects.toThrow(InvalidOptionError);
    await rig.clock.settle();
    expect(rig.session.resources().filter((path) => path.startsWith('ivr'))).toEqual([]);
    rig.session.queue.sendAudio(frame());
    await closed(rig);
  });
});
