import { describe, expect, it } from 'vitest';
import { seededRandom } from '../kernel/index.ts';
import { Absence, RECONNECT_ATTEMPT_TIMEOUT_MS, isLoss } from './reconnect.ts';

const NO_JITTER = { ...seededRandom(1), next: () => 0 };

describe('an absence', () => {
  it('R3 client: dials at once, then ever more slowly, and not when the server waits no longer', () => {
    const absence = new Absence(1_000, 20_000, 1006, '');
    let nowMs = 1_000;
    const delays: number[] = [];
    for (let delayMs = absence.next(nowMs, NO_JITTER); delayMs !== undefined;) {
      delays.push(delayMs);
      nowMs += delayMs;
      delayMs = absence.next(nowMs, NO_JITTER);
    }
    expect(delays).toEqual([0, 500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000]);
    expect(nowMs).toBeLessThan(absence.untilMs);
  });

  it('R3 client: adds jitter to every delay but the first', () => {
    const half = { ...NO_JITTER, next: () => 0.5 };
    const absence = new Absence(0, 20_000, 1006, '');
    expect([absence.next(0, half), absence.next(0, half), absence.next(0, half)]).toEqual([0, 750, 1_250]);
    expect(absence.attempts).toBe(3);
  });

  it('R11 client: an attempt is bounded, by what is left too', () => {
    const absence = new Absence(0, 20_000, 1006, '');
    expect(absence.attemptTimeoutMs(0)).toBe(RECONNECT_ATTEMPT_TIMEOUT_MS);
    expect(absence.attemptTimeoutMs(19_000)).toBe(1_000);
  });
});

it('P22 what a server of this wire closes with is no loss, what a network or a proxy does is', () => {
  const codes = [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 4000, 4001, 4014, 4100];
  expect(codes.filter((code) => isLoss(code))).toEqual([1001, 1005, 1006, 1011, 1013]);
});
