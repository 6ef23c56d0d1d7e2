import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLOSE_PHASES } from './close-plan.ts';
import type { ClosingStep } from './close-plan.ts';
import { ClosedError } from './errors.ts';
import { Lifetime } from './lifetime.ts';
import type { LogFields, Logger } from './log.ts';
import { VirtualClock } from './virtual-clock.ts';

const CLOSE_TIMEOUT_MS = 1_000;
const RANK = { open: 0, draining: 1, closing: 2, closed: 3 } as const;
const VERBS = ['drain', 'close', 'abort'] as const;

/** What a callback of a step does. `again` calls back into an owner, with a verb, in the middle of everything. */
const behaviour = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'absent' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('returns', 'throws', 'rejects', 'hangs', 'waits') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('again' as const),
      verb: fc.constantFrom(...VERBS),
      node: fc.nat(8),
      hangs: fc.boolean(),
    }),
  },
);
type Behaviour = typeof behaviour extends fc.Arbitrary<infer Value> ? Value : never;

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('own' as const),
      node: fc.nat(8),
      phase: fc.constantFrom(...CLOSE_PHASES),
      boundMs: fc.constantFrom(0, 50, 400, 5_000),
      stop: behaviour,
      drain: behaviour,
      close: behaviour,
      abort: behaviour,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('child' as const),
      node: fc.nat(8),
      phase: fc.constantFrom(...CLOSE_PHASES),
      drains: fc.boolean(),
      boundMs: fc.constantFrom(undefined, 100),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('timer', 'sleep', 'release'), node: fc.nat(8) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom(...VERBS), node: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(), fails: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      durationMs: fc.constantFrom(0, 1, 50, 400, 1_000),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

interface Held {
  readonly calls: string[];
  readonly owner: Node;
  released: boolean;
  readonly step: ClosingStep<object>;
}

interface Node {
  readonly lifetime: Lifetime;
  readonly level: number;
  rank: number;
  closingAtMs: number | undefined;
  closedAtMs: number | undefined;
  resolved: number;
}

/** A tree of owners that random operations act on, and everything seen of it. */
class World {
  readonly clock = new VirtualClock();
  readonly nodes: Node[] = [];
  readonly held: Held[] = [];
  readonly pending: PromiseWithResolvers<undefined>[] = [];
  timersOfSteps = 0;
  readonly pairs = new Map<unknown, string[]>();

  constructor() {
    const note = (message: string, fields?: LogFields): void => {
      if (message !== 'closing' && message !== 'closed') return;
      this.pairs.set(fields?.['owner'], [...(this.pairs.get(fields?.['owner']) ?? []), message]);
    };
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    this.#add(Lifetime.root({ name: 'n0', clock: this.clock, log, closeTimeoutMs: CLOSE_TIMEOUT_MS }), 0);
  }

  async run(operations: readonly Operation[]): Promise<void> {
    for (const each of operations) {
      await this.#perform(each);
      this.#look();
    }
    void this.nodes[0]?.lifetime.close();
    this.#look();
    await this.clock.advance(CLOSE_TIMEOUT_MS);
    this.#look();
    this.#check();
    // What was abandoned ends after all, well or badly; nothing may come of it.
    for (const [index, late] of this.pending.entries()) {
      if (index % 2 === 0) late.resolve(undefined);
      else late.reject(new Error('late'));
    }
    await this.clock.advance(2 * 3_600_000);
    this.#check();
  }

  async #perform(each: Operation): Promise<void> {
    if (each.kind === 'advance') return this.clock.advance(each.durationMs);
    if (each.kind === 'settle') {
      const chosen = this.pending[each.which % Math.max(1, this.pending.length)];
      if (each.fails) chosen?.reject(new Error('failed'));
      else chosen?.resolve(undefined);
      return;
    }
    const node = this.#node(each.node);
    const { lifetime } = node;
    try {
      if (each.kind === 'own') this.#own(node, each);
      else if (each.kind === 'child') this.#child(node, each);
      else if (each.kind === 'timer') lifetime.timer('timer', 300, () => this.#mustBeAlive(lifetime));
      else if (each.kind === 'sleep')
        lifetime.sleep(300).then(
          () => this.#mustBeAlive(lifetime),
          () => undefined,
        );
      else if (each.kind === 'release') this.#release(node);
      else void lifetime[each.kind](each.kind);
    } catch (error) {
      expect(error).toBeInstanceOf(ClosedError);
      expect(node.lifetime.isClosing).toBe(true);
    }
  }

