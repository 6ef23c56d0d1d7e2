import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAX_TABLES, polyphaseTable } from './polyphase-table.ts';
import { resample, Resampler } from './resample.ts';
import { SampleRateError } from './sample-rate.ts';
import { parseWav } from './wav.ts';

const RATES_HZ = [8_000, 11_025, 16_000, 22_000, 22_050, 24_000, 32_000, 44_100, 48_000];

function tone(frequencyHz: number, rateHz: number, ms: number, amplitude = 20_000): Int16Array {
  return Int16Array.from({ length: Math.round((rateHz * ms) / 1000) }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz)),
  );
}

function rms(samples: Int16Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}

/** How strong one frequency is: the amplitude of its component. */
function amplitudeOf(frequencyHz: number, samples: Int16Array, rateHz: number): number {
  let re = 0;
  let im = 0;
  for (const [i, value] of samples.entries()) {
    const window = 1 - Math.cos((2 * Math.PI * i) / samples.length);
    re += window * value * Math.cos((2 * Math.PI * frequencyHz * i) / rateHz);
    im += window * value * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

function correlation(a: Int16Array, b: Int16Array): number {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (const [i, x] of a.entries()) {
    const y = b[i]!;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

function inPieces(samples: Int16Array, cuts: readonly number[], resampler: Resampler): Int16Array {
  const out: number[] = [];
  let at = 0;
  for (let i = 0; at < samples.length; i++) {
    const size = cuts[i % cuts.length]!;
    out.push(...resampler.process(samples.subarray(at, at + size)));
    at += size;
  }
  out.push(...resampler.flush());
  return Int16Array.from(out);
}

describe('Resampler', () => {
  it('gives the same samples however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RATES_HZ),
        fc.constantFrom(...RATES_HZ),
        fc.int16Array({ maxLength: 3_000 }),
        fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 8 }),
        (from, to, samples, cuts) => {
          const whole = resample(samples, from, to);
          expect(inPieces(samples, cuts, new Resampler(from, to))).toEqual(whole);
          expect(whole.length).toBe(Math.round((samples.length * to) / from));
        },
      ),
      { numRuns: 150, seed: 7 },
    );
  });

  it('turns 20 ms frames of 16 kHz into speech at 24 kHz and back without losing what speech is made of', () => {
    const { samples } = parseWav(
      new Uint8Array(readFileSync(new URL('../../test/fixtures/spoken-question.wav', import.meta.url))),
    );
    const up = inPieces(samples, [320], new Resampler(16_000, 24_000));
    const back = inPieces(up, [480], new Resampler(24_000, 16_000));
    expect(back.length).toBe(samples.length);
    expect(correlation(samples, back)).toBeGreaterThan(0.9999);
  });

  it.each([1_000, 3_000, 5_000, 6_500])('keeps a tone of %i Hz aligned and as loud', (frequencyHz) => {
    const up = resample(tone(frequencyHz, 16_000, 500), 16_000, 24_000);
    const expected = tone(frequencyHz, 24_000, 500);
    const middle = [1_000, 11_000] as const;
    expect(correlation(up.subarray(...middle), expected.subarray(...middle))).toBeGreaterThan(0.99999);
    expect(rms(up.subarray(...middle)) / rms(expected.subarray(...middle))).toBeCloseTo(1, 2);
  });

  it.each(RATES_HZ.flatMap((from) => RATES_HZ.map((to) => [from, to] as const)))(
    'aligns a 1 kHz tone from %i to %i Hz',
    (from, to) => {
      const out = resample(tone(1_000, from, 200), from, to);
      const expected = tone(1_000, to, 200);
      const edge = to / 50;
      expect(correlation(out.subarray(edge, -edge), expected.subarray(edge, -edge))).toBeGreaterThan(0.9999);
    },
  );

  it('weakens by 50 dB or more what the lower rate cannot carry', () => {
    for (const frequencyHz of [4_500, 5_000, 7_000, 9_000, 11_000]) {
      const source = tone(frequencyHz, 24_000, 500);
      const out = resample(source, 24_000, 8_000);
      const body = out.subarray(400, out.length - 400);
      expect(20 * Math.log10((rms(body) + 1e-9) / rms(source))).toBeLessThan(-50);
    }
  });

  it('weakens by 50 dB or more the images that a higher rate could carry', () => {
    const out = resample(tone(3_000, 8_000, 500), 8_000, 24_000);
    const wanted = amplitudeOf(3_000, out, 24_000);
    for (const image of [5_000, 11_000]) {
      expect(20 * Math.log10((amplitudeOf(image, out, 24_000) + 1e-9) / wanted)).toBeLessThan(-50);
    }
  });

  it('passes a constant signal unchanged', () => {
    const out = resample(new Int16Array(4_000).fill(12_345), 44_100, 16_000);
    expect(new Set(out.subarray(200, -200))).toEqual(new Set([12_345]));
  });

  it('saturates instead of wrapping round', () => {
    const square = Int16Array.from({ length: 1_600 }, (_, i) => (i % 40 < 20 ? 32_767 : -32_768));
    const out = resample(square, 16_000, 24_000);
    expect(Math.max(...out)).toBe(32_767);
    expect(Math.min(...out)).toBe(-32_768);
    // A wrapped sample would have the wrong sign in the middle of a half-wave.
    for (let i = 90; i < out.length - 90; i += 30)
      expect(Math.sign(out[i + 15]!)).toBe(Math.sign(square[Math.round(((i + 15) * 2) / 3)]!));
  });

  it('gives back the very array when the rates are equal', () => {
    const samples = tone(440, 16_000, 20);
    const resampler = new Resampler(16_000, 16_000);
    expect(resampler.process(samples)).toBe(samples);
    expect(resampler.flush()).toHaveLength(0);
    expect(resample(samples, 16_000, 16_000)).not.toBe(samples);
  });

  it('begins anew after a flush and after a reset', () => {
    const samples = tone(700, 16_000, 100);
    const whole = resample(samples, 16_000, 24_000);
    const resampler = new Resampler(16_000, 24_000);
    resampler.process(tone(3_000, 16_000, 55, 30_000));
    resampler.reset();
    expect(inPieces(samples, [320], resampler)).toEqual(whole);
    expect(inPieces(samples, [111], resampler)).toEqual(whole);
  });

  it('converts rates without a common divisor with a table of bounded size', () => {
    expect(polyphaseTable(48_000, 44_101).coefficients.length).toBeLessThan(50_000);
    const out = resample(tone(1_000, 44_101, 200), 44_101, 48_000);
    const expected = tone(1_000, 48_000, 200);
    expect(correlation(out.subarray(960, 8_000), expected.subarray(960, 8_000))).toBeGreaterThan(0.99999);
  });

  it('shares the table of a ratio, and forgets those not used lately', () => {
    const table = polyphaseTable(3, 2);
    for (let i = 0; i < MAX_TABLES - 1; i++) polyphaseTable(7 + i, 5);
    expect(polyphaseTable(3, 2)).toBe(table);
    for (let i = 0; i < MAX_TABLES; i++) polyphaseTable(101 + i, 100);
    expect(polyphaseTable(3, 2)).not.toBe(table);
  });

  it.each([0, -16_000, 16_000.5, Number.NaN, 10_000_000])('refuses a rate of %d Hz', (rateHz) => {
    expect(() => new Resampler(rateHz, 24_000)).toThrow(SampleRateError);
    expect(() => new Resampler(24_000, rateHz)).toThrow(SampleRateError);
  });
});
