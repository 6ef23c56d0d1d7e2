import type { Context } from '@opentelemetry/api';
import { describeError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import { endReasonOf } from '../../session/index.ts';
import type { AgentSession, SessionCloseReport, SessionKey, StoredSession } from '../../session/index.ts';
import type { CallKind, HookOutcome, SessionEndReport } from '../calls/index.ts';
import type { ServerContext } from '../server-context.ts';
import { SERVER_CLOSE_TIMEOUT_MS } from '../server-options.ts';
import { storeAtEnd } from './stored-history.ts';

export interface JobOptions {
  readonly context: ServerContext;
  readonly kind: CallKind;
  /** What its scope is called in logs. */
  readonly name: string;
  readonly key: SessionKey;
  /** The trace that the call is a part of. */
  readonly caller: Context;
}

/** The live session of a job. */
interface Run {
  readonly stored: StoredSession;
  readonly startedAtMs: number;
  readonly startedWallMs: number;
}

/**
 * What the server does for one call, from its acceptance to the last thing that is done about it.
 *
 * Its scope holds everything the call has. Whatever that does at its end, it is over within `jobCloseTimeoutMs`: what is
 * left then is destroyed, the next call can have the session, and the end-of-session hook runs all the same.
 */
export class Job {
  readonly scope: Lifetime;
  readonly startedAtMs: number;
  /** Settles, without rejecting, when the call has ended and what was said in it is stored, or it was given up. */
  readonly ended: Promise<void>;
  /** Settles, without rejecting, when the end-of-session hook has run, or was given up. */
  readonly over: Promise<void>;
  readonly #options: JobOptions;
  readonly #owner: Lifetime;
  readonly #ended = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  readonly #patience = new AbortController();
  #stage: 'under way' | 'ending' | 'given up' | 'hook' | 'over' = 'under way';
  #guard: Timer | undefined;
  #run: Run | undefined;
  #report: SessionCloseReport | undefined;
  #error: unknown;

  /** @throws ClosedError when the server has begun to close. */
  constructor(options: JobOptions) {
    const { context, kind, name, key } = options;
    const { owner } = context;
    this.#options = options;
    this.#owner = owner;
    this.scope = owner.child(name, {
      closeTimeoutMs: SERVER_CLOSE_TIMEOUT_MS,
      logFields: { session: key.id, app: key.appName, kind },
    });
    this.startedAtMs = owner.clock.now();
    this.ended = this.#ended.promise;
    this.over = this.#over.promise;
    // However the end begins, also with the server's from above, the guard is set in that instant.
    this.scope.own('guard', this, { stop: (job) => job.ending() });
    void this.scope.closed.then(() => this.#hasEnded());
    if (context.onSessionEnd === undefined) return;
    owner.own('end-of-session hook', this, {
      phase: 'hooks',
      boundMs: context.limits.sessionEndTimeoutMs,
      close: (job, { signal }) => job.#untilOver(signal),
    });
  }

  /** A live session of `stored` is about to begin: from here on there is an end to be told of. */
  begins(stored: StoredSession): void {
    const { clock } = this.scope;
    this.#run = { stored, startedAtMs: clock.now(), startedWallMs: clock.wallTime() };
  }

  /** The live session is there: it is stored when the scope ends, and counted. */
  holds(session: AgentSession): void {
    const { context } = this.#options;
    storeAtEnd(this.scope, context.store, session);
    context.metrics.watch(session);
    context.tracing.watch(session, this.#options.caller, this.scope.log);
    session.on('close', (report) => {
      this.#report = report;
    });
  }

  /** What kept the live session from being, or from going on, where it has not failed itself. */
  failed(error: unknown): void {
    this.#error ??= error;
  }

  /** The end has begun: from now on it has `jobCloseTimeoutMs`. */
  ending(): void {
    if (this.#stage !== 'under way') return;
    this.#stage = 'ending';
    // The server's own close is bounded as a whole, and bounds what is in it.
    if (this.#owner.isClosing) return;
    const { jobCloseTimeoutMs } = this.#options.context.limits;
    this.#guard = this.#owner.timer('job close time-out', jobCloseTimeoutMs, () => this.#giveUp());
  }

  #giveUp(): void {
    if (this.#stage !== 'ending') return;
    this.#stage = 'given up';
    const { context, kind, name } = this.#options;
    const { jobCloseTimeoutMs } = context.limits;
    this.scope.log.error('call given up', {
      call: name,
      afterMs: jobCloseTimeoutMs,
      held: this.scope.resources(),
    });
    context.metrics.gaveUp(kind);
    // Everything in it is told to let go at once; that is over in one turn of the clock, and not waited for.
    void this.scope.abort('given up');
    if (this.#owner.isClosing) this.#hasEnded();
    else this.#owner.timer('given up', 0, () => this.#hasEnded());
  }

  #hasEnded(): void {
    if (this.#stage === 'hook' || this.#stage === 'over') return;
    const isGivenUp = this.#stage === 'given up';
    this.#stage = 'hook';
    this.#guard?.cancel();
    this.#ended.resolve();
    const { onSessionEnd } = this.#options.context;
    if (onSessionEnd === undefined || this.#run === undefined) this.#isOver();
    else this.#callHook(this.#run, this.#reportOf(this.#run, isGivenUp));
  }

  #reportOf({ startedAtMs, startedWallMs }: Run, isGivenUp: boolean): SessionEndReport {
    const { kind, key } = this.#options;
    const { clock, state } = this.scope;
    const report = this.#report;
    const error = report?.error ?? this.#error;
    const scopeReason = state.tag === 'closed' ? state.report.reason : 'aborted';
    const reason = error === undefined ? endReasonOf(scopeReason) : 'error';
    return {
      kind,
      appName: key.appName,
      userId: key.userId,
      sessionId: key.id,
      reason: report?.reason ?? reason,
      ...(error === undefined ? {} : { error }),
      startedAtMs: startedWallMs,
      durationMs: clock.now() - startedAtMs,
      isGivenUp,
      close: report,
    };
  }

  #callHook({ stored }: Run, report: SessionEndReport): void {
    const { context } = this.#options;
    const { sessionEndTimeoutMs } = context.limits;
    const { signal } = this.#patience;
    let work: unknown;
    try {
      work = context.onSessionEnd?.(report, stored, { signal });
    } catch (error) {
      this.#hookEnded('failed', error);
      return;
    }
    // What a hook that never settles still holds is this job, which by then knows of no session.
    Promise.resolve(work).then(
      () => this.#hookEnded('done'),
      (error: unknown) => this.#hookEnded('failed', error),
    );
    if (signal.aborted) this.#hookEnded('overran');
    if (this.#owner.isClosing) return;
    this.#guard = this.#owner.timer('end-of-session hook', sessionEndTimeoutMs, () => this.#hookOverran());
  }

  #hookOverran(): void {
    this.#hookEnded('overran');
    this.#patience.abort();
  }

  #hookEnded(outcome: HookOutcome, error?: unknown): void {
    if (this.#stage !== 'hook') return;
    const { context } = this.#options;
    context.metrics.hookEnded(outcome);
    const told = error === undefined ? {} : { error: describeError(error) };
    if (outcome === 'failed') this.scope.log.error('end-of-session hook failed', told);
    if (outcome === 'overran') this.scope.log.warn('end-of-session hook overran', told);
    this.#isOver();
  }

  #isOver(): void {
    this.#stage = 'over';
    this.#guard?.cancel();
    this.#guard = undefined;
    this.#run = undefined;
    this.#report = undefined;
    this.#owner.release(this);
    this.#over.resolve();
  }

  /** The server closes, and waits for it as long as the close has time. */
  #untilOver(signal: AbortSignal): Promise<void> {
    if (signal.aborted) this.#hookOverran();
    else signal.addEventListener('abort', () => this.#hookOverran());
    return this.over;
  }
}
