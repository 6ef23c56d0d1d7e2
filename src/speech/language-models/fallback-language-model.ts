import { InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Clock, Lifetime } from '../../kernel/index.ts';
import { ProviderError } from '../../session/errors.ts';
import type { FinishReason, GenerationRequest, GenerationSink, LanguageModel } from '../language-model.ts';
import { Attempt, answering } from './attempt.ts';

/**
 * How long a model that is not the last one may take to its first piece, in milliseconds. A listener takes a longer pause
 * for a call that was dropped.
 */
export const FALLBACK_FIRST_PIECE_TIMEOUT_MS = 5_000;

/**
 * For how long a model that has failed is asked last, in milliseconds; longer where it has said so itself. Short enough
 * that the better model is back soon, long enough that not every turn of a call waits for a time-out first.
 */
export const FALLBACK_REST_MS = 30_000;

export interface FallbackOptions {
  /** Default {@link FALLBACK_FIRST_PIECE_TIMEOUT_MS}. */
  readonly firstPieceTimeoutMs?: number;
  /** Default {@link FALLBACK_REST_MS}. */
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
  if (models.length === 0) throw new InvalidOptionError('Give at least one language model to fall back to.');
  const { firstPieceTimeoutMs = FALLBACK_FIRST_PIECE_TIMEOUT_MS, restMs = FALLBACK_REST_MS } = options;
  if (!(firstPieceTimeoutMs > 0) || !(restMs >= 0)) {
    throw new InvalidOptionError('firstPieceTimeoutMs must be above 0, and restMs not below it.');
  }
  return new FallbackLanguageModel(models, firstPieceTimeoutMs, restMs);
}

class FallbackLanguageModel implements LanguageModel {
  readonly id: string;
  readonly #models: readonly LanguageModel[];
  readonly #firstPieceTimeoutMs: number;
  readonly #restMs: number;
  readonly #restsUntilMs = new Map<LanguageModel, number>();

  constructor(models: readonly LanguageModel[], firstPieceTimeoutMs: number, restMs: number) {
    this.id = `fallback(${models.map(({ id }) => id).join(', ')})`;
    this.#models = models;
    this.#firstPieceTimeoutMs = firstPieceTimeoutMs;
    this.#restMs = restMs;
  }

  generate(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason> {
    return answering(scope, () => this.#attempts(request, sink, scope));
  }

  async #attempts(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason> {
    const models = this.#inOrder(scope.clock);
    for (const [index, model] of models.entries()) {
      const next = models[index + 1];
      const attempt = new Attempt(model, sink, scope);
      try {
        const reason = await attempt.run(request, next && this.#firstPieceTimeoutMs);
        this.#restsUntilMs.delete(model);
        return reason;
      } catch (error) {
        scope.throwIfClosing();
        this.#rest(model, error, scope.clock);
        if (next === undefined || attempt.hasSpoken) throw error;
        const told = { from: model.id, to: next.id, error: describeError(error) };
        scope.log.warn('language model replaced by the next one', told);
      }
    }
    throw new InvalidOptionError('There is no language model.');
  }

  /** Those that rest come last, in their own order. */
  #inOrder(clock: Clock): LanguageModel[] {
    const rests = (model: LanguageModel): boolean => (this.#restsUntilMs.get(model) ?? 0) > clock.now();
    return [...this.#models.filter((model) => !rests(model)), ...this.#models.filter(rests)];
  }

  #rest(model: LanguageModel, error: unknown, clock: Clock): void {
    const askedMs = error instanceof ProviderError ? (error.failure.retryAfterMs ?? 0) : 0;
    this.#restsUntilMs.set(model, clock.now() + Math.max(this.#restMs, askedMs));
  }
}
