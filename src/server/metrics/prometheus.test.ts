import { describe, expect, it } from 'vitest';
import { readPrometheusText } from '../../../test/support/prometheus-text.ts';
import { Histogram, LabelledCounter, formatMetric } from './prometheus.ts';

describe('the text format', () => {
  it('has a histogram with buckets that add up', () => {
    const histogram = new Histogram([0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value);
    const text = formatMetric('a_seconds', 'histogram', 'How long.', histogram.samples);
    expect(text.split('\n')).toEqual([
      '# HELP a_seconds How long.',
      '# TYPE a_seconds histogram',
      'a_seconds_bucket{le="0.1"} 2',
      'a_seconds_bucket{le="1"} 3',
      'a_seconds_bucket{le="+Inf"} 4',
      'a_seconds_sum 7.65',
      'a_seconds_count 4',
      '',
    ]);
    expect(readPrometheusText(text).get('a_seconds')?.samples).toHaveLength(5);
  });

  it('escapes what a label holds, and adds up amounts', () => {
    const counter = new LabelledCounter([]);
    counter.add({ app: 'a"b\\c\nd' }, 1.5);
    counter.add({ app: 'a"b\\c\nd' });
    const text = formatMetric('a_total', 'counter', 'Some.', counter.samples);
    expect(text).toContain('a_total{app="a\\"b\\\\c\\nd"} 2.5\n');
    expect(readPrometheusText(text).get('a_total')?.samples[0]?.value).toBe(2.5);
  });

  it.each([
    ['twice the same series', '# HELP a A.\n# TYPE a gauge\na 1\na 2\n'],
    ['no help', '# TYPE a gauge\na 1\n'],
    ['a counter without _total', '# HELP a A.\n# TYPE a counter\na 1\n'],
    ['a sample of another metric', '# HELP a A.\n# TYPE a gauge\nb 1\n'],
    ['a label that is not closed', '# HELP a A.\n# TYPE a gauge\na{b="c} 1\n'],
    [
      'buckets that shrink',
      '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ],
    ['no last bucket', '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n'],
  ])('is read by a reader that does not take %s', (_what, text) => {
    expect(() => readPrometheusText(text)).toThrow(Error);
  });
});
