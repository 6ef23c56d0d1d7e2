import { RetryExhaustedError, retry, systemRandom } from '../../kernel/index.ts';
import type { Random, RetryPolicy } from '../../kernel/index.ts';
import { ConnectionLostError, OverloadedError } from '../../session/errors.ts';
import type { LanguageModel } from '../language-model.ts';
import { Attempt, answering } from './attempt.ts';

/** Three attempts within some two seconds: somebody is listening, and hears nothing meanwhile. */
export const LANGUAGE_MODEL_RETRY: RetryPolicy = { maxAttempts: 3, delaysMs: [0, 250, 1_000], jitterMs: 250 };

export interface RetryingOptions {
  /** Default {@link LANGUAGE_MODEL_RETRY}. */
  readonly policy?: RetryPolicy;
  /** Default: the machine's. */
  readonly random?: Random;
}

/**
 * Asks the same model again when it fails before its first piece for a reason that another attempt may cure: a
 * ConnectionLostError or an OverloadedError. When no attempt succeeds, the last one's error is thrown.
 */
export function retryingLanguageModel(model: LanguageModel, options: RetryingOptions = {}): LanguageModel {
  const { policy = LANGUAGE_MODEL_RETRY, random = systemRandom } = options;
  return {
    id: model.id,
    async generate(request, sink, scope) {
      let attempt: Attempt | undefined;
      try {
        return await answering(scope, () =>
          retry({
            ...{ policy, random, scope },
            attempt: () => {
              attempt = new Attempt(model, sink, scope);
              return attempt.run(request);
            },
            isWorthRetrying: (error) => attempt?.hasSpoken !== true && isCurable(error),
          }),
        );
      } catch (error) {
        throw error instanceof RetryExhaustedError ? error.cause : error;
      }
    },
  };
}

function isCurable(error: unknown): boolean {
  return error instanceof ConnectionLostError || error instanceof OverloadedError;
}
