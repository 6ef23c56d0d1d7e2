import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { SampleRateError } from './sample-rate.ts';
import { DUCK_HOLD_MS, DUCK_RELEASE_MS, MAX_SOUNDS, SoundMixer } from './sound-mixer.ts';
import type { PlayOptions } from './sound-mixer.ts';
import { Sound } from './sound.ts';

// One sample a millisecond: lengths can be read as times.
const RATE_HZ = 1_000;
const FRAME = 20;
const AT_ONCE: PlayOptions = { gainDb: 0, duckDb: -20, fadeInMs: 0 };

const flat = (value: number, length: number): Int16Array => new Int16Array(length).fill(value);

function sound(samples: Int16Array, loops = true): Sound {
  return new Sound({ samples, rateHz: RATE_HZ }, { rateHz: RATE_HZ, loops, crossfadeMs: 0 });
}

/** The next `ms`, frame by frame, with a voice where one is given. */
function mixed(mixer: SoundMixer, ms: number, voice?: number): Int16Array {
  const whole = new Int16Array(ms);
  for (let at = 0; at < ms; at += FRAME) {
    whole.set(mixer.mix(voice === undefined ? undefined : flat(voice, FRAME), FRAME), at);
  }
  return whole;
}

describe('Sound', () => {
  it('loops without a seam: no step is larger than those within the recording', () => {
    const rateHz = 8_000;
    // Its end and its beginning do not fit: it is no whole number of periods.
    const samples = Int16Array.from({ length: 8_123 }, (_, i) =>
      Math.round(9_000 * Math.sin((2 * Math.PI * 317 * i) / rateHz)),
    );
    const largest = (loop: Int16Array): number => {
      const twice = Int16Array.from([...loop, ...loop]);
      return Math.max(...twice.slice(1).map((sample, i) => Math.abs(sample - (twice[i] ?? 0))));
    };
    const cut = new Sound({ samples, rateHz }, { rateHz, crossfadeMs: 0 });
    const joined = new Sound({ samples, rateHz }, { rateHz });
    expect(largest(cut.samples)).toBeGreaterThan(4_000);
    expect(largest(joined.samples)).toBeLessThan(3_300);
    expect(joined.samples).toHaveLength(8_123 - 400);
  });

  it('is as loud in the cross-fade as elsewhere', () => {
    let state = 1;
    const samples = Int16Array.from({ length: 40_000 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.round((state / 2 ** 31 - 1) * 8_000);
    });
    const loop = new Sound({ samples, rateHz: 8_000 }, { rateHz: 8_000, crossfadeMs: 1_000 }).samples;
    const rms = (part: Int16Array): number =>
      Math.sqrt(part.reduce((total, sample) => total + sample * sample, 0) / part.length);
    expect(rms(loop.subarray(0, 8_000)) / rms(loop.subarray(8_000))).toBeCloseTo(1, 1);
  });

  it('is made for the rate it is played at, and never more than half cross-fade', () => {
    const recording = { samples: flat(100, 4_410), rateHz: 44_100 };
    expect(new Sound(recording, { rateHz: 24_000, loops: false }).samples).toHaveLength(2_400);
    expect(new Sound(recording, { rateHz: 24_000, crossfadeMs: 60_000 }).samples).toHaveLength(1_200);
  });

  it('refuses what is no sound', () => {
    const samples = flat(1, 10);
    expect(() => sound(new Int16Array(0))).toThrow(InvalidOptionError);
    expect(() => new Sound({ samples, rateHz: 1_000 }, { rateHz: 1_000, crossfadeMs: -1 })).toThrow(
      InvalidOptionError,
    );
    expect(() => new Sound({ samples, rateHz: 1_000 }, { rateHz: 0 })).toThrow(SampleRateError);
  });
});

