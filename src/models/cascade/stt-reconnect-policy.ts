import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_PROBE_TIMEOUT_MS } from '../../session/index.ts';
import type { ReconnectOptions, ReconnectPolicy } from '../../session/index.ts';
import { parseReconnect } from '../../session/reconnect-policy.ts';

export interface SttReconnectOptions {
  /** What differs from the policy; `false`: what is lost stays lost. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number | undefined;
  /** What the recogniser says of itself. */
  readonly probeTimeoutMs?: number | undefined;
}

/**
 * How a recogniser's connection is had again (clause S2). It differs from a model's in two points:
 *
 * - Attempts are those in a row that came to nothing. A final transcript ends the row, and so does a connection that
 *   outlived the connect time-out: of a caller who says nothing there is no transcript, and their connections are recycled
 *   every few minutes. A connection that is dropped sooner is as good as an attempt that failed in time, and counts.
 * - No recogniser issues handles, and none needs one: a fresh connection is given what is not written down yet.
 *
 * Delays, attempts and the budget of the whole session are those of every connection, for the reasons that stand there; so
 * is the audio that is kept, which is what a caller says before they notice that nobody hears them.
 *
 * @throws InvalidOptionError that names every field which cannot work.
 */
export function sttReconnectPolicy(options: SttReconnectOptions = {}): ReconnectPolicy | undefined {
  const { reconnect, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, probeTimeoutMs } = options;
  const given = reconnect === false ? false : { stableAfterMs: connectTimeoutMs, ...reconnect };
  const policy = parseReconnect(given);
  if (policy === undefined) return undefined;
  return {
    ...policy,
    withoutHandle: 'reseed',
    probeTimeoutMs: policy.probeTimeoutMs ?? probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS,
  };
}
