import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { LOAD_SAMPLE_MS, LoadWatch, MIN_CALLS_TO_REFUSE } from './load-watch.ts';

/** An event loop that is as busy as it is told, from one look to the next. */
function rig(maxUtilization = 0.8) {
  const clock = new VirtualClock();
  const owner = Lifetime.root({ name: 'server', clock });
  const state = { calls: MIN_CALLS_TO_REFUSE, activeMs: 0, idleMs: 0 };
  const watch = new LoadWatch({
    owner,
    maxUtilization,
    calls: () => state.calls,
    eventLoop: { time: () => ({ activeMs: state.activeMs, idleMs: state.idleMs }) },
  });
  watch.callTaken();
  const pass = async (seconds: number, busy: number): Promise<void> => {
    for (let look = 0; look < (seconds * 1_000) / LOAD_SAMPLE_MS; look += 1) {
      state.activeMs += LOAD_SAMPLE_MS * busy;
      state.idleMs += LOAD_SAMPLE_MS * (1 - busy);
      await clock.advance(LOAD_SAMPLE_MS);
    }
  };
  return { owner, state, watch, pass };
}

describe('how busy the event loop is', () => {
  it('L load: what is busy for a moment is not, and what stays so is, before it is too late', async () => {
    const { watch, pass } = rig();
    await pass(10, 0.5);
    expect(watch.utilization).toBeCloseTo(0.5, 1);
    await pass(1, 1);
    expect(watch.isOverloaded).toBe(false);
    await pass(3, 1);
    expect(watch.isOverloaded).toBe(true);
  });

  it('L load: it has to be less busy by a margin before new calls are taken again', async () => {
    const { watch, pass } = rig();
    await pass(20, 0.9);
    expect(watch.isOverloaded).toBe(true);
    await pass(20, 0.78);
    expect(watch.isOverloaded).toBe(true);
    await pass(20, 0.7);
    expect(watch.isOverloaded).toBe(false);
    await pass(20, 0.78);
    expect(watch.isOverloaded).toBe(false);
  });

  it('L load: a server with few calls is busy with something else, and takes them', async () => {
    const { owner, state, watch, pass } = rig();
    await pass(20, 1);
    expect(watch.isOverloaded).toBe(true);
    state.calls = MIN_CALLS_TO_REFUSE - 1;
    await pass(1, 1);
    expect(watch).toMatchObject({ isOverloaded: false, utilization: 0 });
    expect(owner.resources()).toEqual([]);
    watch.callTaken();
    expect(owner.resources()).toEqual([]);
    // What was busy meanwhile is no matter of the calls that come then.
    state.activeMs += 1_000_000;
    state.calls = MIN_CALLS_TO_REFUSE;
    watch.callTaken();
    await pass(1, 0.1);
    expect(watch.isOverloaded).toBe(false);
  });

  it('L load: with a bound of 1 nobody is refused', async () => {
    const { watch, pass } = rig(1);
    await pass(60, 1);
    expect(watch.isOverloaded).toBe(false);
  });
});
