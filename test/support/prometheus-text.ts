/** One metric as it was told. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly { readonly name: string; readonly labels: Labels; readonly value: number }[];
}

type Labels = Readonly<Record<string, string>>;

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/;

/**
 * Reads the text format of Prometheus, and takes nothing that the format or the conventions for names do not allow.
 * @throws Error with the line that is wrong.
 */
export function readPrometheusText(text: string): Map<string, MetricFamily> {
  if (!text.endsWith('\n')) throw new Error('The last line has no end.');
  const families = new Map<string, MetricFamily & { samples: MetricFamily['samples'][number][] }>();
  const series = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let current: (MetricFamily & { samples: MetricFamily['samples'][number][] }) | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
    if (comment?.[1] === 'HELP') {
      help = { name: comment[2]!, text: comment[3]! };
      continue;
    }
    if (comment?.[1] === 'TYPE') {
      const [, , name = '', type = ''] = comment;
      if (help?.name !== name) throw new Error(`No help before: ${line}`);
      if (families.has(name)) throw new Error(`Told twice: ${line}`);
      if (!['counter', 'gauge', 'histogram'].includes(type)) throw new Error(`No such type: ${line}`);
      if ((type === 'counter') !== name.endsWith('_total'))
        throw new Error(`Counters end in _total: ${line}`);
      current = { name, type, help: help.text, samples: [] };
      families.set(name, current);
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null || current === undefined) throw new Error(`Cannot be read: ${line}`);
    const [, name = '', labelText = '', valueText = ''] = sample;
    const suffix = name.slice(current.name.length);
    const allowed = current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (!name.startsWith(current.name) || !allowed.includes(suffix))
      throw new Error(`Not of ${current.name}: ${line}`);
    const key = line.slice(0, line.lastIndexOf(' '));
    if (series.has(key)) throw new Error(`Told twice: ${line}`);
    series.add(key);
    const value = Number(valueText.replace('Inf', 'Infinity'));
    if (Number.isNaN(value)) throw new Error(`Not a number: ${line}`);
    if (current.type !== 'gauge' && value < 0) throw new Error(`Below zero: ${line}`);
    current.samples.push({ name, labels: readLabels(labelText, line), value });
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function readLabels(text: string, line: string): Labels {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const label = LABEL.exec(rest);
    if (label === null || Object.hasOwn(labels, label[1]!)) throw new Error(`Labels cannot be read: ${line}`);
    labels[label[1]!] = label[2]!;
    rest = rest.slice(label[0].length);
  }
  return labels;
}

/** Its buckets grow, the last one is of all, and as many were counted. */
function checkHistogram({ name, samples }: MetricFamily): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number((labels['le'] ?? '').replace('Inf', 'Infinity')));
  const isGrowing = (values: readonly number[], strictly: boolean): boolean =>
    values.every(
      (value, index) =>
        index === 0 || value > values[index - 1]! || (!strictly && value === values[index - 1]),
    );
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (!isGrowing(bounds, true) || bounds.at(-1) !== Infinity) throw new Error(`Bounds of ${name}: ${bounds}`);
  const counts = buckets.map(({ value }) => value);
  if (!isGrowing(counts, false) || counts.at(-1) !== count) throw new Error(`Buckets of ${name}: ${counts}`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`No sum of ${name}`);
}
