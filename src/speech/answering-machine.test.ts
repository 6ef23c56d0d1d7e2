import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { AMD_INITIAL_SILENCE_MS, AMD_TOTAL_MS, AnsweringMachineDetector } from './answering-machine.ts';
import type { AnsweringMachineOptions, AnsweringMachineVerdict } from './answering-machine.ts';
import { BeepDetector } from './beep-detector.ts';
import type { BeepEvent } from './beep-detector.ts';
import { dtmfTones } from './dtmf-tones.ts';
import { resample } from './resample.ts';
import { parseWav } from './wav.ts';

const RATES_HZ = [8_000, 16_000, 24_000];

/** Parts of a call: `voice` is noise of the loudness of speech, `hush` is a line on which nobody speaks. */
type Part = readonly ['voice' | 'hush' | 'beep', number, number?];

/** A call put together of its parts, each with its milliseconds, and of beeps with their frequency. */
function call(rateHz: number, ...parts: readonly Part[]): Int16Array {
  let state = 3;
  const noise = (dbfs: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3));
  };
  return Int16Array.from(
    parts.flatMap(([kind, ms, hz = 0]) =>
      Array.from({ length: (ms * rateHz) / 1_000 }, (_, i) => {
        if (kind === 'beep') return Math.round(8_000 * Math.sin((2 * Math.PI * hz * i) / rateHz));
        return noise(kind === 'voice' ? -22 : -65);
      }),
    ),
  );
}

function verdictOf(
  samples: Int16Array,
  rateHz: number,
  options: Partial<AnsweringMachineOptions> = {},
  frame = rateHz / 50,
): AnsweringMachineVerdict | undefined {
  const detector = new AnsweringMachineDetector({ rateHz, ...options });
  for (let at = 0; at < samples.length; at += frame) {
    const verdict = detector.process(samples.subarray(at, at + frame));
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

const recording = (name: string): { readonly samples: Int16Array; readonly rateHz: number } =>
  parseWav(readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url)));

describe.each(RATES_HZ)('a call at %i Hz', (rateHz) => {
  it('answered with a word and a pause is a human’s', () => {
    const verdict = verdictOf(call(rateHz, ['hush', 600], ['voice', 500], ['hush', 2_000]), rateHz);
    expect(verdict).toMatchObject({ kind: 'human', why: 'pauseAfterGreeting' });
    expect(verdict?.atMs).toBe(1_900);
  });

  it('answered with two words is a human’s', () => {
    const parts: Part[] = [
      ['hush', 400],
      ['voice', 300],
      ['hush', 200],
      ['voice', 500],
      ['hush', 2_000],
    ];
    expect(verdictOf(call(rateHz, ...parts), rateHz)?.kind).toBe('human');
  });

  it('answered with a long sentence is a machine’s', () => {
    const verdict = verdictOf(call(rateHz, ['hush', 500], ['voice', 4_000]), rateHz);
    expect(verdict).toEqual({ kind: 'machine', why: 'longGreeting', atMs: 2_000 });
  });

  it('answered with many words is a machine’s', () => {
    const words = Array.from({ length: 6 }, (): Part[] => [
      ['voice', 200],
      ['hush', 120],
    ]).flat();
    const verdict = verdictOf(call(rateHz, ['hush', 300], ...words), rateHz);
    expect(verdict).toMatchObject({ kind: 'machine', why: 'manyWords' });
  });

  it('in which a beep comes is a machine’s', () => {
    const parts: Part[] = [
      ['hush', 400],
      ['beep', 400, 1_000],
      ['hush', 1_000],
    ];
    const verdict = verdictOf(call(rateHz, ...parts), rateHz);
    expect(verdict).toMatchObject({ kind: 'machine', why: 'beep' });
    expect(verdict?.atMs).toBeLessThan(600);
  });

  it('in which nobody says anything is silent', () => {
    const verdict = verdictOf(call(rateHz, ['hush', 10_000]), rateHz);
    expect(verdict).toEqual({ kind: 'silence', why: 'initialSilence', atMs: AMD_INITIAL_SILENCE_MS });
  });

  it('is not taken for a word that clicks', () => {
    const clicks: Part[] = [
      ['hush', 500],
      ['voice', 40],
      ['hush', 500],
      ['voice', 40],
      ['hush', 2_000],
    ];
    expect(verdictOf(call(rateHz, ...clicks), rateHz)?.kind).toBe('silence');
  });

  it('of a recorded voice: "Hello there." is a human’s, three sentences in a row are a machine’s', () => {
    const hello = recording('hello.wav');
    const greeting = resample(hello.samples, hello.rateHz, rateHz);
    const quiet = new Int16Array(rateHz * 2);
    expect(verdictOf(Int16Array.from([...greeting, ...quiet]), rateHz)?.kind).toBe('human');
    const question = recording('spoken-question.wav');
    const sentences = resample(question.samples, question.rateHz, rateHz);
    const spoken = (fromS: number, toS: number): Int16Array =>
      sentences.subarray(Math.round(fromS * rateHz), Math.round(toS * rateHz));
    const machine = Int16Array.from([...spoken(0.2, 2), ...spoken(0.3, 2), ...spoken(0.3, 2)]);
    expect(verdictOf(machine, rateHz)?.kind).toBe('machine');
  });
});