describe('SoundMixer', () => {
  it('gives the voice unchanged while nothing plays, as an array of its own', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    const voice = Int16Array.of(0, 1, -32_768, 32_767);
    const out = mixer.mix(voice);
    expect(out).toEqual(voice);
    expect(out).not.toBe(voice);
    expect([...mixer.mix(voice, 6)]).toEqual([...voice, 0, 0]);
    expect([...mixer.mix(voice, 2)]).toEqual([0, 1]);
    expect(mixer.mix(undefined)).toHaveLength(0);
  });

  it('plays a loop for ever, each sample once and in order, over frames that do not fit it', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    const loop = Int16Array.from({ length: 33 }, (_, i) => i + 1);
    mixer.play('room', sound(loop), AT_ONCE);
    expect([...mixed(mixer, 10_000)]).toEqual(Array.from({ length: 10_000 }, (_, i) => (i % 33) + 1));
  });

  it('plays once what does not loop', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('ding', sound(flat(500, 30), false), AT_ONCE);
    expect(mixer.playing).toEqual(['ding']);
    expect(mixed(mixer, 60)).toEqual(Int16Array.from([...flat(500, 30), ...flat(0, 30)]));
    expect([mixer.playing, mixer.isSilent]).toEqual([[], true]);
  });

  it('fades in and out in a straight line', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('room', sound(flat(10_000, 100)), { gainDb: -20, fadeInMs: 200 });
    const coming = mixed(mixer, 300);
    expect(coming.findIndex((sample) => sample >= 500)).toBe(99);
    expect([coming[0], coming[199], coming[299]]).toEqual([5, 1_000, 1_000]);
    mixer.stop('room', 100);
    const going = mixed(mixer, 120);
    expect([going[0], going[49], going[99], going[119]]).toEqual([990, 500, 0, 0]);
    expect(mixer.isSilent).toBe(true);
    const steps = [...coming, ...going].map((sample, i, all) => Math.abs(sample - (all[i - 1] ?? sample)));
    expect(Math.max(...steps)).toBeLessThanOrEqual(10);
  });

  it('gives way to the voice, stays away over its pauses, and comes back after it', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('room', sound(flat(1_000, 100)), AT_ONCE);
    expect(mixed(mixer, 1_000).at(-1)).toBe(1_000);
    const spoken = mixed(mixer, 200, 5_000);
    expect([spoken[0], spoken[60]]).toEqual([5_978, 5_100]);
    expect(mixed(mixer, DUCK_HOLD_MS - FRAME).at(-1)).toBe(100);
    expect(mixed(mixer, 2 * FRAME + DUCK_RELEASE_MS).at(-1)).toBe(1_000);
  });

  it('is silent under the voice where it is told to: a sound of thinking', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('thinking', sound(flat(1_000, 100)), { ...AT_ONCE, duckDb: -Infinity });
    expect(mixed(mixer, 100).at(-1)).toBe(1_000);
    expect(mixed(mixer, 200, 5_000).at(-1)).toBe(5_000);
    expect(mixed(mixer, 2_000).at(-1)).toBe(1_000);
  });

  it('takes what a voice has in its pauses for silence', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('room', sound(flat(1_000, 100)), AT_ONCE);
    mixed(mixer, 2_000);
    expect(mixed(mixer, 200, 30).at(-1)).toBe(1_030);
  });

  it('cuts the sum where it is more than a sample holds, and wraps nothing around', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    mixer.play('loud', sound(flat(32_000, 100)), { ...AT_ONCE, duckDb: 0 });
    mixer.play('louder', sound(flat(32_000, 100)), { ...AT_ONCE, duckDb: 0 });
    expect(new Set(mixed(mixer, 100, 32_000))).toEqual(new Set([32_767]));
    const low = new SoundMixer({ rateHz: RATE_HZ });
    low.play('low', sound(flat(-32_000, 100)), { ...AT_ONCE, duckDb: 0 });
    expect(new Set(mixed(low, 100, -32_768))).toEqual(new Set([-32_768]));
  });

  it('goes on with the same sound, and lets another one of the name go', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    const room = sound(Int16Array.from({ length: 100 }, (_, i) => 1_000 + i));
    mixer.play('room', room, AT_ONCE);
    mixed(mixer, 40);
    mixer.stop('room', 40);
    mixer.play('room', room, AT_ONCE);
    expect(mixer.playing).toEqual(['room']);
    expect(mixed(mixer, 20)[0]).toBe(1_040);
    mixer.play('room', sound(flat(300, 10)), AT_ONCE);
    expect(mixer.playing).toEqual(['room', 'room']);
    expect(mixed(mixer, 20).at(-1)).toBe(300);
    expect(mixer.playing).toEqual(['room']);
  });

  it('refuses what cannot be played, and more than a few sounds', () => {
    const mixer = new SoundMixer({ rateHz: RATE_HZ });
    const room = sound(flat(1, 100));
    const wrong: PlayOptions[] = [{ gainDb: Number.NaN }, { gainDb: 30 }, { duckDb: 1 }, { fadeInMs: -1 }];
    for (const options of wrong) expect(() => mixer.play('room', room, options)).toThrow(InvalidOptionError);
    const other = new Sound({ samples: flat(1, 100), rateHz: 1_000 }, { rateHz: 2_000 });
    expect(() => mixer.play('room', other)).toThrow(/made for 2000 Hz; make it for 1000 Hz/);
    expect(() => mixer.stop('room', Number.NaN)).toThrow(InvalidOptionError);
    expect(() => new SoundMixer({ rateHz: 0 })).toThrow(SampleRateError);
    for (let i = 0; i < MAX_SOUNDS; i += 1) mixer.play(`${i}`, room);
    expect(() => mixer.play('more', room)).toThrow(InvalidOptionError);
    expect(mixer.playing).toHaveLength(MAX_SOUNDS);
  });
});
