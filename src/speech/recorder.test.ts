import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import type { Clock, Timer } from '../kernel/index.ts';
import { isCollected, settledBytes } from '../../test/support/garbage.ts';
import { readStereoWav } from '../../test/support/stereo-wav.ts';
import {
  MAX_AGENT_AHEAD_MS,
  MAX_USER_AHEAD_MS,
  RECORDING_BLOCK_MS,
  RECORDING_HOLD_MS,
  Recorder,
} from './recorder.ts';
import type { RecorderOptions } from './recorder.ts';
import type { RecordingSink } from './recording-file.ts';
import { MAX_UNWRITTEN_RECORDING_BYTES, RecorderError } from './recording-writer.ts';
import { SampleRateError } from './sample-rate.ts';

// One sample a millisecond: positions can be read as times.
const RATE_HZ = 1_000;
/** Ten times as long as usual, so that a second of them takes few turns of the event loop. */
const FRAME_MS = 100;

/** A file in memory, which can be told to fail or to stall. */
class MemoryFile implements RecordingSink {
  readonly name = 'memory';
  bytes = new Uint8Array(0);
  bytesWritten = 0;
  closes = 0;
  failure: Error | undefined;
  stall: Promise<void> | undefined;

  async write(bytes: Uint8Array, at: number): Promise<void> {
    this.bytesWritten += bytes.length;
    await this.stall;
    if (this.failure !== undefined) throw this.failure;
    if (at + bytes.length > this.bytes.length) {
      const longer = new Uint8Array(at + bytes.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(bytes, at);
  }

  async close(): Promise<void> {
    this.closes += 1;
    await this.stall;
  }
}

let clock: VirtualClock;
let owner: Lifetime;
let file: MemoryFile;

beforeEach(() => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'session', clock });
  file = new MemoryFile();
});

function record(options: Partial<RecorderOptions> = {}): Recorder {
  return new Recorder({ owner, to: file, rateHz: RATE_HZ, ...options });
}

/** `ms` of audio with a value that tells which it is. */
const audio = (ms: number, value: number): Int16Array => new Int16Array(ms).fill(value);

/** The runs of equal samples: `[value, length]`. */
function runs(samples: Int16Array): [number, number][] {
  const found: [number, number][] = [];
  for (const sample of samples) {
    const last = found.at(-1);
    if (last?.[0] === sample) last[1] += 1;
    else found.push([sample, 1]);
  }
  return found;
}

async function ended(): Promise<{ left: [number, number][]; right: [number, number][] }> {
  await owner.close();
  const { left, right, declaredBytes } = readStereoWav(file.bytes);
  expect(declaredBytes).toBe(file.bytes.length - 44);
  return { left: runs(left), right: runs(right) };
}

/** Speaks as a microphone does: frame after frame, each when it is over. */
async function speak(recorder: Recorder, ms: number, value: number): Promise<void> {
  for (let at = 0; at < ms; at += FRAME_MS) {
    await clock.advance(FRAME_MS);
    recorder.user(audio(FRAME_MS, value), RATE_HZ);
  }
}

/** A clock whose hours cost no turn of the event loop: its timers fire within `pass`. */
class PassingClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; fire: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, fire };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  /** Lets time pass by less than the distance of two timers. */
  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { fire } of due) fire();
  }
}

