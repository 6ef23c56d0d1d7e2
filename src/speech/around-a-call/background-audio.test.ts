import { describe, expect, it } from 'vitest';
import { closesClean } from '../../../test/support/closes-clean.ts';
import { LiveRig } from '../../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../../test/support/live-rig.ts';
import { InvalidOptionError } from '../../kernel/index.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import type { ModelOutput } from '../../session/index.ts';
import { PLAYOUT_FRAME_MS } from '../mixed-playout.ts';
import { Sound } from '../sound.ts';
import {
  BACKGROUND_AHEAD_MS,
  MAX_BACKGROUND_UNHEARD_MS,
  MAX_THINKING_MS,
  MAX_TOOL_THINKING_MS,
  THINKING_AFTER_SILENCE_MS,
  THINKING_FADE_MS,
  backgroundAudio,
} from './index.ts';

// One sample a millisecond for what is heard: positions can be read as times.
const RATE_HZ = 1_000;
const INPUT_HZ = 16_000;
const LIVE: LiveRigOptions = {
  script: { capabilities: { inputRateHz: INPUT_HZ, outputRateHz: RATE_HZ, takesContent: true } },
};
const sound = (value: number): Sound =>
  new Sound(
    { samples: new Int16Array(10_000).fill(value), rateHz: RATE_HZ },
    { rateHz: RATE_HZ, crossfadeMs: 0 },
  );
const steady = { gainDb: 0, fadeInMs: 0 } as const;
const room = { sound: sound(100), ...steady };
const typing = { sound: sound(10), ...steady };
const voice = (ms: number, value = 1_000): ModelOutput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(ms).fill(value), RATE_HZ),
});

/** All that clients were given, one after the other, held to be one stream without a gap or an overlap. */
function stream(rig: LiveRig): Int16Array {
  const samples: number[] = [];
  for (const { positionSamples, audio } of rig.of('audio')) {
    expect(positionSamples).toBe(samples.length);
    samples.push(...audio.samples);
  }
  return Int16Array.from(samples);
}

async function speaks(rig: LiveRig, ms: number, amplitude = 8_000): Promise<void> {
  for (let at = 0; at < ms; at += 20) {
    const samples = Int16Array.from({ length: 320 }, (_, i) => (i % 97) * (amplitude / 48) - amplitude);
    rig.session.queue.sendAudio(AudioChunk.fromSamples(samples, INPUT_HZ));
    await rig.clock.advance(20);
  }
}

