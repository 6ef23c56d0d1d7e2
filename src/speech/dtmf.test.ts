import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { DtmfDetector } from './dtmf-detector.ts';
import type { DtmfEvent } from './dtmf-detector.ts';
import { DTMF_HIGH_HZ, DTMF_KEYS, DTMF_LOW_HZ, dtmfTones } from './dtmf-tones.ts';
import { resample } from './resample.ts';
import { SampleRateError } from './sample-rate.ts';
import { parseWav } from './wav.ts';

const RATES_HZ = [8_000, 16_000, 24_000, 44_100];

interface Tone {
  readonly lowHz: number;
  readonly highHz: number;
  readonly ms: number;
  readonly lowDbfs?: number;
  readonly highDbfs?: number;
  readonly startMs?: number;
}

const silence = (ms: number, rateHz: number): Int16Array => new Int16Array(Math.round((ms * rateHz) / 1_000));

/** Two tones with hard edges, after a silence that shifts them against the windows. */
function tones(
  { lowHz, highHz, ms, lowDbfs = -12, highDbfs = -12, startMs = 0 }: Tone,
  rateHz: number,
): Int16Array {
  const sound = Int16Array.from({ length: Math.round((ms * rateHz) / 1_000) }, (_, i) => {
    const part = (hz: number, dbfs: number): number =>
      32_767 * 10 ** (dbfs / 20) * Math.sin((2 * Math.PI * hz * i) / rateHz);
    return Math.round(part(lowHz, lowDbfs) + part(highHz, highDbfs));
  });
  return joined(silence(startMs, rateHz), sound, silence(100, rateHz));
}

function joined(...parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Uniform noise of a given level, the same at every run. */
function noise(samples: number, dbfs: number, seed = 1): Int16Array {
  let state = seed;
  const peak = 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3);
  return Int16Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * peak);
  });
}

const sum = (a: Int16Array, b: Int16Array): Int16Array => a.map((sample, i) => sample + (b[i] ?? 0));

function detect(samples: Int16Array, rateHz: number, frame = rateHz / 50): DtmfEvent[] {
  const detector = new DtmfDetector({ rateHz });
  const events: DtmfEvent[] = [];
  for (let at = 0; at < samples.length; at += frame) {
    events.push(...detector.process(samples.subarray(at, at + frame)));
  }
  return events;
}

const keysOf = (events: readonly DtmfEvent[]): string =>
  events
    .filter(({ type }) => type === 'start')
    .map(({ key }) => key)
    .join('');

const heard = (samples: Int16Array, rateHz: number): string => keysOf(detect(samples, rateHz));

/** One key with the offset of its beginning varied over a whole window. */
function everyOffset(tone: Tone, rateHz: number): string[] {
  const offsets = Array.from({ length: 26 }, (_, i) => i * 0.5);
  return [...new Set(offsets.map((startMs) => heard(tones({ ...tone, startMs }, rateHz), rateHz)))];
}

const KEY_5 = { lowHz: 770, highHz: 1336 };

describe.each(RATES_HZ)('at %i Hz', (rateHz) => {
  it('hears every key of what the generator makes', () => {
    expect(heard(dtmfTones(DTMF_KEYS, { rateHz }), rateHz)).toBe(DTMF_KEYS);
  });

  it('hears the shortest keys and pauses of Q.24, 40 ms each, also of one key again and again', () => {
    const short = { rateHz, toneMs: 40, pauseMs: 40 };
    expect(heard(dtmfTones(DTMF_KEYS, short), rateHz)).toBe(DTMF_KEYS);
    expect(heard(dtmfTones('00112222', short), rateHz)).toBe('00112222');
  });

  it('hears a tone of 40 ms and none of 23 ms, wherever it begins', () => {
    expect(everyOffset({ ...KEY_5, ms: 40 }, rateHz)).toEqual(['5']);
    expect(everyOffset({ ...KEY_5, ms: 23 }, rateHz)).toEqual(['']);
  });

  it('takes frequencies off by 1.5 %, and no key of which one is off by 3.5 %', () => {
    const off = (lowPart: number, highPart: number): string[] =>
      Array.from(DTMF_KEYS, (_, i) => {
        const lowHz = (DTMF_LOW_HZ[i >> 2] ?? 0) * (1 + lowPart);
        const highHz = (DTMF_HIGH_HZ[i & 3] ?? 0) * (1 + highPart);
        return heard(tones({ lowHz, highHz, ms: 60, startMs: 5 }, rateHz), rateHz);
      });
    for (const part of [0.015, -0.015]) {
      for (const other of [part, -part, 0]) {
        expect(off(part, other)).toEqual(Array.from(DTMF_KEYS));
        expect(off(other, part)).toEqual(Array.from(DTMF_KEYS));
      }
    }
    for (const part of [0.035, -0.035]) {
      expect([off(part, 0).join(''), off(0, part).join(''), off(part, part).join('')]).toEqual(['', '', '']);
    }
  });

  it('takes a high tone louder by 4 dB, a low one by 8 dB, and no more than the tolerance beyond it', () => {
    const twisted = (lowDbfs: number, highDbfs: number): string =>
      heard(tones({ ...KEY_5, ms: 60, lowDbfs, highDbfs }, rateHz), rateHz);
    expect([twisted(-16, -12), twisted(-12, -20)]).toEqual(['5', '5']);
    expect([twisted(-20, -12), twisted(-10, -22)]).toEqual(['', '']);
  });

  it('hears −25 dBm, and nothing of what is far below', () => {
    const level = (dbfs: number): string =>
      heard(tones({ ...KEY_5, ms: 60, lowDbfs: dbfs, highDbfs: dbfs }, rateHz), rateHz);
    expect([level(-6.5), level(-28), level(-45)]).toEqual(['5', '5', '']);
  });

  it('lets an interruption of 10 ms pass within a key', () => {
    const sound = dtmfTones('7', { rateHz, toneMs: 120 });
    sound.fill(0, Math.round(0.05 * rateHz), Math.round(0.06 * rateHz));
    expect(heard(sound, rateHz)).toBe('7');
  });

  it('hears keys through noise 15 dB below them, and none in noise alone', () => {
    const keys = dtmfTones(DTMF_KEYS.repeat(4), { rateHz, toneMs: 50, pauseMs: 50 });
    expect(heard(sum(keys, noise(keys.length, -26)), rateHz)).toBe(DTMF_KEYS.repeat(4));
    for (const dbfs of [-40, -20, -10]) expect(heard(noise(rateHz * 20, dbfs, 7), rateHz)).toBe('');
  });

  it('hears no key in speech', () => {
    for (const file of ['hello.wav', 'spoken-question.wav']) {
      const bytes = readFileSync(new URL(`../../test/fixtures/${file}`, import.meta.url));
      const speech = parseWav(bytes);
      // Also faster and slower than it was spoken: other voices.
      for (const pitch of [0.7, 0.85, 1, 1.2, 1.5]) {
        const voice = resample(speech.samples, Math.round(speech.rateHz * pitch), rateHz);
        expect([file, pitch, heard(voice, rateHz)]).toEqual([file, pitch, '']);
      }
    }
  });

  it('hears no key in a single tone, a dial tone or a sweep', () => {
    const dial = tones({ lowHz: 350, highHz: 440, ms: 2_000 }, rateHz);
    const single = tones({ lowHz: 770, highHz: 770, ms: 2_000 }, rateHz);
    const sweep = Int16Array.from({ length: rateHz * 4 }, (_, i) =>
      Math.round(10_000 * Math.sin(2 * Math.PI * (200 + (400 * i) / rateHz) * (i / rateHz))),
    );
    expect([dial, single, sweep].map((sound) => heard(sound, rateHz))).toEqual(['', '', '']);
  });
});

