import { HoldfastError, describeError } from '../kernel/index.ts';
import type { ClosingStep, Lifetime, Timer } from '../kernel/index.ts';
import type { Content, FunctionCall, Usage } from '../protocol/index.ts';
import { StoreError } from './session-store.ts';
import type {
  Journal,
  SessionChanges,
  SessionKey,
  StoredResumption,
  StoredSession,
} from './session-store.ts';

/**
 * How long a change waits for others that come along with it: counts and states change several times within a turn,
 * and who dies in that time loses none of what was said. Turns and handles do not wait.
 */
export const JOURNAL_COALESCE_MS = 50;

/** How long after a write that failed the next one is tried: a store that restarts is back in seconds. */
export const JOURNAL_RETRY_MS = 1_000;

/** A write takes milliseconds. One that is not over by then is told of, because nothing is written down behind it. */
export const JOURNAL_OVERDUE_MS = 10_000;

export interface JournalWriterOptions {
  readonly journal: Journal;
  /** As the store gave it: what it holds now is taken for written, but for its state. */
  readonly session: StoredSession;
  /** The live session. It closes the writer in its phase `hooks`, when tools have settled. */
  readonly owner: Lifetime;
  /** The calls whose tools have not settled. */
  pendingCalls(): readonly FunctionCall[];
}

/** What the journal holds. */
interface Recorded {
  readonly history: readonly Content[];
  /** As JSON; undefined until it is written for the first time. */
  readonly state: string | undefined;
  readonly resumption: StoredResumption | undefined;
  readonly pendingCalls: readonly FunctionCall[];
  readonly inputMs: number | undefined;
  readonly activeAgent: string | undefined;
  readonly usage: Usage | undefined;
}

/**
 * All that a write under way, and the owner's closing step, know of the writer. It is emptied when nobody waits any
 * more, so that a store that hangs keeps no live session in memory (clause C6).
 */
interface Link {
  writer: JournalWriter | undefined;
}

type WriterState =
  | { readonly tag: 'idle' }
  | { readonly tag: 'waiting'; readonly what: 'coalesce' | 'soon' | 'retry'; readonly timer: Timer }
  /** `after` is what the journal holds if the write succeeds; `again`: something has changed since it began. */
  | { readonly tag: 'writing'; readonly after: Recorded; again: boolean; readonly overdue: Timer | undefined }
  | { readonly tag: 'ended' };

/**
 * Writes down in the journal what happens to a session, as it happens: one write at a time, each with everything that
 * has changed since the last one that succeeded. Nothing waits for it, and no failure of it reaches the conversation.
 */
