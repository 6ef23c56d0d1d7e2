import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { NO_CONNECTIONS } from '../session/index.ts';
import { Recording, speak } from './call-recording.ts';
import type { CallRecord } from './call-run.ts';
import { judge } from './call-verdict.ts';

describe('speaking a recording', () => {
  it('gives a frame every 20 ms, ends when the last one has been spoken, and keeps no timer', async () => {
    const clock = new VirtualClock();
    const scope = Lifetime.root({ name: 'test', clock });
    const given: [number, number][] = [];
    let endedAtMs: number | undefined;
    speak({
      samples: new Int16Array(16_000 + 100),
      rateHz: 16_000,
      scope,
      frame: (samples) => given.push([clock.now(), samples.length]),
      ended: () => {
        endedAtMs = clock.now();
      },
    });
    await clock.advance(5_000);
    expect(given).toHaveLength(51);
    expect(given.every(([atMs], index) => atMs === index * 20)).toBe(true);
    expect(given.at(-1)).toEqual([1_000, 100]);
    expect(endedAtMs).toBe(1_020);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not drift: what a late timer missed is given at once, and the next frame is due as ever', () => {
    let nowMs = 0;
    const timers: { delayMs: number; fire: () => void }[] = [];
    const scope = Lifetime.root({
      name: 'test',
      clock: {
        now: () => nowMs,
        wallTime: () => nowMs,
        setTimer: (delayMs, fire) => {
          timers.push({ delayMs, fire });
          return { cancel: () => undefined };
        },
      },
    });
    let frames = 0;
    speak({
      samples: new Int16Array(3_200),
      rateHz: 16_000,
      scope,
      frame: () => (frames += 1),
      ended: () => undefined,
    });
    expect([frames, timers[0]?.delayMs]).toEqual([1, 20]);
    nowMs = 73;
    timers[0]?.fire();
    expect([frames, timers[1]?.delayMs]).toEqual([4, 7]);
  });

  it('stops when its scope closes', async () => {
    const clock = new VirtualClock();
    const scope = Lifetime.root({ name: 'test', clock });
    let frames = 0;
    speak({
      samples: new Int16Array(16_000),
      rateHz: 16_000,
      scope,
      frame: () => (frames += 1),
      ended: () => (frames = -1),
    });
    await clock.advance(100);
    await scope.close();
    const atClose = frames;
    await clock.advance(2_000);
    expect(frames).toBe(atClose);
  });
});

/** Something like speech: tones that never repeat, with pauses. */
function speech(seconds: number, rateHz: number): Int16Array {
  return Int16Array.from({ length: seconds * rateHz }, (_value, index) => {
    const atS = index / rateHz;
    const loud = Math.sin(2 * Math.PI * 1.3 * atS) > -0.5 ? 8_000 : 0;
    return Math.round(loud * Math.sin(2 * Math.PI * (200 + 150 * Math.sin(3.7 * atS * atS)) * atS));
  });
}

function record(fields: Partial<CallRecord>): CallRecord {
  return {
    sessionId: 's',
    model: undefined,
    sentMs: 0,
    receivedMs: 0,
    turns: 1,
    firstAudioMs: 10,
    audio: [],
    rateHz: 16_000,
    text: '',
    transcript: '',
    droppedFrames: 0,
    misplacedSamples: 0,
    returns: [],
    connections: NO_CONNECTIONS,
    faults: [],
    failure: undefined,
    end: undefined,
    ...fields,
  };
}

describe('the verdict on a call', () => {
  const sent = speech(3, 16_000);
  const input = { kind: 'speech', recording: new Recording(sent, 16_000) } as const;

  it('is good where an echo gives back what was said', () => {
    const verdict = judge(record({ audio: [sent] }), input, 'auto');
    expect(verdict).toMatchObject({ good: true, problems: [] });
    expect(verdict.comparison?.correlation).toBeGreaterThan(0.99);
  });

  it('is bad where a frame of the echo is missing', () => {
    const broken = new Int16Array([...sent.subarray(0, 20_000), ...sent.subarray(20_320)]);
    expect(judge(record({ audio: [broken] }), input, 'auto').good).toBe(false);
  });

  it('takes what is no echo as an answer, unless an echo was expected', () => {
    const other = Int16Array.from(speech(2, 16_000), (sample, index) => (index % 97) * 100 - sample);
    const noise = other.map((sample, index) => (sample * ((index * 7919) % 31)) % 9_000);
    expect(judge(record({ audio: [noise] }), input, 'auto').good).toBe(true);
    expect(judge(record({ audio: [noise], model: 'echo' }), input, 'auto').good).toBe(false);
    expect(judge(record({ audio: [noise] }), input, 'echo').good).toBe(false);
  });

  it('is bad after a failure, a refusal, dropped frames, or audio out of its own count', () => {
    const text = { kind: 'text', text: 'Hi' } as const;
    expect(judge(record({ text: 'Hi' }), text, 'auto').good).toBe(true);
    expect(judge(record({ text: 'Ho', model: 'echo' }), text, 'auto').good).toBe(false);
    const faults = [{ code: 'HOLDFAST_X', message: 'no' }];
    for (const wrong of [{ failure: 'cut' }, { faults }, { droppedFrames: 1 }, { misplacedSamples: 5 }]) {
      const { good, problems } = judge(record({ text: 'Hi', ...wrong }), text, 'auto');
      expect([good, problems.length]).toEqual([false, 1]);
    }
  });
});
