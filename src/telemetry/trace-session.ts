import { context as contexts, trace } from '@opentelemetry/api';
import type { Attributes, Context, Tracer } from '@opentelemetry/api';
import type { LiveEvent } from '../protocol/index.ts';
import type { AgentSession, SessionCloseReport } from '../session/index.ts';
import { ConnectionSpans } from './connection-spans.ts';
import { AGENT, CONVERSATION, OPERATION, modelAttributes, usageAttributes } from './gen-ai.ts';
import { SpanSource, endSpan, failSpan } from './span-source.ts';
import type { OpenSpan } from './span-source.ts';
import { ToolSpans } from './tool-spans.ts';
import { TurnSpans } from './turn-spans.ts';

/** Under this name the spans are told. */
export const TRACER_NAME = 'holdfast';

export interface TraceSessionOptions {
  /** Default: the one of the provider that is registered with `@opentelemetry/api`; without one nothing is done. */
  readonly tracer?: Tracer | undefined;
  /** What the live session is a part of. Default: the context that is active now. */
  readonly parent?: Context | undefined;
  /** Whether spans tell what was said, and what tools are given and give. Default false: that is the user's. */
  readonly capturesContent?: boolean | undefined;
}

/**
 * Traces a live session: one span for it, and in it one for each connection, turn, call of the model and call of a tool, by the
 * semantic conventions for generative AI. To be called before `start()`. Nothing is made for a frame of audio; a session that is
 * not recorded is not listened to.
 *
 * ```ts
 * const session = new AgentSession({ agent, model });
 * traceSession(session);
 * await session.start();
 * ```
 * @returns the context in which what belongs to the live session is its child.
 */
export function traceSession(session: AgentSession, options: TraceSessionOptions = {}): Context {
  const {
    tracer = trace.getTracer(TRACER_NAME),
    parent = contexts.active(),
    capturesContent = false,
  } = options;
  const { clock, session: stored } = session;
  const common = { [CONVERSATION]: stored.id };
  const source = new SpanSource(tracer);
  const whole = source.begin(`invoke_agent ${session.agent.name}`, {
    parent,
    atMs: clock.wallTime(),
    attributes: {
      ...common,
      ...modelAttributes(session.model.id),
      [OPERATION]: 'invoke_agent',
      [AGENT]: session.agent.name,
      'holdfast.app': stored.appName,
    },
  });
  if (whole.span.isRecording()) new SessionTrace(session, { source, whole, common, capturesContent });
  return whole.context;
}

interface SessionTraceOptions {
  readonly source: SpanSource;
  readonly whole: OpenSpan;
  readonly common: Attributes;
  readonly capturesContent: boolean;
}

/** Listens to one live session, which lets go of it at its end. */
class SessionTrace {
  readonly #whole: OpenSpan;
  readonly #connections: ConnectionSpans;
  readonly #turns: TurnSpans;
  readonly #tools: ToolSpans;

  constructor(session: AgentSession, { source, whole, common, capturesContent }: SessionTraceOptions) {
    const { clock } = session;
    const parent = whole.context;
    const modelId = (): string => session.model.id;
    this.#whole = whole;
    this.#connections = new ConnectionSpans({ source, parent, common, modelId });
    this.#turns = new TurnSpans({
      source,
      parent,
      common,
      capturesContent,
      modelId,
      agentName: () => session.currentAgent.name,
    });
    this.#tools = new ToolSpans({ source, common, capturesContent });
    session.on('event', (event) => this.#event(event));
    session.on('input', (request) => {
      if (request.type !== 'content' || request.turnComplete === false) return;
      const text = request.content.parts.map((part) => part.text ?? '').join('');
      this.#turns.asked(session.answerTurn, clock.wallTime(), text);
    });
    session.on('toolEnded', (call) => {
      this.#tools.ended(call, clock.wallTime());
      this.#turns.toolEnded(clock.wallTime());
    });
    session.on('close', (report) => this.#close(report, clock.wallTime()));
  }

  #event(event: LiveEvent): void {
    this.#turns.note(event);
    const { span } = this.#whole;
    const at = (): Date => new Date(event.atMs);
    switch (event.type) {
      case 'connection':
        this.#connections.note(event);
        return;
      case 'toolCall':
        this.#tools.called(event.calls, this.#turns.context, event.atMs);
        return;
      case 'toolResult':
        this.#tools.result(event.result);
        return;
      case 'agentChanged':
        span.addEvent('agent changed', { [AGENT]: event.agent, 'holdfast.why': event.why }, at());
        return;
      case 'limit':
        span.addEvent('limit', { 'holdfast.limit': event.limit }, at());
        return;
      case 'goAway':
        span.addEvent('go away', {}, at());
        return;
      case 'warning':
        span.addEvent('warning', { 'holdfast.code': event.code }, at());
        return;
      default:
    }
  }

  #close({ reason, error, usage, durationMs }: SessionCloseReport, atMs: number): void {
    this.#tools.end(atMs);
    this.#turns.end(atMs);
    this.#connections.end(atMs);
    const { span } = this.#whole;
    span.setAttributes({ 'holdfast.reason': reason, 'holdfast.close_ms': Math.round(durationMs) });
    if (usage.totalTokens > 0) span.setAttributes(usageAttributes(usage));
    if (reason === 'error' && error === undefined) failSpan(span, '_OTHER', 'ended with an error');
    endSpan(this.#whole, atMs, reason === 'error' && error !== undefined ? { error } : undefined);
  }
}
