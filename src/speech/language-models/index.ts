/** Language models: those of the AI SDK, servers that speak OpenAI's chat completions, and several in a row. */
export {
  LANGUAGE_MODEL_STALL_TIMEOUT_MS,
  aiLanguageModel,
  type AiLanguageModelOptions,
} from './ai-language-model.ts';
export type { AiCallSettings, AiModel, AiStreamPart } from './ai-model.ts';
export { STREAM_END_WAIT_MS } from './ai-generation.ts';
export {
  FALLBACK_FIRST_PIECE_TIMEOUT_MS,
  fallbackLanguageModel,
  type FallbackOptions,
} from './fallback-language-model.ts';
export { OPENAI_BASE_URL, openaiCompatible, type OpenAiCompatibleOptions } from './openai-compatible.ts';
export {
  LANGUAGE_MODEL_RETRY,
  retryingLanguageModel,
  type RetryingOptions,
} from './retrying-language-model.ts';
