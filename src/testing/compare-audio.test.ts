import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EchoBrain } from '../speech/echo-brain.ts';
import { EnergyVad } from '../speech/energy-vad.ts';
import { resample } from '../speech/resample.ts';
import { parseWav } from '../speech/wav.ts';
import { compareAudio } from './compare-audio.ts';

const RATE_HZ = 16_000;
const FRAME = 320;

const sent = parseWav(
  new Uint8Array(readFileSync(new URL('../../test/fixtures/spoken-question.wav', import.meta.url))),
).samples;

/** The three sentences as an echo cuts them, through 24 kHz and back. */
const turns = sentences().map(([from, to]) => throughProvider(sent.slice(from, to)));

function sentences(): [number, number][] {
  const events = new EnergyVad({ rateHz: RATE_HZ }).process(sent);
  const cuts: [number, number][] = [];
  for (let i = 0; i + 1 < events.length; i += 2) cuts.push([events[i]!.position, events[i + 1]!.detectedAt]);
  return cuts;
}

function throughProvider(samples: Int16Array): Int16Array {
  return resample(resample(samples, RATE_HZ, 24_000), 24_000, RATE_HZ);
}

function joined(...parts: readonly Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

function without(samples: Int16Array, from: number, count = FRAME): Int16Array {
  return joined(samples.subarray(0, from), samples.subarray(from + count));
}

function withTwice(samples: Int16Array, from: number): Int16Array {
  return joined(samples.subarray(0, from + FRAME), samples.subarray(from));
}

function withSwapped(samples: Int16Array, from: number): Int16Array {
  return joined(
    samples.subarray(0, from),
    samples.subarray(from + FRAME, from + 2 * FRAME),
    samples.subarray(from, from + FRAME),
    samples.subarray(from + 2 * FRAME),
  );
}

/** Compares one damaged sentence with what was sent of it. */
function compareSentence(index: number, damaged: Int16Array) {
  const [from, to] = sentences()[index]!;
  return compareAudio(sent.slice(from, to), [damaged], RATE_HZ);
}

/** Every third audible frame of every sentence, the first and the last among them. */
function placesToDamage(): { index: number; turn: Int16Array; at: number }[] {
  return turns.flatMap((turn, index) => {
    const frames = audibleFrames(turn);
    return frames.filter((_, i) => i % 3 === 0 || i === frames.length - 1).map((at) => ({ index, turn, at }));
  });
}

function withTurn(index: number, turn: Int16Array): Int16Array[] {
  return turns.map((original, i) => (i === index ? turn : original));
}

function withNoise(samples: Int16Array, amplitude: number): Int16Array {
  let state = 1;
  return samples.map((value) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.max(-32_768, Math.min(32_767, value + Math.round((state / 2 ** 31 - 1) * amplitude)));
  });
}

/** Frames of a turn in which something is heard: the places where a loss must be noticed. */
function audibleFrames(samples: Int16Array): number[] {
  const frames: number[] = [];
  for (let from = 0; from + FRAME <= samples.length; from += FRAME) {
    const energy = samples.subarray(from, from + FRAME).reduce((sum, value) => sum + value * value, 0);
    if (Math.sqrt(energy / FRAME) > 600) frames.push(from);
  }
  return frames;
}

