import type { DrainProgress } from './drain.ts';
import { formatMetric } from './prometheus.ts';

const STAGES: readonly DrainProgress['stage'][] = ['serving', 'announced', 'refusing', 'closing'];

/** How far a drain has come, as `GET /metrics` tells it to Prometheus (clause D6). */
export function renderDrain({ stage, oldestMs, elapsedMs, deadlineInMs }: DrainProgress): string {
  return [
    formatMetric(
      'holdfast_drain_stage',
      'gauge',
      'Which stage of its end the server is in: 1 for that one, 0 for the others.',
      STAGES.map((each) => ({ labels: { stage: each }, value: each === stage ? 1 : 0 })),
    ),
    formatMetric(
      'holdfast_oldest_call_seconds',
      'gauge',
      'How long the oldest call has been under way; 0 when there is none.',
      oldestMs / 1_000,
    ),
    formatMetric(
      'holdfast_drain_elapsed_seconds',
      'gauge',
      'Since the drain began; 0 before.',
      (elapsedMs ?? 0) / 1_000,
    ),
    formatMetric(
      'holdfast_drain_deadline_seconds',
      'gauge',
      'Until what is under way is cut, while the server drains; otherwise 0.',
      (deadlineInMs ?? 0) / 1_000,
    ),
  ].join('');
}
