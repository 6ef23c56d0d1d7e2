import type { ClientReturn } from './client-state.ts';

/** What happens to the connection to the server when it is lost, in one line for people: `attempt 2 in 1.2 s`. */
export function describeAbsence({
  attempt,
  delayMs,
}: {
  readonly attempt: number;
  readonly delayMs: number;
}): string {
  if (attempt === 1) return 'connection to the server lost';
  return `connection to the server lost, attempt ${attempt} in ${(delayMs / 1_000).toFixed(1)} s`;
}

/** What it came to: `back after 640 ms`, `back after 3.2 s: something of what the agent said is missing`. */
export function describeReturn({ recovered, resumed, awayMs }: ClientReturn): string {
  const time = awayMs < 1_000 ? `${Math.round(awayMs)} ms` : `${(awayMs / 1_000).toFixed(1)} s`;
  const back = `connected to the server again after ${time}`;
  if (!resumed) return `${back}, in a new call: the old one had ended`;
  return recovered ? back : `${back}: something of what the agent said is missing`;
}
