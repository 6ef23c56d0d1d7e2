import { Session } from 'node:inspector/promises';
import type { Profiler } from 'node:inspector';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** CPU time of the whole process so far, its garbage collector's threads included. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export interface Memory {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Buffers outside the heap. */
  readonly externalBytes: number;
}

/** Memory after a full collection; a second one takes what the first one's finalizers let go of. */
export async function settledMemory(): Promise<Memory> {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed, externalBytes: external };
}

/** How late the event loop was with what was due, in milliseconds. */
export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Wakes the loop a hundred times a second: often enough to see a frame that waits, too seldom to be the load. */
const LOOP_RESOLUTION_MS = 10;

/** Measures the delay of the event loop over a stretch of time. What Node records is the whole step of its timer. */
export class LoopDelayMeter {
  #histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;

  start(): void {
    this.#histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    this.#histogram.enable();
  }

  stop(): LoopDelay {
    const histogram = this.#histogram;
    if (histogram === undefined) throw new Error('the delay of the event loop is not being measured');
    histogram.disable();
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
    return {
      p50Ms: late(histogram.percentile(50)),
      p99Ms: late(histogram.percentile(99)),
      maxMs: late(histogram.max),
    };
  }
}

export interface ProfileEntry {
  readonly name: string;
  readonly percent: number;
}

const SAMPLE_MICROS = 500;

/** The CPU profile of a stretch of time: who the process itself was busy with, most first, as shares of its CPU. */
export class CpuProfile {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
    await this.#session.post('Profiler.start');
  }

  async stop(entries: number): Promise<ProfileEntry[]> {
    const { profile } = await this.#session.post('Profiler.stop');
    this.#session.disconnect();
    return topOf(profile, entries);
  }
}

function topOf({ nodes, samples = [] }: Profiler.Profile, entries: number): ProfileEntry[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const counts = new Map<string, number>();
  let busy = 0;
  for (const id of samples) {
    const name = names.get(id) ?? '?';
    if (name === '(idle)') continue;
    busy += 1;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([name, count]) => ({ name, percent: (100 * count) / Math.max(1, busy) }))
    .sort((one, other) => other.percent - one.percent)
    .slice(0, entries);
}

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/(dist|node_modules|bench)\//, '$1/');
  const name = functionName === '' ? '(anonymous)' : functionName;
  return file === '' ? name : `${name} ${file}:${lineNumber + 1}`;
}
