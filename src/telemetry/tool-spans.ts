import type { Attributes, Context } from '@opentelemetry/api';
import type { FunctionCall, FunctionResponse } from '../protocol/index.ts';
import type { EndedToolCall } from '../session/index.ts';
import { OPERATION, TOOL, TOOL_ARGUMENTS, TOOL_CALL_ID, TOOL_RESULT, TOOL_TYPE } from './gen-ai.ts';
import { endSpan, failSpan } from './span-source.ts';
import type { OpenSpan, SpanSource } from './span-source.ts';
import { contentJson } from './told-content.ts';

export interface ToolSpansOptions {
  readonly source: SpanSource;
  readonly common: Attributes;
  readonly capturesContent: boolean;
}

/** A span for each call of a tool, in the turn it was called in; it may outlive that. */
export class ToolSpans {
  readonly #options: ToolSpansOptions;
  readonly #running = new Map<string, OpenSpan>();

  constructor(options: ToolSpansOptions) {
    this.#options = options;
  }

  called(calls: readonly FunctionCall[], parent: Context, atMs: number): void {
    const { source, common, capturesContent } = this.#options;
    for (const { id, name, args } of calls) {
      const attributes = {
        ...common,
        [OPERATION]: 'execute_tool',
        [TOOL]: name,
        [TOOL_CALL_ID]: id,
        [TOOL_TYPE]: 'function',
        ...(capturesContent ? { [TOOL_ARGUMENTS]: contentJson(args) } : {}),
      };
      this.#running.set(id, source.begin(`execute_tool ${name}`, { parent, atMs, attributes }));
    }
  }

  /** What it gives; it ends with `ended`. */
  result({ id, response }: FunctionResponse): void {
    if (this.#options.capturesContent)
      this.#running.get(id)?.span.setAttribute(TOOL_RESULT, contentJson(response));
  }

  ended({ id, outcome }: EndedToolCall, atMs: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    // What a tool throws may hold what was said: its outcome is told, and the log has the rest.
    if (outcome !== 'done') failSpan(running.span, outcome, `the call of the tool has ${WORDS[outcome]}`);
    endSpan(running, atMs);
  }

  /** The live session is over, and nothing of it settles any more. */
  end(atMs: number): void {
    for (const id of [...this.#running.keys()])
      this.ended({ id, name: '', outcome: 'cancelled', durationMs: 0 }, atMs);
  }
}

const WORDS: Readonly<Record<Exclude<EndedToolCall['outcome'], 'done'>, string>> = {
  failed: 'failed',
  timedOut: 'not settled in time',
  cancelled: 'been cancelled',
};
