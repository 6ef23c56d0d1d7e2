import type { Lifetime, Timer } from '../kernel/index.ts';
import { connectionSummary } from './call-news.ts';
import type { CallRecord } from './call-run.ts';
import type { Verdict } from './call-verdict.ts';

/** How often the live line of a terminal changes; nobody reads faster. */
const REFRESH_MS = 200;

/** Where a terminal, or what stands for one, is not: a plain line now and then. */
const PLAIN_MS = 5_000;

/** A judged call. */
export interface JudgedCall {
  readonly record: CallRecord;
  readonly verdict: Verdict;
}

/** What is written while calls last: one line that changes on a terminal, plain lines elsewhere. */
export class LiveLine {
  readonly #records: readonly CallRecord[];
  readonly #scope: Lifetime;
  readonly #stream: NodeJS.WriteStream;
  #timer: Timer | undefined;
  #last = '';

  constructor(records: readonly CallRecord[], scope: Lifetime, stream: NodeJS.WriteStream) {
    this.#records = records;
    this.#scope = scope;
    this.#stream = stream;
    this.#show();
  }

  /** Writes a line of its own, above the one that changes. */
  say(line: string): void {
    if (!this.#stream.isTTY) this.#stream.write(`${line}\n`);
    else this.#stream.write(`\r\u001B[K${line}\n${this.#last}`);
  }

  stop(): void {
    this.#timer?.cancel();
    if (this.#stream.isTTY) this.#stream.write(`\r\u001B[K${progressLine(this.#records)}\n`);
  }

  #show(): void {
    const line = progressLine(this.#records);
    if (this.#stream.isTTY) this.#stream.write(`\r\u001B[K${line}`);
    else if (line !== this.#last && this.#last !== '') this.#stream.write(`${line}\n`);
    this.#last = line;
    if (!this.#scope.isOpen) return;
    const delayMs = this.#stream.isTTY ? REFRESH_MS : PLAIN_MS;
    this.#timer = this.#scope.timer('live line', delayMs, () => this.#show());
  }
}

function progressLine(records: readonly CallRecord[]): string {
  const sum = (of: (record: CallRecord) => number): number => records.reduce((all, one) => all + of(one), 0);
  const parts = [
    `sent ${seconds(sum((record) => record.sentMs))}`,
    `received ${seconds(sum((record) => record.receivedMs))}`,
    `turns ${sum((record) => record.turns)}`,
  ];
  const latencies = latenciesOf(records);
  if (latencies.length > 0) parts.push(`first audio after ${milliseconds(quantile(latencies, 0.5))}`);
  return records.length <= 1 ? parts.join(' · ') : `${records.length} calls · ${parts.join(' · ')}`;
}

/** What is said of one call at its end. */
export function describeCall({ record, verdict }: JudgedCall): string {
  const lines: string[] = [];
  if (record.text !== '') lines.push(record.text);
  else if (record.transcript !== '') lines.push(record.transcript.trim());
  const latency = record.firstAudioMs === undefined ? 'none' : `after ${milliseconds(record.firstAudioMs)}`;
  lines.push(
    `session ${record.sessionId}: sent ${seconds(record.sentMs)}, received ${seconds(record.receivedMs)} in ${turnsInWords(record.turns)}, first audio ${latency}`,
  );
  const connections = connectionSummary(record.connections);
  if (connections !== '') lines.push(`connection to the model: ${connections}`);
  const { comparison } = verdict;
  if (comparison !== undefined) {
    lines.push(
      `echo: correlation ${comparison.correlation.toFixed(4)}, ${comparison.gaps.length} gaps, ` +
        `${comparison.missingSpeechMs.toFixed(0)} ms missing, ${comparison.doubledMs.toFixed(0)} ms doubled`,
    );
  }
  for (const problem of verdict.problems) lines.push(`  ${problem}`);
  lines.push(verdict.good ? 'good' : 'bad');
  return lines.join('\n');
}

/** What is said of many calls at their end: the numbers in a table, and the problems with how often each came. */
export function describeLoad(calls: readonly JudgedCall[]): string {
  const records = calls.map(({ record }) => record);
  const good = calls.filter(({ verdict }) => verdict.good).length;
  const correlations = calls.flatMap(({ verdict }) => verdict.comparison?.correlation ?? []);
  const rows: [string, readonly number[], (value: number) => string][] = [
    ['sent', records.map((record) => record.sentMs), seconds],
    ['received', records.map((record) => record.receivedMs), seconds],
    ['turns', records.map((record) => record.turns), String],
    ['first audio', latenciesOf(records), milliseconds],
    ['correlation', correlations, (value) => value.toFixed(4)],
  ];
  const changes = records.map(({ connections: { resumes, reseeds, swaps } }) => resumes + reseeds + swaps);
  if (changes.some((count) => count > 0)) {
    rows.push(
      ['reconnects', changes, String],
      ['without model', records.map(({ connections }) => connections.gapMs), milliseconds],
    );
  }
  const lines = [`${'a call'.padEnd(14)}${['least', 'median', 'p99', 'most'].map(cell).join('')}`];
  for (const [name, values, show] of rows) {
    if (values.length === 0) continue;
    const cells = [0, 0.5, 0.99, 1].map((share) => cell(show(quantile(values, share))));
    lines.push(`${name.padEnd(14)}${cells.join('')}`);
  }
  const counts = new Map<string, number>();
  for (const problem of calls.flatMap(({ verdict }) => verdict.problems)) {
    counts.set(problem, (counts.get(problem) ?? 0) + 1);
  }
  const worst = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, 10);
  for (const [problem, count] of worst) lines.push(`  ${count} × ${problem}`);
  lines.push(`${good} of ${calls.length} calls good`);
  return lines.join('\n');
}

/** A call as JSON: everything but the samples. */
export function callJson({ record, verdict }: JudgedCall): Record<string, unknown> {
  const { audio: _audio, ...rest } = record;
  return { ...rest, transcript: record.transcript.trim(), good: verdict.good, verdict };
}

function latenciesOf(records: readonly CallRecord[]): number[] {
  return records.flatMap((record) => record.firstAudioMs ?? []);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function cell(text: string): string {
  return text.padStart(11);
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}

function milliseconds(durationMs: number): string {
  return `${Math.round(durationMs)} ms`;
}

function turnsInWords(count: number): string {
  return count === 1 ? '1 turn' : `${count} turns`;
}