describe('the line of time', () => {
  it('has the user left, where the audio arrived, and the agent right, from when the first of it came', async () => {
    const recorder = record();
    await clock.advance(1_000);
    await speak(recorder, 200, 5_000);
    recorder.agent(audio(300, 7_000), RATE_HZ);
    await clock.advance(800);
    expect(await ended()).toEqual({
      left: [
        [0, 1_000],
        [5_000, 200],
        [0, 800],
      ],
      right: [
        [0, 1_200],
        [7_000, 300],
        [0, 500],
      ],
    });
  });

  it('lays what the agent says faster than it is heard one after the other', async () => {
    const recorder = record();
    for (let second = 1; second <= 5; second += 1) recorder.agent(audio(1_000, second), RATE_HZ);
    await clock.advance(6_000);
    const { right } = await ended();
    expect(right).toEqual([
      [1, 1_000],
      [2, 1_000],
      [3, 1_000],
      [4, 1_000],
      [5, 1_000],
      [0, 1_000],
    ]);
  });

  it('S4 leaves out what a barge-in left unheard, and goes on with the next speech', async () => {
    const recorder = record();
    recorder.agent(audio(5_000, 1), RATE_HZ);
    await clock.advance(2_000);
    recorder.cutAgent();
    await clock.advance(300);
    recorder.agent(audio(100, 2), RATE_HZ);
    await clock.advance(200);
    const { right } = await ended();
    expect(right).toEqual([
      [1, 2_000],
      [0, 300],
      [2, 100],
      [0, 100],
    ]);
  });

  it('S4 cuts where the client says it was heard to, as far as that is not written', async () => {
    const recorder = record();
    await clock.advance(100);
    recorder.agent(audio(5_000, 1), RATE_HZ);
    await clock.advance(2_000);
    recorder.cutAgent(1_800);
    await clock.advance(1_000);
    const { right } = await ended();
    expect(right).toEqual([
      [0, 100],
      [1, 1_800],
      [0, 1_200],
    ]);
  });

  it('ends with what was heard: nothing that the agent had yet to say is in it', async () => {
    const recorder = record();
    recorder.agent(audio(60_000, 1), RATE_HZ);
    await clock.advance(1_500);
    expect((await ended()).right).toEqual([[1, 1_500]]);
  });

  it('has no hole where frames came late together', async () => {
    const recorder = record();
    await speak(recorder, 1_000, 1_000);
    await clock.advance(300);
    for (let frame = 0; frame < 15; frame += 1) recorder.user(audio(20, 1_000), RATE_HZ);
    await speak(recorder, 500, 1_000);
    expect((await ended()).left).toEqual([[1_000, 1_800]]);
  });

  it('keeps every word of a stall longer than what is held, and is in its place again after a silence', async () => {
    const recorder = record();
    await speak(recorder, 1_000, 1_000);
    await clock.advance(2_000);
    for (let frame = 0; frame < 100; frame += 1) recorder.user(audio(20, 2_000), RATE_HZ);
    await speak(recorder, 3_000, 0);
    await speak(recorder, 200, 3_000);
    await clock.advance(1_000);
    const { left } = await ended();
    const lengthOf = (value: number): number | undefined => left.find(([found]) => found === value)?.[1];
    expect([lengthOf(1_000), lengthOf(2_000), lengthOf(3_000)]).toEqual([1_000, 2_000, 200]);
    const until = left.slice(
      0,
      left.findIndex(([value]) => value === 3_000),
    );
    const startMs = until.reduce((sum, [, length]) => sum + length, 0);
    expect(Math.abs(startMs - 6_000)).toBeLessThanOrEqual(120);
    expect(recorder.stats.skippedSilenceMs).toBeGreaterThan(1_000);
  });

  it.each([
    ['fast', 0.99],
    ['slow', 1.01],
  ])('stays beside a client whose clock is %s by a hundredth', async (_name, pace) => {
    const passing = new PassingClock();
    const call = Lifetime.root({ name: 'call', clock: passing });
    const recorder = new Recorder({ owner: call, to: file, rateHz: RATE_HZ });
    // Three minutes: two seconds of speech, two of silence, and so on; each speech has a value of its own.
    const startsMs: number[] = [];
    for (let frame = 0; frame < 9_000; frame += 1) {
      passing.pass(20 * pace);
      const speech = Math.floor(frame / 100);
      if (frame % 200 === 0) startsMs.push(passing.now() - 20);
      recorder.user(audio(20, speech % 2 === 0 ? 1_000 + speech : 0), RATE_HZ);
      await Promise.resolve();
    }
    await call.close();
    const { left } = readStereoWav(file.bytes);
    startsMs.forEach((startMs, i) => {
      const at = left.indexOf(1_000 + 2 * i);
      expect(Math.abs(at - startMs)).toBeLessThanOrEqual(RECORDING_HOLD_MS + RECORDING_BLOCK_MS);
      expect(left.filter((sample) => sample === 1_000 + 2 * i)).toHaveLength(2_000);
    });
  });

  it('keeps pauses exactly where positions tell them', async () => {
    const recorder = record();
    await clock.advance(100);
    recorder.user(audio(20, 1_000), RATE_HZ, 500);
    await clock.advance(100);
    // 40 ms later than it would have come without a stall.
    recorder.user(audio(20, 2_000), RATE_HZ, 560);
    await clock.advance(100);
    expect((await ended()).left).toEqual([
      [0, 80],
      [1_000, 20],
      [0, 40],
      [2_000, 20],
      [0, 140],
    ]);
  });

  it('takes positions that begin anew for a new stream', async () => {
    const recorder = record();
    await clock.advance(100);
    recorder.user(audio(20, 1_000), RATE_HZ, 900_000);
    await clock.advance(1_000);
    recorder.user(audio(20, 2_000), RATE_HZ, 0);
    expect((await ended()).left).toEqual([
      [0, 80],
      [1_000, 20],
      [0, 980],
      [2_000, 20],
    ]);
  });

  it('converts every rate to the one of the file, without a seam', async () => {
    const recorder = record({ rateHz: 24_000 });
    let phase = 0;
    for (let frame = 0; frame < 100; frame += 1) {
      await clock.advance(20);
      const tone = Int16Array.from({ length: 320 }, () =>
        Math.round(10_000 * Math.sin((phase++ * 2 * Math.PI * 500) / 16_000)),
      );
      recorder.user(tone, 16_000, frame * 320);
      recorder.agent(tone, 16_000);
    }
    await clock.advance(1_000);
    await owner.close();
    const { left, right, rateHz } = readStereoWav(file.bytes);
    expect(rateHz).toBe(24_000);
    for (const side of [left, right]) {
      const first = side.findIndex((sample) => Math.abs(sample) > 100);
      const sound = side.subarray(first + 100, first + 47_500);
      // A tone of 500 Hz never moves by more than this between two samples; a seam would.
      const steps = sound.slice(1).map((sample, i) => Math.abs(sample - (sound[i] ?? 0)));
      expect(Math.max(...steps)).toBeLessThan(1_400);
      expect(Math.max(...sound)).toBeGreaterThan(9_900);
    }
  });
});

