import { Session } from 'node:inspector/promises';
import type { Profiler } from 'node:inspector';

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
