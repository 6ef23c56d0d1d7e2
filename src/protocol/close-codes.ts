/**
 * Why a client's WebSocket was closed, shared by server and client.
 *
 * On `holdfast.v1` the range is the contract: 4000–4099 are terminal (do not come back with this session's token),
 * 4100–4199 ask the client to connect again. The ADK wire knows only the codes of RFC 6455 and `replaced`.
 */
export const CLOSE_CODES = {
  /** The live session ended as intended: closed, drained, the participant left, the task is done. */
  ended: { code: 4000, reason: 'ended' },
  /** A newer client took the live session over. */
  replaced: { code: 4001, reason: 'replaced' },
  /** A limit was reached: idle time or duration. */
  limit: { code: 4002, reason: 'limit reached' },
  /** Somebody who administers the server ended it; the reason may be in their words. */
  closedByOperator: { code: 4003, reason: 'closed by operator' },
  /** The live session failed; the reason starts with the error's code. */
  failed: { code: 4010, reason: 'failed' },
  /** The client broke the protocol in a way that cannot go on. */
  protocolError: { code: 4011, reason: 'protocol error' },
  /** No such app or session. */
  notFound: { code: 4012, reason: 'not found' },
  /** The client did not read what it was sent. */
  slowClient: { code: 4013, reason: 'client too slow' },
  /** The token a client came back with is not that of the live session there is, which goes on as if nobody had come. */
  resumeRefused: { code: 4014, reason: 'resume refused' },
  /** The server is going away: connect again, elsewhere. */
  draining: { code: 4100, reason: 'server draining' },
  /** Said by a client that gives a connection up and comes back on another one: it has not left. */
  reconnecting: { code: 4101, reason: 'reconnecting' },
} as const satisfies Record<string, { readonly code: number; readonly reason: string }>;

export type CloseCodeName = keyof typeof CLOSE_CODES;

/** The codes of RFC 6455 that the ADK wire is closed with. */
export const ADK_CLOSE_CODES = {
  ended: 1000,
  sessionNotFound: 1002,
  /** RFC 6455 7.4.1: the endpoint breaks a rule of the application. It sends too fast, or does not read. */
  policyViolation: 1008,
  tooLarge: 1009,
  failed: 1011,
  draining: 1012,
  replaced: 4001,
} as const;

/** Whether a close code asks the client to connect again. */
export function asksToReconnect(code: number): boolean {
  return (code >= 4100 && code <= 4199) || code === ADK_CLOSE_CODES.draining;
}

/** RFC 6455 5.5: a control frame carries 125 bytes, of which two are the code. */
export const MAX_CLOSE_REASON_BYTES = 123;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Stands at the end of a reason that was cut, so that half a sentence is not taken for a whole one. */
const CUT_MARK = '…';

/** A close reason that fits its frame, cut between characters where it is too long. */
export function fitCloseReason(reason: string): string {
  const bytes = encoder.encode(reason);
  if (bytes.byteLength <= MAX_CLOSE_REASON_BYTES) return reason;
  const kept = bytes.subarray(0, MAX_CLOSE_REASON_BYTES - encoder.encode(CUT_MARK).byteLength);
  // A character cut in half decodes to the replacement character, which is taken off.
  return decoder.decode(kept).replace(/\uFFFD+$/, '') + CUT_MARK;
}
