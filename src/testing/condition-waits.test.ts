import { describe, expect, it } from 'vitest';
import { ClosedError, Lifetime, TimeoutError, VirtualClock } from '../kernel/index.ts';
import { ConditionWaits } from './condition-waits.ts';

const clock = new VirtualClock();

function start(): { readonly scope: Lifetime; readonly waits: ConditionWaits } {
  const scope = Lifetime.root({ name: 'server', clock });
  return { scope, waits: new ConditionWaits(scope) };
}

describe('ConditionWaits', () => {
  it('resolves at once for what holds, and else when a look finds that it does', async () => {
    const { scope, waits } = start();
    await waits.until(
      () => true,
      10,
      () => '',
    );
    let there = false;
    const waiting = waits.until(
      () => there,
      10,
      () => '',
    );
    expect(scope.resources()).toEqual(['wait', 'wait timeout']);
    there = true;
    waits.check();
    await waiting;
    expect(scope.resources()).toEqual([]);
  });

  it('says how things stand when the time is over', async () => {
    const { scope, waits } = start();
    const waiting = waits.until(
      () => false,
      10,
      () => 'two of three',
    );
    await Promise.allSettled([waiting, clock.advance(10)]);
    await expect(waiting).rejects.toBeInstanceOf(TimeoutError);
    await expect(waiting).rejects.toThrow('did not come within 10 ms: two of three.');
    expect(scope.resources()).toEqual([]);
  });

  it('hands on what a condition throws', async () => {
    const { waits } = start();
    const waiting = waits.until(
      () => {
        throw new RangeError('no such connection');
      },
      10,
      () => '',
    );
    await expect(waiting).rejects.toBeInstanceOf(RangeError);
  });

  it('rejects when its scope closes, also one whose signal somebody has asked for, and when it has closed', async () => {
    const { scope, waits } = start();
    expect(scope.signal.aborted).toBe(false);
    const waiting = waits.until(
      () => false,
      10,
      () => 'nothing',
    );
    await Promise.allSettled([waiting, scope.close()]);
    await expect(waiting).rejects.toBeInstanceOf(ClosedError);
    await expect(
      waits.until(
        () => true,
        10,
        () => '',
      ),
    ).rejects.toBeInstanceOf(ClosedError);
  });
});