describe('backgroundAudio, a sound all the time', () => {
  it('S4 background: is one stream that keeps a little ahead of the time, from its beginning', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { ambient: room });
    for (let ms = 0; ms < 1_000; ms += 50) {
      await rig.clock.advance(50);
      const aheadMs = stream(rig).length - (ms + 50);
      expect(aheadMs).toBeGreaterThan(0);
      expect(aheadMs).toBeLessThanOrEqual(BACKGROUND_AHEAD_MS + PLAYOUT_FRAME_MS);
    }
    expect(new Set(stream(rig))).toEqual(new Set([100]));
    expect(rig.session.currentSpeech).toBeUndefined();
    await closesClean(rig);
  });

  it('S4 background: lies under the voice as fast as it comes, quieter, and comes back after it', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { ambient: room });
    await rig.clock.advance(500);
    const from = stream(rig).length;
    rig.model.connection.output(voice(300), voice(700), { type: 'turnComplete' });
    expect(stream(rig)).toHaveLength(from + 1_000);
    const speech = rig.session.currentSpeech!;
    await rig.clock.advance(900);
    // Nothing is put between what is heard and what comes next.
    expect(stream(rig)).toHaveLength(from + 1_000);
    await rig.clock.advance(200);
    expect(speech.state).toEqual({ tag: 'done', end: 'playedOut' });
    await rig.clock.advance(3_000);
    const heard = stream(rig);
    expect(heard[from + 100]).toBe(1_025);
    expect(heard[from + 999]).toBe(1_025);
    expect(heard[from + 1_100]).toBe(25);
    expect(heard.at(-1)).toBe(100);
    await closesClean(rig);
  });

  it('S4 background: after a barge-in it goes on at once, and only what was heard of the words is kept', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { ambient: room });
    await rig.clock.advance(500);
    const from = stream(rig).length;
    const text = 'one two three four';
    rig.model.connection.output({ type: 'transcript', speaker: 'agent', text, finished: true }, voice(4_000));
    await rig.clock.advance(2_000 + from - 500 + 100);
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    expect(rig.of('interrupted')[0]).toMatchObject({ positionSamples: from + 4_000 });
    expect(rig.history).toEqual(['model: one two']);
    await rig.clock.advance(100);
    const ahead = stream(rig).length - (from + 4_000);
    expect(ahead).toBeGreaterThanOrEqual(100);
    expect(ahead).toBeLessThanOrEqual(100 + BACKGROUND_AHEAD_MS + PLAYOUT_FRAME_MS);
    await closesClean(rig);
  });

  it('S4 background: words that come in pieces are not torn apart as long as there is anything to be heard', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { ambient: room });
    await rig.clock.advance(500);
    for (let piece = 0; piece < 5; piece += 1) {
      rig.model.connection.output(voice(100));
      await rig.clock.advance(piece === 2 ? 150 : 100);
    }
    const heard = stream(rig);
    const from = heard.findIndex((value) => value > 1_000);
    const to = heard.findLastIndex((value) => value > 1_000);
    expect(to - from + 1).toBe(500);
    await closesClean(rig);
  });

  it('a client that does not play is given no more than a second', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { ambient: room });
    await rig.clock.advance(200);
    rig.session.playout.reported(100);
    await rig.clock.advance(1_500);
    // It says so again and again, as one does that stands still.
    for (let ms = 0; ms < 5_000; ms += 200) {
      rig.session.playout.reported(100);
      await rig.clock.advance(200);
    }
    expect(stream(rig).length).toBeLessThanOrEqual(100 + MAX_BACKGROUND_UNHEARD_MS + PLAYOUT_FRAME_MS);
    await closesClean(rig);
  });

  it('L background: it is no sign of life, and a drain does not wait for it', async () => {
    const rig = await LiveRig.live({ ...LIVE, limits: { idleTimeoutMs: 3_000 } });
    backgroundAudio(rig.session, { ambient: room });
    await rig.clock.advance(3_000);
    expect(rig.of('limit')).toHaveLength(1);
    await closesClean(rig);
    const other = await LiveRig.live(LIVE);
    backgroundAudio(other.session, { ambient: room });
    void other.session.drain();
    await other.clock.advance(1_000);
    expect(other.session.state).toBe('closed');
    expect(other.clock.pendingTimers).toBe(0);
  });

  it('C6 background: one that was closed changes nothing more, and another may begin', async () => {
    const rig = await LiveRig.live(LIVE);
    const timers = rig.clock.pendingTimers;
    const background = backgroundAudio(rig.session, { ambient: room });
    expect(() => backgroundAudio(rig.session)).toThrow(InvalidOptionError);
    await rig.clock.advance(100);
    void background.close();
    background.play('late', sound(1));
    const given = stream(rig).length;
    rig.model.connection.output(voice(100), { type: 'turnComplete' });
    await rig.clock.advance(1_000);
    expect(stream(rig).subarray(given)).toEqual(new Int16Array(100).fill(1_000));
    expect(() =>
      backgroundAudio(rig.session, {
        ambient: new Sound({ samples: new Int16Array(100), rateHz: 8_000 }, { rateHz: 8_000 }),
      }),
    ).toThrow(/made for 8000 Hz/);
    await rig.clock.settle();
    const next = backgroundAudio(rig.session);
    next.play('bell', sound(50), steady);
    await rig.clock.advance(100);
    next.stop('bell', 0);
    await rig.clock.advance(1_000);
    expect(stream(rig).length).toBeLessThan(given + 500);
    expect(rig.clock.pendingTimers).toBe(timers);
    await closesClean(rig);
  });

  it('S5 background: nothing is given, and no timer set, while nothing sounds', async () => {
    const rig = await LiveRig.live({ ...LIVE, limits: { idleTimeoutMs: Infinity, maxDurationMs: Infinity } });
    const timers = rig.clock.pendingTimers;
    backgroundAudio(rig.session, { thinking: typing });
    await rig.clock.advance(60_000);
    rig.model.connection.output(voice(100), { type: 'turnComplete' }, { type: 'interrupted' });
    await rig.clock.advance(1_000);
    expect(stream(rig)).toHaveLength(100);
    expect(rig.clock.pendingTimers).toBe(timers);
    await closesClean(rig);
  });
});

