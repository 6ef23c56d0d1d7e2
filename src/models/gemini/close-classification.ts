/**
 * What the end of a connection means.
 *
 * - `authentication`, `quota`, `invalid-request`: not the connection's fault; another attempt alike ends alike.
 * - `handle-rejected`: the provider does not know, or no longer takes, the resumption handle it was given.
 * - `connection-lost`: another attempt may go better.
 */
export type EndKind = 'authentication' | 'quota' | 'invalid-request' | 'handle-rejected' | 'connection-lost';

/** Where in its life a connection ended: before the provider said that it is set up, or after. */
export type ConnectionPhase = 'setup' | 'live';

interface CloseRow {
  /** Undefined: any close code. */
  readonly code?: number;
  /** Undefined: any reason. */
  readonly reason?: RegExp;
  /** Undefined: in either phase. */
  readonly phase?: ConnectionPhase;
  /** Whether the setup carried a handle. Undefined: either way. */
  readonly withHandle?: boolean;
  readonly kind: EndKind;
}

/** The first row that fits decides. Codes alone say little: 1008 is a dead handle, a bad key or an aborted operation. */
const CLOSES: readonly CloseRow[] = [
  {
    reason: /api[ _]?key|unauthenticated|credential|access token|permission denied/i,
    kind: 'authentication',
  },
  { reason: /exceeded your current quota|quota exceeded|resource[ _]exhausted/i, kind: 'quota' },
  { reason: /location is not supported/i, kind: 'invalid-request' },
  { code: 1007, reason: /session handle/i, kind: 'handle-rejected' },
  { code: 1007, kind: 'invalid-request' },
  { code: 1008, reason: /session not found/i, kind: 'handle-rejected' },
  { code: 1008, reason: /entity was not found/i, withHandle: true, kind: 'handle-rejected' },
  { code: 1008, reason: /entity was not found/i, phase: 'setup', kind: 'invalid-request' },
  {
    code: 1008,
    reason: /not found for api version|not supported for bidi|model\b.*not found|policy/i,
    kind: 'invalid-request',
  },
  { kind: 'connection-lost' },
];

export function classifyClose(end: {
  readonly code: number;
  readonly reason: string;
  readonly phase: ConnectionPhase;
  readonly withHandle: boolean;
}): EndKind {
  const row = CLOSES.find(
    ({ code, reason, phase, withHandle }) =>
      (code === undefined || code === end.code) &&
      (reason === undefined || reason.test(end.reason)) &&
      (phase === undefined || phase === end.phase) &&
      (withHandle === undefined || withHandle === end.withHandle),
  );
  return row?.kind ?? 'connection-lost';
}

interface RefusalRow {
  readonly status?: number;
  readonly body?: RegExp;
  readonly kind: EndKind;
}

/** Refused upgrades, by HTTP status. A bad key is answered with 400 and a text as well as with 401. */
const REFUSALS: readonly RefusalRow[] = [
  { status: 400, body: /api[ _]?key/i, kind: 'authentication' },
  { status: 401, kind: 'authentication' },
  { status: 403, kind: 'authentication' },
  { status: 429, kind: 'quota' },
  { status: 400, kind: 'invalid-request' },
  { status: 404, kind: 'invalid-request' },
  { kind: 'connection-lost' },
];

/** `status` is undefined where there was no answer to read. */
export function classifyRefusal(status: number | undefined, body: string): EndKind {
  const row = REFUSALS.find(
    (candidate) =>
      (candidate.status === undefined || candidate.status === status) &&
      (candidate.body === undefined || candidate.body.test(body)),
  );
  return row?.kind ?? 'connection-lost';
}
