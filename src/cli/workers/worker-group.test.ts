import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kernel/index.ts';
import type { Random, Timer } from '../../kernel/index.ts';
import type { ToWorker } from './messages.ts';
import { WORKER_ABORT_MS, WORKER_PATIENCE_MS, WorkerGroup } from './worker-group.ts';
import type { WorkerGroupReport } from './worker-group.ts';
import {
  WORKER_HEARTBEAT_MS,
  WORKER_LAST_LOOK_MS,
  WORKER_SILENCE_MS,
  WORKER_STABLE_MS,
  WORKER_START_TIMEOUT_MS,
} from './worker-slot.ts';
import type { WorkerSink } from './worker-slot.ts';

const NO_JITTER: Random = { next: () => 0, fill: (bytes) => bytes };
const DRAIN_MS = 300_000;

/** A worker's process that does what the test says. */
class FakeWorker {
  readonly slot: number;
  readonly replaced: number;
  readonly told: ToWorker['tag'][] = [];
  readonly sockets: unknown[] = [];
  readonly sink: WorkerSink;
  readonly signals: string[] = [];
  wasKilled = false;
  /** It hangs: it does not say any more that it lives. */
  isSilent = false;
  /** When it says the next time that it lives. */
  nextBeat: Timer | undefined;

  constructor(slot: number, replaced: number, sink: WorkerSink) {
    this.slot = slot;
    this.replaced = replaced;
    this.sink = sink;
  }

  readonly pid = 1;

  signal(name: string): void {
    this.signals.push(name);
  }

  send(message: ToWorker, socket?: unknown): void {
    this.told.push(message.tag);
    if (socket !== undefined) this.sockets.push(socket);
    if (message.tag === 'listen') {
      this.sink.message(
        {
          tag: 'listening',
          url: `http://127.0.0.1:${message.ports.port}`,
          store: 'file',
          artifacts: 'folder',
        },
        undefined,
      );
    }
  }

  /** How many calls it has, as it says. */
  calls = 0;

  says(calls: number): void {
    this.calls = calls;
    this.sink.message({ tag: 'calls', count: calls }, undefined);
  }

  kill(): void {
    this.wasKilled = true;
    this.nextBeat?.cancel();
    this.sink.ended({ status: null, signal: 'SIGKILL' });
  }

  prepared(): void {
    this.sink.message({ tag: 'prepared' }, undefined);
  }

  /** Ends in order. */
  closed(cutCalls = 0): void {
    this.nextBeat?.cancel();
    this.sink.message({ tag: 'closed', cutCalls, reason: 'drained' }, undefined);
    this.sink.ended({ status: cutCalls > 0 ? 1 : 0, signal: null });
  }

  died(): void {
    this.nextBeat?.cancel();
    this.sink.ended({ status: null, signal: 'SIGKILL' });
  }
}

