import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import { HoldfastError, describeError } from '../kernel/index.ts';
import { ERROR_TYPE } from './gen-ai.ts';

/** One span under way, and the context in which others are its children. */
export interface OpenSpan {
  readonly span: Span;
  readonly context: Context;
}

export interface BeginOptions {
  readonly parent: Context;
  readonly atMs: number;
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
}

/** Begins spans of one live session. Times are those of its clock, in milliseconds since the Unix epoch. */
export class SpanSource {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  begin(name: string, { parent, atMs, kind = SpanKind.INTERNAL, attributes = {} }: BeginOptions): OpenSpan {
    const span = this.#tracer.startSpan(name, { kind, attributes, startTime: new Date(atMs) }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}

/** The span is over; with an error, that is what it ended with. */
export function endSpan({ span }: OpenSpan, atMs: number, failure?: { readonly error: unknown }): void {
  if (failure !== undefined) failSpan(span, errorTypeOf(failure.error), describeError(failure.error));
  span.end(new Date(atMs));
}

export function failSpan(span: Span, type: string, message: string): void {
  span.setAttribute(ERROR_TYPE, type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** The code of an error of ours, the class of others. */
function errorTypeOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.code;
  return error instanceof Error ? error.name : '_OTHER';
}
