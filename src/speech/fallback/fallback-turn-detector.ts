import { InvalidOptionError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { UNCERTAIN, boundedEndOfTurn } from '../turn-detector.ts';
import type { TurnContext, TurnDetector } from '../voice-activity.ts';
import { ProviderRoster } from './provider-roster.ts';

/**
 * How long a turn detector that is not the last one may think, in milliseconds: half of `END_OF_TURN_BOUND_MS`, so that
 * the next one still answers in time.
 */
export const FALLBACK_TURN_TIMEOUT_MS = 250;

export interface FallbackTurnDetectorOptions {
  /** Default {@link FALLBACK_TURN_TIMEOUT_MS}. */
  readonly answerTimeoutMs?: number;
  /** Default `FALLBACK_REST_MS`. */
  readonly restMs?: number;
}

/**
 * Asks the first detector, and the next one when it fails, is late, or says that it cannot tell (`UNCERTAIN`). One that has
 * failed or was late rests: it is asked last for a while, in every session that shares this object. Each change is a
 * warning in the log. The last one's answer, or failure, is its own.
 * @throws InvalidOptionError without a detector.
 */
export function fallbackTurnDetector(
  detectors: readonly TurnDetector[],
  options: FallbackTurnDetectorOptions = {},
): TurnDetector {
  const { answerTimeoutMs = FALLBACK_TURN_TIMEOUT_MS, restMs } = options;
  if (!(answerTimeoutMs > 0)) {
    throw new InvalidOptionError(`answerTimeoutMs must be above 0; it was ${answerTimeoutMs}.`);
  }
  const roster = new ProviderRoster('turn detector', detectors, restMs);
  return {
    id: roster.id,
    endOfTurn: (context, scope) => endOfTurn(roster, answerTimeoutMs, context, scope),
  };
}

async function endOfTurn(
  roster: ProviderRoster<TurnDetector>,
  answerTimeoutMs: number,
  context: TurnContext,
  scope: Lifetime,
): Promise<number> {
  const asked = roster.inOrder(scope.clock.now());
  for (const [index, detector] of asked.entries()) {
    const next = asked[index + 1];
    if (next === undefined) return detector.endOfTurn(context, scope);
    const probability = await boundedEndOfTurn(detector, context, scope, answerTimeoutMs);
    scope.throwIfClosing();
    if (probability === undefined) {
      roster.failed(detector, undefined, scope.clock.now());
      scope.log.warn('turn detector replaced by the next one', { from: detector.id, to: next.id });
      continue;
    }
    roster.worked(detector);
    if (probability !== UNCERTAIN) return probability;
  }
  return UNCERTAIN;
}
