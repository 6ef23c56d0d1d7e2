import { pino } from 'pino';

/**
 * How much of a log waits for a disk that is full, in bytes: some thousand lines. What comes after that is dropped, and what
 * waits is written when there is room again.
 */
export const MAX_UNWRITTEN_LOG_BYTES = 1_048_576;

/**
 * Nobody who reads what a server says keeps it from serving: a pipe whose reader has gone, a terminal that was closed and a
 * full disk are errors of these streams, which would end the process, and every call with it. What is said there is lost.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** Where lines of a log go: to stderr, at once, as long as that takes them. */
export function logDestination(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: MAX_UNWRITTEN_LOG_BYTES });
  destination.on('error', () => undefined);
  return destination;
}