describe('DtmfDetector', () => {
  const RATE_HZ = 8_000;
  const ms = (position: number): number => (position * 1_000) / RATE_HZ;

  it('says about when a key sounded', () => {
    const sound = tones({ ...KEY_5, ms: 200, startMs: 300 }, RATE_HZ);
    const [start, end, ...others] = detect(sound, RATE_HZ);
    expect(start).toMatchObject({ type: 'start', key: '5' });
    expect(Math.abs(ms(start!.position) - 300)).toBeLessThan(10);
    expect(ms(start!.detectedAt) - 300).toBeLessThanOrEqual(40);
    expect(end).toMatchObject({ type: 'end', key: '5' });
    expect(Math.abs(ms(end!.position) - 500)).toBeLessThan(10);
    expect(others).toEqual([]);
  });

  it.each([1, 7, 160, 441, 100_000])('gives the same events in pieces of %i samples', (frame) => {
    const sound = dtmfTones('12#', { rateHz: RATE_HZ });
    expect(detect(sound, RATE_HZ, frame)).toEqual(detect(sound, RATE_HZ));
  });

  it('knows which key sounds', () => {
    const detector = new DtmfDetector({ rateHz: RATE_HZ });
    expect(detector.sounding).toBeUndefined();
    detector.process(dtmfTones('D', { rateHz: RATE_HZ, pauseMs: 0 }));
    expect(detector.sounding).toBe('D');
    detector.process(silence(100, RATE_HZ));
    expect([detector.sounding, detector.position]).toEqual([undefined, 1_600]);
  });

  it('allocates nothing while nothing happens: it gives one shared empty array', () => {
    const detector = new DtmfDetector({ rateHz: RATE_HZ });
    expect(detector.process(silence(20, RATE_HZ))).toBe(detector.process(silence(20, RATE_HZ)));
  });

  it('refuses rates it cannot work at', () => {
    expect(() => new DtmfDetector({ rateHz: 7_999 })).toThrow(InvalidOptionError);
    expect(() => new DtmfDetector({ rateHz: 0 })).toThrow(SampleRateError);
  });
});

describe('dtmfTones', () => {
  it('has the length it was asked for, and neither clicks nor clips', () => {
    const sound = dtmfTones('19', { rateHz: 16_000, toneMs: 70, pauseMs: 30, levelDbfs: -6.1 });
    expect(sound).toHaveLength(3_200);
    expect(Math.max(...sound)).toBeLessThanOrEqual(32_767);
    expect(Math.max(...sound)).toBeGreaterThan(30_000);
    for (const edge of [0, 1_119, 1_600, 2_719]) expect(Math.abs(sound[edge] ?? 0)).toBeLessThan(1_000);
    expect(sound.subarray(1_120, 1_600).every((sample) => sample === 0)).toBe(true);
  });

  it.each([
    ['1x', {}],
    ['1', { toneMs: 0 }],
    ['1', { pauseMs: -1 }],
    ['1', { levelDbfs: 0 }],
    ['1', { levelDbfs: Number.NaN }],
    ['1', { rateHz: 4_000 }],
  ])('refuses %s with %j', (keys, options) => {
    expect(() => dtmfTones(keys, { rateHz: 8_000, ...options })).toThrow(InvalidOptionError);
  });
});
