import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/errors.ts';
import { EnergyVad, type EnergyVadOptions } from './energy-vad.ts';
import type { VadEvent } from './speech-gate.ts';
import { parseWav } from './wav.ts';

const RATE_HZ = 16_000;

/** Uniform noise of a given level, the same at every run. */
function noise(ms: number, dbfs: number, seed = 1): Int16Array {
  let state = seed;
  const peak = 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3);
  return Int16Array.from({ length: (ms * RATE_HZ) / 1000 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * peak);
  });
}

function joined(...parts: readonly Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

function detect(samples: Int16Array, options: Partial<EnergyVadOptions> = {}, frame = 320): VadEvent[] {
  const vad = new EnergyVad({ rateHz: RATE_HZ, ...options });
  const events: VadEvent[] = [];
  for (let at = 0; at < samples.length; at += frame)
    events.push(...vad.process(samples.subarray(at, at + frame)));
  return events;
}

const ms = (position: number) => (position * 1000) / RATE_HZ;
const question = parseWav(
  new Uint8Array(readFileSync(new URL('../../test/fixtures/spoken-question.wav', import.meta.url))),
).samples;

describe('EnergyVad', () => {
  it('finds the three sentences of a recording', () => {
    expect(detect(question).map((event) => event.type)).toEqual([
      'start',
      'end',
      'start',
      'end',
      'start',
      'end',
    ]);
  });

  it.each([1, 7, 160, 441, 20_000])('gives the same events in pieces of %i samples', (frame) => {
    expect(detect(question, {}, frame)).toEqual(detect(question));
  });

  it('says where speech began, with padding, and where it ended', () => {
    const [start, end] = detect(joined(noise(1_000, -70), noise(400, -20), noise(1_000, -70)));
    expect(start).toMatchObject({
      type: 'start',
      position: 700 * 16,
      speechAt: 1_000 * 16,
      detectedAt: 1_060 * 16,
    });
    expect(end).toMatchObject({ type: 'end', position: 1_400 * 16, detectedAt: 1_900 * 16 });
  });

  it('heeds the times it is given', () => {
    const [start, end] = detect(joined(noise(1_000, -70), noise(400, -20), noise(1_000, -70)), {
      prefixPaddingMs: 100,
      minimumSpeechMs: 200,
      endSilenceMs: 300,
    });
    expect(start).toMatchObject({ position: 900 * 16, detectedAt: 1_200 * 16 });
    expect(end).toMatchObject({ detectedAt: 1_700 * 16 });
  });

  it('pads neither before the first sample nor into the speech before', () => {
    const words = detect(joined(noise(200, -20), noise(520, -70), noise(200, -20), noise(600, -70)));
    expect(words.map(({ type, position }) => [type, ms(position)])).toEqual([
      ['start', 0],
      ['end', 200],
      ['start', 700],
      ['end', 920],
    ]);
  });

  it('is not deceived by clicks', () => {
    const click = joined(noise(30, -10), noise(400, -70));
    expect(detect(joined(noise(500, -70), click, click, click))).toEqual([]);
  });

  it('lets short lapses pass within a beginning and within speech', () => {
    const words = joined(noise(40, -20), noise(40, -70), noise(100, -20), noise(400, -70), noise(100, -20));
    const events = detect(joined(noise(500, -70), words, noise(700, -70)));
    expect(events.map(({ type, position }) => [type, ms(position)])).toEqual([
      ['start', 200],
      ['end', 1_180],
    ]);
  });

  it('learns steady noise and hears speech over it', () => {
    const fan = noise(6_000, -48, 5);
    expect(detect(fan)).toEqual([]);
    const events = detect(joined(fan, noise(500, -25), noise(1_000, -48, 9)));
    expect(events.map((event) => event.type)).toEqual(['start', 'end']);
  });

  it('is not held open for ever by a loud noise that begins and stays', () => {
    const events = detect(joined(noise(1_000, -70), noise(40_000, -35)));
    expect(events.map((event) => event.type)).toEqual(['start', 'end']);
  });

  it('allocates nothing while nothing happens: it gives one shared empty array', () => {
    const vad = new EnergyVad({ rateHz: RATE_HZ });
    const frame = noise(20, -70);
    expect(vad.process(frame)).toBe(vad.process(frame));
  });

  it('ends a running speech when told to, and knows no end without one', () => {
    const vad = new EnergyVad({ rateHz: RATE_HZ });
    expect(vad.end()).toBeUndefined();
    vad.process(joined(noise(500, -70), noise(205, -20)));
    expect(vad.speaking).toBe(true);
    expect(vad.end()).toEqual({ type: 'end', position: 700 * 16, detectedAt: 705 * 16 });
    expect(vad.speaking).toBe(false);
    expect(vad.earliestStart).toBe(705 * 16);
    expect(vad.position).toBe(705 * 16);
  });

  it('refuses negative times', () => {
    expect(() => new EnergyVad({ rateHz: RATE_HZ, endSilenceMs: -1 })).toThrow(InvalidOptionError);
    expect(() => new EnergyVad({ rateHz: RATE_HZ, prefixPaddingMs: Number.NaN })).toThrow(/prefixPaddingMs/);
  });
});
