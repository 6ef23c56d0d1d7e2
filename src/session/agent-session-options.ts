import { InvalidOptionError } from '../kernel/index.ts';
import type { Clock, Lifetime, Logger, Random } from '../kernel/index.ts';
import type { Agent } from './agent.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS } from './limits.ts';
import type { SessionLimits } from './limits.ts';
import type { LiveModel } from './live-model.ts';
import type { LiveRequestQueue } from './live-request-queue.ts';
import type { ReconnectOptions } from './reconnect-policy.ts';
import type { RunConfig } from './run-config.ts';
import type { Journal, StoredSession } from './session-store.ts';
import type { UserData } from './tool.ts';

/** What was queued before a close goes out within a second, or its receiver is not taking it (clause C11). */
export const DEFAULT_FLUSH_TIMEOUT_MS = 1_000;

/** Nobody is told that the user is away: what that means, and when, is for the application to say. */
export const DEFAULT_USER_AWAY_TIMEOUT_MS = Infinity;

/** Nobody is told of interruptions without a word: only an application that lets the agent go on has a use for it. */
export const DEFAULT_FALSE_INTERRUPTION_TIMEOUT_MS = Infinity;

export interface AgentSessionOptions {
  readonly agent: Agent;
  /** Default: the agent's own. */
  readonly model?: LiveModel | undefined;
  /** The stored session this is a live run of; its history is continued. Default: a new one. */
  readonly session?: StoredSession | undefined;
  /** Where the client's requests come from. Default: a new one, see `queue`. */
  readonly queue?: LiveRequestQueue | undefined;
  readonly runConfig?: RunConfig | undefined;
  /** Where what happens is written down as it happens, under the name of `session`. Default: nowhere. */
  readonly journal?: Journal | undefined;
  /** Where its tools keep artifacts. Default: nowhere; a tool that asks for them is told so. */
  readonly artifacts?: ArtifactStore | undefined;
  /** Who owns the live session, and ends it when it ends itself. Default: nobody. */
  readonly owner?: Lifetime | undefined;
  /** What tools and hooks are given as `userData`. Default: an empty object. */
  readonly userData?: UserData | undefined;
  /** Default `DEFAULT_CLOSE_TIMEOUT_MS`. */
  readonly closeTimeoutMs?: number | undefined;
  /** Default `DEFAULT_FLUSH_TIMEOUT_MS`. */
  readonly flushTimeoutMs?: number | undefined;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number | undefined;
  readonly limits?: Partial<SessionLimits> | undefined;
  /**
   * After how long without a word of anybody the event `userState` says that the user is away. Default: never. It is found
   * by words and marks of speech, so the model has to give either.
   */
  readonly userAwayTimeoutMs?: number | undefined;
  /**
   * How long after an interruption without a word of the user `falseInterruption` is emitted, with the speech that was
   * interrupted. Default: never.
   */
  readonly falseInterruptionTimeoutMs?: number | undefined;
  /** How a lost connection is had again. Default: see `ReconnectPolicy`; `false` turns it off. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** These three are the owner's where there is one. */
  readonly clock?: Clock | undefined;
  readonly log?: Logger | undefined;
  readonly random?: Random | undefined;
}

/** The limits of a live session, every default filled in. */
export function limitsOf({ limits }: Pick<AgentSessionOptions, 'limits'>): SessionLimits {
  return {
    idleTimeoutMs: limits?.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxDurationMs: limits?.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
  };
}

/** @throws InvalidOptionError for a time that is not above 0. */
export function checkTimes(options: AgentSessionOptions & Partial<SessionLimits>): void {
  const { closeTimeoutMs, flushTimeoutMs, connectTimeoutMs, idleTimeoutMs, maxDurationMs } = options;
  const { userAwayTimeoutMs, falseInterruptionTimeoutMs } = options;
  const limits = { idleTimeoutMs, maxDurationMs, userAwayTimeoutMs, falseInterruptionTimeoutMs };
  const times = { closeTimeoutMs, flushTimeoutMs, connectTimeoutMs, ...limits };
  for (const [name, ms] of Object.entries(times)) {
    if (ms === undefined || ms > 0) continue;
    throw new InvalidOptionError(`${name} must be above 0 milliseconds; it was ${ms}.`);
  }
}
