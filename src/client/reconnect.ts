import { retryDelayMs } from '../kernel/index.ts';
import type { Random, RetryPolicy } from '../kernel/index.ts';

/** At once, because most connections that are lost can be had again at once; then ever more slowly, up to four seconds. */
export const CLIENT_RECONNECT: RetryPolicy = {
  maxAttempts: Infinity,
  delaysMs: [0, 500, 1_000, 2_000, 4_000],
  // Clients that lost their server in the same moment are not to come back to it in the same moment.
  jitterMs: 500,
};

/** How long one attempt may take, hello included: long enough for a handshake over a bad line, short enough for a second one. */
export const RECONNECT_ATTEMPT_TIMEOUT_MS = 5_000;

/**
 * The connection was lost without a word of the server about the live session: by the network, or by something between
 * (RFC 6455 7.4.1). Whatever a server of Holdfast closes with tells more.
 */
const LOST_CODES: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1013, 1014, 1015]);

export function isLoss(code: number): boolean {
  return LOST_CODES.has(code);
}

/** One time without the server: until when it may last, and how often it was dialled. */
export class Absence {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** What was lost. */
  readonly code: number;
  readonly reason: string;
  #attempts = 0;

  constructor(sinceMs: number, graceMs: number, code: number, reason: string) {
    this.sinceMs = sinceMs;
    this.untilMs = sinceMs + graceMs;
    this.code = code;
    this.reason = reason;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** How long to wait before the next attempt; undefined when there is to be none. */
  next(nowMs: number, random: Random): number | undefined {
    this.#attempts += 1;
    const delayMs = retryDelayMs(CLIENT_RECONNECT, this.#attempts, random);
    return nowMs + delayMs < this.untilMs ? delayMs : undefined;
  }

  /** How long the attempt that begins now may take. */
  attemptTimeoutMs(nowMs: number): number {
    return Math.min(RECONNECT_ATTEMPT_TIMEOUT_MS, this.untilMs - nowMs);
  }
}
