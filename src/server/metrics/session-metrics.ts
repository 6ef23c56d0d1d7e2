import type { LiveEvent } from '../../protocol/index.ts';
import type { AgentSession, EndedToolCall, SessionCloseReport } from '../../session/index.ts';
import { Histogram, LabelledCounter, formatMetric } from './prometheus.ts';

/** A close takes milliseconds, and 5 s at most; one that is cut short with its call 20 s. */
const CLOSE_BOUNDS_S = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

/** From a look at a table to the time-out of a tool, 30 s unless it says otherwise. */
const TOOL_BOUNDS_S = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60];

const TOOL_OUTCOMES: readonly EndedToolCall['outcome'][] = ['done', 'failed', 'timedOut', 'cancelled'];

type WatchedSession = Pick<AgentSession, 'on' | 'clock' | 'model' | 'session'>;

/** What live sessions have used: time with their model, tokens, tools. Labels are apps and models, never users or sessions. */
export class SessionMetrics {
  readonly #closing = new Histogram(CLOSE_BOUNDS_S);
  readonly #connected = new LabelledCounter([]);
  readonly #tokens = new LabelledCounter([]);
  readonly #unsentAudio = new LabelledCounter([{}]);
  readonly #tools = new LabelledCounter(TOOL_OUTCOMES.map((outcome) => ({ outcome })));
  readonly #toolTime = new Histogram(TOOL_BOUNDS_S);

  watch(session: WatchedSession): void {
    const connected = new ConnectedTime(session);
    session.on('toolEnded', ({ outcome, durationMs }) => {
      this.#tools.add({ outcome });
      this.#toolTime.observe(durationMs / 1_000);
    });
    session.on('close', (report) => {
      const labels = { app: session.session.appName, model: session.model.id };
      this.#connected.add({ ...labels, reason: report.reason }, connected.totalMs / 1_000);
      this.#ended(report, labels);
    });
  }

  #ended({ durationMs, usage, unsent }: SessionCloseReport, labels: { app: string; model: string }): void {
    this.#closing.observe(durationMs / 1_000);
    this.#unsentAudio.add({}, unsent.audioMs / 1_000);
    if (usage.totalTokens === 0) return;
    this.#tokens.add({ ...labels, type: 'input' }, usage.promptTokens);
    this.#tokens.add({ ...labels, type: 'output' }, usage.responseTokens);
  }

  render(): string {
    return [
      formatMetric(
        'holdfast_session_close_seconds',
        'histogram',
        'How long the close of a live session took.',
        this.#closing.samples,
      ),
      formatMetric(
        'holdfast_model_connected_seconds_total',
        'counter',
        'Time that live sessions which have ended were connected to their model, by why they ended.',
        this.#connected.samples,
      ),
      formatMetric(
        'holdfast_tokens_total',
        'counter',
        'Tokens of live sessions that have ended, where the provider tells them.',
        this.#tokens.samples,
      ),
      formatMetric(
        'holdfast_unsent_audio_seconds_total',
        'counter',
        'Audio of users that had not been sent to a model when their live session ended.',
        this.#unsentAudio.samples,
      ),
      formatMetric(
        'holdfast_tool_calls_total',
        'counter',
        'Calls of tools, by what came of them.',
        this.#tools.samples,
      ),
      formatMetric(
        'holdfast_tool_call_seconds',
        'histogram',
        'How long calls of tools took.',
        this.#toolTime.samples,
      ),
    ].join('');
  }
}

/** How long a live session has been connected to its model, over all its connections: what a provider bills by the minute. */
class ConnectedTime {
  readonly #session: WatchedSession;
  #endedMs = 0;
  #sinceMs: number | undefined;

  constructor(session: WatchedSession) {
    this.#session = session;
    session.on('event', (event) => {
      if (event.type === 'connection') this.#note(event);
    });
  }

  get totalMs(): number {
    return this.#endedMs + (this.#sinceMs === undefined ? 0 : this.#session.clock.now() - this.#sinceMs);
  }

  #note(event: Extract<LiveEvent, { type: 'connection' }>): void {
    switch (event.state) {
      case 'connected':
        this.#sinceMs ??= this.#session.clock.now();
        return;
      case 'lost':
        this.#endedMs = this.totalMs;
        this.#sinceMs = undefined;
        return;
      case 'swapped':
        // Nothing told of the end of the old one.
        this.#endedMs -= event.gapMs;
        return;
      case 'connecting':
      case 'waiting':
      case 'resumed':
      case 'reseeded':
      case 'handleRejected':
      case 'exhausted':
    }
  }
}
