import { z } from 'zod';
import { InvalidOptionError, retryDelayMs } from '../kernel/index.ts';
import type { Random, RetryPolicy } from '../kernel/index.ts';
import type { StreamCapabilities } from './stream-port.ts';

/** The first attempt is made at once, because most losses are a blink; at 30 s a caller is still there (clause R3). */
export const DEFAULT_RECONNECT_DELAYS_MS: readonly number[] = [
  0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000,
];

/** Added after the cap, so that the clients of one dead server do not come back in the same instant (clause R3). */
export const DEFAULT_RECONNECT_JITTER_MS = 1_000;

/** Two and a half minutes of trying: longer than a provider's restart, as long as a caller may hold the line (R4). */
export const DEFAULT_MAX_ATTEMPTS = 10;

/** At one swap every ten minutes this is a week; what reaches it goes in circles (clause R4). */
export const DEFAULT_MAX_REDIALS = 1_000;

/** A connection that lives this long is not in a loop of accept and drop (clause R4). */
export const DEFAULT_STABLE_AFTER_MS = 10_000;

/** What a provider that is overloaded is given before it is asked again, where it does not say how long itself. */
export const DEFAULT_OVERLOAD_DELAY_MS = 10_000;

/** Nobody holds the line for longer: a provider that asks for more is asked again after this long all the same. */
export const MAX_RETRY_AFTER_MS = 60_000;

/** A caller who talks for half a minute without being heard has noticed; a megabyte a session is what it costs (R8). */
export const DEFAULT_BUFFERED_AUDIO_MS = 30_000;

/** How long before the provider's deadline a swap begins to look for a turn's end: the notice Gemini gives. */
export const DEFAULT_SWAP_LEAD_MS = 60_000;

/** A close and a dial take one or two seconds; a swap that waits no longer than this is over in time (clause R7). */
export const DEFAULT_SWAP_MARGIN_MS = 5_000;

/** A quiet connection is asked whether it is there this often: twice within what load balancers let pass (R12). */
export const DEFAULT_PROBE_AFTER_MS = 15_000;

/** Pongs of 8 to 30 seconds were measured on healthy connections, so a minute is what says that nobody is there (R12). */
export const DEFAULT_PROBE_TIMEOUT_MS = 60_000;

/** A socket that takes nothing for ten seconds, with audio waiting, is not one a conversation can be held over (R12). */
export const DEFAULT_STALL_TIMEOUT_MS = 10_000;

/** How a live session gets its connection back. Durations in milliseconds; `Infinity` switches a bound off. */
export interface ReconnectPolicy {
  /** Attempts of one outage. Default `DEFAULT_MAX_ATTEMPTS`. */
  readonly maxAttempts: number;
  /** The delay before attempt 1, 2, 3 …; the last one repeats. Default `DEFAULT_RECONNECT_DELAYS_MS`. */
  readonly delaysMs: readonly number[];
  /** Up to this much is added to every delay above zero. Default `DEFAULT_RECONNECT_JITTER_MS`. */
  readonly jitterMs: number;
  /** How long one outage may last. Default `Infinity`: a bound on the whole kills what a bound on attempts would save. */
  readonly maxOutageMs: number;
  /** Dials of one live session after its first. Nothing resets it. Default `DEFAULT_MAX_REDIALS`. */
  readonly maxRedials: number;
  /** After how long a connection without progress ends the outage. Default `DEFAULT_STABLE_AFTER_MS`. */
  readonly stableAfterMs: number;
  /** The delay after an OverloadedError that names none. Default `DEFAULT_OVERLOAD_DELAY_MS`. */
  readonly overloadDelayMs: number;
  /**
   * What a lost connection without a handle means. `fail`: a ConnectionLostError, the default for models that issue
   * handles. `reseed`: a fresh connection that is given the history, the default for models that issue none.
   */
  readonly withoutHandle: 'fail' | 'reseed';
  /** How much of the user's audio is kept to be sent again. Default `DEFAULT_BUFFERED_AUDIO_MS`. */
  readonly bufferedAudioMs: number;
  /** How long before the provider's age limit a swap is looked for. Default `DEFAULT_SWAP_LEAD_MS`. */
  readonly swapLeadMs: number;
  /** How long before the provider's deadline a swap is made in any case. Default `DEFAULT_SWAP_MARGIN_MS`. */
  readonly swapMarginMs: number;
  /** How long nothing may arrive before the peer is asked. Default `DEFAULT_PROBE_AFTER_MS`. */
  readonly probeAfterMs: number;
  /** How long the question may stay unanswered. Default: the model's, else `DEFAULT_PROBE_TIMEOUT_MS`. */
  readonly probeTimeoutMs: number;
  /** How long what waits to be sent may not move. Default `DEFAULT_STALL_TIMEOUT_MS`. */
  readonly stallTimeoutMs: number;
}

