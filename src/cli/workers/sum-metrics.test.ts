import { describe, expect, it } from 'vitest';
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
});
