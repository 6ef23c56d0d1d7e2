import assert from 'node:assert/strict';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import type { CloseReport } from '../../src/kernel/index.ts';
import type { Way, WayTable } from './way-table.ts';
import { code, duration, list } from './words.ts';

const GOODBYE_MS = 200;
const WORK_MS = 3_000;

interface Owners {
  readonly clock: VirtualClock;
  readonly root: Lifetime;
  readonly call: Lifetime;
}

/**
 * An owner with a child. The child has a socket that says goodbye in 200 ms and work that a drain waits three seconds
 * for; the owner has a hook, which never ends where `hangs` says so.
 */
function owners(hangs: boolean): Owners {
  const clock = new VirtualClock();
  const after = (ms: number): Promise<void> =>
    new Promise((resolve) => void clock.setTimer(ms, () => resolve()));
  const root = Lifetime.root({ name: 'owner', clock });
  const call = root.child('call');
  call.own('socket', {}, { close: () => after(GOODBYE_MS), abort: () => undefined });
  call.own('work', {}, { phase: 'settle', drain: () => after(WORK_MS), close: () => undefined });
  call.own('hook', {}, { phase: 'hooks', close: () => (hangs ? new Promise(() => undefined) : undefined) });
  return { clock, root, call };
}

interface LifetimeWay {
  readonly name: string;
  readonly hangs?: boolean;
  readonly why: string;
  ask(owners: Owners): unknown;
}

function ending({ name, hangs = false, why, ask }: LifetimeWay): Way {
  return {
    name,
    why,
    play: async () => {
      const { clock, root, call } = owners(hangs);
      const ended = { report: undefined as CloseReport | undefined, atMs: 0 };
      void call.closed.then((report) => Object.assign(ended, { report, atMs: clock.now() }));
      ask({ clock, root, call });
      const { tag } = call.state;
      await clock.advance(WORK_MS + 10_000);
      const { report, atMs } = ended;
      assert.ok(report !== undefined, 'it has not ended');
      assert.deepEqual(call.resources(), []);
      assert.equal(clock.pendingTimers, 0);
      const steps = report.steps.map((step) => `${code(step.name)} ${step.outcome}`);
      return [code(tag), `${code(report.verb)}, ${code(report.reason)}`, list(steps), duration(atMs)];
    },
  };
}

/** Created when its owner closes already. */
const tooLate: Way = {
  name: 'it is created under an owner that is closing [C1]',
  why: 'There is no owner; what was made for it is let go of, and its creator is told.',
  play: async () => {
    const { root, clock } = owners(false);
    void root.close();
    let letGo = false;
    assert.throws(() => root.own('late', {}, { close: () => undefined, abort: () => void (letGo = true) }), {
      code: 'HOLDFAST_CLOSED',
    });
    assert.throws(() => root.child('late'), { code: 'HOLDFAST_CLOSED' });
    assert.ok(letGo);
    await clock.advance(10_000);
    return [code('closed'), `none: ${code('HOLDFAST_CLOSED')} is thrown`, 'aborted', 'at once'];
  },
};

export const lifetime: WayTable = {
  name: 'lifetime',
  columns: ['how it ends', 'state at once', 'verb, reason', 'steps', 'took', 'what it means'],
  ways: [
    ending({
      name: '`close()`',
      why: 'The whole tree is closing before the call returns [C1]; then the plan, phase after phase.',
      ask: ({ call }) => call.close('hung up'),
    }),
    ending({
      name: '`abort()`',
      why: 'The same with every step at once, sockets first [C5].',
      ask: ({ call }) => call.abort(),
    }),
    ending({
      name: '`drain()`',
      why: 'What has a `drain` is waited for, then it closes.',
      ask: ({ call }) => call.drain(),
    }),
    ending({
      name: '`drain()`, then `close()`',
      why: 'A harder verb takes over at once, with its own reason [C2].',
      ask: ({ call }) => {
        void call.drain();
        void call.close('hung up');
      },
    }),
    ending({
      name: '`close()`, then `abort()`',
      why: 'It is hardened; the first reason stays [C2].',
      ask: ({ call }) => {
        void call.close('hung up');
        void call.abort();
      },
    }),
    ending({
      name: 'its owner closes',
      why: 'It is closing in the same instant, and its plan runs in its phase of the plan of its owner.',
      ask: ({ root }) => root.close('stop'),
    }),
    ending({
      name: 'a signal it was told to `closeOn` fires',
      why: 'As `close()`; the listener is taken away.',
      ask: ({ call }) => {
        const leaver = new AbortController();
        call.closeOn(leaver.signal);
        leaver.abort();
      },
    }),
    ending({
      name: '`close()`, and a step hangs',
      hangs: true,
      why: 'The step is told to give up at its bound, and named [C4].',
      ask: ({ call }) => call.close('hung up'),
    }),
    ending({
      name: '`abort()`, and a step hangs',
      hangs: true,
      why: 'Nobody is waited for.',
      ask: ({ call }) => call.abort(),
    }),
    tooLate,
  ],
};
