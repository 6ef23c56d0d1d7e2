import type { ConnectionCause, ConnectionEventBody } from '../../protocol/index.ts';
import { END_REASONS } from '../../session/index.ts';
import type { AgentSession } from '../../session/index.ts';
import type { CallKind, HookOutcome } from '../calls/index.ts';
import { Histogram, LabelledCounter, formatMetric } from './prometheus.ts';
import type { Sample } from './prometheus.ts';
import { SessionMetrics } from './session-metrics.ts';
import { AUTH_FAILURE_REASONS } from '../auth/errors.ts';
import type { AuthFailureReason } from '../auth/errors.ts';

/** What a reconnect came to; `ended`: the session ended before its model was back. */
type Outcome = 'resumed' | 'reseeded' | 'exhausted' | 'ended';

/**
 * What a client found that came back: `recovered`, everything it had missed; `incomplete`, its live session and a part of it;
 * `anew`, the live session had ended and another one began; `refused`, its token is none of the one there is.
 */
export type ClientReturn = 'recovered' | 'incomplete' | 'anew' | 'refused';

/** `returned`: the client came back. `expired`: it did not. `ended`: the live session ended before either. */
export type GraceOutcome = 'returned' | 'expired' | 'ended';

const RETURNS: readonly ClientReturn[] = ['recovered', 'incomplete', 'anew', 'refused'];
const GRACES: readonly GraceOutcome[] = ['returned', 'expired', 'ended'];
const KINDS: readonly CallKind[] = ['run_live', 'run', 'run_sse'];
const HOOKS: readonly HookOutcome[] = ['done', 'failed', 'overran'];

/** What can be told beforehand is shown as 0 from the start: a rate is only seen of what has been there before. */
const LOSS_CAUSES: readonly ConnectionCause[] = ['lost', 'silent', 'stalled'];
const SWAP_CAUSES: readonly ConnectionCause[] = ['goAway', 'age', 'contextLost'];
const OUTCOMES: readonly Outcome[] = ['resumed', 'reseeded', 'exhausted', 'ended'];

/** A swap takes a dial and a setup, a reconnect up to the end of its patience. */
const GAP_BOUNDS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What clients are told most; others are counted as they come, and there are as many as there are codes. */
const MESSAGE_CODES = ['HOLDFAST_BAD_MESSAGE', 'HOLDFAST_QUEUE_FULL'] as const;
const REFUSAL_CODES = ['HOLDFAST_UNAVAILABLE', 'HOLDFAST_FORBIDDEN_HOST', 'HOLDFAST_BAD_REQUEST'] as const;
const TURN_KINDS = ['run', 'run_sse'] as const;
const TURN_OUTCOMES = ['answered', 'failed'] as const;

