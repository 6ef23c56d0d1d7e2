import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignalLadder } from '../../src/cli/signals.ts';
import { VirtualClock } from '../../src/kernel/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer, ServerCloseReport } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import { MemorySessionStore } from '../../src/store/memory.ts';
import { ScriptedModel } from '../support/scripted-model.ts';

// The whole server in virtual time and without a socket: whatever happens to it while it drains, in whatever order.

const DRAIN_TIMEOUT_MS = 10_000;
/** Some three seconds on a machine with nothing else to do. */
const BOUND_MS = 90_000;
/** A close, with everything in it that may take its time. */
const CLOSE_MS = 8_000;

type Line = { readonly message: string; readonly fields: Record<string, unknown>; readonly atMs: number };

/** What a client does after it has asked. */
const ENDS = ['is answered', 'is failed', 'leaves', 'stays'] as const;
type End = (typeof ENDS)[number];

interface Asked {
  readonly leaver: AbortSignal;
  /** Whether it was asked when nothing new may be taken. */
  readonly isLate: boolean;
  status: number | 'left' | undefined;
}

class World {
  readonly clock = new VirtualClock();
  readonly model = new ScriptedModel();
  readonly lines: Line[] = [];
  readonly asked: Asked[] = [];
  readonly server: HoldfastServer;
  readonly preDrainDelayMs: number;
  readonly #ladder: SignalLadder;
  readonly #store = new MemorySessionStore({ clock: this.clock });
  #began: number | undefined;
  report: ServerCloseReport | undefined;

  constructor(preDrainDelayMs: number) {
    this.preDrainDelayMs = preDrainDelayMs;
    const note = (message: string, fields = {}): void =>
      void this.lines.push({ message, fields, atMs: this.clock.now() });
    this.server = createServer({
      agents: { demo: new Agent({ name: 'helper' }) },
      model: this.model,
      store: this.#store,
      clock: this.clock,
      preDrainDelayMs,
      drainTimeoutMs: DRAIN_TIMEOUT_MS,
      log: { debug: () => undefined, info: note, warn: note, error: note },
    });
    this.#ladder = new SignalLadder(this.server, { clock: this.clock, tell: () => undefined });
    void this.server.closed.then((report) => (this.report = report));
  }

  /** When the server began to close. */
  get closingAtMs(): number | undefined {
    return this.lines.find(({ message, fields }) => message === 'closing' && fields['owner'] === 'server')
      ?.atMs;
  }

  get isRefusing(): boolean {
    return this.#began !== undefined && this.clock.now() >= this.#began + this.preDrainDelayMs;
  }

  signal(): void {
    this.#ladder.signal();
    this.#noteBeginning();
  }

  drain(): void {
    void this.server.drain();
    this.#noteBeginning();
  }

  close(): void {
    void this.server.close();
  }

