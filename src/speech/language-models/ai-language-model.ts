import { InvalidOptionError } from '../../kernel/index.ts';
import type { LanguageModel } from '../language-model.ts';
import { AiGeneration } from './ai-generation.ts';
import type { AiCallSettings, AiModel } from './ai-model.ts';

/**
 * How long a model may send nothing before its answer is given up, in milliseconds. Whoever listens is gone by then; it is
 * as long as it is for models that think in silence.
 */
export const LANGUAGE_MODEL_STALL_TIMEOUT_MS = 60_000;

export interface AiLanguageModelOptions {
  /** A model made by any provider of the AI SDK: `anthropic('claude-haiku-4-5')`. */
  readonly model: AiModel;
  /** For logs and events. Default: the provider and the model, `openai:gpt-4.1-mini`. */
  readonly id?: string;
  /** Default: what the provider does by itself. */
  readonly settings?: AiCallSettings;
  /** Default {@link LANGUAGE_MODEL_STALL_TIMEOUT_MS}. */
  readonly stallTimeoutMs?: number;
}

/**
 * Any model of the AI SDK. It takes the SDK's model as its provider makes it, so that no package of the SDK but the
 * provider's own is needed, and nothing is tried again behind anybody's back.
 *
 * ```ts
 * import { anthropic } from '@ai-sdk/anthropic';
 * const model = aiLanguageModel({ model: anthropic('claude-haiku-4-5'), settings: { maxOutputTokens: 300 } });
 * ```
 *
 * Calls are handed over together, when the answer is whole: an answer that was cut off has called nothing.
 * @throws InvalidOptionError for what is no such model.
 */
export function aiLanguageModel(options: AiLanguageModelOptions): LanguageModel {
  return discreetLanguageModel(options, () => undefined);
}

/** The same, of which `secret` is known: it stands in no error, whoever said it. */
export function discreetLanguageModel(
  options: AiLanguageModelOptions,
  secret: () => string | undefined,
): LanguageModel {
  const { model, settings = {}, stallTimeoutMs = LANGUAGE_MODEL_STALL_TIMEOUT_MS } = options;
  if (typeof (model as Partial<AiModel> | undefined)?.doStream !== 'function') {
    throw new InvalidOptionError(
      "`model` must be a model that a provider of the AI SDK has made, such as openai('gpt-4.1-mini'), and not its name.",
    );
  }
  if (!(stallTimeoutMs > 0)) {
    throw new InvalidOptionError(`stallTimeoutMs must be above 0; it was ${stallTimeoutMs}.`);
  }
  const id = options.id ?? `${model.provider.split('.')[0]}:${model.modelId}`;
  const metadata = new WeakMap<object, object>();
  const generation = { id, model, settings, stallTimeoutMs, metadata, secret };
  return {
    id,
    generate: (request, sink, scope) => AiGeneration.start(generation, request, sink, scope),
  };
}