export class JournalWriter {
  static readonly #closing: ClosingStep<Link> = {
    phase: 'hooks',
    close: ({ writer }) => writer?.flush(),
    abort: ({ writer }) => {
      if (writer !== undefined) writer.#letGo();
    },
  };

  readonly #options: JournalWriterOptions;
  readonly #key: SessionKey;
  readonly #link: Link = { writer: this };
  #state: WriterState = { tag: 'idle' };
  #recorded: Recorded;
  #flushes: PromiseWithResolvers<void>[] = [];
  /** Whether the last write failed: a row of failures is told once. */
  #isFailing = false;
  #isStateBroken = false;

  /** @throws ClosedError when the owner has begun to close. */
  constructor(options: JournalWriterOptions) {
    const { session, owner } = options;
    const { id, appName, userId, resumption, pendingCalls = [], inputMs, activeAgent, usage } = session;
    this.#options = options;
    this.#key = { appName, userId, id };
    const history = [...session.history];
    this.#recorded = { history, state: undefined, resumption, pendingCalls, inputMs, activeAgent, usage };
    owner.own('journal', this.#link, JournalWriter.#closing);
  }

  /**
   * Something of the session is different now, or may be. Costs next to nothing, and never throws; not to be called
   * for frames of audio, whose position goes along with whatever else is written.
   */
  changed(): void {
    const { owner } = this.#options;
    switch (this.#state.tag) {
      case 'writing':
        this.#state.again = true;
        return;
      case 'idle':
      case 'waiting':
        // There are no timers any more, and nobody to wait for.
        if (owner.isClosing) this.#write();
        else this.#await(this.#isUrgent() ? 'soon' : 'coalesce');
        return;
      default:
    }
  }

  /**
   * Writes what is left; resolves when it is written. The owner's close does so by itself.
   * @throws what the store failed with; what is none of our errors is the cause of a StoreError, for it may quote what
   * was written.
   */
  flush(): Promise<void> {
    if (this.#state.tag === 'writing') this.#state.again = true;
    const flushed = Promise.withResolvers<void>();
    this.#flushes.push(flushed);
    if (this.#state.tag === 'idle' || this.#state.tag === 'waiting') this.#write();
    else if (this.#state.tag === 'ended') this.#settleFlushes();
    return flushed.promise;
  }

  /** Whether what has changed must not be lost: what was said, or the handle. */
  #isUrgent(): boolean {
    const { session } = this.#options;
    const { history, resumption } = this.#recorded;
    return (
      session.resumption !== resumption ||
      session.history.length !== history.length ||
      session.history.at(-1) !== history.at(-1)
    );
  }

  #await(what: 'coalesce' | 'soon' | 'retry'): void {
    if (this.#state.tag === 'waiting') {
      // A store that has just failed is left in peace for a while, whatever happens meanwhile.
      if (this.#state.what !== 'coalesce' || what === 'coalesce') return;
      this.#state.timer.cancel();
    }
    const delayMs = { coalesce: JOURNAL_COALESCE_MS, soon: 0, retry: JOURNAL_RETRY_MS }[what];
    const timer = this.#options.owner.timer('journal', delayMs, () => this.#write());
    this.#state = { tag: 'waiting', what, timer };
  }

  #write(): void {
    const { owner, journal } = this.#options;
    if (this.#state.tag === 'waiting') this.#state.timer.cancel();
    this.#state = { tag: 'idle' };
    const now = this.#now();
    const changes = this.#changesTo(now);
    if (changes === undefined) {
      this.#settleFlushes();
      return;
    }
    // Who writes when the owner's close is over does so for the last time, and does not learn how it went.
    const isLast = owner.state.tag === 'closed';
    const link = isLast ? { writer: undefined } : this.#link;
    const overdue = owner.isClosing ? undefined : this.#tellWhenOverdue();
    this.#state = isLast ? { tag: 'ended' } : { tag: 'writing', after: now, again: false, overdue };
    JournalWriter.#record(journal, this.#key, changes, link);
  }

  /** A function of its own, so that what hangs on a write knows these four and no session (clause C6). */
  static #record(journal: Journal, key: SessionKey, changes: SessionChanges, link: Link): void {
    new Promise<void>((resolve) => resolve(journal.record(key, changes))).then(
      () => {
        if (link.writer !== undefined) link.writer.#succeeded();
      },
      (error: unknown) => {
        if (link.writer !== undefined) link.writer.#failed(error);
      },
    );
  }

  #succeeded(): void {
    if (this.#state.tag !== 'writing') return;
    const { after, again, overdue } = this.#state;
    overdue?.cancel();
    this.#recorded = after;
    this.#state = { tag: 'idle' };
    if (this.#isFailing) this.#options.owner.log.info('journal goes on', { owner: this.#options.owner.path });
    this.#isFailing = false;
    if (this.#flushes.length > 0) this.#write();
    else if (again) this.changed();
  }

  #failed(error: unknown): void {
    if (this.#state.tag !== 'writing') return;
    const { owner } = this.#options;
    const { again, overdue } = this.#state;
    overdue?.cancel();
    this.#state = { tag: 'idle' };
    if (!this.#isFailing) owner.log.warn('journal write failed', { owner: owner.path, error: kindOf(error) });
    this.#isFailing = true;
    // Who wants to flush and came while it was under way has a try of his own.
    if (again && this.#flushes.length > 0) {
      this.#write();
      return;
    }
    this.#settleFlushes({ error: error instanceof HoldfastError ? error : storeError(error) });
    if (!owner.isClosing) this.#await('retry');
  }

  #settleFlushes(failure?: { readonly error: unknown }): void {
    for (const flushed of this.#flushes.splice(0)) {
      if (failure === undefined) flushed.resolve();
      else flushed.reject(failure.error);
    }
  }

  /** The last write is begun, if none is under way, and nobody waits for it. */
  #letGo(): void {
    this.#link.writer = undefined;
    if (this.#state.tag === 'idle' || this.#state.tag === 'waiting') this.#write();
    this.#state = { tag: 'ended' };
  }

  #tellWhenOverdue(): Timer {
    const { owner } = this.#options;
    return owner.timer('journal overdue', JOURNAL_OVERDUE_MS, () => {
      owner.log.warn('journal write hangs', { owner: owner.path, afterMs: JOURNAL_OVERDUE_MS });
    });
  }

  #now(): Recorded {
    const { session, pendingCalls } = this.#options;
    const { resumption, inputMs, activeAgent, usage } = session;
    const history = [...session.history];
    const state = this.#stateJson();
    return { history, state, resumption, pendingCalls: pendingCalls(), inputMs, activeAgent, usage };
  }

  /** What is in the state may be anything that a tool has put there; one that is no JSON holds up nothing else. */
  #stateJson(): string | undefined {
    try {
      const json = JSON.stringify(this.#options.session.state);
      this.#isStateBroken = false;
      return json;
    } catch {
      const { owner } = this.#options;
      if (!this.#isStateBroken) owner.log.warn('session state is no JSON', { owner: owner.path });
      this.#isStateBroken = true;
      return this.#recorded.state;
    }
  }

  /** Undefined when there is nothing to write. The position of the audio alone is no reason to, but at the end. */
  #changesTo(now: Recorded): SessionChanges | undefined {
    const was = this.#recorded;
    const from = firstDifference(was.history, now.history);
    const changes: SessionChanges = {
      ...(from === undefined ? {} : { history: { from, contents: now.history.slice(from) } }),
      // A copy: the session's own goes on changing while it is written.
      ...(now.state === was.state || now.state === undefined ? {} : { state: copyOf(now.state) }),
      ...(now.resumption === was.resumption ? {} : { resumption: now.resumption ?? null }),
      ...(firstDifference(was.pendingCalls, now.pendingCalls) === undefined
        ? {}
        : { pendingCalls: [...now.pendingCalls] }),
      ...(now.activeAgent === was.activeAgent || now.activeAgent === undefined
        ? {}
        : { activeAgent: now.activeAgent }),
      ...(now.usage === was.usage || now.usage === undefined ? {} : { usage: now.usage }),
    };
    const isWorth = Object.keys(changes).length > 0 || this.#flushes.length > 0;
    if (isWorth && now.inputMs !== undefined && now.inputMs !== was.inputMs) {
      return { ...changes, inputMs: now.inputMs };
    }
    return Object.keys(changes).length > 0 ? changes : undefined;
  }
}

/** The first index at which the two lists do not hold the same object; undefined when there is none. */
function firstDifference<Item>(was: readonly Item[], now: readonly Item[]): number | undefined {
  const length = Math.max(was.length, now.length);
  for (let index = 0; index < length; index += 1) if (was[index] !== now[index]) return index;
  return undefined;
}

function copyOf(json: string): Record<string, unknown> {
  return JSON.parse(json) as Record<string, unknown>;
}

function storeError(cause: unknown): StoreError {
  return new StoreError(`What is left could not be written down: ${kindOf(cause)}; see the cause.`, {
    cause,
  });
}

/** What is told of a failure: our own words, and of all others the kind alone, for they may quote what was written. */
function kindOf(error: unknown): string {
  if (error instanceof HoldfastError) return describeError(error);
  return error instanceof Error ? error.name : `a thrown ${typeof error}`;
}
