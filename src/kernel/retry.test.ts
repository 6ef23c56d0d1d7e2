import { describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError } from './errors.ts';
import { Lifetime } from './lifetime.ts';
import type { Random } from './random.ts';
import { seededRandom } from './random.ts';
import { RetryExhaustedError, retry, retryDelayMs } from './retry.ts';
import type { RetryPolicy } from './retry.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The table of clause R3. */
const policy: RetryPolicy = {
  maxAttempts: 10,
  delaysMs: [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  jitterMs: 1_000,
};

const constant = (value: number): Random => ({ next: () => value, fill: (bytes) => bytes });
const attempts = Array.from({ length: 10 }, (_, index) => index + 1);

function setUp(): { clock: VirtualClock; scope: Lifetime } {
  const clock = new VirtualClock();
  return { clock, scope: Lifetime.root({ name: 'leg', clock }) };
}

describe('retry', () => {
  it('R3 delays: the table, with jitter added after the cap and none before the first', () => {
    const table = (random: Random): number[] =>
      attempts.map((attempt) => retryDelayMs(policy, attempt, random));
    const capped = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000];
    expect(table(constant(0))).toEqual(capped);
    expect(table(constant(0.5))).toEqual(capped.map((delayMs) => (delayMs === 0 ? 0 : delayMs + 500)));
    const random = seededRandom(7);
    for (const [index, delayMs] of table(random).entries()) {
      expect(delayMs - capped[index]!).toBeGreaterThanOrEqual(0);
      expect(delayMs - capped[index]!).toBeLessThan(1_000);
    }
  });

  it('R3 attempts: each begins when its delay has passed, and the last failure is the cause of giving up', async () => {
    const { clock, scope } = setUp();
    const begun: number[] = [];
    const attempt = (number: number): Promise<never> => {
      begun.push(clock.now());
      return Promise.reject(new Error(`no ${number}`));
    };
    const result = retry({ policy, random: constant(0), scope, attempt }).catch((error: unknown) => error);
    await clock.advance(3_600_000);
    const error = await result;
    expect(begun).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121, 151].map((seconds) => seconds * 1_000));
    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(error).toMatchObject({ attempts: 10, cause: { message: 'no 10' } });
  });

  it('R3 close: ends a sleep at once, and no attempt begins after it', async () => {
    const { clock, scope } = setUp();
    let begun = 0;
    const result = retry({
      policy,
      random: constant(0),
      scope,
      attempt: () => {
        begun += 1;
        return Promise.reject(new Error('no'));
      },
    });
    const ended = result.then(
      () => 'resolved',
      (error: unknown) => error,
    );
    await clock.advance(1_500);
    expect(begun).toBe(2);
    void scope.close('hung up');
    expect(await ended).toBeInstanceOf(ClosedError);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(2 * 3_600_000);
    expect(begun).toBe(2);
  });

  it('R3 close: in the middle of an attempt its failure is told as the close', async () => {
    const { clock, scope } = setUp();
    const dial = Promise.withResolvers<never>();
    const result = retry({ policy, random: constant(0), scope, attempt: () => dial.promise });
    await clock.settle();
    void scope.close();
    dial.reject(new Error('reset'));
    await expect(result).rejects.toBeInstanceOf(ClosedError);
  });

  it('R3 close: before the first attempt there is none', async () => {
    const { scope } = setUp();
    await scope.close();
    const attempt = (): Promise<never> => expect.unreachable('an attempt after the close');
    await expect(retry({ policy, random: constant(0), scope, attempt })).rejects.toBeInstanceOf(ClosedError);
  });

  it('stops at what is not worth retrying and returns what succeeds', async () => {
    const { clock, scope } = setUp();
    const badKey = new Error('bad key');
    const refused = retry({
      policy,
      random: constant(0),
      scope,
      attempt: () => Promise.reject(badKey),
      isWorthRetrying: (error) => error !== badKey,
    });
    await expect(refused).rejects.toBe(badKey);
    const second = retry({
      policy,
      random: constant(0),
      scope,
      attempt: (number) => (number < 2 ? Promise.reject(new Error('no')) : Promise.resolve(`try ${number}`)),
    });
    await clock.advance(1_000);
    expect(await second).toBe('try 2');
    expect(scope.resources()).toEqual([]);
  });

  it('refuses a policy that allows no attempt', async () => {
    const { scope } = setUp();
    for (const maxAttempts of [0, Number.NaN]) {
      const none = retry({
        policy: { ...policy, maxAttempts },
        random: constant(0),
        scope,
        attempt: () => Promise.resolve(),
      });
      await expect(none).rejects.toBeInstanceOf(InvalidOptionError);
    }
  });
});
