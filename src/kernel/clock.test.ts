import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.ts';
import { Deadline } from './deadline.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('waits out delays longer than setTimeout can take, which would otherwise fire at once', () => {
    const fired = vi.fn<() => void>();
    const delays = vi.spyOn(globalThis, 'setTimeout');
    const sixtyDaysMs = 60 * 86_400_000;
    systemClock.setTimer(sixtyDaysMs, fired);
    vi.advanceTimersByTime(sixtyDaysMs - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledOnce();
    expect(Math.max(...delays.mock.calls.map(([, delayMs]) => delayMs ?? 0))).toBe(2 ** 31 - 1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never fires for an endless delay, and a long one can be cancelled in any part of it', () => {
    const fired = vi.fn<() => void>();
    const endless = systemClock.setTimer(Infinity, fired);
    const long = systemClock.setTimer(2 ** 33, fired);
    vi.advanceTimersByTime(2 ** 32);
    long.cancel();
    long.cancel();
    vi.advanceTimersByTime(2 ** 33);
    endless.cancel();
    expect(fired).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rounds a delay up, so that a deadline has passed when its timer fires', () => {
    const delays = vi.spyOn(globalThis, 'setTimeout');
    for (const delayMs of [10.2, 0.1, 0, -5, Number.NaN]) systemClock.setTimer(delayMs, () => undefined);
    expect(delays.mock.calls.map(([, delayMs]) => delayMs)).toEqual([11, 1, 0, 0, 0]);
  });
});

describe('VirtualClock', () => {
  it('fires in order of due time, then of making, with every microtask in between', async () => {
    const clock = new VirtualClock();
    const seen: [string, number][] = [];
    const note = (name: string) => (): void => void seen.push([name, clock.now()]);
    clock.setTimer(20, note('c'));
    clock.setTimer(10, () => {
      note('a')();
      void Promise.resolve().then(() => clock.setTimer(5, note('nested')));
    });
    clock.setTimer(10, note('b'));
    clock.setTimer(21, note('later'));
    await clock.advance(20);
    expect(seen).toEqual([
      ['a', 10],
      ['b', 10],
      ['nested', 15],
      ['c', 20],
    ]);
    expect(clock.now()).toBe(20);
    expect(clock.pendingTimers).toBe(1);
    expect(clock.wallTime()).toBe(Date.UTC(2030, 0, 1) + 20);
  });

  it('never goes back, nor breaks on delays that are no numbers', async () => {
    const clock = new VirtualClock();
    await Promise.all([clock.advance(100), clock.advance(10)]);
    expect(clock.now()).toBe(100);
    let fired = 0;
    for (const delayMs of [Number.NaN, -1, 0]) clock.setTimer(delayMs, () => (fired += 1));
    const endless = clock.setTimer(Infinity, () => (fired += 1));
    await clock.settle();
    expect([fired, clock.now(), clock.pendingTimers]).toEqual([3, 100, 1]);
    endless.cancel();
  });
});

describe('Deadline', () => {
  it('is passed down: a part never ends later than the whole', async () => {
    const clock = new VirtualClock();
    const whole = Deadline.after(clock, 1_000);
    await clock.advance(400);
    expect([whole.remainingMs, whole.within(100).remainingMs, whole.within(5_000).atMs]).toEqual([
      600, 100, 1_000,
    ]);
    await clock.advance(5_000);
    expect([whole.remainingMs, whole.expired, whole.within(10).expired]).toEqual([0, true, true]);
  });
});
