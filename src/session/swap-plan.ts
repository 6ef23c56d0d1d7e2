import type { Lifetime } from '../kernel/index.ts';
import type { ConnectionCause } from '../protocol/index.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';

/** How often a turn's end is looked for, once a swap is wanted. */
export const SWAP_CHECK_MS = 100;

/** What is left where a goAway does not say how much: enough to look for a turn's end, not enough to be cut off. */
export const DEFAULT_GO_AWAY_MS = 10_000;

/** Of a short notice no more than this part is given away: an age limit of two seconds has no minute to look around. */
const LEAD_SHARE = 0.2;
const MARGIN_SHARE = 0.25;

/** Why a connection is replaced on purpose. */
export type SwapCause = Extract<ConnectionCause, 'goAway' | 'age' | 'contextLost'>;

/**
 * When a connection is to be replaced on purpose (clause R7): from when on a turn's end is looked for, and when it is
 * done in any case. It runs on our own timers, because a peer that has said goAway may never say anything again, and
 * dies with the connection's scope.
 */
export class SwapPlan {
  readonly #scope: Lifetime;
  readonly #policy: Pick<ReconnectPolicy, 'swapLeadMs' | 'swapMarginMs'>;
  /** Asked again and again once a swap is wanted; whoever is asked swaps, or does not yet. */
  readonly #due: (cause: SwapCause, isUrgent: boolean) => void;
  #wanted: { readonly cause: SwapCause; readonly deadlineMs: number } | undefined;

  constructor(
    scope: Lifetime,
    policy: Pick<ReconnectPolicy, 'swapLeadMs' | 'swapMarginMs'>,
    due: (cause: SwapCause, isUrgent: boolean) => void,
  ) {
    this.#scope = scope;
    this.#policy = policy;
    this.#due = due;
  }

  /** The provider ends connections of this age: from shortly before it on the swap is wanted. */
  armForAge(maxAgeMs: number): void {
    const leadMs = Math.min(this.#policy.swapLeadMs, maxAgeMs * LEAD_SHARE);
    this.#scope.timer('age limit', maxAgeMs - leadMs, () => this.want('age', leadMs));
  }

  /** The connection ends in `timeLeftMs`, where that is known. What was planned sooner stays. */
  want(cause: SwapCause, timeLeftMs = DEFAULT_GO_AWAY_MS): void {
    const marginMs = Math.min(this.#policy.swapMarginMs, timeLeftMs * MARGIN_SHARE);
    const deadlineMs = this.#scope.clock.now() + Math.max(0, timeLeftMs - marginMs);
    const earlier = this.#wanted;
    if (earlier !== undefined && earlier.deadlineMs <= deadlineMs) return;
    this.#wanted = { cause: earlier?.cause ?? cause, deadlineMs };
    if (earlier === undefined) this.#check();
  }

  #check(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#scope.isClosing) return;
    const leftMs = wanted.deadlineMs - this.#scope.clock.now();
    this.#due(wanted.cause, leftMs <= 0);
    if (this.#scope.isClosing) return;
    this.#scope.timer('swap', leftMs > 0 ? Math.min(SWAP_CHECK_MS, leftMs) : SWAP_CHECK_MS, () =>
      this.#check(),
    );
  }
}