describe('AnsweringMachineDetector', () => {
  const RATE_HZ = 8_000;

  it('decides within its time, whatever it hears', () => {
    const words: Part[] = [
      ['voice', 120],
      ['hush', 700],
    ];
    const slow = [...words, ...words, ...words, ...words, ...words, ...words, ...words];
    const patient = { maxWords: 100, initialSilenceMs: 60_000 };
    const samples = call(RATE_HZ, ['hush', 1_000], ...slow);
    const outOfTime = { kind: 'unknown', why: 'outOfTime', atMs: AMD_TOTAL_MS };
    expect(verdictOf(samples, RATE_HZ, patient)).toEqual(outOfTime);
    expect(verdictOf(call(RATE_HZ, ['hush', 10_000]), RATE_HZ, patient)).toEqual(outOfTime);
    for (const dbfs of ['voice', 'hush'] as const) {
      expect(verdictOf(call(RATE_HZ, [dbfs, 6_000]), RATE_HZ)?.atMs).toBeLessThanOrEqual(AMD_TOTAL_MS);
    }
  });

  it.each([1, 7, 80, 441, 100_000])('decides the same in pieces of %i samples', (frame) => {
    const samples = call(RATE_HZ, ['hush', 607], ['voice', 500], ['hush', 2_000]);
    expect(verdictOf(samples, RATE_HZ, {}, frame)).toEqual(verdictOf(samples, RATE_HZ));
  });

  it('knows a machine by what it says', () => {
    const said = (text: string): string | undefined =>
      new AnsweringMachineDetector({ rateHz: RATE_HZ }).transcript(text)?.why;
    expect(said('Hi, please leave a message, after the TONE!')).toBe('phrase');
    expect(said('Sorry, I can’t come to the phone')).toBe('phrase');
    expect(said('you have reached the house of the Smiths in the old town')).toBe('longTranscript');
    expect(said('Hello, this is Anna Smith speaking, who is it?')).toBeUndefined();
    expect(said('')).toBeUndefined();
  });

  it('heeds the phrases and bounds it is given', () => {
    const detector = new AnsweringMachineDetector({
      rateHz: RATE_HZ,
      machinePhrases: ['nach dem Ton'],
      maxTranscriptWords: 20,
    });
    expect(detector.transcript('leave a message')).toBeUndefined();
    expect(detector.transcript('Bitte sprechen Sie nach dem Ton.')?.kind).toBe('machine');
    const short = { greetingMs: 400 };
    const samples = call(RATE_HZ, ['hush', 500], ['voice', 500], ['hush', 1_000]);
    expect(verdictOf(samples, RATE_HZ, short)?.why).toBe('longGreeting');
  });

  it('keeps its verdict', () => {
    const detector = new AnsweringMachineDetector({ rateHz: RATE_HZ });
    expect(detector.end()).toEqual({ kind: 'unknown', why: 'ended', atMs: 0 });
    detector.process(call(RATE_HZ, ['beep', 500, 1_000]));
    expect(detector.transcript('leave a message')?.why).toBe('ended');
    expect(detector.verdict).toBe(detector.end());
  });

  it('refuses times that are none', () => {
    for (const options of [{ totalMs: 0 }, { greetingMs: -1 }, { maxWords: Number.NaN }]) {
      expect(() => new AnsweringMachineDetector({ rateHz: RATE_HZ, ...options })).toThrow(InvalidOptionError);
    }
  });
});

describe('BeepDetector', () => {
  function beepsIn(samples: Int16Array, rateHz: number, frame = rateHz / 50): BeepEvent[] {
    const detector = new BeepDetector({ rateHz });
    const events: BeepEvent[] = [];
    for (let at = 0; at < samples.length; at += frame) {
      events.push(...detector.process(samples.subarray(at, at + frame)));
    }
    return events;
  }

  it.each(RATES_HZ)('hears beeps of every height at %i Hz, with their beginning and end', (rateHz) => {
    for (const hz of [620, 850, 1_000, 1_400, 2_100]) {
      const [start, end, ...others] = beepsIn(
        call(rateHz, ['hush', 310], ['beep', 400, hz], ['hush', 200]),
        rateHz,
      );
      expect([start?.type, end?.type, others]).toEqual(['start', 'end', []]);
      expect(Math.abs((start?.frequencyHz ?? 0) / hz - 1)).toBeLessThan(0.01);
      expect(Math.abs(((start?.position ?? 0) * 1_000) / rateHz - 310)).toBeLessThanOrEqual(40);
      expect(Math.abs(((end?.position ?? 0) * 1_000) / rateHz - 710)).toBeLessThanOrEqual(40);
    }
  });

  it.each(RATES_HZ)('hears none in speech, keys, noise and the tones of networks at %i Hz', (rateHz) => {
    const ringing = call(rateHz, ['beep', 2_000, 425]);
    const noise = call(rateHz, ['voice', 5_000]);
    const keys = dtmfTones('0123456789', { rateHz, toneMs: 300 });
    const voices = ['hello.wav', 'spoken-question.wav'].flatMap((name) => {
      const { samples, rateHz: ownHz } = recording(name);
      return [0.7, 1, 1.4].map((pitch) => resample(samples, Math.round(ownHz * pitch), rateHz));
    });
    for (const sound of [ringing, noise, keys, ...voices]) expect(beepsIn(sound, rateHz)).toEqual([]);
  });

  it.each([1, 7, 160, 100_000])('gives the same events in pieces of %i samples', (frame) => {
    const sound = call(8_000, ['hush', 333], ['beep', 400, 900], ['hush', 200]);
    expect(beepsIn(sound, 8_000, frame)).toEqual(beepsIn(sound, 8_000));
  });

  it('allocates nothing while nothing happens: it gives one shared empty array', () => {
    const detector = new BeepDetector({ rateHz: 8_000 });
    const quiet = new Int16Array(320);
    expect(detector.process(quiet)).toBe(detector.process(quiet));
  });
});
