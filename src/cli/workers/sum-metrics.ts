/** A line of the text format of Prometheus: the name with its labels, and the value. */
const SAMPLE = /^(\S+?(?:\{.*\})?) (\S+)$/;

/**
 * The metrics of several processes as those of one: values of the same name and labels are added. Counters and sums are added
 * rightly so; gauges here count things under way, which are also more in two processes than in one.
 */
export function sumMetrics(texts: readonly string[]): string {
  /** Lines in their order; a sample's value stands in `values`. */
  const lines: string[] = [];
  const values = new Map<string, number>();
  const known = new Set<string>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, name, value] = line.startsWith('#') ? [] : (SAMPLE.exec(line) ?? []);
    const key = name ?? line;
    if (name !== undefined) values.set(name, (values.get(name) ?? 0) + Number(value));
    if (key === '' || known.has(key)) continue;
    known.add(key);
    lines.push(key);
  }
  return inGroups(lines)
    .map((line) => {
      const value = values.get(line);
      return `${value === undefined ? line : `${line} ${value}`}\n`;
    })
    .join('');
}

/** A sample that only a later process has stands with those of its metric: after the `# TYPE` that names it. */
function inGroups(lines: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  let metric = '';
  for (const line of lines) {
    const [, commented] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? [];
    if (commented !== undefined) metric = commented;
    else {
      const name = line.split('{', 1)[0] ?? '';
      const base = [...groups.keys()].find((each) => name === each || isPartOf(name, each));
      metric = base ?? name;
    }
    const group = groups.get(metric);
    if (group === undefined) groups.set(metric, [line]);
    else group.push(line);
  }
  return [...groups.values()].flat();
}

/** `x_sum`, `x_count` and `x_bucket` belong to the metric `x`. */
function isPartOf(name: string, metric: string): boolean {
  return ['_sum', '_count', '_bucket'].some((suffix) => name === metric + suffix);
}
