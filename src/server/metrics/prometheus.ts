export type Labels = Readonly<Record<string, string>>;

/** One line of a metric. */
export interface Sample {
  /** Of a histogram: `_bucket`, `_sum` or `_count`. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** The media type of the text format, with the version of it that is spoken here. */
export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** Counts how often each combination of labels came. Give every known one, so that it stands there as 0. */
export class LabelledCounter {
  readonly #counts = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(known: readonly Labels[]) {
    for (const labels of known) this.#counts.set(labelsText(labels), { labels, value: 0 });
  }

  add(labels: Labels, amount = 1): void {
    const key = labelsText(labels);
    const count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, { labels, value: amount });
    else count.value += amount;
  }

  get samples(): readonly Sample[] {
    return [...this.#counts.values()];
  }
}

/** Counts values by how large they are. */
export class Histogram {
  /** For each bound how many were not above it. */
  readonly #buckets: readonly { readonly bound: number; count: number }[];
  #count = 0;
  #sum = 0;

  /** `bounds` in ascending order; what is above the last one is counted as well. */
  constructor(bounds: readonly number[]) {
    this.#buckets = bounds.map((bound) => ({ bound, count: 0 }));
  }

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    for (const each of this.#buckets) if (value <= each.bound) each.count += 1;
  }

  get samples(): readonly Sample[] {
    return [
      ...this.#buckets.map(({ bound, count }) => bucket(String(bound), count)),
      bucket('+Inf', this.#count),
      { suffix: '_sum', value: this.#sum },
      { suffix: '_count', value: this.#count },
    ];
  }
}

function bucket(le: string, value: number): Sample {
  return { suffix: '_bucket', labels: { le }, value };
}

/** A metric with its samples, as the text format has it: help, type, then a line a sample. */
export function formatMetric(
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  help: string,
  values: number | readonly Sample[],
): string {
  const samples: readonly Sample[] = typeof values === 'number' ? [{ value: values }] : values;
  const lines = samples.map(
    ({ suffix = '', labels = {}, value }) => `${name}${suffix}${labelsText(labels)} ${value}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The text format knows three escapes in the value of a label. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
