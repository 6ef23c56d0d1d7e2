export type Labels = Readonly<Record<string, string>>;

/** One line of a metric. */
export interface Sample {
  /** Of a summary: `_sum` or `_count`. */
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

  add(labels: Labels): void {
    const key = labelsText(labels);
    const count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, { labels, value: 1 });
    else count.value += 1;
  }

  get samples(): readonly Sample[] {
    return [...this.#counts.values()];
  }
}

/** A metric with its samples, as the text format has it: help, type, then a line a sample. */
export function formatMetric(
  name: string,
  type: 'counter' | 'gauge' | 'summary',
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
