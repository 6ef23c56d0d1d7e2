import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadOperations, Target } from './load/main.ts';
import { Program } from './process/program.ts';
import type { RelayOperations } from './servers/relay-operations.ts';
import { FRAMES_PER_SESSION_SECOND, bareWireOf } from './wires.ts';
import type { RelayKind, Wire } from './wires.ts';

export type Load = Program<LoadOperations>;

/** What one measurement of a stream gave. */
export interface StreamFigures {
  readonly sessions: number;
  /** CPU time of the relay's process for one relayed frame, both directions counted. */
  readonly cpuMicrosPerFrame: number;
  /** How much of one core the relay, and the load, kept busy. */
  readonly relayCpuPercent: number;
  readonly loadCpuPercent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMb: number;
  /** Frames that arrived, of those that should have. Below 99 the relay or the load could not keep up. */
  readonly arrivedPercent: number;
  readonly spoiledFrames: number;
}

/** A relay in a process of its own, with the load that streams through it. */
export class RelayRun implements AsyncDisposable {
  readonly kind: RelayKind;
  readonly relay: Program<RelayOperations>;
  readonly #load: Load;
  readonly #target: Target;

  private constructor(kind: RelayKind, relay: Program<RelayOperations>, load: Load, target: Target) {
    this.kind = kind;
    this.relay = relay;
    this.#load = load;
    this.#target = target;
  }

  static async start(kind: RelayKind, wire: Wire, load: Load, providerPort: number): Promise<RelayRun> {
    const spoken = kind === 'bare' ? bareWireOf(wire) : wire;
    const relay = await Program.start<RelayOperations>(...commandOf(kind, spoken, String(providerPort)));
    const port = await relay.ask('port');
    return new RelayRun(kind, relay, load, { port, wire: spoken, hasSessions: kind === 'holdfast' });
  }

  connect(sessions: number): Promise<void> {
    return this.#load.ask('connect', this.#target, sessions);
  }

  /** Streams on every connection there is, or on the first `talking` of them, and measures after `settleMs`. */
  async measure(
    sessions: number,
    settleMs: number,
    measureMs: number,
    talking?: number,
  ): Promise<StreamFigures> {
    await this.#load.ask('stream', talking ?? null);
    await sleep(settleMs);
    await this.#load.ask('clear');
    const [cpuBefore, before] = await Promise.all([this.relay.ask('cpu'), this.#load.ask('read')]);
    const beganAtMs = performance.now();
    await sleep(measureMs);
    const [cpuAfter, after] = await Promise.all([this.relay.ask('cpu'), this.#load.ask('read')]);
    const elapsedMs = performance.now() - beganAtMs;
    const rssBytes = await this.relay.ask('rss');
    // A loopback takes a frame for every one it gives, and only those it gives are seen to arrive.
    const framesPerArrival = this.#target.wire.model === 'loopback' ? 2 : 1;
    const frames = (after.frames - before.frames) * framesPerArrival;
    const expected = (sessions * FRAMES_PER_SESSION_SECOND * elapsedMs) / 1_000;
    return {
      sessions,
      cpuMicrosPerFrame: (cpuAfter - cpuBefore) / Math.max(1, frames),
      relayCpuPercent: (cpuAfter - cpuBefore) / elapsedMs / 10,
      loadCpuPercent: (after.cpuMicros - before.cpuMicros) / elapsedMs / 10,
      p50Ms: after.p50Ms,
      p99Ms: after.p99Ms,
      rssMb: rssBytes / 1_000_000,
      arrivedPercent: (100 * frames) / expected,
      spoiledFrames: after.spoiled,
    };
  }

  /** Ends every session. Returns what is left of them on either side, which should be nothing. */
  async disconnect(): Promise<number> {
    const atProvider = await this.#load.ask('disconnect');
    const giveUpAtMs = performance.now() + HELD_BOUND_MS;
    let held = await this.relay.ask('held');
    while (held > 0 && performance.now() < giveUpAtMs) {
      await sleep(10);
      held = await this.relay.ask('held');
    }
    return held + atProvider;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.relay[Symbol.asyncDispose]();
  }
}

const HELD_BOUND_MS = 10_000;

function commandOf(kind: RelayKind, wire: Wire, providerPort: string): [file: string, args: string[]] {
  const provider = wire.model === 'loopback' ? [] : [providerPort];
  if (kind === 'bare') return ['servers/bare-relay.ts', provider];
  if (kind === 'naive') return ['servers/naive-relay.ts', [wire.client, ...provider]];
  return ['servers/holdfast.ts', [wire.model, providerPort]];
}
