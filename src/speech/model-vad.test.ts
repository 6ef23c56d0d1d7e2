import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { DEADLY, HANGING, THROWING } from '../../test/support/loud-speech-model.ts';
import { energyVad } from './energy-voice-activity.ts';
import { fallbackVad } from './fallback-vad.ts';
import { MAX_VAD_DELAY_MS, MAX_WAITING_VAD_MS, modelVad, type ModelVadOptions } from './model-vad.ts';
import { VAD_LOAD_TIMEOUT_MS, VAD_THREAD_RESTARTS } from './vad-worker.ts';
import { VadUnavailableError, type VoiceActivity, type VoiceActivitySink } from './voice-activity.ts';

const RATE_HZ = 16_000;
const WINDOW = 160;
const MODULE = new URL('../../test/support/loud-speech-model.ts', import.meta.url);

/** What a thread of this machine may take to begin. */
const PATIENCE = { timeout: 20_000, interval: 5 };

const threads = new Int32Array(new SharedArrayBuffer(4));
let scope: Lifetime;
let warnings: string[];

beforeEach(() => {
  threads[0] = 0;
  warnings = [];
  const nothing = (): void => undefined;
  const warn = (message: string): number => warnings.push(message);
  scope = Lifetime.root({ name: 'call', log: { debug: nothing, info: nothing, warn, error: nothing } });
});

afterEach(async () => {
  await scope.close();
  expect(scope.resources()).toEqual([]);
});

const loudVad = (options: ModelVadOptions = {}, model: Record<string, unknown> = {}) =>
  modelVad(
    { id: 'loud', module: MODULE, options: { threads, ...model }, rateHz: RATE_HZ, windowSamples: WINDOW },
    options,
  );

class Heard implements VoiceActivitySink {
  readonly events: (readonly [string, number])[] = [];
  readonly errors: Error[] = [];
  speechStarted(at: number): void {
    this.events.push(['start', at]);
  }
  speechEnded(at: number): void {
    this.events.push(['end', at]);
  }
  failed(error: Error): void {
    this.errors.push(error);
  }
}

const tone = (ms: number, rateHz = RATE_HZ) => new Int16Array((ms * rateHz) / 1000).fill(8_000);
const silence = (ms: number, rateHz = RATE_HZ) => new Int16Array((ms * rateHz) / 1000);

function say(ear: VoiceActivity, ...parts: readonly Int16Array[]): void {
  for (const part of parts)
    for (let at = 0; at < part.length; at += 320) ear.hear(part.subarray(at, at + 320));
}

const begun = () => Atomics.load(threads, 0);

/** One window that does something to the thread that hears it. */
const harm = (kind: number) => Int16Array.from({ length: WINDOW }, () => kind);