describe('compareAudio', () => {
  it('accepts a perfect echo in three turns', () => {
    const result = compareAudio(sent, turns, RATE_HZ);
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ ok: true, missingSpeechMs: 0, doubledMs: 0, gaps: [] });
    expect(result.correlation).toBeGreaterThan(0.999);
    expect(result.turns.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(
      sentences().map(([from, to]) => [from / 16, to / 16]),
    );
    expect(result.coveredMs).toBeCloseTo(turns.reduce((sum, turn) => sum + turn.length, 0) / 16, 6);
  });

  it('accepts what an echo brain answers to 20 ms frames', () => {
    const answers: Int16Array[][] = [];
    const ignore = (): void => undefined;
    const brain: EchoBrain = new EchoBrain({
      speechStarted: ignore,
      speechEnded: ignore,
      inputTranscript: ignore,
      outputTranscript: () => void answers.push([]),
      answerReady: () => {
        while (brain.speakNextChunk());
        brain.playedOut();
      },
      answerAudio: (samples) => void answers.at(-1)?.push(samples),
      answerText: ignore,
      interrupted: ignore,
      generationComplete: ignore,
      turnComplete: ignore,
    });
    for (let at = 0; at < sent.length; at += FRAME) brain.hearAudio(sent.subarray(at, at + FRAME), RATE_HZ);
    const received = answers.map((chunks) => resample(joined(...chunks), 24_000, RATE_HZ));
    expect(compareAudio(sent, received, RATE_HZ).problems).toEqual([]);
    expect(received).toHaveLength(3);
  });

  it('accepts a turn that goes on into the silence sent after the recording', () => {
    const cut = sent.subarray(0, 118_000);
    const last = throughProvider(joined(cut.subarray(102_560), new Int16Array(8_000)));
    expect(compareAudio(cut, [turns[0]!, turns[1]!, last], RATE_HZ).problems).toEqual([]);
  });

  it('accepts one turn that holds everything, and turns that join without a pause in speech', () => {
    expect(compareAudio(sent, [throughProvider(sent)], RATE_HZ).problems).toEqual([]);
    const parts = [sent.slice(0, 20_000), sent.slice(20_000, 65_000), sent.slice(65_000)].map(
      throughProvider,
    );
    expect(compareAudio(sent, parts, RATE_HZ).problems).toEqual([]);
  });

  it('accepts the same recording sent three times', () => {
    const result = compareAudio(joined(sent, sent, sent), [...turns, ...turns, ...turns], RATE_HZ);
    expect(result.problems).toEqual([]);
    expect(compareAudio(joined(sent, sent), [...turns, ...turns.slice(0, 2)], RATE_HZ).ok).toBe(false);
  });

  it.each([8_000, 24_000, 48_000])('compares at %i Hz', (rateHz) => {
    const source = resample(sent, RATE_HZ, rateHz);
    const echo = turns.map((turn) =>
      resample(resample(resample(turn, RATE_HZ, rateHz), rateHz, 24_000), 24_000, rateHz),
    );
    expect(compareAudio(source, echo, rateHz).problems).toEqual([]);
  });

  it('notices one lost frame wherever something is heard in it', () => {
    for (const { index, turn, at } of placesToDamage()) {
      expect(compareSentence(index, without(turn, at)).ok, `sentence ${index}, ${at / 16} ms`).toBe(false);
    }
  });

  it('says where a frame was lost in the middle of a turn', () => {
    const frames = audibleFrames(turns[1]!);
    const at = frames[frames.length >> 1]!;
    const result = compareAudio(sent, withTurn(1, without(turns[1]!, at)), RATE_HZ);
    expect(result.gaps.filter((gap) => gap.kind === 'lost')).toEqual([
      {
        kind: 'lost',
        turn: 1,
        receivedAtMs: expect.closeTo(at / 16, -1),
        sentAtMs: expect.any(Number),
        lengthMs: 20,
      },
    ]);
    expect(result.missingSpeechMs).toBeGreaterThan(10);
    expect(result.problems.join(' ')).toMatch(/Turn 2: 20\.0 ms lost/);
  });

  it('notices a frame lost in a pause between two words, by what follows', () => {
    const parts = joined(sent.subarray(0, 96_160));
    const turn = throughProvider(parts);
    const result = compareAudio(sent, [without(turn, 46_000), turns[2]!], RATE_HZ);
    expect(result.ok).toBe(false);
    expect(result.gaps).toMatchObject([{ kind: 'lost', turn: 0, lengthMs: 20 }]);
  });

  it('notices a frame lost at the very start and at the very end of speech', () => {
    const [from, to] = [5_120, 34_560];
    const speech = sent.slice(from, to);
    const only = joined(new Int16Array(4_000), speech, new Int16Array(8_000));
    expect(compareAudio(only, [throughProvider(speech)], RATE_HZ).problems).toEqual([]);
    for (const lost of [speech.slice(FRAME), speech.slice(0, -FRAME)]) {
      const result = compareAudio(only, [throughProvider(lost)], RATE_HZ);
      expect(result.missingSpeechMs).toBeGreaterThanOrEqual(10);
      expect(result.ok).toBe(false);
    }
  });

  it('notices one doubled frame wherever something is heard in it', () => {
    for (const { index, turn, at } of placesToDamage()) {
      expect(compareSentence(index, withTwice(turn, at)).ok, `sentence ${index}, ${at / 16} ms`).toBe(false);
    }
  });

  it('says where a frame was doubled', () => {
    const frames = audibleFrames(turns[0]!);
    const result = compareAudio(
      sent,
      withTurn(0, withTwice(turns[0]!, frames[frames.length >> 1]!)),
      RATE_HZ,
    );
    expect(result.doubledMs).toBeCloseTo(20, 1);
    expect(result.gaps).toContainEqual(expect.objectContaining({ kind: 'doubled', turn: 0, lengthMs: 20 }));
  });

  it('notices two swapped frames', () => {
    for (const { index, turn, at } of placesToDamage()) {
      expect(compareSentence(index, withSwapped(turn, at)).ok, `sentence ${index}, ${at / 16} ms`).toBe(
        false,
      );
    }
  });

  it('notices a single sample that is lost or doubled in the middle', () => {
    const turn = turns[0]!;
    expect(compareAudio(sent, withTurn(0, without(turn, 12_000, 1)), RATE_HZ).ok).toBe(false);
    expect(
      compareAudio(sent, withTurn(0, joined(turn.subarray(0, 12_001), turn.subarray(12_000))), RATE_HZ).ok,
    ).toBe(false);
  });

  it.each([0, 1, 2])('notices that turn %i is missing', (index) => {
    const result = compareAudio(
      sent,
      turns.filter((_, i) => i !== index),
      RATE_HZ,
    );
    expect(result.ok).toBe(false);
    expect(result.missingSpeechMs).toBeGreaterThan(400);
  });

  it.each([0, 1, 2])('notices that turn %i came twice', (index) => {
    const result = compareAudio(
      sent,
      turns.flatMap((turn, i) => (i === index ? [turn, turn] : [turn])),
      RATE_HZ,
    );
    expect(result.ok).toBe(false);
    expect(result.doubledMs).toBeCloseTo(turns[index]!.length / 16, 0);
    expect(result.missingSpeechMs).toBe(0);
  });

  it('notices turns out of order', () => {
    const result = compareAudio(sent, [turns[1]!, turns[0]!, turns[2]!], RATE_HZ);
    expect(result.problems.join(' ')).toMatch(/Turn 2 begins .* doubled or out of order/);
  });

  it('notices a second that was lost, and one that fell silent', () => {
    const long = throughProvider(sent);
    const lost = compareAudio(sent, [without(long, 60_000, 16_000)], RATE_HZ);
    expect(lost.gaps).toContainEqual(expect.objectContaining({ kind: 'lost', lengthMs: 1_000 }));
    const muted = compareAudio(sent, [long.slice().fill(0, 60_000, 76_000)], RATE_HZ);
    expect(muted.gaps.some((gap) => gap.kind === 'different')).toBe(true);
  });

  it('notices noise, and accepts what is far under the speech', () => {
    expect(
      compareAudio(
        sent,
        turns.map((turn) => withNoise(turn, 3_000)),
        RATE_HZ,
      ).ok,
    ).toBe(false);
    expect(
      compareAudio(
        sent,
        turns.map((turn) => withNoise(turn, 60)),
        RATE_HZ,
      ).problems,
    ).toEqual([]);
    const onlyNoise = compareAudio(sent, [withNoise(new Int16Array(30_000), 8_000)], RATE_HZ);
    expect(onlyNoise).toMatchObject({ ok: false, correlation: 0, coveredMs: 0 });
    expect(onlyNoise.problems[0]).toBe('Turn 1 is nowhere in what was sent.');
  });

  it('takes the noise of a noisy recording for silence between its turns', () => {
    const noisy = withNoise(sent, 320);
    const echo = sentences().map(([from, to]) => throughProvider(noisy.slice(from, to)));
    expect(compareAudio(noisy, echo, RATE_HZ).problems).toEqual([]);
    expect(compareAudio(noisy, [echo[0]!, without(echo[1]!, 16_000), echo[2]!], RATE_HZ).ok).toBe(false);
  });

  it('is not content with nothing', () => {
    expect(compareAudio(sent, [], RATE_HZ)).toMatchObject({ ok: false, correlation: 0 });
    expect(compareAudio(new Int16Array(16_000), [], RATE_HZ).problems[0]).toMatch(/holds no speech/);
    expect(compareAudio(sent, [...turns, new Int16Array(0)], RATE_HZ).problems).toEqual([
      'Turn 4 is silent.',
    ]);
    expect(compareAudio(sent, [...turns, new Int16Array(9_000)], RATE_HZ).problems).toEqual([
      'Turn 4 is silent.',
    ]);
  });
});
