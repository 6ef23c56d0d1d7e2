import type { StepReport } from '../../src/kernel/index.ts';
import { asksToReconnect } from '../../src/protocol/index.ts';
import type { LiveEvent } from '../../src/protocol/index.ts';

/** What stands in a cell where there is nothing to tell. */
export const NOTHING = '–';

/** A word of the code. */
export function code(word: string): string {
  return `\`${word}\``;
}

export function list(words: readonly string[]): string {
  return words.length === 0 ? NOTHING : words.join(', ');
}

/** `at once`, `300 ms`, `1.3 s`. */
export function duration(ms: number): string {
  if (ms === 0) return 'at once';
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

/** The code of an error of ours, the name of any other; nothing for none. */
export function codeOf(error: unknown): string {
  if (error === undefined) return NOTHING;
  if (!(error instanceof Error)) return code(typeof error);
  return code('code' in error ? String(error.code) : error.name);
}

/** What an event is called; of a connection also its state, of a warning its code. */
export function eventName(event: LiveEvent): string {
  if (event.type === 'connection') return `${code(event.type)} ${event.state}`;
  if (event.type === 'warning') return `${code(event.type)} ${code(event.code)}`;
  return code(event.type);
}

/** Every step of a report with its outcome, by its path below the session: `tool lookup/run`. */
export function steps(reports: readonly StepReport[]): string {
  return list(
    reports.map(({ name, outcome }) => `${code(name.replace('model leg/connection/', ''))} ${outcome}`),
  );
}

/** A close as its receiver reads it: the code, the reason, and on `holdfast.v1` what to do. */
export function goodbye(
  { code: closeCode, reason }: { readonly code: number; readonly reason: string },
  wire: 'adk' | 'holdfast.v1' | 'other' = 'other',
): string {
  const words = reason.replace(/^(HOLDFAST_\w+): .*/s, '$1: …');
  const isOurs = wire === 'holdfast.v1' && closeCode >= 4000;
  const advice = asksToReconnect(closeCode) ? ', come back' : ', terminal';
  return `${closeCode}${words === '' ? '' : ` ${code(words)}`}${isOurs ? advice : ''}`;
}