describe('modelVad', () => {
  it('tells speech that a model hears in a thread, in order, with padding', async () => {
    const heard = new Heard();
    const ear = await loudVad({ prefixPaddingMs: 100 }).open(RATE_HZ, heard, scope);
    say(ear, silence(500), tone(300), silence(700), tone(200), silence(700));
    await vi.waitFor(() => expect(heard.events).toHaveLength(4), PATIENCE);
    const at = (ms: number) => (ms * RATE_HZ) / 1000;
    expect(heard.events).toEqual([
      ['start', at(400)],
      ['end', at(800)],
      ['start', at(1_400)],
      ['end', at(1_700)],
    ]);
  });

  it('counts positions in samples of its audio, whichever rate the model hears', async () => {
    const heard = new Heard();
    const ear = await loudVad({ prefixPaddingMs: 0 }).open(48_000, heard, scope);
    say(ear, silence(500, 48_000), tone(300, 48_000), silence(700, 48_000));
    await vi.waitFor(() => expect(heard.events).toHaveLength(2), PATIENCE);
    expect(heard.events[0]?.[1]).toBeCloseTo(24_000, -3);
    expect(heard.events[1]?.[1]).toBeCloseTo(38_400, -3);
  });

  it('takes frames of any length, and their array back', async () => {
    const heard = new Heard();
    const ear = await loudVad().open(RATE_HZ, heard, scope);
    const frame = new Int16Array(77);
    for (let i = 0; i < 400; i++) {
      frame.fill(i > 100 && i < 200 ? 8_000 : 0);
      ear.hear(frame);
    }
    expect(frame).toHaveLength(77);
    await vi.waitFor(() => expect(heard.events.map(([type]) => type)).toEqual(['start', 'end']), PATIENCE);
  });

  it('forgets at a reset what it heard, also what is still with the thread', async () => {
    const heard = new Heard();
    const ear = await loudVad({ prefixPaddingMs: 0 }).open(RATE_HZ, heard, scope);
    say(ear, tone(300));
    ear.reset();
    say(ear, silence(200), tone(100), silence(600));
    await vi.waitFor(() => expect(heard.events).toHaveLength(2), PATIENCE);
    expect(heard.events).toEqual([
      ['start', 500 * 16],
      ['end', 600 * 16],
    ]);
  });

  it('shares one thread under the owner it is given, and keeps the ears apart', async () => {
    const vad = loudVad({ owner: scope, prefixPaddingMs: 0 });
    const calls = [scope.child('one'), scope.child('two')];
    const sinks = [new Heard(), new Heard()];
    const ears = await Promise.all(calls.map((call, i) => vad.open(RATE_HZ, sinks[i] as Heard, call)));
    say(ears[0] as VoiceActivity, silence(100), tone(100), silence(600));
    say(ears[1] as VoiceActivity, silence(800));
    await vi.waitFor(() => expect(sinks[0]?.events).toHaveLength(2), PATIENCE);
    expect(sinks[1]?.events).toEqual([]);
    expect(begun()).toBe(1);
    await calls[0]?.close();
    say(ears[1] as VoiceActivity, tone(100));
    await vi.waitFor(() => expect(sinks[1]?.events).toHaveLength(1), PATIENCE);
  });

  it('C3 vad: a close ends a thread that hangs, within the deadline', async () => {
    const ear = await loudVad().open(RATE_HZ, new Heard(), scope);
    say(ear, harm(HANGING));
    const report = await scope.close('hung up');
    expect(report.steps).toMatchObject([{ name: 'vad thread', outcome: 'done' }]);
    expect(report.durationMs).toBeLessThan(1_000);
    ear.hear(tone(20));
  });

  it('C10 vad: a close while the model loads rejects the opening at once', async () => {
    const opening = loudVad({}, { neverLoad: true }).open(RATE_HZ, new Heard(), scope);
    await Promise.all([expect(opening).rejects.toThrow(ClosedError), scope.close()]);
    await expect(loudVad().open(RATE_HZ, new Heard(), scope)).rejects.toThrow(ClosedError);
  });

  it('says what is missing when the model cannot be loaded, and tries once', async () => {
    const opening = loudVad({}, { failToLoad: true }).open(RATE_HZ, new Heard(), scope);
    await expect(opening).rejects.toThrow(VadUnavailableError);
    await expect(opening).rejects.toThrow('There is no such model.');
    expect(begun()).toBe(1);
  });

  it('bounds the loading', async () => {
    const clock = new VirtualClock();
    const owner = Lifetime.root({ name: 'virtual', clock });
    const opening = loudVad({}, { neverLoad: true }).open(RATE_HZ, new Heard(), owner);
    await Promise.all([
      expect(opening).rejects.toThrow('was not loaded within 10000 ms'),
      clock.advance(VAD_LOAD_TIMEOUT_MS),
    ]);
    await owner.close();
  });

  it.each([
    ['ends', DEADLY],
    ['throws', THROWING],
  ])('starts a thread that %s again, and hears on', async (_, kind) => {
    const heard = new Heard();
    const ear = await loudVad().open(RATE_HZ, heard, scope);
    say(ear, harm(kind));
    await vi.waitFor(() => expect(begun()).toBe(2), PATIENCE);
    await vi.waitFor(() => {
      say(ear, tone(20));
      expect(heard.events).toHaveLength(1);
    }, PATIENCE);
    expect(warnings).toEqual(['voice activity thread restarted']);
  });

  it('takes a thread that lets a window wait for two seconds for stuck', async () => {
    const clock = new VirtualClock();
    const owner = Lifetime.root({ name: 'virtual', clock });
    const heard = new Heard();
    const ear = await loudVad().open(RATE_HZ, heard, owner);
    say(ear, harm(HANGING), silence(100));
    await clock.advance(MAX_VAD_DELAY_MS + 1);
    expect(begun()).toBe(1);
    say(ear, silence(20));
    await vi.waitFor(() => expect(begun()).toBe(2), PATIENCE);
    await vi.waitFor(() => {
      say(ear, tone(20));
      expect(heard.events).toHaveLength(1);
    }, PATIENCE);
    await owner.close();
  });

  it('hears what comes all at once, and leaves out what is more than may wait', async () => {
    const heard = new Heard();
    const ear = await loudVad().open(RATE_HZ, heard, scope);
    say(ear, silence(500), tone(500), silence(MAX_WAITING_VAD_MS));
    await vi.waitFor(() => expect(heard.events).toHaveLength(2), PATIENCE);
    say(ear, tone(500));
    await vi.waitFor(() => expect(heard.events).toHaveLength(3), PATIENCE);
    expect(begun()).toBe(1);
  });

  it('gives up on what dies again and again, and says so once', async () => {
    const heard = new Heard();
    const ear = await loudVad().open(RATE_HZ, heard, scope);
    await vi.waitFor(() => {
      say(ear, harm(DEADLY));
      expect(heard.errors).toHaveLength(1);
    }, PATIENCE);
    expect(heard.errors[0]).toBeInstanceOf(VadUnavailableError);
    expect(begun()).toBe(1 + VAD_THREAD_RESTARTS);
    expect(warnings).toHaveLength(VAD_THREAD_RESTARTS);
    say(ear, tone(100));
    expect(scope.resources()).toEqual([]);
  });

  it('leaves its place to the next detector, which goes on with the speech under way', async () => {
    const heard = new Heard();
    const ear = await fallbackVad([loudVad(), energyVad()]).open(RATE_HZ, heard, scope);
    say(ear, silence(300), tone(300));
    await vi.waitFor(() => expect(heard.events).toHaveLength(1), PATIENCE);
    await vi.waitFor(() => {
      say(ear, harm(DEADLY));
      expect(warnings.at(-1)).toBe('voice activity detector replaced');
    }, PATIENCE);
    await vi.waitFor(() => {
      say(ear, tone(100));
      say(ear, silence(600));
      expect(heard.events.length).toBeGreaterThan(1);
    }, PATIENCE);
    expect(heard.events.map(([type]) => type).slice(0, 2)).toEqual(['start', 'end']);
    expect(heard.errors).toEqual([]);
  });

  it.each([
    { speechProbability: 2 },
    { silenceProbability: -1 },
    { endSilenceMs: Number.NaN },
    { minimumSpeechMs: -1 },
  ])('refuses %o', (options) => {
    expect(() => loudVad(options)).toThrow(InvalidOptionError);
  });
});
