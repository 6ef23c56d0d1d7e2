import type { ConnectionCause, ConnectionEventBody } from '../protocol/index.ts';
import { END_REASONS } from '../session/index.ts';
import type { AgentSession } from '../session/index.ts';
import { LabelledCounter, formatMetric } from './prometheus.ts';

/** What a reconnect came to; `ended`: the session ended before its model was back. */
type Outcome = 'resumed' | 'reseeded' | 'exhausted' | 'ended';

/** What can be told beforehand is shown as 0 from the start: a rate is only seen of what has been there before. */
const LOSS_CAUSES: readonly ConnectionCause[] = ['lost', 'silent', 'stalled'];
const SWAP_CAUSES: readonly ConnectionCause[] = ['goAway', 'age', 'contextLost'];
const OUTCOMES: readonly Outcome[] = ['resumed', 'reseeded', 'exhausted', 'ended'];

/** What all live sessions of one server came to, as `GET /metrics` tells it to Prometheus (clause R9). */
export class ServerMetrics {
  #dials = 0;
  #handleRejections = 0;
  #replayedMs = 0;
  #audioGapMs = 0;
  #swapGapMs = 0;
  #swapGaps = 0;
  readonly #reconnects = new LabelledCounter(
    LOSS_CAUSES.flatMap((cause) => OUTCOMES.map((outcome) => ({ cause, outcome }))),
  );
  readonly #swaps = new LabelledCounter(SWAP_CAUSES.map((cause) => ({ cause })));
  readonly #closed = new LabelledCounter(Object.keys(END_REASONS).map((reason) => ({ reason })));

  /** Counts a live session from before its start to its end. It is not held: its listeners end with it. */
  watch(session: Pick<AgentSession, 'on'>): void {
    let outage: ConnectionCause | undefined;
    session.on('event', (event) => {
      if (event.type === 'connection') outage = this.#note(event, outage);
    });
    session.on('close', ({ reason }) => {
      if (outage !== undefined) this.#reconnected(outage, 'ended');
      this.#closed.add({ reason });
    });
  }

  /** In the text format of Prometheus. */
  render(liveSessions: number): string {
    const swapGap = [
      { suffix: '_sum', value: this.#swapGapMs / 1_000 },
      { suffix: '_count', value: this.#swapGaps },
    ];
    return [
      formatMetric(
        'holdfast_live_sessions',
        'gauge',
        'Live sessions and text turns under way.',
        liveSessions,
      ),
      formatMetric(
        'holdfast_sessions_closed_total',
        'counter',
        'Live sessions that have ended, by reason.',
        this.#closed.samples,
      ),
      formatMetric(
        'holdfast_model_dials_total',
        'counter',
        'Attempts to connect to a model, the first of a session included.',
        this.#dials,
      ),
      formatMetric(
        'holdfast_model_reconnects_total',
        'counter',
        'Lost connections to a model, by cause and by what came of it.',
        this.#reconnects.samples,
      ),
      formatMetric(
        'holdfast_model_swaps_total',
        'counter',
        'Connections to a model that were replaced on purpose.',
        this.#swaps.samples,
      ),
      formatMetric(
        'holdfast_model_swap_gap_seconds',
        'summary',
        'How long no connection took input while one was replaced on purpose.',
        swapGap,
      ),
      formatMetric(
        'holdfast_model_handle_rejections_total',
        'counter',
        'Resumption handles that a provider did not take.',
        this.#handleRejections,
      ),
      formatMetric(
        'holdfast_model_replayed_audio_seconds_total',
        'counter',
        'Audio of users that was sent to a model a second time.',
        this.#replayedMs / 1_000,
      ),
      formatMetric(
        'holdfast_model_audio_gap_seconds_total',
        'counter',
        'Audio of users that no model got.',
        this.#audioGapMs / 1_000,
      ),
    ].join('');
  }

  /** Returns the cause of the outage that the session is in after this event. */
  #note(event: ConnectionEventBody, outage: ConnectionCause | undefined): ConnectionCause | undefined {
    if ('replayedMs' in event) {
      this.#replayedMs += event.replayedMs;
      this.#audioGapMs += event.audioGapMs;
    }
    switch (event.state) {
      case 'connecting':
        this.#dials += 1;
        return outage;
      case 'connected':
      case 'waiting':
        return outage;
      case 'handleRejected':
        this.#handleRejections += 1;
        return outage;
      case 'lost':
        return event.cause;
      case 'resumed':
      case 'reseeded':
        this.#reconnected(event.cause, event.state);
        return undefined;
      case 'exhausted':
        this.#reconnected(outage ?? 'lost', 'exhausted');
        return undefined;
      case 'swapped':
        this.#swaps.add({ cause: event.cause });
        this.#swapGapMs += event.gapMs;
        this.#swapGaps += 1;
        return undefined;
    }
  }

  #reconnected(cause: ConnectionCause, outcome: Outcome): void {
    this.#reconnects.add({ cause, outcome });
  }
}