describe('what the file is worth', () => {
  it('is a whole WAV at every moment, and lacks less than its last second', async () => {
    const recorder = record();
    for (let second = 0; second < 20; second += 1) {
      await speak(recorder, 500, 1_000);
      const { left, declaredBytes } = readStereoWav(file.bytes.length > 44 ? file.bytes : formatEmpty());
      expect(declaredBytes).toBeLessThanOrEqual(Math.max(0, file.bytes.length - 44));
      expect(clock.now() - left.length).toBeLessThanOrEqual(RECORDING_HOLD_MS + RECORDING_BLOCK_MS);
    }
  });

  it('writes next to nothing while nobody speaks', async () => {
    record();
    await clock.advance(60_000);
    expect(file.bytesWritten).toBe(240 * (44 + 4) - 2 * (44 + 4));
    await owner.close();
    const { left, right } = readStereoWav(file.bytes);
    expect([runs(left), runs(right)]).toEqual([[[0, 60_000]], [[0, 60_000]]]);
  });

  it(
    'S5 holds no more memory after an hour of a call than after its first minutes',
    { timeout: 60_000 },
    async () => {
      const passing = new PassingClock();
      await using call = Lifetime.root({ name: 'call', clock: passing });
      const nothing: RecordingSink = {
        name: 'nothing',
        write: async () => undefined,
        close: async () => undefined,
      };
      const recorder = new Recorder({ owner: call, to: nothing });
      const frame = new Int16Array(480).fill(900);
      const burst = new Int16Array(24_000).fill(800);
      const minute = async (): Promise<void> => {
        for (let at = 0; at < 3_000; at += 1) {
          passing.pass(20);
          recorder.user(frame, 24_000);
          if (at % 500 === 0) for (let second = 0; second < 8; second += 1) recorder.agent(burst, 24_000);
          // The sink takes what it was given.
          await Promise.resolve();
        }
      };
      for (let i = 0; i < 3; i += 1) await minute();
      const before = await settledBytes();
      for (let i = 0; i < 57; i += 1) await minute();
      expect((await settledBytes()) - before).toBeLessThan(1_000_000);
      expect(recorder.stats).toMatchObject({ lostMs: 0, droppedUserMs: 0, droppedAgentMs: 0 });
      expect(recorder.stats.durationMs).toBeGreaterThan(3_599_000);
    },
  );

  it('bounds what may run ahead, and counts the rest', async () => {
    const recorder = record();
    recorder.agent(audio(MAX_AGENT_AHEAD_MS + 700, 1), RATE_HZ);
    for (let i = 0; i < 12; i += 1) recorder.user(audio(1_000, 1_000), RATE_HZ);
    expect(recorder.stats.droppedAgentMs).toBe(700);
    expect(recorder.stats.droppedUserMs).toBe(12_000 - MAX_USER_AHEAD_MS);
    await owner.close();
  });
});

