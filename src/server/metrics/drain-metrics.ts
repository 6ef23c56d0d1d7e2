import type { DrainProgress } from '../drain/index.ts';
import { formatMetric } from './prometheus.ts';

const STAGES: readonly DrainProgress['stage'][] = ['serving', 'announced', 'refusing', 'closing'];

/** How far a server has come with its end (clause D6). */
export function drainMetrics({ stage, oldestMs, elapsedMs, deadlineInMs }: DrainProgress): string {
  const stages = STAGES.map((each) => ({ labels: { stage: each }, value: each === stage ? 1 : 0 }));
  return [
    formatMetric('holdfast_drain_stage', 'gauge', '1 for the stage that the server is in.', stages),
    formatMetric(
      'holdfast_oldest_call_seconds',
      'gauge',
      'How long the oldest live session or text turn has been under way.',
      oldestMs / 1_000,
    ),
    formatMetric(
      'holdfast_drain_elapsed_seconds',
      'gauge',
      'How long ago the drain began. Only when there is one.',
      elapsedMs === undefined ? [] : [{ value: elapsedMs / 1_000 }],
    ),
    formatMetric(
      'holdfast_drain_deadline_seconds',
      'gauge',
      'How long until a drain cuts what is under way. Only while there is one.',
      deadlineInMs === undefined ? [] : [{ value: deadlineInMs / 1_000 }],
    ),
  ].join('');
}
