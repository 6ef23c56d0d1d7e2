import type { Attributes } from '@opentelemetry/api';
import type { Usage } from '../protocol/index.ts';

/**
 * Names of the semantic conventions for generative AI, version 1.41, which are in development:
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/. What they do not have is ours and begins with `holdfast.`.
 */
export const OPERATION = 'gen_ai.operation.name';
const PROVIDER = 'gen_ai.provider.name';
export const REQUEST_MODEL = 'gen_ai.request.model';
export const AGENT = 'gen_ai.agent.name';
export const CONVERSATION = 'gen_ai.conversation.id';
export const TOOL = 'gen_ai.tool.name';
export const TOOL_TYPE = 'gen_ai.tool.type';
export const TOOL_CALL_ID = 'gen_ai.tool.call.id';
export const FINISH_REASONS = 'gen_ai.response.finish_reasons';
export const ERROR_TYPE = 'error.type';
/** These hold what was said, and are set where that was asked for only. */
export const INPUT_MESSAGES = 'gen_ai.input.messages';
export const OUTPUT_MESSAGES = 'gen_ai.output.messages';
export const TOOL_ARGUMENTS = 'gen_ai.tool.call.arguments';
export const TOOL_RESULT = 'gen_ai.tool.call.result';

/** What the conventions call the providers that are known here, by what their models' ids begin with. */
const PROVIDERS: ReadonlyMap<string, string> = new Map([
  ['gemini', 'gcp.gemini'],
  ['vertex', 'gcp.vertex_ai'],
]);

/** The provider and the model of an id of ours: `gemini:<model>`. */
export function modelAttributes(id: string): Attributes {
  const colon = id.indexOf(':');
  const provider = colon < 0 ? id : id.slice(0, colon);
  return {
    [PROVIDER]: PROVIDERS.get(provider) ?? provider,
    [REQUEST_MODEL]: colon < 0 ? id : id.slice(colon + 1),
  };
}

export function usageAttributes({ promptTokens, responseTokens, cachedTokens }: Usage): Attributes {
  return {
    'gen_ai.usage.input_tokens': promptTokens,
    'gen_ai.usage.output_tokens': responseTokens,
    ...(cachedTokens === undefined ? {} : { 'gen_ai.usage.cache_read.input_tokens': cachedTokens }),
  };
}
