import type { ConnectionCause, ConnectionEventBody } from '../protocol/index.ts';
import { END_REASONS } from '../session/index.ts';
import type { AgentSession } from '../session/index.ts';
import type { CallKind } from './calls.ts';
import { LabelledCounter, formatMetric } from './prometheus.ts';
import type { Sample } from './prometheus.ts';
import type { HookOutcome } from './session-end-hook.ts';
import { AUTH_FAILURE_REASONS } from './auth/errors.ts';
import type { AuthFailureReason } from './auth/errors.ts';

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

/** What all live sessions of one server came to, as `GET /metrics` tells it to Prometheus (clause R9). */
export class ServerMetrics {
  #dials = 0;
  #handleRejections = 0;
  #replayedMs = 0;
  #audioGapMs = 0;
  #droppedMs = 0;
  #swapGapMs = 0;
  #swapGaps = 0;
  readonly #reconnects = new LabelledCounter(
    LOSS_CAUSES.flatMap((cause) => OUTCOMES.map((outcome) => ({ cause, outcome }))),
  );
  readonly #swaps = new LabelledCounter(SWAP_CAUSES.map((cause) => ({ cause })));
  readonly #clientReturns = new LabelledCounter(RETURNS.map((outcome) => ({ outcome })));
  readonly #graces = new LabelledCounter(GRACES.map((outcome) => ({ outcome })));
  readonly #givenUp = new LabelledCounter(KINDS.map((kind) => ({ kind })));
  readonly #hooks = new LabelledCounter(HOOKS.map((outcome) => ({ outcome })));
  readonly #authFailures = new LabelledCounter(AUTH_FAILURE_REASONS.map((reason) => ({ reason })));
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

  /** In the text format of Prometheus. */
  render(liveSessions: number, limitsReached: readonly Sample[] = []): string {
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
