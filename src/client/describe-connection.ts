import type { ConnectionEventBody, ConnectionRecovery } from '../protocol/index.ts';

/**
 * What happens to the connection between the server and its model, in one line for people:
 * `connection lost (1011 Internal error)`, `attempt 2 in 2.3 s`, `resumed after 640 ms: 1.2 s of audio sent again`.
 */
export function describeConnection(event: ConnectionEventBody): string {
  switch (event.state) {
    case 'connecting':
      return event.attempt === 1
        ? 'connecting to the model'
        : `connecting to the model, attempt ${event.attempt}`;
    case 'connected':
      return `connected to the model after ${time(event.afterMs)}`;
    case 'lost':
      return describeLoss(event);
    case 'waiting':
      return `attempt ${event.attempt} in ${time(event.delayMs)}`;
    case 'resumed':
      return `resumed after ${time(event.gapMs)}${costs(event)}`;
    case 'reseeded':
      return `begun anew after ${time(event.gapMs)}, ${RESEED_CAUSES[event.why] ?? event.why}${costs(event)}`;
    case 'swapped':
      return `swapped ${SWAP_CAUSES[event.cause] ?? `(${event.cause})`}, gap ${time(event.gapMs)}${costs(event)}`;
    case 'handleRejected':
      return `the model no longer knows the session${inBrackets(event.reason)}`;
    case 'exhausted':
      return `given up after ${counted(event.attempts, 'attempt')} in ${time(event.outageMs)}`;
  }
}

/** Words for what this version knows. What a newer server names stands for itself. */
type Words = Readonly<Record<string, string>>;

const LOSSES: Words = {
  silent: 'connection lost: the model does not answer',
  stalled: 'connection lost: what is sent does not get through',
  idle: 'connection let go: nothing was sent over it for a while',
  contextLost: 'connection lost: the model had forgotten the conversation',
};

const RESEED_CAUSES: Words = {
  noHandle: 'with the history',
  handleRejected: 'with the history, as the model no longer knew the session',
  handleExpired: 'with the history, as the session could not be resumed any more',
  handleUnconfirmed: 'with the history, as it was not certain that the model knew the session',
  contextLost: 'with the history, as the model had forgotten the conversation',
};

const SWAP_CAUSES: Words = {
  goAway: 'because the provider was about to close it',
  age: "before the provider's limit",
};

function describeLoss({
  cause,
  code,
  reason,
}: Extract<ConnectionEventBody, { readonly state: 'lost' }>): string {
  const detail = [code === undefined ? '' : String(code), reason].filter((word) => word !== '').join(' ');
  const known = LOSSES[cause];
  if (known !== undefined) return `${known}${inBrackets(detail)}`;
  return `connection lost${inBrackets(detail)}`;
}

/** What the change cost the conversation; empty where it cost nothing. */
function costs({ replayedMs, audioGapMs, cutTurn }: ConnectionRecovery): string {
  const told = [
    audioGapMs > 0 ? `${time(audioGapMs)} of audio lost` : '',
    replayedMs > 0 ? `${time(replayedMs)} of audio sent again` : '',
    cutTurn ? 'an answer was cut' : '',
  ].filter((words) => words !== '');
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

function inBrackets(text: string): string {
  return text === '' ? '' : ` (${text})`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

/** Below a second in milliseconds; up to a minute in seconds, with a tenth where that says something. */
function time(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  return `${(durationMs / 1_000).toFixed(durationMs < 60_000 ? 1 : 0).replace(/\.0$/, '')} s`;
}
