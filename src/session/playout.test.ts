import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../kernel/index.ts';
import { AudioChunk } from '../protocol/index.ts';
import { PLAYOUT_REPORT_GRACE_MS, Playout } from './playout.ts';

const RATE_HZ = 24_000;
const audioOf = (ms: number): AudioChunk =>
  AudioChunk.fromSamples(new Int16Array((ms * RATE_HZ) / 1_000), RATE_HZ);
const samplesOf = (ms: number): number => (ms * RATE_HZ) / 1_000;

function playing(ms: number): { clock: VirtualClock; playout: Playout } {
  const clock = new VirtualClock();
  const playout = new Playout(clock, RATE_HZ);
  playout.sent(audioOf(ms));
  return { clock, playout };
}

describe('Playout', () => {
  it('S4 playout: what nobody reports is taken to be heard at its own pace, one piece after the other', async () => {
    const { clock, playout } = playing(1_000);
    playout.sent(audioOf(500));
    expect(playout.sentSamples).toBe(samplesOf(1_500));
    expect(playout.heardSamples).toBe(0);
    await clock.advance(700);
    expect(playout.heardSamples).toBe(samplesOf(700));
    expect(playout.leftMs(samplesOf(1_000))).toBe(300);
    expect(playout.leftMs(samplesOf(1_500))).toBe(800);
    await clock.advance(10_000);
    expect(playout.heardSamples).toBe(samplesOf(1_500));
    // After a pause the next piece begins when it comes.
    playout.sent(audioOf(100));
    await clock.advance(40);
    expect(playout.heardSamples).toBe(samplesOf(1_540));
  });

  it('S4 playout: a report is believed instead of the clock, and never goes back or beyond what was sent', async () => {
    const { clock, playout } = playing(1_000);
    const told: number[] = [];
    playout.onReport(() => told.push(playout.heardSamples));
    await clock.advance(500);
    playout.reported(samplesOf(200));
    playout.reported(samplesOf(100));
    await clock.advance(100);
    expect(playout.heardSamples).toBe(samplesOf(200));
    playout.reported(samplesOf(5_000));
    expect(playout.heardSamples).toBe(samplesOf(1_000));
    expect(told).toEqual([samplesOf(200), samplesOf(200), samplesOf(1_000)]);
  });

  it('S3 playout: a client that no longer reports is not waited for', async () => {
    const { clock, playout } = playing(1_000);
    playout.reported(samplesOf(100));
    await clock.advance(1_000 + PLAYOUT_REPORT_GRACE_MS - 1);
    expect(playout.heardSamples).toBe(samplesOf(100));
    expect(playout.leftMs(samplesOf(1_000))).toBe(1);
    await clock.advance(1);
    expect(playout.heardSamples).toBe(samplesOf(1_000));
    expect(playout.leftMs(samplesOf(1_000))).toBe(0);
  });

  it('S4 playout: what was dropped is not waited for, and a report from before it changes nothing', async () => {
    const { clock, playout } = playing(1_000);
    await clock.advance(250);
    playout.dropped();
    expect(playout.leftMs(samplesOf(1_000))).toBe(0);
    playout.sent(audioOf(100));
    expect(playout.heardSamples).toBe(samplesOf(1_000));
    playout.reported(samplesOf(240));
    expect(playout.heardSamples).toBe(samplesOf(1_000));
    playout.reported(samplesOf(1_040));
    expect(playout.heardSamples).toBe(samplesOf(1_040));
  });

  it('S4 playout: what is sent while nobody listens stays unheard, and is heard at its own pace afterwards', async () => {
    const { clock, playout } = playing(1_000);
    await clock.advance(400);
    playout.pause();
    playout.pause();
    await clock.advance(60_000);
    playout.sent(audioOf(500));
    await clock.advance(60_000);
    expect(playout.heardSamples).toBe(samplesOf(400));
    // Asked again and again, and never told that it is over.
    expect(playout.leftMs(samplesOf(1_000))).toBeGreaterThan(0);
    expect(playout.leftMs(samplesOf(400))).toBe(0);
    let looked = 0;
    playout.onReport(() => (looked += 1));
    playout.resume();
    expect(looked).toBe(1);
    expect(playout.leftMs(samplesOf(1_500))).toBe(1_100);
    await clock.advance(100);
    expect(playout.heardSamples).toBe(samplesOf(500));
    await clock.advance(1_000);
    expect(playout.heardSamples).toBe(samplesOf(1_500));
    playout.resume();
    expect(looked).toBe(1);
  });

  it('S4 playout: who reports is waited for anew when it listens again, and what was dropped meanwhile is not heard', async () => {
    const { clock, playout } = playing(1_000);
    playout.reported(samplesOf(200));
    playout.pause();
    await clock.advance(PLAYOUT_REPORT_GRACE_MS * 10);
    expect(playout.heardSamples).toBe(samplesOf(200));
    playout.resume();
    expect(playout.heardSamples).toBe(samplesOf(200));
    playout.reported(samplesOf(600));
    expect(playout.heardSamples).toBe(samplesOf(600));
    playout.pause();
    playout.dropped();
    expect(playout.heardSamples).toBe(samplesOf(1_000));
    playout.resume();
    expect(playout.leftMs(samplesOf(1_000))).toBe(0);
  });
});