/** What all live sessions of one server came to, as `GET /metrics` tells it to Prometheus (clause R9). */
export class ServerMetrics {
  #dials = 0;
  #handleRejections = 0;
  #replayedMs = 0;
  #audioGapMs = 0;
  #droppedMs = 0;
  readonly #swapGap = new Histogram(GAP_BOUNDS_S);
  readonly #reconnectGap = new Histogram(GAP_BOUNDS_S);
  readonly #sessions = new SessionMetrics();
  readonly #reconnects = new LabelledCounter(
    LOSS_CAUSES.flatMap((cause) => OUTCOMES.map((outcome) => ({ cause, outcome }))),
  );
  readonly #swaps = new LabelledCounter(SWAP_CAUSES.map((cause) => ({ cause })));
  readonly #clientReturns = new LabelledCounter(RETURNS.map((outcome) => ({ outcome })));
  readonly #graces = new LabelledCounter(GRACES.map((outcome) => ({ outcome })));
  readonly #givenUp = new LabelledCounter(KINDS.map((kind) => ({ kind })));
  readonly #hooks = new LabelledCounter(HOOKS.map((outcome) => ({ outcome })));
  readonly #messages = new LabelledCounter(MESSAGE_CODES.map((code) => ({ code })));
  readonly #refused = new LabelledCounter(REFUSAL_CODES.map((code) => ({ code })));
  readonly #turns = new LabelledCounter(
    TURN_KINDS.flatMap((kind) => TURN_OUTCOMES.map((outcome) => ({ kind, outcome }))),
  );
  readonly #authFailures = new LabelledCounter(AUTH_FAILURE_REASONS.map((reason) => ({ reason })));
  readonly #closed = new LabelledCounter(Object.keys(END_REASONS).map((reason) => ({ reason })));

  /** Counts a live session from before its start to its end. It is not held: its listeners end with it. */
  watch(session: Pick<AgentSession, 'on' | 'clock' | 'model' | 'session'>): void {
    this.#sessions.watch(session);
    let outage: ConnectionCause | undefined;
    session.on('event', (event) => {
      if (event.type === 'connection') outage = this.#note(event, outage);
    });
    session.on('close', ({ reason }) => {
      if (outage !== undefined) this.#reconnected(outage, 'ended');
      this.#closed.add({ reason });
    });
  }

  /** A client came to go on with a live session. */
  clientReturned(outcome: ClientReturn): void {
    this.#clientReturns.add({ outcome });
  }

  /** A live session has waited for a client that vanished. */
  waitedForClient(outcome: GraceOutcome): void {
    this.#graces.add({ outcome });
  }

  /** Audio did not leave for a client that does not keep up. */
  audioDropped(ms: number): void {
    this.#droppedMs += ms;
  }

  /** The end of a call took longer than it may. */
  gaveUp(kind: CallKind): void {
    this.#givenUp.add({ kind });
  }

  /** The end-of-session hook has run. */
  hookEnded(outcome: HookOutcome): void {
    this.#hooks.add({ outcome });
  }

  /** Somebody was not let in. */
  authFailed(reason: AuthFailureReason): void {
    this.#authFailures.add({ reason });
  }

  /** A message of a client was refused or dropped, with this error. */
  messageRefused(code: string): void {
    this.#messages.add({ code });
  }

  /** Somebody wanted a live session or a text turn, and got this error. */
  sessionRefused(code: string): void {
    this.#refused.add({ code });
  }

  /** A text turn is over. */
  turnEnded(kind: 'run' | 'run_sse', outcome: 'answered' | 'failed'): void {
    this.#turns.add({ kind, outcome });
  }

  /** In the text format of Prometheus. */
  render(liveSessions: number, limitsReached: readonly Sample[] = []): string {
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
        'histogram',
        'How long no connection took input while one was replaced on purpose.',
        this.#swapGap.samples,
      ),
      formatMetric(
        'holdfast_model_reconnect_gap_seconds',
        'histogram',
        'How long no connection took input from a loss until the model was back.',
        this.#reconnectGap.samples,
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
      formatMetric(
        'holdfast_client_graces_total',
        'counter',
        'Live sessions that waited for a client which had vanished, by what came of it.',
        this.#graces.samples,
      ),
      formatMetric(
        'holdfast_client_returns_total',
        'counter',
        'Clients that came to go on with a live session, by what they found.',
        this.#clientReturns.samples,
      ),
      formatMetric(
        'holdfast_calls_given_up_total',
        'counter',
        'Calls whose end took longer than it may, and was cut short.',
        this.#givenUp.samples,
      ),
      formatMetric(
        'holdfast_client_audio_dropped_seconds_total',
        'counter',
        'Audio of agents that was dropped for clients which do not keep up.',
        this.#droppedMs / 1_000,
      ),
      formatMetric(
        'holdfast_limits_reached_total',
        'counter',
        'What was refused, dropped or ended because a limit was reached, by limit.',
        limitsReached,
      ),
      formatMetric(
        'holdfast_session_end_hooks_total',
        'counter',
        'What came of the end-of-session hook.',
        this.#hooks.samples,
      ),
      formatMetric(
        'holdfast_auth_failures_total',
        'counter',
        'Requests and upgrades that were not let in, by why.',
        this.#authFailures.samples,
      ),
      formatMetric(
        'holdfast_sessions_refused_total',
        'counter',
        'Live sessions and text turns that were not begun, by the error that said so.',
        this.#refused.samples,
      ),
      formatMetric(
        'holdfast_text_turns_total',
        'counter',
        'Text turns that are over, by route and by what came of them.',
        this.#turns.samples,
      ),
      formatMetric(
        'holdfast_client_messages_refused_total',
        'counter',
        'Messages of clients that were refused or dropped, by the error that said so; of frames one for each run of them.',
        this.#messages.samples,
      ),
      this.#sessions.render(),
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
        this.#reconnectGap.observe(event.gapMs / 1_000);
        return undefined;
      case 'exhausted':
        this.#reconnected(outage ?? 'lost', 'exhausted');
        return undefined;
      case 'swapped':
        this.#swaps.add({ cause: event.cause });
        this.#swapGap.observe(event.gapMs / 1_000);
        return undefined;
    }
  }

  #reconnected(cause: ConnectionCause, outcome: Outcome): void {
    this.#reconnects.add({ cause, outcome });
  }
}
