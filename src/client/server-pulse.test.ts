import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { PULSE_MS, PULSE_TIMEOUT_MS, ServerPulse } from './server-pulse.ts';

function watched() {
  const clock = new VirtualClock();
  const scope = Lifetime.root({ name: 'client', clock });
  const seen = { asked: 0, dead: 0 };
  const pulse = new ServerPulse(
    scope,
    () => (seen.asked += 1),
    () => (seen.dead += 1),
  );
  return { clock, scope, seen, pulse };
}

describe('ServerPulse', () => {
  it('R12 pulse: asks whoever says nothing, and calls dead who does not answer', async () => {
    const { clock, seen } = watched();
    await clock.advance(PULSE_MS);
    expect(seen).toEqual({ asked: 1, dead: 0 });
    await clock.advance(PULSE_TIMEOUT_MS - 1);
    expect(seen.dead).toBe(0);
    await clock.advance(1);
    expect(seen).toEqual({ asked: 1, dead: 1 });
    await clock.advance(60_000);
    expect(seen).toEqual({ asked: 1, dead: 1 });
  });

  it('R12 pulse: who answers is asked again, and never called dead', async () => {
    const { clock, seen, pulse } = watched();
    for (let minute = 0; minute < 20; minute += 1) {
      await clock.advance(PULSE_MS);
      await clock.advance(PULSE_TIMEOUT_MS / 2);
      pulse.heard();
    }
    expect(seen.dead).toBe(0);
    expect(seen.asked).toBeGreaterThan(10);
  });

  it('R12 pulse: who speaks all the time is never asked', async () => {
    const { clock, seen, pulse } = watched();
    for (let tenth = 0; tenth < 1_000; tenth += 1) {
      await clock.advance(100);
      pulse.heard();
    }
    expect(seen).toEqual({ asked: 0, dead: 0 });
  });

  it('R12 pulse: a timer that comes a minute late asks before it judges', () => {
    const late = { fire: (): void => undefined, nowMs: 0 };
    const clock = {
      now: () => late.nowMs,
      wallTime: () => 0,
      setTimer: (_delayMs: number, fire: () => void) => {
        late.fire = fire;
        return { cancel: () => undefined };
      },
    };
    const seen: string[] = [];
    const scope = Lifetime.root({ name: 'client', clock });
    const pulse = new ServerPulse(
      scope,
      () => seen.push('asked'),
      () => seen.push('dead'),
    );
    late.nowMs = 60_000;
    late.fire();
    expect(seen).toEqual(['asked']);
    pulse.heard();
    late.nowMs = 120_000;
    late.fire();
    expect(seen).toEqual(['asked', 'asked']);
  });

  it('C6 pulse: ends with its scope', async () => {
    const { clock, scope, seen } = watched();
    await scope.close();
    await clock.advance(60_000);
    expect(seen).toEqual({ asked: 0, dead: 0 });
    expect(clock.pendingTimers).toBe(0);
  });
});
