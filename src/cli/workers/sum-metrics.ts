/** A line of the text format of Prometheus: the name with its labels, and the value. */
const SAMPLE = /^(\S+?(?:\{.*\})?) (\S+)$/;

/** Gauges that are not of things under way but of the worst there is: the whole is as late as its latest worker. */
const LARGEST =
  /^(?:(?:nodejs_eventloop|holdfast_event_loop)_|holdfast_oldest_|holdfast_drain_deadline_|holdfast_drain_elapsed_|\w+_info\b)/;

/** The whole began with its first worker. */
const SMALLEST = /^process_start_time_seconds\b/;

/**
 * The metrics of several processes as those of one: values of the same name and labels are added, but for those gauges of
 * which a sum says nothing.
 */
export function sumMetrics(texts: readonly string[]): string {
  /** Lines in their order; a sample's value stands in `values`. */
  const lines: string[] = [];
  const values = new Map<string, number>();
  const known = new Set<string>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, name, value] = line.startsWith('#') ? [] : (SAMPLE.exec(line) ?? []);
    const key = name ?? line;
    if (name !== undefined) values.set(name, joined(name, values.get(name), Number(value)));
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

function joined(name: string, before: number | undefined, value: number): number {
  if (before === undefined) return value;
  if (LARGEST.test(name)) return Math.max(before, value);
  if (SMALLEST.test(name)) return Math.min(before, value);
  return before + value;
}

/** A sample that only a later process has stands with those of its metric: after the `# TYPE` that names it. */
function inGroups(lines: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const line of lines) {
    const [, commented] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? [];
    const metric = commented ?? metricOf(line, groups);
    const group = groups.get(metric);
    if (group === undefined) groups.set(metric, [line]);
    else group.push(line);
  }
  return [...groups.values()].flat();
}

/** `x_sum`, `x_count` and `x_bucket` belong to the metric `x`. */
function metricOf(line: string, known: ReadonlyMap<string, unknown>): string {
  const name = line.split(/[{ ]/, 1)[0] ?? '';
  const base = name.replace(/_(?:sum|count|bucket)$/, '');
  return !known.has(name) && known.has(base) ? base : name;
}
