import { SpanKind } from '@opentelemetry/api';
import type { Attributes, Context } from '@opentelemetry/api';
import type { LiveEvent, Usage } from '../protocol/index.ts';
import {
  AGENT,
  FINISH_REASONS,
  INPUT_MESSAGES,
  OPERATION,
  OUTPUT_MESSAGES,
  REQUEST_MODEL,
  modelAttributes,
  usageAttributes,
} from './gen-ai.ts';
import { endSpan } from './span-source.ts';
import type { OpenSpan, SpanSource } from './span-source.ts';
import { messagesJson } from './told-content.ts';

/** How many texts of one side are kept for one call of the model: pieces of a long answer are told in part. */
const MAX_TEXTS = 100;

export interface TurnSpansOptions {
  readonly source: SpanSource;
  /** The live session's. */
  readonly parent: Context;
  /** What all spans of it carry. */
  readonly common: Attributes;
  readonly capturesContent: boolean;
  modelId(): string;
  agentName(): string;
}

interface Turn extends OpenSpan {
  readonly number: number;
}

interface ModelCall extends OpenSpan {
  /** When it was over, where that is known: what it cost is told later. */
  overAtMs?: number;
  finish: string;
  usage?: Usage;
  readonly said: string[];
}

/**
 * A span for each turn, from the user's first sign or the agent's first word to the end of the answer, and in it one for each
 * call of the model: from when it was asked to when it has generated, or has called tools.
 */
export class TurnSpans {
  readonly #options: TurnSpansOptions;
  #turn: Turn | undefined;
  #call: ModelCall | undefined;
  /** When the model was asked, as far as one can see it. */
  #askedAtMs: number | undefined;
  readonly #heard: string[] = [];

  constructor(options: TurnSpansOptions) {
    this.#options = options;
  }

  /** Where what happens in the turn under way belongs. */
  get context(): Context {
    return this.#turn?.context ?? this.#options.parent;
  }

  /** The program or the user has written something that asks for an answer. */
  asked(turn: number, atMs: number, text: string): void {
    this.#open(turn, atMs);
    this.#askedAtMs = atMs;
    this.#keep(this.#heard, text);
  }

  /** A tool has answered: the model goes on from here. */
  toolEnded(atMs: number): void {
    if (this.#turn !== undefined) this.#askedAtMs = atMs;
  }

  note(event: LiveEvent): void {
    switch (event.type) {
      case 'audio':
        // Fifty a second of these: nothing is made for one in the middle of an answer.
        if (this.#call === undefined || this.#call.overAtMs !== undefined) this.#answering(event);
        return;
      case 'voiceActivity':
        this.#open(event.turn, event.atMs);
        if (event.activity === 'end') this.#askedAtMs = event.atMs;
        return;
      case 'transcript':
        if (event.speaker === 'agent') this.#says(event, event.partial ? '' : event.text);
        else this.#hears(event);
        return;
      case 'text':
        this.#says(event, event.partial || event.thought === true ? '' : event.text);
        return;
      case 'content':
        this.#answering(event);
        return;
      case 'toolCall':
        this.#over(this.#answering(event), event.atMs, 'tool_call');
        return;
      case 'interrupted':
        if (event.provisional !== true) this.#over(this.#call, event.atMs, 'interrupted');
        return;
      case 'generationComplete':
        this.#over(this.#call, event.atMs, 'stop');
        return;
      case 'usage':
        if (this.#call !== undefined) this.#call.usage = event.usage;
        return;
      case 'turnComplete':
        this.#turn?.span.setAttribute('holdfast.interrupted', event.interrupted);
        this.#over(this.#call, event.atMs, event.interrupted ? 'interrupted' : 'stop');
        this.end(event.atMs);
        return;
      default:
    }
  }

  /** The turn under way is over, and the call of the model in it. */
  end(atMs: number): void {
    this.#endCall(atMs);
    if (this.#turn !== undefined) endSpan(this.#turn, atMs);
    this.#turn = undefined;
    this.#askedAtMs = undefined;
    this.#heard.length = 0;
  }

  #hears({ turn, atMs, text, partial }: Extract<LiveEvent, { type: 'transcript' }>): void {
    this.#open(turn, atMs);
    if (partial) return;
    this.#askedAtMs = atMs;
    this.#keep(this.#heard, text);
  }

  #says(event: LiveEvent, text: string): void {
    const call = this.#answering(event);
    if (text !== '') this.#keep(call.said, text);
  }

  #open(number: number, atMs: number): Turn {
    if (this.#turn !== undefined && this.#turn.number >= number) return this.#turn;
    this.end(atMs);
    const { source, parent, common } = this.#options;
    const attributes = { ...common, 'holdfast.turn': number, [AGENT]: this.#options.agentName() };
    this.#turn = { number, ...source.begin('turn', { parent, atMs, attributes }) };
    return this.#turn;
  }

  /** The model answers: there is a call of it, or one begins. */
  #answering({ turn, atMs }: LiveEvent): ModelCall {
    const open = this.#open(turn, atMs);
    if (this.#call !== undefined && this.#call.overAtMs === undefined) return this.#call;
    // What a model adds after it has said that it was done is of the same call, unless it was asked again.
    if (this.#call !== undefined && this.#askedAtMs === undefined) return this.#call;
    this.#endCall(atMs);
    const { source, common } = this.#options;
    const model = modelAttributes(this.#options.modelId());
    const askedAtMs = this.#askedAtMs ?? atMs;
    const begun = source.begin(`chat ${String(model[REQUEST_MODEL])}`, {
      parent: open.context,
      atMs: Math.min(askedAtMs, atMs),
      kind: SpanKind.CLIENT,
      attributes: { ...common, ...model, [OPERATION]: 'chat', [AGENT]: this.#options.agentName() },
    });
    begun.span.setAttribute('holdfast.time_to_first_output_ms', Math.max(0, atMs - askedAtMs));
    this.#askedAtMs = undefined;
    this.#call = { ...begun, finish: 'stop', said: [] };
    return this.#call;
  }

  #over(call: ModelCall | undefined, atMs: number, finish: string): void {
    if (call === undefined || call.overAtMs !== undefined) return;
    call.overAtMs = atMs;
    call.finish = finish;
  }

  #endCall(atMs: number): void {
    const call = this.#call;
    this.#call = undefined;
    if (call === undefined) return;
    call.span.setAttribute(FINISH_REASONS, [call.finish]);
    if (call.usage !== undefined) call.span.setAttributes(usageAttributes(call.usage));
    if (this.#options.capturesContent) {
      if (this.#heard.length > 0) call.span.setAttribute(INPUT_MESSAGES, messagesJson('user', this.#heard));
      if (call.said.length > 0) call.span.setAttribute(OUTPUT_MESSAGES, messagesJson('assistant', call.said));
    }
    this.#heard.length = 0;
    endSpan(call, call.overAtMs ?? atMs);
  }

  #keep(texts: string[], text: string): void {
    if (this.#options.capturesContent && texts.length < MAX_TEXTS) texts.push(text);
  }
}
