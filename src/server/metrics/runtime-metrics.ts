import { readdirSync } from 'node:fs';
// oxlint-disable-next-line no-restricted-imports -- the event loop is what is measured here; nobody's time is read from it.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Lifetime } from '../../kernel/index.ts';
import { formatMetric } from './prometheus.ts';
import type { Sample } from './prometheus.ts';
import { HOLDFAST_VERSION } from '../version.ts';

/** Fine enough to see a delay that a listener hears, coarse enough to cost nothing: fifty looks a second. */
export const EVENT_LOOP_RESOLUTION_MS = 20;

const NS_PER_S = 1e9;

/**
 * The process that a server runs in, under the names that dashboards for Node know: its event loop, memory and processor.
 * Delay and utilisation are those since they were asked for last.
 */
export class RuntimeMetrics {
  readonly #delay: ReturnType<typeof monitorEventLoopDelay>;
  #utilization = performance.eventLoopUtilization();

  /** Watches the event loop until `owner` closes. */
  constructor(owner: Lifetime) {
    this.#delay = owner.own(
      'event loop delay',
      monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS }),
      { stop: (delay) => void delay.disable() },
    );
    this.#delay.enable();
  }

  render(): string {
    return [...this.#eventLoop(), ...processMetrics()].join('');
  }

  #eventLoop(): string[] {
    const delay = this.#delay;
    // What is measured is the time between two looks, so the time that was planned is in it.
    const seconds = (ns: number): number =>
      delay.count === 0 ? 0 : Math.max(0, ns / NS_PER_S - EVENT_LOOP_RESOLUTION_MS / 1_000);
    const lag: readonly (readonly [name: string, help: string, value: number])[] = [
      ['mean', 'Mean delay', seconds(delay.mean)],
      ['p50', 'Median delay', seconds(delay.percentile(50))],
      ['p99', '99th percentile of the delay', seconds(delay.percentile(99))],
      ['max', 'Longest delay', seconds(delay.max)],
    ];
    delay.reset();
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    return [
      ...lag.map(([name, help, value]) =>
        formatMetric(`nodejs_eventloop_lag_${name}_seconds`, 'gauge', `${help} of the event loop.`, value),
      ),
      formatMetric(
        'nodejs_eventloop_utilization',
        'gauge',
        'How much of its time the event loop was busy, from 0 to 1.',
        Number.isFinite(utilization) ? utilization : 0,
      ),
    ];
  }
}

function processMetrics(): string[] {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    formatMetric('nodejs_heap_size_total_bytes', 'gauge', 'Heap that is taken from the system.', heapTotal),
    formatMetric('nodejs_heap_size_used_bytes', 'gauge', 'Heap that is used.', heapUsed),
    formatMetric('nodejs_external_memory_bytes', 'gauge', 'Memory outside of the heap.', external),
    formatMetric('nodejs_version_info', 'gauge', 'The version of Node.', [
      { labels: { version: process.version }, value: 1 },
    ]),
    formatMetric('process_cpu_seconds_total', 'counter', 'Time of processors.', (user + system) / 1e6),
    formatMetric('process_resident_memory_bytes', 'gauge', 'Memory that is resident.', rss),
    formatMetric(
      'process_start_time_seconds',
      'gauge',
      'When the process began, since the epoch.',
      performance.timeOrigin / 1_000,
    ),
    formatMetric('process_open_fds', 'gauge', 'Open file descriptors, on Linux.', openFiles()),
    formatMetric('holdfast_build_info', 'gauge', 'The version of Holdfast.', [
      { labels: { version: HOLDFAST_VERSION }, value: 1 },
    ]),
  ];
}

function openFiles(): readonly Sample[] {
  try {
    // One of them is the folder that is being read.
    return [{ value: readdirSync('/proc/self/fd').length - 1 }];
  } catch {
    // Only Linux has it.
    return [];
  }
}