describe('backgroundAudio, a sound while the agent thinks', () => {
  /** Whether the keys are heard at this moment. */
  const isThinking = async (rig: LiveRig): Promise<boolean> => {
    const before = stream(rig).length;
    await rig.clock.advance(100);
    return stream(rig).subarray(before).includes(10);
  };

  it('sounds from the end of what the user says to the first of the answer', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    await speaks(rig, 200, 0);
    await speaks(rig, 1_000);
    expect(stream(rig)).toHaveLength(0);
    await speaks(rig, THINKING_AFTER_SILENCE_MS + 40, 0);
    expect(await isThinking(rig)).toBe(true);
    const from = stream(rig).length;
    rig.model.connection.output(voice(500));
    await rig.clock.advance(2_000);
    const answer = stream(rig).subarray(from);
    expect(answer.subarray(100, 500)).toEqual(new Int16Array(400).fill(1_000));
    // It has faded out under the voice, and nothing comes behind it but the last frame.
    expect(answer.length).toBeLessThanOrEqual(500 + THINKING_FADE_MS);
    expect(answer.subarray(500).every((value) => value === 0)).toBe(true);
    rig.model.connection.output({ type: 'turnComplete' });
    await closesClean(rig);
  });

  it.each([
    ['a message', ({ session }: LiveRig): void => session.queue.sendContent(textContent('user', 'Hello'))],
    ['the mark of the end', ({ session }: LiveRig): void => session.queue.sendActivityEnd()],
  ])('sounds after %s, and not when the agent has nothing to say', async (_name, ask) => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    ask(rig);
    expect(await isThinking(rig)).toBe(true);
    rig.model.connection.output({ type: 'text', text: '.' }, { type: 'turnComplete' });
    await rig.clock.advance(THINKING_FADE_MS);
    expect(await isThinking(rig)).toBe(false);
    await closesClean(rig);
  });

  it('is over when the user goes on', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    await speaks(rig, 200, 0);
    await speaks(rig, 500);
    await speaks(rig, THINKING_AFTER_SILENCE_MS + 40, 0);
    expect(await isThinking(rig)).toBe(true);
    await speaks(rig, 500);
    expect(await isThinking(rig)).toBe(false);
    await closesClean(rig);
  });

  it('sounds while a tool runs, once what the agent says before it was heard', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    rig.model.connection.output(voice(1_000));
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'lookup', args: {} }] });
    await rig.clock.advance(500);
    expect(stream(rig)).toHaveLength(1_000);
    await rig.clock.advance(2_000);
    expect(await isThinking(rig)).toBe(true);
    // The turn is under way all the time, and no word is: what is heard may be a little ahead.
    expect(rig.session.output.aheadMs).toBeGreaterThan(PLAYOUT_FRAME_MS);
    rig.model.connection.output(voice(500), { type: 'turnComplete' });
    await rig.clock.advance(1_000);
    expect(await isThinking(rig)).toBe(false);
    await closesClean(rig);
  });

  it.each([
    ['an answer', MAX_THINKING_MS, ({ session }: LiveRig): void => session.queue.sendActivityEnd()],
    [
      'a tool',
      MAX_TOOL_THINKING_MS,
      ({ model }: LiveRig): void =>
        model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'x', args: {} }] }),
    ],
  ])('does not sound for ever where %s never comes', async (_name, boundMs, ask) => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    ask(rig);
    await rig.clock.advance(boundMs - 100);
    expect(await isThinking(rig)).toBe(true);
    await rig.clock.advance(1_000);
    expect(await isThinking(rig)).toBe(false);
    await closesClean(rig);
  });

  it('does not sound when the user says something beside the agent', async () => {
    const rig = await LiveRig.live(LIVE);
    backgroundAudio(rig.session, { thinking: typing });
    rig.model.connection.output(voice(5_000), { type: 'turnComplete' });
    await speaks(rig, 200, 0);
    await speaks(rig, 300);
    await speaks(rig, THINKING_AFTER_SILENCE_MS + 40, 0);
    await rig.clock.advance(5_000);
    expect(stream(rig)).toHaveLength(5_000);
    await closesClean(rig);
  });
});
