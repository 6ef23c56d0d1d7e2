import type { ServerCloseReport } from '../server/index.ts';
import { ageInWords } from './session-table.ts';

/** `1 call`, `3 calls`. */
export function callsInWords(count: number): string {
  return count === 1 ? '1 call' : `${count} calls`;
}

/** `1 call was`, `3 calls were`. */
export function callsWere(count: number): string {
  return `${callsInWords(count)} ${count === 1 ? 'was' : 'were'}`;
}

/** How a server ended, for who sits at its terminal; undefined where there is nothing to tell. */
export function endInWords({
  cutCalls,
  drain,
}: Pick<ServerCloseReport, 'cutCalls' | 'drain'>): string | undefined {
  if (drain === undefined || drain.calls === 0)
    return cutCalls === 0 ? undefined : `${callsWere(cutCalls)} cut.`;
  const { calls, ended, cut, durationMs } = drain;
  const waited = `after ${ageInWords(durationMs)}`;
  if (cut === 0)
    return `${calls === 1 ? 'The call has' : `All ${calls} calls have`} ended by ${calls === 1 ? 'itself' : 'themselves'}, ${waited}.`;
  if (ended === 0) return `${callsWere(cut)} cut, ${waited}.`;
  return `${callsInWords(ended)} ended by ${ended === 1 ? 'itself' : 'themselves'}, ${callsWere(cut)} cut, ${waited}.`;
}
