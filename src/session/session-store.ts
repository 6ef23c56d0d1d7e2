import { HoldfastError, randomId } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import type { Content } from '../protocol/index.ts';

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
  resumption?: { readonly handle: string; readonly atMs: number; readonly modelId: string } | undefined;
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

/** Where sessions are kept. */
export interface SessionStore {
  /** @throws SessionExistsError when the id is taken. */
  create(session: NewSession): Promise<StoredSession>;
  get(key: SessionKey): Promise<StoredSession | undefined>;
  list(appName: string, userId: string): Promise<readonly StoredSession[]>;
  /** Returns whether there was one. */
  delete(key: SessionKey): Promise<boolean>;
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
