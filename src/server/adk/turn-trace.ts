import type { LiveEvent, LiveEventOf, Usage } from '../../protocol/index.ts';
import type { StoredSession } from '../../session/index.ts';
import type { Span } from './session-traces.ts';

/** What was said is shown in traces, but no more of it than one reads. */
export const MAX_SHOWN_CHARACTERS = 1_000;

export interface TurnTraceOptions {
  readonly session: StoredSession;
  modelId(): string;
  readonly invocationId: string;
  newId(): string;
  ended(span: Span): void;
}

interface OpenCall {
  readonly spanId: string;
  readonly name: string;
  readonly args: unknown;
  readonly startMs: number;
  readonly agentName: string;
}

/** An answer that is being given. */
interface OpenTurn {
  readonly traceId: string;
  readonly spanId: string;
  readonly startMs: number;
  readonly seqs: Set<number>;
  agentName: string;
  firstOutputMs: number | undefined;
  /** The event that is shown for it. */
  shownSeq: number | undefined;
  usage: Usage | undefined;
}

/** Makes spans of the events of a live session: one of each answer of the model, and one of each call of a tool. */
export class TurnTrace {
  readonly #options: TurnTraceOptions;
  readonly #calls = new Map<string, OpenCall>();
  #turn: OpenTurn | undefined;
  /** How much of the history led to answers that are complete. */
  #answeredLength: number;

  constructor(options: TurnTraceOptions) {
    this.#options = options;
    this.#answeredLength = options.session.history.length;
  }

  event(event: LiveEvent): void {
    switch (event.type) {
      case 'audio':
        if (this.#turn?.firstOutputMs === undefined) this.#turnOf(event).firstOutputMs = event.atMs;
        return;
      case 'transcript':
      case 'text':
      case 'content':
        this.#said(event);
        return;
      case 'toolCall':
        this.#called(event);
        return;
      case 'toolResult':
        this.#settled(event);
        return;
      case 'usage':
        this.#turnOf(event).usage = event.usage;
        return;
      case 'turnComplete':
        this.#complete(event);
        return;
      default:
    }
  }

  #said(event: LiveEventOf<'transcript' | 'text' | 'content'>): void {
    const turn = this.#turnOf(event);
    if (event.type === 'transcript' && event.speaker === 'user') return;
    turn.agentName = event.author;
    turn.firstOutputMs ??= event.atMs;
    if ('partial' in event && event.partial) return;
    turn.seqs.add(event.seq);
    turn.shownSeq = event.seq;
  }

  #called(event: LiveEventOf<'toolCall'>): void {
    const turn = this.#turnOf(event);
    turn.agentName = event.author;
    turn.firstOutputMs ??= event.atMs;
    turn.seqs.add(event.seq);
    turn.shownSeq ??= event.seq;
    for (const { id, name, args } of event.calls) {
      const agentName = event.author;
      this.#calls.set(id, { spanId: this.#options.newId(), name, args, startMs: event.atMs, agentName });
    }
  }

  #settled({ result, seq, atMs }: LiveEventOf<'toolResult'>): void {
    const call = this.#calls.get(result.id);
    if (call === undefined) return;
    this.#calls.delete(result.id);
    const { invocationId, ended } = this.#options;
    const turn = this.#turn;
    ended({
      name: `execute_tool ${call.name}`,
      traceId: turn?.traceId ?? this.#options.newId(),
      spanId: call.spanId,
      parentSpanId: turn?.spanId,
      startMs: call.startMs,
      endMs: atMs,
      seqs: new Set([seq]),
      invocationId,
      agentName: call.agentName,
      toolName: call.name,
      attributes: {
        ...this.#names(call.agentName, seq),
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': call.name,
        'gen_ai.tool.call.id': result.id,
        'gcp.vertex.agent.tool_call_args': shown(call.args),
        'gcp.vertex.agent.tool_response': shown(result.response),
      },
    });
  }

  #complete(event: LiveEventOf<'turnComplete'>): void {
    const turn = this.#turnOf(event);
    this.#turn = undefined;
    const { session, modelId, invocationId, ended } = this.#options;
    const { usage, firstOutputMs, startMs, agentName } = turn;
    turn.seqs.add(event.seq);
    const said = session.history.slice(this.#answeredLength).map(({ role, parts }) => ({ role, parts }));
    this.#answeredLength = session.history.length;
    const answer = said.filter(({ role }) => role === 'model');
    ended({
      name: 'call_llm',
      traceId: turn.traceId,
      spanId: turn.spanId,
      parentSpanId: undefined,
      startMs,
      endMs: event.atMs,
      seqs: turn.seqs,
      invocationId,
      agentName,
      attributes: {
        ...this.#names(agentName, turn.shownSeq ?? event.seq),
        'gen_ai.operation.name': 'generate_content',
        'gen_ai.request.model': modelId(),
        'gen_ai.response.finish_reasons': [event.interrupted ? 'INTERRUPTED' : 'STOP'],
        ...(usage === undefined
          ? {}
          : {
              'gen_ai.usage.input_tokens': usage.promptTokens,
              'gen_ai.usage.output_tokens': usage.responseTokens,
            }),
        ...(firstOutputMs === undefined ? {} : { 'holdfast.first_output_ms': firstOutputMs - startMs }),
        'gcp.vertex.agent.llm_request': shown({
          model: modelId(),
          contents: said.filter(({ role }) => role === 'user'),
        }),
        'gcp.vertex.agent.llm_response': shown({ content: answer.at(-1) ?? null }),
      },
    });
  }

  #names(agentName: string, seq: number): Record<string, string> {
    const { session, invocationId } = this.#options;
    return {
      'gen_ai.agent.name': agentName,
      'gen_ai.conversation.id': session.id,
      'gcp.vertex.agent.session_id': session.id,
      'gcp.vertex.agent.invocation_id': invocationId,
      'gcp.vertex.agent.event_id': `${invocationId}-${seq}`,
    };
  }

  #turnOf({ atMs, author }: LiveEvent): OpenTurn {
    this.#turn ??= {
      traceId: this.#options.newId(),
      spanId: this.#options.newId(),
      startMs: atMs,
      seqs: new Set(),
      agentName: author,
      firstOutputMs: undefined,
      shownSeq: undefined,
      usage: undefined,
    };
    return this.#turn;
  }
}

/** As JSON that can be read as such: what is too long is told as a text of its beginning. */
function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'null';
  return json.length <= MAX_SHOWN_CHARACTERS
    ? json
    : JSON.stringify({ cut: json.slice(0, MAX_SHOWN_CHARACTERS) });
}
