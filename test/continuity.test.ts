import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime, seededRandom, systemClock } from '../src/kernel/index.ts';
import { gemini } from '../src/models/gemini/index.ts';
import { AudioChunk } from '../src/protocol/index.ts';
import type { LiveEvent } from '../src/protocol/index.ts';
import { Agent, AgentSession } from '../src/session/index.ts';
import { resample } from '../src/speech/index.ts';
import { FaultProxy, GeminiEmulator, compareAudio } from '../src/testing/index.ts';

const RATE_HZ = 16_000;
const FRAME_SAMPLES = 320;
const FRAME_MS = 20;
/** How much faster than a clock the recording is spoken. */
const SPEED = 8;
const OUTPUT_RATE_HZ = 24_000;
const CONNECTION_AGE_MS = 2_000;
/** A reset comes two to twenty seconds of speech after the one before. */
const MIN_RESET_FRAMES = 100;
const MAX_RESET_FRAMES = 900;

interface Recording {
  readonly samples: Int16Array;
  readonly utterances: number;
}

/** So much talk: utterances of which no two are alike, and the pauses between them. */
function recording(durationMs: number, seed: number): Recording {
  const random = seededRandom(seed);
  const samples = new Int16Array((durationMs / 1_000) * RATE_HZ);
  const between = (low: number, high: number): number => low + random.next() * (high - low);
  let at = RATE_HZ / 2;
  for (let utterances = 0; ; utterances += 1) {
    const length = Math.round(between(0.6, 2) * RATE_HZ);
    if (at + length + RATE_HZ > samples.length) return { samples, utterances };
    const pitchHz = between(120, 300);
    const wobbleHz = between(2, 5);
    let noise = 0;
    for (let index = 0; index < length; index += 1) {
      const seconds = index / RATE_HZ;
      const edge = Math.min(1, index / 200, (length - index) / 200);
      // A hum that wanders, and breath that no other word has.
      noise = 0.7 * noise + (random.next() - 0.5) * 3_000;
      const hum = Math.sin(2 * Math.PI * (pitchHz * seconds + 3 * Math.sin(wobbleHz * seconds)));
      samples[at + index] = edge * (6_000 * hum + noise);
    }
    at += length + Math.round(between(0.9, 1.8) * RATE_HZ);
  }
}

const toClose: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of toClose.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

interface Call {
  readonly events: LiveEvent[];
  readonly resets: number;
  /** Audio that was sent to providers in all. */
  readonly sentMs: number;
}

/** Speaks the recording to an echo whose connections do not last, and gives back what came of it. */
async function call({ samples, utterances }: Recording, seed: number): Promise<Call> {
  const caller = Lifetime.root({ name: 'caller', clock: systemClock });
  toClose.push(caller);
  const provider = await GeminiEmulator.start({
    connectionLifetimeMs: CONNECTION_AGE_MS,
    goAwayLeadMs: 500,
    generationSpeed: 200,
    playbackSpeed: 200,
  });
  toClose.push(provider);
  const proxy = await FaultProxy.start({ target: provider.url });
  toClose.push(proxy);
  const session = new AgentSession({
    agent: new Agent({ name: 'echo' }),
    model: gemini({
      model: 'gemini-2.5-flash-native-audio-latest',
      apiKey: 'any',
      baseUrl: proxy.url,
      maxConnectionAgeMs: CONNECTION_AGE_MS,
      setup: { realtimeInputConfig: { activityHandling: 'NO_INTERRUPTION' } },
    }),
    reconnect: { delaysMs: [0, 20, 50], jitterMs: 0, maxAttempts: 50, withoutHandle: 'reseed' },
  });
  toClose.push(session);
  const events: LiveEvent[] = [];
  session.on('event', (event) => void events.push(event));
  await session.start();

  const random = seededRandom(seed);
  const frames = Math.floor(samples.length / FRAME_SAMPLES);
  const startedAtMs = systemClock.now();
  let resets = 0;
  let nextReset = MIN_RESET_FRAMES + Math.floor(random.next() * MAX_RESET_FRAMES);
  for (let frame = 0; frame < frames;) {
    const due = Math.min(frames, Math.floor(((systemClock.now() - startedAtMs) * SPEED) / FRAME_MS));
    for (; frame < due; frame += 1) {
      const from = frame * FRAME_SAMPLES;
      const chunk = AudioChunk.fromSamples(samples.slice(from, from + FRAME_SAMPLES), RATE_HZ);
      expect(session.queue.sendAudio(chunk)).toBe(true);
      if (frame === nextReset) {
        proxy.reset();
        resets += 1;
        nextReset += MIN_RESET_FRAMES + Math.floor(random.next() * MAX_RESET_FRAMES);
      }
    }
    await caller.sleep(5);
  }
  await expect.poll(() => turnsOf(events).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(utterances);
  const report = await session.close();
  expect(report.reason).toBe('user_initiated');
  return { events, resets, sentMs: session.session.inputMs ?? 0 };
}

/** The answers that came whole, one array for each; of an answer that was cut, another one came. */
function turnsOf(events: readonly LiveEvent[]): readonly Int16Array[] {
  const turns: Int16Array[] = [];
  let pieces: Int16Array[] = [];
  for (const event of events) {
    if (event.type === 'audio') pieces.push(event.audio.samples);
    const isCut = event.type === 'connection' && 'cutTurn' in event && event.cutTurn;
    if (event.type === 'turnComplete' && pieces.length > 0) turns.push(joined(pieces));
    if (event.type === 'turnComplete' || isCut) pieces = [];
  }
  return turns;
}

function joined(pieces: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

describe('a long call', () => {
  it('R7 R8 R9: over connections that last two seconds and are reset now and then, every sample comes back', async () => {
    const sent = recording(120_000, 1);
    const { events, resets, sentMs } = await call(sent, 1);
    const recoveries = events.flatMap((event) =>
      event.type === 'connection' && 'replayedMs' in event ? [event] : [],
    );
    const turns = turnsOf(events).map((turn) => resample(turn, OUTPUT_RATE_HZ, RATE_HZ));
    const comparison = compareAudio(sent.samples, turns, RATE_HZ);
    // Nothing the user said is lost, and nothing is answered twice but what the events say was said twice.
    expect(comparison).toMatchObject({ missingSpeechMs: 0, gaps: [] });
    const replayedMs = recoveries.reduce((sum, recovery) => sum + recovery.replayedMs, 0);
    expect(comparison.doubledMs).toBeLessThanOrEqual(replayedMs);
    expect(sentMs).toBe(Math.floor(sent.samples.length / FRAME_SAMPLES) * FRAME_MS + replayedMs);
    expect(recoveries.every(({ audioGapMs }) => audioGapMs === 0)).toBe(true);
    // It was no easy call.
    expect(resets).toBeGreaterThan(5);
    expect(recoveries.filter(({ state }) => state === 'swapped').length).toBeGreaterThan(1);
    expect(recoveries.length).toBeGreaterThanOrEqual(resets);
  }, 60_000);
});
