import { describe, expect, it } from 'vitest';
import { CascadeRig } from '../../../test/support/cascade-rig.ts';
import { isCollected, settledBytes } from '../../../test/support/garbage.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import { TURN_VAD_SILENCE_MS, energyVad } from '../../speech/index.ts';
import type { VoiceActivityDetector } from '../../speech/index.ts';

const FRAME_MS = 20;
const FRAMES_A_MINUTE = 60_000 / FRAME_MS;
const MINUTES = 60;

/** What an hour may cost. A buffer of one byte for every frame of it is more than ten times as much. */
const MOST_BYTES = 2_000_000;

/** 20 ms, made anew as a socket makes them: loud as somebody who speaks, or quiet. */
function frame(isLoud: boolean, index: number): AudioChunk {
  const samples = new Int16Array((16_000 * FRAME_MS) / 1_000);
  if (isLoud) for (let at = 0; at < samples.length; at += 1) samples[at] = 6_000 * Math.sin(at / 3 + index);
  return AudioChunk.fromSamples(samples, 16_000);
}

/**
 * One minute of a conversation: a question and its answer; a noise in the answer, and later a word that interrupts it; and
 * half a minute of silence.
 */
async function minute(rig: CascadeRig): Promise<void> {
  for (let index = 0; index < FRAMES_A_MINUTE; index += 1) {
    const atMs = index * FRAME_MS;
    const isQuestion = atMs < 2_000;
    const isNoise = atMs >= 5_000 && atMs < 5_800;
    const isStop = atMs >= 12_000 && atMs < 14_000;
    rig.session.queue.sendAudio(frame(isQuestion || isNoise || isStop, index));
    await rig.clock.advance(FRAME_MS);
    if (atMs === 1_500) rig.writes('Tell me', false);
    if (atMs === 2_300) rig.writes('Tell me a story.');
    if (atMs === 13_000) rig.writes('Stop it.');
  }
}

/** By how much the memory of a session grows in an hour, once it has warmed up. */
async function growthOfAnHour(ear?: VoiceActivityDetector): Promise<number> {
  const story = 'Once upon a time there was a king who counted his days, one after the other. '.repeat(6);
  const rig = await CascadeRig.live({
    script: (_, index) => ({ say: index % 2 === 0 ? story : 'Well then.' }),
    ear: ear ?? energyVad({ endSilenceMs: TURN_VAD_SILENCE_MS }),
    keepsEvents: false,
    preemptiveGeneration: true,
    pace: 4,
    session: { limits: { idleTimeoutMs: Infinity, maxDurationMs: Infinity } },
  });
  let resumed = 0;
  rig.session.on('falseInterruption', (_speech, how) => void (resumed += Number(how.resumed)));
  const warmUp = 3;
  for (let count = 0; count < warmUp; count += 1) await minute(rig);
  const before = await settledBytes();
  for (let count = 0; count < MINUTES; count += 1) await minute(rig);
  const after = await settledBytes();
  // It was a conversation: each minute has a question, what was heard of the answer, a word, and an answer to that.
  expect(rig.session.session.history).toHaveLength((warmUp + MINUTES) * 4);
  expect(rig.stt.audioFrames).toBeGreaterThan(MINUTES * FRAMES_A_MINUTE);
  expect(resumed).toBe(warmUp + MINUTES);
  const closing = rig.session.close();
  await rig.clock.advance(5_000);
  await closing;
  return after - before;
}

describe('a cascade, memory', () => {
  it('S5 an hour of audio leaves no frame behind', async () => {
    const grown = await growthOfAnHour();
    process.stdout.write(`an hour of a cascade: ${Math.round(grown / 1_000)} kB more\n`);
    expect(grown).toBeLessThan(MOST_BYTES);
  }, 120_000);

  it('S5 … and one that keeps a byte of each is found out', async () => {
    const kept: Uint8Array[] = [];
    const ear = energyVad({ endSilenceMs: TURN_VAD_SILENCE_MS });
    const grown = await growthOfAnHour({
      id: 'hoarder',
      async open(...given) {
        const heard = await ear.open(...given);
        return {
          hear: (samples) => {
            kept.push(new Uint8Array(1));
            heard.hear(samples);
          },
          reset: () => heard.reset(),
        };
      },
    });
    process.stdout.write(`with a byte of each frame: ${Math.round(grown / 1_000)} kB more\n`);
    expect(kept.length).toBeGreaterThan(MINUTES * FRAMES_A_MINUTE);
    expect(grown).toBeGreaterThan(MOST_BYTES);
  }, 120_000);

  it('C6 a session that is closed while it pauses, and while it answers early, is collected', async () => {
    const outside: unknown[] = [];
    for (const isEarly of [false, true]) {
      const ref = await (async () => {
        const rig = await CascadeRig.live({
          script: [{ say: 'One two three four five.', hang: true, hearsNoClose: true }],
          preemptiveGeneration: true,
        });
        outside.push(rig.clock, rig.llm, rig.tts, rig.stt, rig.vad);
        if (isEarly) await rig.says('Hello.');
        else {
          rig.session.queue.sendContent(textContent('user', 'Count'));
          await rig.clock.advance(300);
          rig.speaks();
          await rig.clock.advance(600);
        }
        void rig.session.close();
        await rig.clock.advance(5_000);
        await rig.session.closed;
        return new WeakRef(rig.session);
      })();
      expect(await isCollected(ref)).toBe(true);
    }
  });
});
