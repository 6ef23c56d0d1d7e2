import { SpanKind } from '@opentelemetry/api';
import type { Attributes, Context } from '@opentelemetry/api';
import type { LiveEvent } from '../protocol/index.ts';
import { modelAttributes } from './gen-ai.ts';
import { endSpan, failSpan } from './span-source.ts';
import type { OpenSpan, SpanSource } from './span-source.ts';

type ConnectionEvent = Extract<LiveEvent, { type: 'connection' }>;

export interface ConnectionSpansOptions {
  readonly source: SpanSource;
  /** The live session's. */
  readonly parent: Context;
  /** What all spans of it carry. */
  readonly common: Attributes;
  modelId(): string;
}

/** A span for each dial, and one for each outage from the loss until the model is back, with its dials in it. */
export class ConnectionSpans {
  readonly #options: ConnectionSpansOptions;
  #dial: OpenSpan | undefined;
  #outage: OpenSpan | undefined;

  constructor(options: ConnectionSpansOptions) {
    this.#options = options;
  }

  note(event: ConnectionEvent): void {
    const { source, parent, common } = this.#options;
    const { atMs } = event;
    switch (event.state) {
      case 'connecting':
        this.#endDial(atMs, 'replaced by another one');
        this.#dial = source.begin('connect', {
          parent: this.#outage?.context ?? parent,
          atMs,
          kind: SpanKind.CLIENT,
          attributes: {
            ...common,
            ...modelAttributes(this.#options.modelId()),
            'holdfast.attempt': event.attempt,
          },
        });
        return;
      case 'connected':
        this.#dial?.span.setAttribute('holdfast.resumed', event.resumed);
        this.#endDial(atMs);
        return;
      case 'lost':
        this.#endDial(atMs, event.reason);
        this.#outage ??= source.begin('reconnect', {
          parent,
          atMs,
          attributes: { ...common, 'holdfast.cause': event.cause },
        });
        return;
      case 'waiting':
        this.#endDial(atMs, 'not connected');
        return;
      case 'resumed':
      case 'reseeded':
        this.#back(event, event.state);
        return;
      case 'swapped':
        // Told when it is over: the swap began when the old connection took nothing more.
        this.#outage ??= source.begin('swap', {
          parent,
          atMs: atMs - event.gapMs,
          attributes: { ...common, 'holdfast.cause': event.cause },
        });
        this.#back(event, event.how);
        return;
      case 'handleRejected':
        this.#endDial(atMs, 'resumption handle rejected');
        return;
      case 'exhausted':
        if (this.#outage !== undefined) {
          failSpan(this.#outage.span, 'HOLDFAST_RECONNECT_EXHAUSTED', `given up: ${event.meter}`);
        }
        this.end(atMs);
    }
  }

  /** The live session is over. */
  end(atMs: number): void {
    this.#endDial(atMs, 'ended');
    if (this.#outage !== undefined) endSpan(this.#outage, atMs);
    this.#outage = undefined;
  }

  #back(event: Extract<ConnectionEvent, { gapMs: number }>, how: 'resumed' | 'reseeded'): void {
    const { atMs, gapMs, replayedMs, audioGapMs, cutTurn, attempt } = event;
    this.#outage?.span.setAttributes({
      'holdfast.how': how,
      'holdfast.attempts': attempt,
      'holdfast.gap_ms': gapMs,
      'holdfast.replayed_ms': replayedMs,
      'holdfast.audio_gap_ms': audioGapMs,
      'holdfast.cut_turn': cutTurn,
    });
    this.end(atMs);
  }

  /** The dial is over; where it came to nothing, `why`. */
  #endDial(atMs: number, why?: string): void {
    if (this.#dial === undefined) return;
    if (why !== undefined) failSpan(this.#dial.span, '_OTHER', why);
    endSpan(this.#dial, atMs);
    this.#dial = undefined;
  }
}
