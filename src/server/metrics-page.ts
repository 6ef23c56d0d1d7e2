import { drainMetrics } from './drain-metrics.ts';
import { heldMetrics } from './held-metrics.ts';
import type { ServerContext } from './server-context.ts';

/** All that `GET /metrics` tells, in the text format of Prometheus. */
export function metricsPage(context: ServerContext): string {
  const { calls, drain, metrics, owner, refusals, runtime } = context;
  return [
    metrics.render(calls.size, refusals.samples),
    heldMetrics(calls.snapshots(), owner.resources()),
    drainMetrics(drain.progress),
    runtime.render(),
  ].join('');
}
