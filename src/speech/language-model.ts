import type { Lifetime } from '../kernel/index.ts';
import type { Content, FunctionCall, Usage } from '../protocol/index.ts';
import type { ToolDeclaration } from '../session/live-model.ts';

/** What an answer is asked for with. */
export interface GenerationRequest {
  readonly instructions: string | undefined;
  /** The conversation so far; the last turn is the one to answer. Calls are followed by their results. */
  readonly history: readonly Content[];
  readonly tools: readonly ToolDeclaration[];
}

/** Why an answer ended. `tools`: it waits for the results of its calls. */
export type FinishReason = 'stop' | 'tools' | 'length' | 'filter' | 'other';

/** Where an answer is delivered: synchronously, in order, and never after the scope closed. */
export interface GenerationSink {
  text(piece: string): void;
  /** A whole call. */
  toolCall(call: FunctionCall): void;
  usage(usage: Usage): void;
}

/** A language model that answers in text, piece by piece. */
export interface LanguageModel {
  /** For logs and events: `openai:gpt-4.1-mini`. Holds no secret. */
  readonly id: string;
  /**
   * Answers once; resolves when the answer is whole. Everything it opens is owned by `scope`: closing the scope ends the
   * answer at once, and the promise then rejects with a ClosedError.
   * @throws AuthenticationError, QuotaError, InvalidRequestError, OverloadedError or ConnectionLostError.
   */
  generate(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason>;
}
