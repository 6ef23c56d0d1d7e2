import { describeConnection } from '../client/index.ts';
import type { LiveEvent } from '../client/index.ts';
import type { ConnectionCounts } from '../session/index.ts';

/** What an event says about the connection to the model, in one line; undefined where it says nothing about it. */
export function connectionNews(event: LiveEvent): string | undefined {
  switch (event.type) {
    case 'connection':
      return describeConnection(event);
    case 'goAway': {
      const { timeLeftMs } = event;
      const when = timeLeftMs === undefined ? 'soon' : `in ${Math.round(timeLeftMs / 1_000)} s`;
      return `the model will close its connection ${when}`;
    }
    case 'unknown':
      return unknownState(event.message);
    default:
      return undefined;
  }
}

/** A server that is newer than this program may know states of a connection that it does not: their name is told. */
function unknownState(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { type, state } = message as { readonly type?: unknown; readonly state?: unknown };
  return type === 'connection' && typeof state === 'string' ? `connection: ${state}` : undefined;
}

/** What a call's connections to the model came to; empty where there was but the one. */
export function connectionSummary(counts: ConnectionCounts): string {
  const { resumes, reseeds, swaps, exhausted, gapMs, replayedMs, audioGapMs } = counts;
  const told = [
    [resumes, `resumed ${resumes} ×`],
    [reseeds, `begun anew ${reseeds} ×`],
    [swaps, `swapped ${swaps} ×`],
    [exhausted, 'given up'],
    [gapMs, `${Math.round(gapMs)} ms without it`],
    [replayedMs, `${(replayedMs / 1_000).toFixed(1)} s of audio sent again`],
    [audioGapMs, `${(audioGapMs / 1_000).toFixed(1)} s of audio lost`],
  ] as const;
  return told.flatMap(([count, words]) => (count > 0 ? [words] : [])).join(', ');
}
