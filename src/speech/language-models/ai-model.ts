// What is used of the AI SDK's models, written down here: the SDK has changed the version of its interface three times,
// what is used of it has stayed, and who installs Holdfast needs none of its packages for types.

export interface AiTextPart {
  readonly type: 'text';
  readonly text: string;
}

export interface AiToolCallPart {
  readonly type: 'tool-call';
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
  /** What the provider gave along with the call and wants back. */
  readonly providerOptions?: object;
}

export interface AiToolResultPart {
  readonly type: 'tool-result';
  readonly toolCallId: string;
  readonly toolName: string;
  readonly output: { readonly type: 'json' | 'error-json'; readonly value: unknown };
}

export type AiMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: readonly AiTextPart[] }
  | { readonly role: 'assistant'; readonly content: readonly (AiTextPart | AiToolCallPart)[] }
  | { readonly role: 'tool'; readonly content: readonly AiToolResultPart[] };

export interface AiTool {
  readonly type: 'function';
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** What a call may be told besides the conversation; passed on as it is. What a provider does not know it leaves out. */
export interface AiCallSettings {
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly stopSequences?: readonly string[];
  readonly seed?: number;
  /** How much it thinks first, where the provider knows that: `none`, `low`, `high`. */
  readonly reasoning?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What only one provider knows, by its name: `{ openai: { serviceTier: 'priority' } }`. */
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface AiCallOptions extends AiCallSettings {
  readonly prompt: readonly AiMessage[];
  readonly tools?: readonly AiTool[];
  readonly abortSignal: AbortSignal;
}

/** A part of an answer. Which ones there are depends on the provider; those that mean nothing here are passed over. */
export interface AiStreamPart {
  readonly type: string;
}

/**
 * A model as the providers of the AI SDK make them: `openai('gpt-4.1-mini')`, `anthropic('claude-haiku-4-5')`, …, of any
 * version of the SDK's interface from 2 to 4.
 */
export interface AiModel {
  readonly specificationVersion: 'v2' | 'v3' | 'v4';
  /** `openai.responses` */
  readonly provider: string;
  readonly modelId: string;
  // A method, and its options of no fixed type: each version of the interface declares them anew.
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<AiStreamPart> }>;
}
