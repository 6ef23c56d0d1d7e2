import { beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { DigitCollector, FIRST_KEY_TIMEOUT_MS, NEXT_KEY_TIMEOUT_MS } from './digit-collector.ts';
import type { DigitCollectorOptions } from './digit-collector.ts';

let clock: VirtualClock;
let owner: Lifetime;
beforeEach(() => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'call', clock });
});

function collect(options: Partial<DigitCollectorOptions> = {}): DigitCollector {
  return new DigitCollector({ owner, ...options });
}

function type(collector: DigitCollector, keys: string): void {
  for (const key of keys) collector.press(key);
}

/** What was collected, where that is over; and nothing is left of it. */
async function result(collector: DigitCollector): Promise<unknown> {
  const over = await Promise.race([collector.collected, clock.settle().then(() => 'not over')]);
  if (over !== 'not over') expect([owner.resources(), clock.pendingTimers]).toEqual([[], 0]);
  return over;
}

describe('DigitCollector', () => {
  it('ends with as many keys as are enough', async () => {
    const pin = collect({ maxKeys: 4 });
    type(pin, '12*4');
    expect(await result(pin)).toEqual({ digits: '12*4', why: 'full' });
  });

  it('ends with the terminator, which is not among the digits', async () => {
    const number = collect();
    type(number, '123#');
    expect(await result(number)).toEqual({ digits: '123', why: 'terminator' });
  });

  it('takes a terminator alone for an answer of its own', async () => {
    const number = collect();
    type(number, '#');
    expect(await result(number)).toEqual({ digits: '', why: 'terminator' });
  });

  it('takes another terminator, or none', async () => {
    const star = collect({ terminator: '*' });
    type(star, '1#*');
    expect(await result(star)).toEqual({ digits: '1#', why: 'terminator' });
    const none = collect({ terminator: '', maxKeys: 2 });
    type(none, '##');
    expect(await result(none)).toEqual({ digits: '##', why: 'full' });
  });

  it('ends when not one key comes in time', async () => {
    const pin = collect();
    await clock.advance(FIRST_KEY_TIMEOUT_MS - 1);
    expect(await result(pin)).toBe('not over');
    await clock.advance(1);
    expect(await result(pin)).toEqual({ digits: '', why: 'nothing' });
  });

  it('waits for each further key anew', async () => {
    const pin = collect();
    for (const key of '123') {
      pin.press(key);
      await clock.advance(NEXT_KEY_TIMEOUT_MS - 1);
    }
    expect(await result(pin)).toBe('not over');
    await clock.advance(1);
    expect(await result(pin)).toEqual({ digits: '123', why: 'timeout' });
  });

  it('waits without a bound while the question is asked, and takes keys meanwhile', async () => {
    const pin = collect({ prompting: true });
    await clock.advance(60_000);
    expect(await result(pin)).toBe('not over');
    pin.promptEnded();
    await clock.advance(FIRST_KEY_TIMEOUT_MS - 1);
    expect(await result(pin)).toBe('not over');
    await clock.advance(1);
    expect(await result(pin)).toEqual({ digits: '', why: 'nothing' });

    const eager = collect({ prompting: true });
    eager.press('1');
    eager.promptEnded();
    await clock.advance(NEXT_KEY_TIMEOUT_MS);
    expect(await result(eager)).toEqual({ digits: '1', why: 'timeout' });
  });

  it('takes no key when it is over', async () => {
    const pin = collect({ maxKeys: 1 });
    expect([pin.press('1'), pin.press('2'), pin.digits]).toEqual([true, false, '1']);
    pin.promptEnded();
    pin.cancel();
    expect(await result(pin)).toEqual({ digits: '1', why: 'full' });
  });

  it('C1 ends with its owner, with what was typed', async () => {
    const pin = collect();
    pin.press('7');
    const closing = owner.close();
    expect(pin.press('8')).toBe(false);
    expect(await pin.collected).toEqual({ digits: '7', why: 'closed' });
    await closing;
    expect(clock.pendingTimers).toBe(0);
    expect(() => collect()).toThrow(ClosedError);
  });

  it('refuses what cannot work', () => {
    const wrong: Partial<DigitCollectorOptions>[] = [
      { maxKeys: 0 },
      { maxKeys: 1.5 },
      { terminator: 'x' },
      { terminator: '##' },
      { firstKeyTimeoutMs: 0 },
      { nextKeyTimeoutMs: Number.NaN },
    ];
    for (const options of wrong) expect(() => collect(options)).toThrow(InvalidOptionError);
    expect(() => collect().press('12')).toThrow(InvalidOptionError);
    expect(() => collect().press('')).toThrow(InvalidOptionError);
  });
});