  #noteBeginning(): void {
    if (!this.server.ready) this.#began ??= this.clock.now();
  }

  async ask(id: string, kind: 'run' | 'run_sse', leaver: AbortSignal): Promise<void> {
    const key = { appName: 'demo', userId: 'u', id };
    if ((await this.#store.get(key)) === undefined) await this.#store.create(key);
    const body = JSON.stringify({
      ...{ appName: 'demo', userId: 'u', sessionId: id },
      newMessage: { parts: [{ text: id }] },
    });
    const asked: Asked = {
      leaver,
      isLate: this.isRefusing || this.closingAtMs !== undefined,
      status: undefined,
    };
    this.asked.push(asked);
    const request = new Request(`http://127.0.0.1/${kind}`, { method: 'POST', body, signal: leaver });
    const response = await this.server.fetch(request);
    if (kind === 'run') asked.status = response.status;
    else {
      const text = await response.text();
      asked.status = text.includes('"error"') ? 503 : response.status;
    }
  }

  /** The connection of the model that was told this. */
  connectionOf(id: string) {
    return this.model.connections.findLast((each) => each.open && JSON.stringify(each.received).includes(id));
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** What must be true after every step, whatever came before. */
function checkAlways(world: World): void {
  const { server, lines } = world;
  expect(server.liveSessions).toBeGreaterThanOrEqual(0);
  expect(server.liveSessions).toBeLessThanOrEqual(world.asked.length);
  const said = (message: string): number =>
    lines.filter((line) => line.message === message && (line.fields['owner'] ?? 'server') === 'server')
      .length;
  for (const once of ['closing', 'closed', 'calls are cut', 'drain over'])
    expect(said(once)).toBeLessThanOrEqual(1);
  // The drain is over in the moment the last call is (clause D5).
  if (world.isRefusing && server.liveSessions === 0) expect(world.closingAtMs).toBeDefined();
}

function checkAtEnd(world: World): void {
  const { server, model, clock, asked } = world;
  const report = world.report;
  expect(report).toBeDefined();
  expect(server.resources()).toEqual([]);
  expect(server.liveSessions).toBe(0);
  expect(model.openConnections).toBe(0);
  expect(clock.pendingTimers).toBe(0);
  for (const { isLate, status } of asked) {
    expect(status).toBeDefined();
    // Nothing is admitted after refusing has begun.
    if (isLate && status !== 'left') expect(status).toBe(503);
  }
  const { drain, cutCalls = 0 } = report ?? {};
  if (drain === undefined) return;
  expect(drain.cut).toBe(cutCalls);
  expect(drain.ended).toBeGreaterThanOrEqual(0);
  expect(drain.calls).toBe(drain.ended + drain.cut);
  expect(drain.calls).toBeLessThanOrEqual(asked.filter(({ isLate }) => !isLate).length);
  expect(drain.durationMs).toBeLessThanOrEqual(world.preDrainDelayMs + DRAIN_TIMEOUT_MS);
}

const client = fc.record({
  session: fc.nat(3),
  kind: fc.constantFrom('run' as const, 'run_sse' as const),
  end: fc.constantFrom<End>(...ENDS),
});
const event = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: 'signal' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('drain' as const, 'close' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 400, 600, 3_000, 9_000),
    }),
  },
);

describe('D1 D3 D4 D5 races of a drain', () => {
  it(
    'D1 D3 D4 D5 races: counts never fail, it closes once, admits nobody late, and ends with the last call',
    { timeout: BOUND_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.constantFrom(0, 2_000),
          fc.array(client, { minLength: 1, maxLength: 6 }),
          fc.array(event, { minLength: 1, maxLength: 8 }),
          async (scheduler, preDrainDelayMs, clients, events) => {
            const world = new World(preDrainDelayMs);
            const waiting: Promise<unknown>[] = [];
            for (const { session, kind, end } of clients) {
              const leaver = new AbortController();
              const id = `s${session}`;
              const ends: Record<End, () => void> = {
                'is answered': () => world.connectionOf(id)?.output({ type: 'turnComplete' }),
                'is failed': () => world.connectionOf(id)?.fail(new Error('The model fell over.')),
                leaves: () => {
                  leaver.abort();
                  const asked = world.asked.find((each) => each.leaver === leaver.signal);
                  if (asked !== undefined) asked.status ??= 'left';
                },
                stays: () => undefined,
              };
              scheduler.scheduleSequence([
                async () => void waiting.push(world.ask(id, kind, leaver.signal).catch(() => undefined)),
                async () => ends[end](),
              ]);
            }
            scheduler.scheduleSequence(
              events.map((each) => async () => {
                if (each.do === 'pass') await world.clock.advance(each.ms);
                else world[each.do]();
              }),
            );
            while (scheduler.count() > 0) {
              await scheduler.waitOne();
              await settle();
              checkAlways(world);
            }
            // Whatever has not ended by now does so: at the deadline, or by a close where nobody asked for an end.
            if (world.server.ready) world.drain();
            for (
              let passedMs = 0;
              passedMs < preDrainDelayMs + DRAIN_TIMEOUT_MS + CLOSE_MS;
              passedMs += 1_000
            ) {
              await world.clock.advance(1_000);
              await settle();
              checkAlways(world);
            }
            await Promise.all(waiting);
            checkAtEnd(world);
          },
        ),
        { numRuns: 100 },
      );
    },
  );
});
