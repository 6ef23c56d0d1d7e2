import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/errors.ts';
import { ANSWER_CHUNK_SAMPLES } from './echo-answer.ts';
import { EchoBrain, MAX_WAITING_ANSWERS, type EchoBrainOptions, type EchoBrainSink } from './echo-brain.ts';
import { EnergyVad } from './energy-vad.ts';
import { resample } from './resample.ts';
import { parseWav } from './wav.ts';

const fixture = (name: string): Int16Array =>
  parseWav(new Uint8Array(readFileSync(new URL(`../../test/fixtures/${name}.wav`, import.meta.url)))).samples;
const question = fixture('spoken-question');
const hello = fixture('hello');
const silence = (ms: number, rateHz = 16_000) => new Int16Array((ms * rateHz) / 1000);

/** Speech-like and different at every sample, so that any loss or doubling shows. */
function babble(ms: number, rateHz = 16_000): Int16Array {
  return Int16Array.from({ length: (ms * rateHz) / 1000 }, (_, i) =>
    Math.round(9_000 * Math.sin(i * 0.07 + 3 * Math.sin(i * 0.000_9)) + 3_000 * Math.sin(i * 0.31)),
  );
}

function joined(parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A brain with a sink that writes everything down; runs of audio chunks are one entry. */
class Listener implements EchoBrainSink {
  readonly brain: EchoBrain;
  readonly told: string[] = [];
  /** Audio of each turn that had any. */
  readonly answers: Int16Array[][] = [];
  readonly chunks: Int16Array[] = [];
  /** Whether answers are taken and played out the moment they are ready. */
  #instant: boolean;

  constructor(options: EchoBrainOptions = {}, instant = true) {
    this.#instant = instant;
    this.brain = new EchoBrain(this, options);
  }

  hear(samples: Int16Array, rateHz = 16_000, frame = rateHz / 50): void {
    for (let at = 0; at < samples.length; at += frame)
      this.brain.hearAudio(samples.subarray(at, at + frame), rateHz);
  }

  take(): void {
    while (this.brain.speakNextChunk());
    this.brain.playedOut();
  }

  answer(index: number): Int16Array {
    return joined(this.answers[index] ?? []);
  }

  speechStarted = () => void this.told.push('speechStarted');
  speechEnded = () => void this.told.push('speechEnded');
  inputTranscript = (text: string, finished: boolean) =>
    void this.told.push(`in${finished ? '' : '…'} ${text}`);
  outputTranscript = (text: string) => {
    this.told.push(`out ${text}`);
    this.answers.push([]);
  };
  answerText = (text: string) => void this.told.push(`text ${text}`);
  answerReady = (durationMs: number) => {
    this.told.push(`ready ${Math.round(durationMs)}`);
    if (this.#instant) this.take();
  };
  answerAudio = (samples: Int16Array) => {
    if (this.told.at(-1) !== 'audio') this.told.push('audio');
    this.answers.at(-1)?.push(samples);
    this.chunks.push(samples);
  };
  interrupted = () => void this.told.push('interrupted');
  generationComplete = () => void this.told.push('generationComplete');
  turnComplete = () => void this.told.push('turnComplete');
}

describe('EchoBrain', () => {
  it('answers a spoken turn with the same audio at 24 kHz, in the order of a provider', () => {
    const listener = new Listener();
    listener.hear(joined([hello, silence(600)]));
    expect(listener.told).toEqual([
      'speechStarted',
      'speechEnded',
      'in (0.8 s of speech)',
      'out (echo of 0.8 s of speech)',
      expect.stringMatching(/^ready 15\d0$/),
      'audio',
      'generationComplete',
      'turnComplete',
    ]);
    const answer = listener.answer(0);
    const heard = joined([hello, silence(600)]).subarray(0, Math.round((answer.length * 2) / 3));
    expect(answer).toEqual(resample(heard, 16_000, 24_000));
  });

  it('answers each of three sentences once, and with what belongs to it', () => {
    const listener = new Listener();
    listener.hear(question);
    expect(listener.told.filter((entry) => entry.startsWith('in '))).toEqual([
      'in (1.9 s of speech)',
      'in (2.1 s of speech)',
      'in (0.7 s of speech)',
    ]);
    // The detector's positions for this recording: from the padding before each sentence to the end of its silence.
    expect([0, 1, 2].map((turn) => listener.answer(turn))).toEqual(
      [
        [0, 43_040],
        [49_280, 96_160],
        [102_560, 125_760],
      ].map(([from, to]) => resample(question.slice(from, to), 16_000, 24_000)),
    );
  });

  it('gives the same answers however the input is cut', () => {
    const whole = new Listener();
    whole.hear(question);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 6 }), (cuts) => {
        const listener = new Listener();
        let at = 0;
        for (let i = 0; at < question.length; i++) {
          const end = at + cuts[i % cuts.length]!;
          listener.brain.hearAudio(question.subarray(at, end), 16_000);
          at = end;
        }
        expect(listener.answers.map(joined)).toEqual(whole.answers.map(joined));
      }),
      { numRuns: 12, seed: 3 },
    );
  });

  it('hands out chunks of 40 ms and a shorter last one', () => {
    const listener = new Listener();
    listener.hear(joined([hello, silence(600)]));
    const lengths = listener.chunks.map((chunk) => chunk.length);
    expect(new Set(lengths.slice(0, -1))).toEqual(new Set([ANSWER_CHUNK_SAMPLES]));
    expect(lengths.at(-1)).toBeGreaterThan(0);
  });

  it.each([8_000, 16_000, 22_050, 24_000, 44_100, 48_000])('hears %i Hz', (rateHz) => {
    const speech = joined([silence(400, rateHz), babble(800, rateHz), silence(700, rateHz)]);
    const listener = new Listener();
    listener.hear(speech, rateHz);
    const [start, end] = new EnergyVad({ rateHz }).process(speech);
    const heard = speech.slice(start!.position, end!.detectedAt);
    expect(heard.length / rateHz).toBeCloseTo(1.6, 1);
    expect(listener.answers.map(joined)).toEqual([resample(heard, rateHz, 24_000)]);
  });

  it('hears a change of rate in the middle of an utterance without a gap', () => {
    const listener = new Listener({ turnDetection: 'manual' });
    listener.brain.activityStart();
    listener.brain.hearAudio(babble(500, 16_000), 16_000);
    listener.brain.hearAudio(babble(500, 48_000), 48_000);
    listener.brain.hearAudio(babble(500, 8_000), 8_000);
    listener.brain.hearAudio(babble(500, 16_000), 16_000);
    listener.brain.activityEnd();
    expect(listener.answer(0)).toHaveLength(48_000);
    expect(listener.brain.heardMs).toBe(2_000);
    expect(listener.brain.heardSamples).toBe(8_000 + 24_000 + 4_000 + 8_000);
  });

  it('answers text with the text, at once', () => {
    const listener = new Listener();
    listener.brain.hearText('hello');
    expect(listener.told).toEqual(['text hello', 'generationComplete', 'turnComplete']);
  });

  it('answers speech with text when asked to', () => {
    const listener = new Listener({ answerWith: 'text' });
    listener.hear(joined([hello, silence(600)]));
    expect(listener.told.slice(2)).toEqual([
      'in (0.8 s of speech)',
      'text (echo of 0.8 s of speech)',
      'generationComplete',
      'turnComplete',
    ]);
  });

  it('stays silent on silence, however long', () => {
    const listener = new Listener();
    for (let i = 0; i < 60; i++) listener.hear(silence(1_000));
    expect(listener.told).toEqual([]);
    expect(listener.brain.heardMs).toBe(60_000);
  });

  it('is interrupted by speech: interrupted, then turnComplete, and no generationComplete', () => {
    const listener = new Listener({}, false);
    listener.hear(joined([hello, silence(600)]));
    listener.brain.speakNextChunk();
    listener.brain.speakNextChunk();
    listener.told.length = 0;
    listener.hear(joined([hello, silence(600)]));
    expect(listener.told).toEqual([
      'speechStarted',
      'interrupted',
      'turnComplete',
      'speechEnded',
      'in (0.8 s of speech)',
      'out (echo of 0.8 s of speech)',
      expect.stringMatching(/^ready/),
    ]);
    listener.take();
    // What interrupted is echoed as well, padding included.
    expect(listener.answer(0)).toHaveLength(2 * ANSWER_CHUNK_SAMPLES);
    expect(listener.answer(1).length).toBeGreaterThan(24_000);
  });

  it('is interrupted while its answer is still being played', () => {
    const listener = new Listener({}, false);
    listener.hear(joined([hello, silence(600)]));
    while (listener.brain.speakNextChunk());
    expect(listener.told.at(-1)).toBe('generationComplete');
    listener.told.length = 0;
    listener.hear(hello);
    expect(listener.told).toEqual(['speechStarted', 'interrupted', 'turnComplete']);
    listener.brain.playedOut();
    expect(listener.told).toHaveLength(3);
  });

  it('is not interrupted by silence or by a click during its answer', () => {
    const listener = new Listener({}, false);
    listener.hear(joined([hello, silence(600)]));
    listener.brain.speakNextChunk();
    listener.told.length = 0;
    listener.hear(joined([silence(500), babble(30), silence(500)]));
    listener.take();
    expect(listener.told).toEqual(['audio', 'generationComplete', 'turnComplete']);
  });

  it('lets the answer end first where interruptions are off, and then answers what was said meanwhile', () => {
    const listener = new Listener({ interruptions: 'none' }, false);
    listener.hear(joined([hello, silence(600)]));
    listener.brain.speakNextChunk();
    listener.hear(joined([hello, silence(600)]));
    expect(listener.told).not.toContain('interrupted');
    listener.take();
    expect(listener.answers).toHaveLength(2);
    listener.take();
    expect(listener.told.filter((entry) => entry === 'turnComplete')).toHaveLength(2);
    expect(listener.brain.answering).toBe(false);
  });

  it('is interrupted by text, and by the caller', () => {
    const listener = new Listener({}, false);
    listener.hear(joined([hello, silence(600)]));
    listener.told.length = 0;
    listener.brain.hearText('stop');
    expect(listener.told).toEqual([
      'interrupted',
      'turnComplete',
      'text stop',
      'generationComplete',
      'turnComplete',
    ]);
    expect(listener.brain.interrupt()).toBe(false);
    expect(listener.brain.speakNextChunk()).toBe(false);
  });

  it('hands out nothing more when the sink interrupts within a chunk', () => {
    const listener = new Listener({}, false);
    listener.hear(joined([hello, silence(600)]));
    listener.answerAudio = () => void listener.brain.interrupt();
    listener.told.length = 0;
    expect(listener.brain.speakNextChunk()).toBe(false);
    expect(listener.told).toEqual(['interrupted', 'turnComplete']);
  });

  it('takes turns from activity signals alone in manual mode', () => {
    const listener = new Listener({ turnDetection: 'manual' });
    const said = babble(400);
    listener.hear(joined([hello, silence(600)]));
    expect(listener.told).toEqual([]);
    listener.brain.activityStart();
    listener.hear(said);
    expect(listener.told).toEqual(['speechStarted']);
    listener.brain.activityEnd();
    expect(listener.told.slice(1)).toEqual([
      'speechEnded',
      'in (0.4 s of speech)',
      'out (echo of 0.4 s of speech)',
      'ready 400',
      'audio',
      'generationComplete',
      'turnComplete',
    ]);
    expect(listener.answer(0)).toEqual(resample(said, 16_000, 24_000));
  });

  it('completes a turn in which nothing was said', () => {
    const listener = new Listener({ turnDetection: 'manual' });
    listener.brain.activityStart();
    listener.brain.activityEnd();
    expect(listener.told).toEqual([
      'speechStarted',
      'speechEnded',
      'text (nothing was heard)',
      'generationComplete',
      'turnComplete',
    ]);
    listener.brain.activityEnd();
    expect(listener.told).toHaveLength(5);
  });

  it('holds a turn open over silence when an activity signal took it over', () => {
    const listener = new Listener();
    listener.hear(hello);
    listener.brain.activityStart();
    listener.hear(silence(3_000));
    expect(listener.told).toEqual(['speechStarted']);
    listener.brain.activityEnd();
    expect(listener.answer(0)).toHaveLength(Math.round(((hello.length + 48_000) * 3) / 2));
  });

  it('ends a running utterance when the microphone pauses, with every sample of it', () => {
    const listener = new Listener();
    const cutOff = hello.subarray(0, 12_345);
    listener.hear(cutOff);
    listener.brain.audioStreamEnd();
    expect(listener.answer(0)).toEqual(resample(cutOff, 16_000, 24_000));
    listener.brain.audioStreamEnd();
    expect(listener.answers).toHaveLength(1);
    listener.hear(joined([hello, silence(600)]));
    expect(listener.answers).toHaveLength(2);
  });

  it('answers a very long utterance in parts that join without a seam', () => {
    const listener = new Listener({ turnDetection: 'manual', maxUtteranceMs: 1_000 });
    const said = babble(3_500);
    listener.brain.activityStart();
    listener.hear(said);
    listener.brain.activityEnd();
    expect(listener.answers.map((chunks) => joined(chunks).length)).toEqual([24_000, 24_000, 24_000, 12_000]);
    const parts = [0, 16_000, 32_000, 48_000].map((from) =>
      resample(said.slice(from, from + 16_000), 16_000, 24_000),
    );
    expect(listener.answers.map(joined)).toEqual(parts);
    expect(listener.told.filter((entry) => entry.startsWith('in'))).toEqual([
      'in… (1.0 s of speech, going on)',
      'in… (1.0 s of speech, going on)',
      'in… (1.0 s of speech, going on)',
      'in (0.5 s of speech)',
    ]);
    expect(listener.told.filter((entry) => entry === 'speechStarted')).toHaveLength(1);
  });

  it('bounds the answers that wait, and says how much it did not answer', () => {
    const listener = new Listener({ turnDetection: 'manual', maxUtteranceMs: 1_000 }, false);
    listener.brain.activityStart();
    listener.hear(babble(10_000));
    expect(listener.brain.unansweredMs).toBe(10_000 - (1 + MAX_WAITING_ANSWERS) * 1_000);
  });

  it('refuses a maximum under a second', () => {
    expect(() => new Listener({ maxUtteranceMs: 10 })).toThrow(InvalidOptionError);
  });
});