/** What a file is before its first block. */
function formatEmpty(): Uint8Array {
  const bytes = new Uint8Array(44);
  bytes.set(new TextEncoder().encode('RIFF....WAVEfmt '));
  bytes.set([2, 0], 22);
  bytes.set([16, 0], 34);
  bytes.set(new TextEncoder().encode('data'), 36);
  return bytes;
}

describe('a disk that fails', () => {
  it('costs a gap of silence, told once for a row of losses, and the recording goes on', async () => {
    const errors: RecorderError[] = [];
    const recorder = record({ onError: (error) => errors.push(error) });
    await speak(recorder, 2_000, 1_000);
    file.failure = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    await speak(recorder, 1_000, 2_000);
    file.failure = undefined;
    await speak(recorder, 2_000, 3_000);
    const { left } = await ended();
    expect(left.map(([value]) => value)).toEqual([1_000, 0, 2_000, 3_000]);
    expect(left.reduce((sum, [, length]) => sum + length, 0)).toBe(5_000);
    expect(recorder.stats.lostMs).toBe(1_000);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(RecorderError);
    expect(errors[0]).toMatchObject({ code: 'HOLDFAST_RECORDER', cause: { code: 'ENOSPC' } });
    expect(errors[0]?.message).toBe(
      'The recording memory has a gap: no space left; make room, or give a file on another disk.',
    );
  });

  it('C8 breaks nothing when the listener throws', async () => {
    const recorder = record({
      onError: () => {
        throw new Error('listener');
      },
    });
    file.failure = new Error('broken');
    await speak(recorder, 1_000, 1_000);
    file.failure = undefined;
    await speak(recorder, 1_000, 2_000);
    expect((await ended()).left.at(-1)?.[0]).toBe(2_000);
  });

  it('loses what it cannot take in time, and holds no more than the bound', async () => {
    const errors: RecorderError[] = [];
    const recorder = record({ rateHz: 24_000, onError: (error) => errors.push(error) });
    const stall = Promise.withResolvers<void>();
    file.stall = stall.promise;
    for (let at = 0; at < 60_000; at += 500) {
      await clock.advance(500);
      recorder.user(new Int16Array(12_000).fill(1_000), 24_000);
    }
    const heldMs = MAX_UNWRITTEN_RECORDING_BYTES / 96;
    expect(recorder.stats.lostMs).toBeGreaterThan(59_000 - heldMs);
    expect(recorder.stats.lostMs).toBeLessThan(61_000 - heldMs);
    expect(errors[0]?.message).toMatch(/the disk is too slow/);
    file.stall = undefined;
    stall.resolve();
    await clock.advance(500);
    recorder.user(new Int16Array(12_000).fill(2_000), 24_000);
    await owner.close();
    const found = runs(readStereoWav(file.bytes).left);
    // All of it has its place in time, after the gap too.
    expect(found.map(([value]) => value)).toEqual([1_000, 0, 1_000, 2_000]);
    expect(found.reduce((sum, [, length]) => sum + length, 0)).toBe(60_500 * 24);
  });

  it('C3 C4 a disk that stalls for ever is named in the report and holds the close up no longer than its bound', async () => {
    const recorder = record();
    await speak(recorder, 2_000, 1_000);
    file.stall = new Promise(() => undefined);
    await speak(recorder, 1_000, 2_000);
    const closing = owner.close();
    await clock.advance(1_000);
    const report = await closing;
    expect(report.durationMs).toBeLessThanOrEqual(1_000);
    expect(report.steps).toMatchObject([{ name: 'recorder/recording', outcome: 'abandoned' }]);
    expect(owner.resources()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    expect(readStereoWav(file.bytes).left.length).toBeGreaterThan(1_000);
  });

  it('C6 keeps no owner in memory while a write hangs', async () => {
    const outside: unknown[] = [];
    file.stall = new Promise((resolve) => outside.push(resolve));
    let session: Lifetime | undefined = Lifetime.root({ name: 'session', clock });
    let recorder: Recorder | undefined = new Recorder({ owner: session, to: file, rateHz: RATE_HZ });
    const weak = [new WeakRef(session), new WeakRef(recorder)];
    recorder.agent(audio(2_000, 1), RATE_HZ);
    await clock.advance(2_000);
    const closing = session.close();
    await clock.advance(1_000);
    await closing;
    session = undefined;
    recorder = undefined;
    for (const ref of weak) expect(await isCollected(ref)).toBe(true);
    expect(file.closes).toBe(1);
  });

  it('C4 C5 an abort waits for no block: what was not written is counted', async () => {
    const recorder = record();
    const stall = Promise.withResolvers<void>();
    file.stall = stall.promise;
    await speak(recorder, 3_000, 1_000);
    const aborting = owner.abort();
    await clock.advance(1_000);
    const report = await aborting;
    expect(report.durationMs).toBeLessThanOrEqual(1_000);
    expect(report.steps).toMatchObject([{ name: 'recorder/recording', outcome: 'abandoned' }]);
    expect(recorder.stats.lostMs).toBeGreaterThan(2_000);
    const written = file.bytesWritten;
    stall.resolve();
    await clock.advance(1_000);
    // Nothing is written to a file that is let go of.
    expect(file.bytesWritten).toBe(written);
    expect([file.closes, clock.pendingTimers]).toEqual([1, 0]);
  });

  it('C3 tells in the report of its close when the last of it could not be written', async () => {
    const recorder = record();
    file.failure = new Error('broken');
    await speak(recorder, 1_000, 1_000);
    const { steps } = await recorder.close();
    expect(steps).toMatchObject([
      { name: 'recording', outcome: 'failed', error: { code: 'HOLDFAST_RECORDER' } },
    ]);
    expect(owner.isOpen).toBe(true);
    expect(owner.resources()).toEqual([]);
  });
});

describe('the calls', () => {
  it('C1 do nothing after the close', async () => {
    const recorder = record();
    await speak(recorder, 1_000, 1_000);
    const closing = owner.close();
    recorder.user(audio(500, 2), RATE_HZ);
    recorder.agent(audio(500, 2), RATE_HZ);
    recorder.cutAgent();
    await closing;
    expect(runs(readStereoWav(file.bytes).left)).toEqual([[1_000, 1_000]]);
    expect(file.closes).toBe(1);
    expect(clock.pendingTimers).toBe(0);
    expect(() => record()).toThrow(ClosedError);
  });

  it('refuse impossible rates and positions', async () => {
    const recorder = record();
    expect(() => recorder.user(audio(20, 1), 0)).toThrow(SampleRateError);
    expect(() => recorder.agent(audio(20, 1), 1.5)).toThrow(SampleRateError);
    expect(() => recorder.user(audio(20, 1), RATE_HZ, 0.5)).toThrow(InvalidOptionError);
    expect(() => record({ rateHz: -1 })).toThrow(SampleRateError);
    await owner.close();
  });

  it('leave nothing behind of a recorder that is disposed of', async () => {
    {
      await using recorder = record();
      recorder.user(audio(20, 1), RATE_HZ);
    }
    expect([file.closes, clock.pendingTimers, owner.resources()]).toEqual([1, 0, []]);
  });
});

describe('a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-recorder-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is made with its folder, and is its owner’s alone', async () => {
    const path = join(folder, 'calls/today/one.wav');
    const recorder = record({ to: path });
    await speak(recorder, 1_000, 1_234);
    await owner.close();
    expect(runs(readStereoWav(readFileSync(path)).left)).toEqual([[1_234, 1_000]]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is never written over when it is there already', async () => {
    const path = join(folder, 'one.wav');
    writeFileSync(path, 'something else');
    const told = Promise.withResolvers<RecorderError>();
    const recorder = record({ to: path, onError: told.resolve });
    await speak(recorder, 1_000, 1_000);
    expect((await told.promise).message).toMatch(/is not written over; give a name of its own/);
    await owner.close();
    expect(readFileSync(path, 'utf8')).toBe('something else');
  });
});
