import { HoldfastError, randomId } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import type { Content, FunctionCall, Usage } from '../protocol/index.ts';

/** A conversation as it is kept: it outlives sockets, processes and machines. */
export interface StoredSession {
  readonly id: string;
  readonly appName: string;
  readonly userId: string;
  /** The application's own data. JSON. */
  state: Record<string, unknown>;
  /** What was said, by either side, spoken or written, with tool calls and their results. */
  readonly history: Content[];
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** The provider's handle to go on with, when it issued one. A secret: it never leaves the process but to the store. */
  resumption?: StoredResumption | undefined;
  /** Calls whose tools had not settled when this was written. */
  pendingCalls?: readonly FunctionCall[] | undefined;
  /** How much of the user's audio models have been sent, over all live sessions, in milliseconds. */
  inputMs?: number | undefined;
  /** The agent who has the conversation, by name, where it is not the one it began with. */
  activeAgent?: string | undefined;
  /** What the answers have cost, over all live sessions. */
  usage?: Usage | undefined;
}

/** A provider's handle, and what is known of it. */
export interface StoredResumption {
  readonly handle: string;
  /** When it was issued: milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The model it belongs to; no other one takes it. */
  readonly modelId: string;
  /** How long the history was when it was issued: what comes after, the provider does not know. */
  readonly historyLength: number;
}

/** What has changed of a session since it was written last. What is not named has not changed. */
export interface SessionChanges {
  /** The history from index `from` on; what stood there is replaced. */
  readonly history?: { readonly from: number; readonly contents: readonly Content[] };
  readonly state?: Readonly<Record<string, unknown>>;
  /** Null: there is none any more. */
  readonly resumption?: StoredResumption | null;
  readonly pendingCalls?: readonly FunctionCall[];
  readonly inputMs?: number;
  readonly activeAgent?: string;
  readonly usage?: Usage;
}

/** Where a live session writes down what happens, as it happens, so that it can be gone on with after a crash. */
export interface Journal {
  /**
   * All of it or nothing. A session that was deleted meanwhile stays deleted. A live session has one call under way at
   * a time and makes the next one when it has settled, so an implementation bounds what it waits for.
   */
  record(key: SessionKey, changes: SessionChanges): Promise<void>;
}

export interface SessionKey {
  readonly appName: string;
  readonly userId: string;
  readonly id: string;
}

export interface NewSession {
  readonly appName: string;
  readonly userId: string;
  /** Default: an unguessable one. */
  readonly id?: string | undefined;
  readonly state?: Record<string, unknown> | undefined;
}

/** A session of this id exists already. */
export class SessionExistsError extends HoldfastError {
  readonly code = 'HOLDFAST_SESSION_EXISTS';
}

/** Sessions cannot be kept, or read, where they were to be: the message says why, and what to do. */
export class StoreError extends HoldfastError {
  readonly code = 'HOLDFAST_STORE';
}

/** A stored session without what was said in it. */
export type SessionSummary = Omit<
  StoredSession,
  'history' | 'resumption' | 'pendingCalls' | 'inputMs' | 'activeAgent' | 'usage'
>;

/**
 * How many sessions a list gives at most. Who asks wants to look at them, and a client that made a new one for each of
 * its calls would otherwise be answered with megabytes.
 */
export const MAX_LISTED_SESSIONS = 1_000;

/** Where sessions are kept. */
export interface SessionStore extends Journal {
  /** @throws SessionExistsError when the id is taken. */
  create(session: NewSession): Promise<StoredSession>;
  get(key: SessionKey): Promise<StoredSession | undefined>;
  /** The `MAX_LISTED_SESSIONS` that were changed last; the one that was changed last of all is the last. */
  list(appName: string, userId: string): Promise<readonly SessionSummary[]>;
  /** How many there are of a user in an app. A store without it has a bound of its own, or none. */
  count?(appName: string, userId: string): Promise<number>;
  /** Returns whether there was one. */
  delete(key: SessionKey): Promise<boolean>;
  /** Keeps the session as it is now. One that was deleted meanwhile stays deleted. */
  save(session: StoredSession): Promise<void>;
}

/** A session that no store knows. */
export function newSession(clock: Clock, random: Random): StoredSession {
  const nowMs = clock.wallTime();
  const id = randomId(random);
  return {
    id,
    appName: 'default',
    userId: 'user',
    state: {},
    history: [],
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}
