import type { CloseRow, EndKind, RefusalRow } from './end-rows.ts';

/** Anything that names a key, a token or what it may do. `location` and the like are said in words of their own. */
const CREDENTIALS = /api[ _]?key|unauthenticated|credential|access token|permission denied/i;

/** What the provider says of a key's or project's limits, in either of its wordings. */
const QUOTA = /\bquota\b|resource[ _](?:has been )?exhausted/i;

/** The reason that says nothing more than its code, and what a handle it cannot read may be answered with. */
const INVALID_ARGUMENT = /^$|invalid argument/i;

/**
 * What the service's closes mean, as they have been met: it documents none of them. The first row that fits decides.
 * Codes alone say little: 1008 is a dead handle, a bad key, a missing model or an aborted operation.
 */
const CLOSES: readonly CloseRow[] = [
  // 1007, 1008 and 1011 have all been seen with these, at any moment of a connection.
  { reason: CREDENTIALS, kind: 'authentication' },
  // An ephemeral token that is refused was given for this very dial: it was stale or spent when it was obtained.
  { reason: /token has (?:expired|been used)/i, phase: 'setup', kind: 'authentication' },
  // One that grows too old under a connection is replaced by asking for the next dial's.
  { reason: /token has (?:expired|been used)/i, kind: 'connection-lost' },
  { reason: QUOTA, kind: 'quota' },
  // Where the program runs is not cured by dialling again.
  { reason: /location is not supported/i, kind: 'invalid-request' },

  // A malformed or expired handle. Where none was sent, the setup itself is at fault, and the row for 1007 holds.
  { code: 1007, reason: /session handle/i, withHandle: true, kind: 'handle-rejected' },
  { code: 1007, reason: /session handle/i, phase: 'live', kind: 'handle-rejected' },
  // Modalities and the like: the handle is as good as before, and nothing but another setup helps.
  { code: 1007, reason: /not supported/i, kind: 'invalid-request' },
  // The same setup had been taken before, without this handle: a fresh start tells whose fault it was, and a setup
  // that is at fault is then refused without a handle, which is final.
  { code: 1007, reason: INVALID_ARGUMENT, phase: 'setup', withHandle: true, kind: 'handle-rejected' },
  { code: 1007, reason: INVALID_ARGUMENT, phase: 'resumed', withHandle: true, kind: 'handle-rejected' },
  // A message the provider cannot take, or a context that is full: sent again, it ends the same.
  { code: 1007, kind: 'invalid-request' },

  // A session that was never resumed cannot be stale: the provider has lost what it had just made.
  { code: 1008, reason: /session not found/i, phase: 'setup', withHandle: false, kind: 'connection-lost' },
  // Stale handles, hours of idleness, a laptop that slept. In mid-session the provider's side is gone, and with it
  // every handle to it.
  { code: 1008, reason: /session not found/i, kind: 'handle-rejected' },
  // Before a setup without a handle the only entity named is the model.
  { code: 1008, reason: /entity was not found/i, phase: 'setup', withHandle: false, kind: 'invalid-request' },
  { code: 1008, reason: /entity was not found/i, kind: 'handle-rejected' },
  // It comes and goes, often with tool calls or with audio in the middle of a turn; the handle may still be good.
  { code: 1008, reason: /not implemented, or supported, or enabled/i, kind: 'connection-lost' },
  {
    code: 1008,
    reason: /not found for api version|not supported for bidi|model\b.*not found|policy/i,
    kind: 'invalid-request',
  },

  { code: 1011, reason: /currently unavailable|overloaded/i, kind: 'overloaded' },
  // A fault of the server. Two in a row of a resumed connection are the supervisor's to judge: the handle may be at
  // fault, but one alone never proves it.
  { code: 1011, reason: /internal error/i, kind: 'connection-lost' },
  // The end of a connection's time: after 58 minutes, or when a goAway was not heeded.
  { code: 1011, reason: /deadline expired/i, kind: 'connection-lost' },
  // Said without a word when the old connection of a session was still open; and by a proxy that gives a late pong up.
  { code: 1011, kind: 'connection-lost' },

  // A restart: whoever answers the next dial is another instance.
  { code: 1012, kind: 'connection-lost' },
  // IANA's "try again later": said by what stands before the service, which sheds load. Dialled at once, it has more.
  { code: 1013, kind: 'overloaded' },

  // 1000, 1001, 1005, 1006, and whatever else nobody here asked for.
  { kind: 'connection-lost' },
];

/** Refused upgrades. A bad key is answered with 400 and a text as well as with 401. */
const REFUSALS: readonly RefusalRow[] = [
  { status: 400, body: /api[ _]?key/i, kind: 'authentication' },
  { status: 401, kind: 'authentication' },
  { status: 403, kind: 'authentication' },
  { status: 429, kind: 'quota' },
  { status: 400, kind: 'invalid-request' },
  { status: 404, kind: 'invalid-request' },
  { status: 503, kind: 'overloaded' },
  // 500, 502, 504, and no answer at all.
  { kind: 'connection-lost' },
];

/** How a connection ended, with what its end is read by. */
export interface ClassifiedEnd {
  readonly code: number;
  readonly reason: string;
  readonly phase: NonNullable<CloseRow['phase']>;
  readonly withHandle: boolean;
}

/** `overrides` are looked at first. */
export function classifyClose(end: ClassifiedEnd, overrides: readonly CloseRow[] = []): EndKind {
  const row = [...overrides, ...CLOSES].find(
    ({ code, reason, phase, withHandle }) =>
      (code === undefined || code === end.code) &&
      (reason === undefined || reason.test(end.reason)) &&
      (phase === undefined || phase === end.phase) &&
      (withHandle === undefined || withHandle === end.withHandle),
  );
  return row?.kind ?? 'connection-lost';
}

/** `status` is undefined where there was no answer to read. `overrides` are looked at first. */
export function classifyRefusal(
  status: number | undefined,
  said: string,
  overrides: readonly RefusalRow[] = [],
): EndKind {
  const row = [...overrides, ...REFUSALS].find(
    ({ status: wanted, body }) =>
      (wanted === undefined || wanted === status) && (body === undefined || body.test(said)),
  );
  return row?.kind ?? 'connection-lost';
}