describe('the workers of a server, as their supervisor holds them', () => {
  let clock: VirtualClock;
  let workers: FakeWorker[];
  let refused: unknown[];
  let group: WorkerGroup;
  let report: WorkerGroupReport | undefined;

  /** The process that has the slot now. */
  const worker = (slot: number): FakeWorker => workers.findLast((each) => each.slot === slot)!;
  const started = (slot: number): number => workers.filter((each) => each.slot === slot).length;

  beforeEach(() => {
    clock = new VirtualClock();
    workers = [];
    refused = [];
    report = undefined;
    group = new WorkerGroup({
      count: 2,
      ports: { port: 8_000 },
      drainMs: DRAIN_MS,
      clock,
      random: NO_JITTER,
      spawn: (slot, replaced, sink) => {
        const made = new FakeWorker(slot, replaced, sink);
        workers.push(made);
        const beat = (): void => {
          if (!made.isSilent) made.says(made.calls);
          made.nextBeat = clock.setTimer(WORKER_HEARTBEAT_MS, beat);
        };
        made.nextBeat = clock.setTimer(WORKER_HEARTBEAT_MS, beat);
        return made;
      },
      refuse: (socket) => refused.push(socket),
    });
    void group.closed.then((given) => (report = given));
  });

  async function serve(): Promise<void> {
    const address = group.start();
    worker(0).prepared();
    worker(1).prepared();
    expect(await address).toMatchObject({ url: 'http://127.0.0.1:8000', store: 'file' });
  }

  it('L replace one that hangs, while it serves and while it drains, and no other', async () => {
    await serve();
    const [hanging, healthy] = [worker(0), worker(1)];
    await clock.advance(WORKER_STABLE_MS);
    hanging.isSilent = true;
    await clock.advance(WORKER_SILENCE_MS + WORKER_LAST_LOOK_MS - WORKER_HEARTBEAT_MS);
    expect(hanging.wasKilled).toBe(false);
    await clock.advance(WORKER_HEARTBEAT_MS);
    expect(hanging.wasKilled).toBe(true);
    await clock.advance(0);
    expect([started(0), started(1), healthy.wasKilled]).toEqual([2, 1, false]);
    worker(0).prepared();
    worker(0).isSilent = true;
    group.drain();
    await clock.advance(WORKER_SILENCE_MS + WORKER_LAST_LOOK_MS);
    expect(worker(0).wasKilled).toBe(true);
    expect(started(0)).toBe(2);
  });

  it('L do not take one for hanging that is heard at the last look', async () => {
    await serve();
    worker(0).isSilent = true;
    await clock.advance(WORKER_SILENCE_MS + 1);
    worker(0).says(3);
    await clock.advance(WORKER_SILENCE_MS);
    expect(worker(0).wasKilled).toBe(false);
    expect(group.liveSessions).toBe(3);
  });

  it('listen when all of the first are prepared, and not before', async () => {
    const address = group.start();
    worker(0).prepared();
    expect(worker(0).told).toEqual([]);
    worker(1).prepared();
    await address;
    expect([worker(0).told, worker(1).told]).toEqual([['listen'], ['listen']]);
  });

  it('are replaced: at once, then ever later, and a long time of service is forgotten for', async () => {
    await serve();
    const again: number[] = [];
    for (const delayMs of [0, 500, 1_000, 2_000, 4_000]) {
      const before = started(0);
      worker(0).died();
      await clock.advance(delayMs === 0 ? 0 : delayMs - 1);
      if (delayMs > 0) expect(started(0)).toBe(before);
      await clock.advance(1);
      expect(started(0)).toBe(before + 1);
      again.push(worker(0).replaced);
      // A replacement does not wait for the other, which serves already.
      worker(0).prepared();
      expect(worker(0).told).toEqual(['listen']);
    }
    expect(again).toEqual([1, 2, 3, 4, 5]);
    await clock.advance(WORKER_STABLE_MS);
    worker(0).died();
    await clock.advance(0);
    expect(started(0)).toBe(7);
    expect(started(1)).toBe(1);
  });

  it('are given up when one ends too often in a row, and the calls of the others end by themselves', async () => {
    await serve();
    for (const delayMs of [0, 500, 1_000, 2_000, 4_000]) {
      worker(0).died();
      await clock.advance(delayMs);
    }
    worker(0).died();
    await clock.advance(3_600);
    expect(started(0)).toBe(6);
    expect(worker(1).told).toEqual(['listen', 'drain']);
    worker(1).closed();
    await clock.settle();
    expect(report).toMatchObject({ died: ['worker 0'], error: { exitCode: 1 } });
    expect(report?.error?.message).toBe('Worker 0 ended 6 times in a row; the last time with: SIGKILL');
    expect(clock.pendingTimers).toBe(0);
  });

  it('say at once what the first of them says it can never do', async () => {
    const address = group.start();
    worker(1).sink.message({ tag: 'failed', text: 'There is no agent.', exitCode: 2 }, undefined);
    worker(1).sink.ended({ status: 2, signal: null });
    await expect(address).rejects.toMatchObject({ message: 'There is no agent.', exitCode: 2 });
    expect(worker(0).told).toEqual(['abort']);
    worker(0).closed();
    await clock.settle();
    expect(report?.error).toMatchObject({ code: 'HOLDFAST_WORKERS_FAILED', exitCode: 2 });
    expect(started(1)).toBe(1);
  });

  it('are killed when they do not start in time', async () => {
    void group.start().catch(() => undefined);
    worker(0).prepared();
    await clock.advance(WORKER_START_TIMEOUT_MS);
    expect(workers[1]?.wasKilled).toBe(true);
    expect(started(1)).toBe(2);
  });

  it('D4 are told each verb once, and only ever a harder one; none is replaced from then on', async () => {
    await serve();
    group.drain();
    group.drain();
    worker(0).closed();
    await clock.advance(60_000);
    expect(started(0)).toBe(1);
    group.close();
    group.drain();
    expect(worker(1).told).toEqual(['listen', 'drain', 'close']);
    group.abort();
    group.close();
    expect(worker(1).told).toEqual(['listen', 'drain', 'close', 'abort']);
    worker(1).closed(3);
    await clock.settle();
    expect(report).toEqual({ cutCalls: 3, died: [] });
    expect(clock.pendingTimers).toBe(0);
  });

  it('D3 are killed when they hang beyond the bound of the verb', async () => {
    await serve();
    worker(0).sink.message({ tag: 'calls', count: 2 }, undefined);
    expect(group.liveSessions).toBe(2);
    group.drain();
    await clock.advance(DRAIN_MS + WORKER_PATIENCE_MS - 1);
    expect(worker(0).wasKilled).toBe(false);
    group.close();
    await clock.advance(WORKER_PATIENCE_MS - 1);
    expect(worker(0).wasKilled).toBe(false);
    group.abort();
    await clock.advance(WORKER_ABORT_MS);
    expect([worker(0).wasKilled, worker(1).wasKilled]).toEqual([true, true]);
    expect(report).toEqual({ cutCalls: 0, died: ['worker 0', 'worker 1'] });
  });

  it('D1 drain alone when one is told so by others, and another takes its place', async () => {
    await serve();
    worker(0).closed();
    await clock.advance(0);
    expect(started(0)).toBe(2);
    worker(0).prepared();
    expect(worker(0).told).toEqual(['listen']);
    expect(report).toBeUndefined();
  });

  it('pass clients on to the worker of the slot; who has none there is refused', async () => {
    await serve();
    const socket = {} as never;
    worker(0).sink.message({ tag: 'client', slot: 1, bytes: '' }, socket);
    expect(worker(1).sockets).toEqual([socket]);
    worker(1).died();
    worker(0).sink.message({ tag: 'client', slot: 1, bytes: '' }, socket);
    worker(0).sink.message({ tag: 'client', slot: 9, bytes: '' }, socket);
    expect(refused).toEqual([socket, socket]);
  });

  it('D6 end together when one was asked to by who administers it', async () => {
    await serve();
    worker(1).sink.message({ tag: 'verb', verb: 'drain' }, undefined);
    expect([worker(0).told.at(-1), worker(1).told.at(-1)]).toEqual(['drain', 'drain']);
    worker(0).closed();
    worker(1).closed(1);
    await clock.settle();
    expect(report).toEqual({ cutCalls: 1, died: [] });
  });
});
