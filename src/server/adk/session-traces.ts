import { randomId } from '../../kernel/index.ts';
import type { Random } from '../../kernel/index.ts';
import type { AgentSession, SessionKey } from '../../session/index.ts';
import { sessionKey } from '../calls/index.ts';
import { TurnTrace } from './turn-trace.ts';

/** A long conversation of some turns with tools, to be looked at while it is fresh. */
export const MAX_SPANS_PER_SESSION = 100;

/** Those who look at traces look at the last few. */
export const MAX_TRACED_SESSIONS = 100;

/** Something that was measured: an answer of the model, or a call of a tool. */
export interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** The names of OpenTelemetry's conventions for generative AI, and those the ADK adds to them. */
  readonly attributes: Readonly<Record<string, string | number | readonly string[]>>;
  /** Which events of the live session it is about, by number. */
  readonly seqs: ReadonlySet<number>;
  readonly invocationId: string;
  readonly agentName: string;
  readonly toolName?: string;
}

/** The last spans of one session. */
export interface SessionTrace {
  readonly key: SessionKey;
  readonly spans: readonly Span[];
}

/** What was measured of the last sessions, for whoever looks at them: bounded, and gone with the process. */
export class SessionTraces {
  /** The one that something was added to last is at the end. */
  readonly #traces = new Map<string, { readonly key: SessionKey; spans: Span[] }>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Measures a live session. `invocationId` is what it is called in events of the ADK. */
  watch(session: AgentSession, invocationId: string): void {
    const { id, appName, userId } = session.session;
    const key = { id, appName, userId };
    const trace = new TurnTrace({
      session: session.session,
      modelId: () => session.model.id,
      invocationId,
      newId: () => randomId(this.#random),
      ended: (span) => this.#add(key, span),
    });
    session.on('event', (event) => trace.event(event));
  }

  /** The traces that something is asked of: of an app or of all, of a session's id or of all. */
  find(appName: string | undefined, sessionId?: string): readonly SessionTrace[] {
    return [...this.#traces.values()].filter(
      ({ key }) =>
        (appName === undefined || key.appName === appName) &&
        (sessionId === undefined || key.id === sessionId),
    );
  }

  of(key: SessionKey): SessionTrace | undefined {
    return this.#traces.get(sessionKey(key));
  }

  forget(key: SessionKey): void {
    this.#traces.delete(sessionKey(key));
  }

  #add(key: SessionKey, span: Span): void {
    const name = sessionKey(key);
    const trace = this.#traces.get(name) ?? { key, spans: [] };
    trace.spans = [...trace.spans, span].slice(-MAX_SPANS_PER_SESSION);
    this.#traces.delete(name);
    this.#traces.set(name, trace);
    const [oldest] = this.#traces.keys();
    if (this.#traces.size > MAX_TRACED_SESSIONS && oldest !== undefined) this.#traces.delete(oldest);
  }
}

/** The span an event of the ADK belongs to, by the event's id: a tool's result to the tool, all else to the answer. */
export function spanOfEvent(spans: readonly Span[], eventId: string): Span | undefined {
  const [, invocationId, seq] = /^(.+)-(\d+)$/.exec(eventId) ?? [];
  return spans.find((span) => span.invocationId === invocationId && span.seqs.has(Number(seq)));
}