  #own(owner: Node, { phase, boundMs, ...does }: Extract<Operation, { kind: 'own' }>): void {
    const calls: string[] = [];
    const callbacks: Record<string, () => unknown> = {};
    for (const name of ['stop', 'drain', 'close', 'abort'] as const) {
      if (does[name].kind === 'absent') continue;
      callbacks[name] = () => {
        calls.push(name);
        return this.#behave(does[name]);
      };
    }
    const step = { phase, boundMs, ...callbacks } as ClosingStep<object>;
    const held: Held = { calls, owner, released: false, step };
    this.held.push(held);
    owner.lifetime.own(`r${this.held.length}`, held, step);
  }

  #behave(does: Behaviour): unknown {
    if (does.kind === 'again') {
      void this.#node(does.node).lifetime[does.verb]('again');
      return does.hangs ? this.#hang() : undefined;
    }
    if (does.kind === 'throws') throw new Error('thrown');
    if (does.kind === 'rejects') return Promise.reject(new Error('rejected'));
    if (does.kind === 'hangs') return this.#hang();
    if (does.kind === 'waits') return this.#wait();
    return undefined;
  }

  #wait(): Promise<void> {
    this.timersOfSteps += 1;
    return new Promise((resolve) => {
      this.clock.setTimer(30, () => {
        this.timersOfSteps -= 1;
        resolve();
      });
    });
  }

  #hang(): Promise<undefined> {
    const hanging = Promise.withResolvers<undefined>();
    this.pending.push(hanging);
    return hanging.promise;
  }

  #child(parent: Node, { phase, boundMs, drains }: Extract<Operation, { kind: 'child' }>): void {
    if (parent.level === 2) return;
    const drain = drains ? (child: Lifetime) => child.drain() : undefined;
    const options = { closeTimeoutMs: CLOSE_TIMEOUT_MS, phase, boundMs, drain };
    this.#add(parent.lifetime.child(`n${this.nodes.length}`, options), parent.level + 1);
  }

  #release(node: Node): void {
    const held = this.held.find((each) => each.owner === node && !each.released && each.calls.length === 0);
    if (held === undefined) return;
    held.released = true;
    node.lifetime.release(held);
  }

  #add(lifetime: Lifetime, level: number): void {
    const node: Node = {
      lifetime,
      level,
      rank: 0,
      closingAtMs: undefined,
      closedAtMs: undefined,
      resolved: 0,
    };
    this.nodes.push(node);
    lifetime.signal.addEventListener('abort', () => (node.closingAtMs = this.clock.now()));
    lifetime.closed.then(
      () => {
        node.resolved += 1;
        node.closedAtMs = this.clock.now();
      },
      () => expect.unreachable('closed never rejects'),
    );
  }

  #node(index: number): Node {
    return this.nodes[index % this.nodes.length]!;
  }

  #mustBeAlive(lifetime: Lifetime): void {
    expect(lifetime.isClosing).toBe(false);
  }

  /** The state only ever moves forward. */
  #look(): void {
    for (const node of this.nodes) {
      const rank = RANK[node.lifetime.state.tag];
      expect(rank).toBeGreaterThanOrEqual(node.rank);
      node.rank = rank;
    }
  }

  #check(): void {
    expect(this.clock.pendingTimers).toBe(this.timersOfSteps);
    for (const { lifetime, resolved, closingAtMs, closedAtMs } of this.nodes) {
      expect(lifetime.state.tag).toBe('closed');
      expect(lifetime.resources()).toEqual([]);
      expect(resolved).toBe(1);
      expect(closedAtMs! - closingAtMs!).toBeLessThanOrEqual(CLOSE_TIMEOUT_MS);
    }
    expect([...this.pairs.values()]).toEqual(this.nodes.map(() => ['closing', 'closed']));
    for (const { calls, released, step } of this.held) {
      for (const name of ['stop', 'close', 'abort']) {
        expect(calls.filter((call) => call === name).length).toBeLessThanOrEqual(1);
      }
      if (calls.includes('abort') && calls.includes('close')) {
        expect(calls.indexOf('close')).toBeLessThan(calls.indexOf('abort'));
      }
      if (released) continue;
      if (step.stop !== undefined) expect(calls).toContain('stop');
      if (step.abort !== undefined) expect(calls.includes('abort') || calls.includes('close')).toBe(true);
      if (step.close !== undefined && step.abort === undefined) expect(calls).toContain('close');
    }
  }
}

describe('races', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  beforeEach(() => void process.on('unhandledRejection', note));
  afterEach(() => {
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('C2 C3 C4 C6 C10 races: whatever is called when, every owner ends once, in time, with nothing held', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40, size: 'max' }), (operations) =>
        new World().run(operations),
      ),
      { numRuns: 2_000, interruptAfterTimeLimit: 6_000, markInterruptAsFailure: false },
    );
  }, 15_000);
});
