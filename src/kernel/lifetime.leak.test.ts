import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { ClosingStep, StepContext } from './close-plan.ts';
import { Emitter } from './emitter.ts';
import { Lifetime } from './lifetime.ts';
import { VirtualClock } from './virtual-clock.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A weak reference lives to the end of the turn that made or read it, so turns pass between the collections. */
async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 20; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    if (ref.deref() === undefined) return true;
  }
  return false;
}

/** What hangs here hangs for good: as in a process, something outside keeps the promise that never settles. */
const outside: object[] = [];
function never(): Promise<never> {
  const promise = new Promise<never>((resolve) => outside.push({ resolve }));
  outside.push(promise);
  return promise;
}

/** Stands for a session: it owns a lifetime and everything in it points back at it. */
class Owner {
  readonly lifetime: Lifetime;
  readonly emitter = new Emitter<{ end: [] }>(() => undefined);

  constructor(clock: VirtualClock, parent: Lifetime | undefined, step: ClosingStep<object>) {
    this.lifetime = parent?.child('owner') ?? Lifetime.root({ name: 'owner', clock });
    this.emitter.on('end', () => this.lifetime.name);
    // Tools and other foreign code are given the signal of an owner, and may keep it.
    outside.push(this.lifetime.signal);
    this.lifetime.own('hangs', { kept: outside }, step);
    this.lifetime.child('leg').own('hangs', { kept: outside }, step);
    this.lifetime.timer('idle', 60_000, () => this.emitter.emit('end'));
    this.lifetime.sleep(60_000).catch(() => this.lifetime.name);
    void this.lifetime.closed.then(() => this.emitter.emit('end'));
  }

  close(): void {
    void this.lifetime.close('hung up');
  }

  abort(): void {
    void this.lifetime.abort('hung up');
  }

  drain(): void {
    void this.lifetime.drain('hung up');
  }
}

const steps: Record<string, ClosingStep<object>> = {
  'never settles': { drain: never, close: never },
  'never settles and keeps its signal': {
    drain: never,
    close: (_: object, { signal }: StepContext) => {
      outside.push(signal);
      return never();
    },
  },
  'never settles, even in its abort': { drain: never, close: never, abort: never },
};

describe.each(Object.keys(steps))('C6 leaks: a step that %s', (name) => {
  it.each(['close', 'abort', 'close abort', 'drain close', 'drain abort'])(
    `C6 leaks: one that ${name} does not keep its owner in memory: %s`,
    async (verbs) => {
      const clock = new VirtualClock();
      const server = Lifetime.root({ name: 'server', clock });
      for (const parent of [undefined, server]) {
        let owner: Owner | undefined = new Owner(clock, parent, steps[name]!);
        const ref = new WeakRef(owner);
        const lifetime = new WeakRef(owner.lifetime);
        for (const verb of verbs.split(' ') as ('drain' | 'close' | 'abort')[]) {
          owner[verb]();
          await clock.advance(10);
        }
        await clock.advance(5_000);
        expect(owner.lifetime.state.tag).toBe('closed');
        owner = undefined;
        expect(await isCollected(ref)).toBe(true);
        expect(await isCollected(lifetime)).toBe(true);
      }
      expect(clock.pendingTimers).toBe(0);
    },
  );
});

describe('C6 memory', () => {
  it('C6 memory: an external signal that lives on keeps nothing of the owners it could have closed', async () => {
    const outer = new AbortController();
    const clock = new VirtualClock();
    let owner: Lifetime | undefined = Lifetime.root({ name: 'owner', clock });
    const ref = new WeakRef(owner);
    owner.closeOn(outer.signal);
    await owner.close();
    owner = undefined;
    expect(await isCollected(ref)).toBe(true);
    expect(outer.signal.aborted).toBe(false);
  });

  it('C6 memory: a spent timer keeps nothing of what it would have called', async () => {
    const clock = new VirtualClock();
    let owner: Lifetime | undefined = Lifetime.root({ name: 'owner', clock });
    const ref = new WeakRef(owner);
    const held = [owner.timer('a', 10, () => ref), owner.timer('b', 10, () => ref)];
    held[0]?.cancel();
    await clock.advance(10);
    owner = undefined;
    expect(await isCollected(ref)).toBe(true);
    expect(held).toHaveLength(2);
  });

  it('C6 memory: ten thousand children opened and closed leave their parent as it was', async () => {
    const clock = new VirtualClock();
    const parent = Lifetime.root({ name: 'server', clock });
    const cycle = async (count: number): Promise<number> => {
      for (let index = 0; index < count; index += 1) {
        const child = parent.child('session', { drain: (one) => one.drain() });
        child.timer('idle', 1_000, () => undefined);
        child.own('socket', {}, { close: () => Promise.resolve() });
        await (index % 2 === 0 ? child.close() : child.drain());
      }
      await clock.settle();
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await cycle(1_000);
    const after = await cycle(10_000);
    expect(parent.resources()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    expect((after - before) / 10_000).toBeLessThan(50);
  });

  it('C6 an owner is collected while the report is kept that has the errors of its steps', async () => {
    /** Whose method is on the stack when its step fails, as a session's is. */
    class Failing {
      readonly lifetime = Lifetime.root({ name: 'owner', clock: new VirtualClock() });

      constructor() {
        const fails = (): never => this.#fail();
        this.lifetime.own('stop', {}, { stop: fails, close: () => undefined });
        this.lifetime.own('close', {}, { close: fails });
        this.lifetime.own('late', {}, { close: async () => fails() });
      }

      #fail(): never {
        throw new Error('outer', { cause: new Error('inner') });
      }
    }
    const failed = async (): Promise<WeakRef<object>> => {
      const owner = new Failing();
      const report = await owner.lifetime.close('over');
      expect(report.steps.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed']);
      outside.push(report);
      return new WeakRef(owner);
    };
    expect(await isCollected(await failed())).toBe(true);
  });
});
