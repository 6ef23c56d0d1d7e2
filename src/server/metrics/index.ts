/** What is counted, and the text format of Prometheus. */
export { drainMetrics } from './drain-metrics.ts';
export { heldMetrics } from './held-metrics.ts';
export { ServerMetrics } from './metrics.ts';
export { LabelledCounter, PROMETHEUS_TEXT, formatMetric } from './prometheus.ts';
export type { Sample } from './prometheus.ts';
export { RuntimeMetrics } from './runtime-metrics.ts';
