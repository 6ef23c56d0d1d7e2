import { InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { ProviderRoster } from '../fallback/provider-roster.ts';
import type { FinishReason, GenerationRequest, GenerationSink, LanguageModel } from '../language-model.ts';
import { Attempt, answering } from './attempt.ts';

/**
 * How long a model that is not the last one may take to its first piece, in milliseconds. A listener takes a longer pause
 * for a call that was dropped.
 */
export const FALLBACK_FIRST_PIECE_TIMEOUT_MS = 5_000;

export interface FallbackOptions {
  /** Default {@link FALLBACK_FIRST_PIECE_TIMEOUT_MS}. */
  readonly firstPieceTimeoutMs?: number;
  /** Default `FALLBACK_REST_MS`. */
  readonly restMs?: number;
}

/**
 * Asks the first model, and the next one when it fails, or is silent for too long, before its first piece. Later failures
 * are the answer's own: half an answer of one model has no other half in another one. A model that has failed rests: it is
 * asked last for a while, in every session that shares this object.
 *
 * Each change is a warning in the log of the scope. When all fail, the last one's error is thrown.
 * @throws InvalidOptionError without a model.
 */
export function fallbackLanguageModel(
  models: readonly LanguageModel[],
  options: FallbackOptions = {},
): LanguageModel {
  const { firstPieceTimeoutMs = FALLBACK_FIRST_PIECE_TIMEOUT_MS, restMs } = options;
  if (!(firstPieceTimeoutMs > 0)) {
    throw new InvalidOptionError(`firstPieceTimeoutMs must be above 0; it was ${firstPieceTimeoutMs}.`);
  }
  return new FallbackLanguageModel(new ProviderRoster('language model', models, restMs), firstPieceTimeoutMs);
}

class FallbackLanguageModel implements LanguageModel {
  readonly id: string;
  readonly #roster: ProviderRoster<LanguageModel>;
  readonly #firstPieceTimeoutMs: number;

  constructor(roster: ProviderRoster<LanguageModel>, firstPieceTimeoutMs: number) {
    this.id = roster.id;
    this.#roster = roster;
    this.#firstPieceTimeoutMs = firstPieceTimeoutMs;
  }

  generate(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason> {
    return answering(scope, () => this.#attempts(request, sink, scope));
  }

  async #attempts(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason> {
    const models = this.#roster.inOrder(scope.clock.now());
    for (const [index, model] of models.entries()) {
      const next = models[index + 1];
      const attempt = new Attempt(model, sink, scope);
      try {
        const reason = await attempt.run(request, next && this.#firstPieceTimeoutMs);
        this.#roster.worked(model);
        return reason;
      } catch (error) {
        scope.throwIfClosing();
        this.#roster.failed(model, error, scope.clock.now());
        if (next === undefined || attempt.hasSpoken) throw error;
        const told = { from: model.id, to: next.id, error: describeError(error) };
        scope.log.warn('language model replaced by the next one', told);
      }
    }
    throw new InvalidOptionError('There is no language model.');
  }
}
