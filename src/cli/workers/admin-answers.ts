import type { Answer } from './fellows.ts';

/** How far the end of one worker, or of all, has come. */
export interface WholeProgress {
  readonly stage: string;
  readonly calls: number;
  readonly oldestMs: number;
  readonly elapsedMs?: number;
  readonly deadlineInMs?: number;
  readonly cut?: number;
}

const STAGES = ['serving', 'announced', 'refusing', 'closing'];

/** All workers as one: calls add, times are the longest, and the whole is at the stage of the worker that is furthest back. */
export function wholeProgress(workers: readonly WholeProgress[]): WholeProgress {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const stages = workers.map(({ stage }) => STAGES.indexOf(stage));
  const most = (field: 'elapsedMs' | 'deadlineInMs'): number | undefined => {
    const values = workers.flatMap((worker) => worker[field] ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const stage = STAGES[Math.min(...stages)] ?? 'serving';
  const elapsedMs = most('elapsedMs');
  const deadlineInMs = most('deadlineInMs');
  const cut = workers.flatMap((worker) => worker.cut ?? []);
  return {
    stage,
    calls: sum(workers.map(({ calls }) => calls)),
    oldestMs: Math.max(0, ...workers.map(({ oldestMs }) => oldestMs)),
    ...(elapsedMs === undefined || stage === 'serving' ? {} : { elapsedMs }),
    ...(deadlineInMs === undefined || stage === 'closing' || stage === 'serving' ? {} : { deadlineInMs }),
    ...(stage === 'closing' ? { cut: sum(cut) } : {}),
  };
}

/** A call as one worker lists it. */
export interface ListedCall extends Readonly<Record<string, unknown>> {
  readonly id?: unknown;
  readonly app?: unknown;
  readonly user?: unknown;
  readonly ageMs?: unknown;
}

/** What one worker says of itself and of its calls. */
export interface WorkerCalls {
  readonly slot: number;
  readonly progress: WholeProgress;
  readonly calls: readonly ListedCall[];
}

/** Reads what a worker answers to `GET /admin/sessions`, or to `GET /admin/drain`. */
export function readWorker({ slot, body }: Answer): WorkerCalls {
  const { sessions = [], ...progress } = JSON.parse(body) as WholeProgress & {
    readonly sessions?: readonly ListedCall[];
  };
  return { slot, progress, calls: sessions };
}

/** Everybody's calls, the oldest first, each with its worker. */
export function wholeList(workers: readonly WorkerCalls[]): Record<string, unknown> {
  const sessions = workers
    .flatMap(({ slot, calls }) => calls.map((call) => ({ ...call, worker: slot })))
    .toSorted((one, other) => Number(ageOf(other)) - Number(ageOf(one)));
  return { ...wholeProgress(workers.map(({ progress }) => progress)), sessions };
}

function ageOf({ ageMs }: ListedCall): unknown {
  return ageMs;
}
