import { drainMetrics, formatMetric, heldMetrics } from '../metrics/index.ts';
import type { ServerContext } from '../server-context.ts';

/** All that `GET /metrics` tells, in the text format of Prometheus. */
export function metricsPage(context: ServerContext): string {
  const { admission, calls, drain, metrics, owner, refusals, runtime } = context;
  return [
    metrics.render(calls.size, refusals.samples),
    formatMetric(
      'holdfast_event_loop_utilization',
      'gauge',
      'How busy the event loop is as new calls are admitted by it, from 0 to 1; 0 while there are few calls.',
      admission.utilization,
    ),
    heldMetrics(calls.snapshots(), owner),
    drainMetrics(drain.progress),
    runtime.render(),
  ].join('');
}
