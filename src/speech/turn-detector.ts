import { describeError, InvalidOptionError, type Lifetime } from '../kernel/index.ts';
import type { TurnContext, TurnDetector } from './voice-activity.ts';

/** How much silence ends a turn at the earliest, in milliseconds: less is a breath. */
export const MIN_ENDPOINTING_MS = 500;

/** How much silence ends every turn, in milliseconds: who thinks for longer expects to be asked. */
export const MAX_ENDPOINTING_MS = 3_000;

/** How long a turn detector is waited for, in milliseconds: the least silence, so that an answer in time costs nothing. */
export const END_OF_TURN_BOUND_MS = 500;

/**
 * How much silence a voice activity detector should need to tell an end where a TurnTracker makes the turns, in
 * milliseconds: a gap between words. The tracker adds what is missing to the end of a turn, and takes this long to know
 * that a short noise did not interrupt.
 */
export const TURN_VAD_SILENCE_MS = 200;

/** What a detector says that cannot tell. */
export const UNCERTAIN = 0.5;

/**
 * Asks a detector, and waits for no longer than `boundMs`. Gives undefined when there is no answer: it came too late,
 * never, or as an error (which is logged), or it was no number, or `owner` has begun to close. Never rejects.
 *
 * The detector's scope ends with the question, so that nothing goes on behind an answer nobody waits for.
 */
export function boundedEndOfTurn(
  detector: TurnDetector,
  context: TurnContext,
  owner: Lifetime,
  boundMs = END_OF_TURN_BOUND_MS,
): Promise<number | undefined> {
  if (owner.isClosing) return Promise.resolve(undefined);
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const asking = owner.child('end of turn');
  const settle = (probability: number | undefined): void => {
    resolve(probability);
    void asking.close('answered');
  };
  asking.own('question', {}, { stop: () => resolve(undefined) });
  asking.timer('bound', boundMs, () => settle(undefined));
  ask(detector, context, asking).then(settle, (error: unknown) => {
    // A question that was ended may well end as an error.
    if (!asking.isClosing) {
      asking.log.warn('turn detector failed', { detector: detector.id, error: describeError(error) });
    }
    settle(undefined);
  });
  return promise;
}

async function ask(
  detector: TurnDetector,
  context: TurnContext,
  scope: Lifetime,
): Promise<number | undefined> {
  const probability: unknown = await detector.endOfTurn(context, scope);
  if (typeof probability !== 'number' || Number.isNaN(probability)) return undefined;
  return Math.min(1, Math.max(0, probability));
}

export interface SilenceTurnDetectorOptions {
  /** Below this much silence nobody has finished. Default {@link MIN_ENDPOINTING_MS}. */
  readonly minMs?: number;
  /** From this much on everybody has. Default {@link MAX_ENDPOINTING_MS}. */
  readonly maxMs?: number;
}

/** Knows of silence alone: the longer it is, the likelier is the end. */
export function silenceTurnDetector(options: SilenceTurnDetectorOptions = {}): TurnDetector {
  const { minMs = MIN_ENDPOINTING_MS, maxMs = MAX_ENDPOINTING_MS } = options;
  if (!(minMs >= 0 && maxMs >= minMs)) {
    throw new InvalidOptionError(`minMs is ${minMs} and maxMs ${maxMs}; give 0 ≤ minMs ≤ maxMs.`);
  }
  return {
    id: 'silence',
    async endOfTurn({ silenceMs }) {
      if (silenceMs >= maxMs) return 1;
      return silenceMs <= minMs ? 0 : (silenceMs - minMs) / (maxMs - minMs);
    },
  };
}