/** What of the policy differs from the defaults; `false` turns reconnecting off. */
export type ReconnectOptions = Partial<ReconnectPolicy> | false;

const durationMs = z.union([z.number().positive(), z.literal(Infinity)]);
const delayMs = z.number().nonnegative();
const count = z.union([z.int().nonnegative(), z.literal(Infinity)]);

const policySchema = z.strictObject({
  maxAttempts: z.union([z.int().positive(), z.literal(Infinity)]).default(DEFAULT_MAX_ATTEMPTS),
  delaysMs: z
    .array(delayMs)
    .min(1)
    .default([...DEFAULT_RECONNECT_DELAYS_MS]),
  jitterMs: delayMs.default(DEFAULT_RECONNECT_JITTER_MS),
  maxOutageMs: durationMs.default(Infinity),
  maxRedials: count.default(DEFAULT_MAX_REDIALS),
  stableAfterMs: durationMs.default(DEFAULT_STABLE_AFTER_MS),
  overloadDelayMs: delayMs.default(DEFAULT_OVERLOAD_DELAY_MS),
  withoutHandle: z.enum(['fail', 'reseed']).optional(),
  bufferedAudioMs: delayMs.default(DEFAULT_BUFFERED_AUDIO_MS),
  swapLeadMs: delayMs.default(DEFAULT_SWAP_LEAD_MS),
  swapMarginMs: delayMs.default(DEFAULT_SWAP_MARGIN_MS),
  probeAfterMs: durationMs.default(DEFAULT_PROBE_AFTER_MS),
  probeTimeoutMs: durationMs.optional(),
  stallTimeoutMs: durationMs.default(DEFAULT_STALL_TIMEOUT_MS),
});

type GivenPolicy = z.output<typeof policySchema>;

/**
 * The policy that is asked for, defaults filled in that do not depend on a model; undefined where it is turned off.
 * @throws InvalidOptionError that names every field which cannot work, and what it accepts.
 */
export function parseReconnect(options: ReconnectOptions | undefined): GivenPolicy | undefined {
  if (options === false) return undefined;
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  const parsed = policySchema.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${['reconnect', ...path].join('.')}: ${message}`,
  );
  throw new InvalidOptionError(`The reconnect policy cannot work. ${problems.join('; ')}`);
}

/** The same for a provider. @throws InvalidOptionError as `parseReconnect` does. */
export function resolveReconnect(
  options: ReconnectOptions | undefined,
  { resumption, probeTimeoutMs }: StreamCapabilities,
): ReconnectPolicy | undefined {
  const policy = parseReconnect(options);
  if (policy === undefined) return undefined;
  return {
    ...policy,
    withoutHandle: policy.withoutHandle ?? (resumption ? 'fail' : 'reseed'),
    probeTimeoutMs: policy.probeTimeoutMs ?? probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS,
  };
}

/** The delay before `attempt`, jitter included; only what had been healthy is dialled again at once (clause R3). */
export function reconnectDelayMs(
  policy: RetryPolicy,
  attempt: number,
  wasHealthy: boolean,
  random: Random,
): number {
  if (attempt > 1 || wasHealthy || policy.delaysMs[0] !== 0) return retryDelayMs(policy, attempt, random);
  return retryDelayMs(policy, 2, random);
}
