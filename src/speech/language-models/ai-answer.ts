import type { FunctionCall, Usage } from '../../protocol/index.ts';
import type { FinishReason } from '../language-model.ts';
import type { AiStreamPart } from './ai-model.ts';
import type { CallMetadata } from './ai-prompt.ts';

/** What a part of a stream means here. */
export type AnswerPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'call'; readonly call: FunctionCall }
  | { readonly type: 'finish'; readonly reason: ToldReason; readonly usage: Usage | undefined }
  | { readonly type: 'error'; readonly error: unknown };

/** `none`: it ended, and why was not told. */
type ToldReason = FinishReason | 'none';

/** The arguments of a call are no JSON object: the model made a mistake, or was cut off. */
export class UnreadableCall extends Error {}

interface ToolCallFields extends AiStreamPart {
  readonly toolCallId: string;
  readonly toolName: string;
  /** JSON. */
  readonly input: string;
  readonly providerExecuted?: boolean;
  readonly providerMetadata?: object;
}

/** A count, or in the newer interfaces a count with what it is made of. */
type TokenCount = number | null | { readonly [kind: string]: number | undefined } | undefined;

interface FinishFields extends AiStreamPart {
  readonly finishReason: string | { readonly unified: string };
  readonly usage?: {
    readonly inputTokens?: TokenCount;
    readonly outputTokens?: TokenCount;
    readonly totalTokens?: number;
    readonly cachedInputTokens?: number;
    readonly reasoningTokens?: number;
  };
}

/**
 * Reads a part of versions 2 to 4; undefined: it means nothing here.
 * @throws UnreadableCall
 */
export function readPart(part: AiStreamPart, metadata: CallMetadata): AnswerPart | undefined {
  switch (part.type) {
    case 'text-delta':
      return { type: 'text', text: (part as AiStreamPart & { readonly delta: string }).delta };
    case 'tool-call': {
      const call = part as ToolCallFields;
      return call.providerExecuted === true ? undefined : { type: 'call', call: readCall(call, metadata) };
    }
    case 'finish': {
      const { finishReason, usage } = part as FinishFields;
      return { type: 'finish', reason: readReason(finishReason), usage: readUsage(usage) };
    }
    case 'error':
      return { type: 'error', error: (part as AiStreamPart & { readonly error: unknown }).error };
    default:
      return undefined;
  }
}

function readCall(fields: ToolCallFields, metadata: CallMetadata): FunctionCall {
  const { toolCallId: id, toolName: name, input, providerMetadata } = fields;
  const args = argumentsIn(input);
  if (args === undefined) throw new UnreadableCall(`It called '${name}' with what is no JSON object.`);
  if (providerMetadata !== undefined) metadata.set(args, providerMetadata);
  return { id, name, args };
}

/** A function without parameters is often called with nothing at all. */
function argumentsIn(input: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = input.trim() === '' ? {} : JSON.parse(input);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function readReason(reason: FinishFields['finishReason']): ToldReason {
  switch (typeof reason === 'string' ? reason : reason.unified) {
    case 'stop':
      return 'stop';
    case 'tool-calls':
      return 'tools';
    case 'length':
      return 'length';
    case 'content-filter':
      return 'filter';
    case 'error':
    case 'interrupted':
    case 'unknown':
      return 'none';
    default:
      return 'other';
  }
}

/** Undefined where the provider has counted nothing. */
function readUsage(usage: FinishFields['usage']): Usage | undefined {
  if (usage === undefined) return undefined;
  const { inputTokens, outputTokens, totalTokens } = usage;
  const prompt = countIn(inputTokens, 'total');
  const response = countIn(outputTokens, 'total');
  if (prompt === undefined && response === undefined) return undefined;
  const cachedTokens = usage.cachedInputTokens ?? countIn(inputTokens, 'cacheRead');
  const thoughtTokens = usage.reasoningTokens ?? countIn(outputTokens, 'reasoning');
  const [promptTokens, responseTokens] = [prompt ?? 0, response ?? 0];
  return {
    promptTokens,
    responseTokens,
    totalTokens: totalTokens ?? promptTokens + responseTokens,
    ...(cachedTokens === undefined ? {} : { cachedTokens }),
    ...(thoughtTokens === undefined ? {} : { thoughtTokens }),
  };
}

function countIn(count: TokenCount, kind: string): number | undefined {
  if (typeof count === 'number') return kind === 'total' ? count : undefined;
  return count?.[kind] ?? undefined;
}
