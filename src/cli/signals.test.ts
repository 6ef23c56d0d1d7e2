import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../kernel/index.ts';
import { SignalLadder } from './signals.ts';

describe('D4 the ladder of signals', () => {
  let clock: VirtualClock;
  let done: string[];
  let told: string[];

  const ladder = (liveSessions: number): SignalLadder => {
    const target = {
      liveSessions,
      drain: () => done.push('drain'),
      close: () => done.push('close'),
      abort: () => done.push('abort'),
    };
    return new SignalLadder(target, { clock, tell: (line) => told.push(line) });
  };

  beforeEach(() => {
    clock = new VirtualClock();
    done = [];
    told = [];
  });

  it('D4 drains, then closes, then aborts', async () => {
    const signals = ladder(2);
    for (let pressed = 0; pressed < 3; pressed += 1) {
      signals.signal();
      await clock.advance(600);
    }
    expect(done).toEqual(['drain', 'close', 'abort']);
    expect(told[0]).toBe('Waiting for 2 calls to end. Ctrl-C again to end them now.');
  });

  it('D4 takes a Ctrl-C that arrives twice for one, at every rung', async () => {
    const signals = ladder(1);
    for (let pressed = 0; pressed < 2; pressed += 1) {
      signals.signal();
      await clock.advance(40);
      signals.signal();
      await clock.advance(2_000);
    }
    expect(done).toEqual(['drain', 'close']);
    expect(told[0]).toBe('Waiting for 1 call to end. Ctrl-C again to end it now.');
  });

  it('D4 says nothing when there is nothing to wait for', () => {
    ladder(0).signal();
    expect([done, told]).toEqual([['drain'], []]);
  });
});
