import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Lifetime, seededRandom, VirtualClock } from '../kernel/index.ts';
import { energyVad } from './energy-voice-activity.ts';
import { sileroVad } from './silero-vad.ts';
import type { VoiceActivityDetector } from './voice-activity.ts';
import { VadUnavailableError } from './voice-activity.ts';
import { parseWav } from './wav.ts';

const RATE_HZ = 16_000;
const random = seededRandom(7);
// On a clock that stands still: how slowly this machine runs a model is not the question.
const server = Lifetime.root({ name: 'server', clock: new VirtualClock() });
const silero = sileroVad({ owner: server });

afterAll(() => server.close());

function fixture(name: string): Int16Array {
  return parseWav(new Uint8Array(readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url))))
    .samples;
}

/** Uniform noise with this root mean square. */
const noise = (length: number, rms: number) =>
  Int16Array.from({ length }, () => Math.round((random.next() * 2 - 1) * rms * Math.sqrt(3)));

function rmsOf(samples: Int16Array): number {
  const loud = samples.filter((sample) => sample !== 0);
  return Math.sqrt(loud.reduce((sum, sample) => sum + sample * sample, 0) / loud.length);
}

function withNoise(samples: Int16Array, snrDb: number): Int16Array {
  const added = noise(samples.length, rmsOf(samples) / 10 ** (snrDb / 20));
  return samples.map((sample, i) => Math.max(-32_768, Math.min(32_767, sample + (added[i] as number))));
}

/** Starts and ends in milliseconds, up to a word that is said at the end so that one knows when all has been heard. */
async function listen(vad: VoiceActivityDetector, samples: Int16Array): Promise<number[]> {
  const heard: number[] = [];
  const call = server.child('call');
  const note = (at: number): void => void heard.push(Math.round((at * 1000) / RATE_HZ));
  const ear = await vad.open(RATE_HZ, { speechStarted: note, speechEnded: note }, call);
  // All at once, and less than the ten seconds that may wait.
  for (const part of [
    samples,
    new Int16Array(0.6 * RATE_HZ),
    fixture('hello.wav').subarray(0, 0.8 * RATE_HZ),
  ]) {
    for (let at = 0; at < part.length; at += 320) ear.hear(part.subarray(at, at + 320));
  }
  const endMs = (samples.length * 1000) / RATE_HZ;
  await vi.waitFor(() => expect(heard.at(-1)).toBeGreaterThan(endMs + 300), {
    timeout: 60_000,
    interval: 10,
  });
  await call.close();
  return heard.slice(0, -1);
}

/** A cold model on a machine that has everything else to do as well. */
const BOUND_MS = 60_000;

describe('sileroVad', { timeout: BOUND_MS }, () => {
  beforeAll(async () => {
    const call = server.child('warming');
    await silero.open(RATE_HZ, { speechStarted: () => undefined, speechEnded: () => undefined }, call);
    await call.close();
  }, BOUND_MS);

  it.each([Infinity, 20, 10, 5])(
    'finds the three sentences of a recording, %s dB over noise',
    async (snrDb) => {
      const heard = await listen(silero, withNoise(fixture('spoken-question.wav'), snrDb));
      const clean = [20, 2_240, 3_092, 5_504, 6_484, 7_392];
      expect(heard.map((ms, i) => Math.abs(ms - (clean[i] ?? 0)) <= 150)).toEqual(clean.map(() => true));
    },
  );

  it('finds nothing in noise, however loud, where energy does', async () => {
    const bursts = Int16Array.from(
      [1, 2, 3].flatMap(() => [...noise(8_000, 10), ...noise(8_000, 3_000), ...noise(8_000, 10)]),
    );
    expect(await listen(silero, bursts)).toEqual([]);
    expect(await listen(energyVad(), bursts)).toHaveLength(6);
  });

  it('finds nothing in silence', async () => {
    expect(await listen(silero, new Int16Array(3 * RATE_HZ))).toEqual([]);
  });

  it('says what is missing where the model is not', async () => {
    const call = server.child('call');
    const opening = sileroVad({ modelFile: '/no/such/model.onnx' }).open(
      RATE_HZ,
      { speechStarted: () => undefined, speechEnded: () => undefined },
      call,
    );
    await expect(opening).rejects.toThrow(VadUnavailableError);
    await expect(opening).rejects.toThrow('/no/such/model.onnx');
    expect(call.resources()).toEqual([]);
    await call.close();
  });
});
