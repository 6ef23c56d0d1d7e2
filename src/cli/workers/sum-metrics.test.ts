import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from '../../../test/support/checkout.ts';
import { sumMetrics } from './sum-metrics.ts';

const worker = (live: number, closed: string): string =>
  `# HELP live Calls.\n# TYPE live gauge\nlive ${live}\n# HELP closed_total Ended.\n# TYPE closed_total counter\n${closed}` +
  '# HELP gap A gap.\n# TYPE gap summary\ngap_sum 0.5\ngap_count 1\n';

describe('the metrics of several workers', () => {
  it('are those of one: each line once, and its values added', () => {
    const one = worker(2, 'closed_total{reason="a b"} 1\n');
    const other = worker(3, 'closed_total{reason="a b"} 4\nclosed_total{reason="x {y} z"} 7\n');
    expect(sumMetrics([one, other])).toBe(
      '# HELP live Calls.\n# TYPE live gauge\nlive 5\n# HELP closed_total Ended.\n# TYPE closed_total counter\n' +
        'closed_total{reason="a b"} 5\nclosed_total{reason="x {y} z"} 7\n' +
        '# HELP gap A gap.\n# TYPE gap summary\ngap_sum 1\ngap_count 2\n',
    );
    expect(sumMetrics([one])).toBe(one);
    expect(sumMetrics([])).toBe('');
  });

  it('are as late as the latest, and as old as the oldest', () => {
    const worker = (lagS: number, startS: number, oldestS: number): string =>
      `nodejs_eventloop_lag_p99_seconds ${lagS}\nprocess_start_time_seconds ${startS}\n` +
      `holdfast_oldest_call_seconds ${oldestS}\nholdfast_build_info{version="1"} 1\n`;
    expect(sumMetrics([worker(0.1, 70, 5), worker(0.3, 50, 2)])).toBe(worker(0.3, 50, 5));
  });

  // Whoever adds a gauge is asked here whether several workers have the sum of it.
  it('are joined in a way that was thought about, gauge by gauge', () => {
    const gauges = readFileSync(join(CHECKOUT, 'docs/metrics.md'), 'utf8').matchAll(
      /^\| `(\w+)` +\| gauge /gm,
    );
    const added = [...gauges].flatMap(([, name]) =>
      sumMetrics([`${name} 2\n`, `${name} 3\n`]) === `${name} 5\n` ? name : [],
    );
    expect(new Set(added)).toEqual(
      new Set([
        'holdfast_drain_stage',
        'holdfast_live_sessions',
        'holdfast_resources',
        'holdfast_sessions',
        'nodejs_external_memory_bytes',
        'nodejs_heap_size_total_bytes',
        'nodejs_heap_size_used_bytes',
        'process_open_fds',
        'process_resident_memory_bytes',
      ]),
    );
  });
});
