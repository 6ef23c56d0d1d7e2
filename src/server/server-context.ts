import type { Lifetime, Random } from '../kernel/index.ts';
import type { ArtifactStore, ReconnectOptions, SessionStore } from '../session/index.ts';
import type { Admission, ClientAddresses, Refusals } from './limits/index.ts';
import type { Access, AdminAccess } from './auth/index.ts';
import type { AppRegistry, ServedAgent } from './apps/index.ts';
import type { Calls, SessionEndHook, SessionHook, SessionTracing } from './calls/index.ts';
import type { Drain } from './drain/index.ts';
import type { HostCheck, Listeners } from './http/index.ts';
import type { RuntimeMetrics, ServerMetrics } from './metrics/index.ts';
import type { ReplayBudget } from './client/index.ts';
import type { ServerLimits } from './server-options.ts';
import type { SessionTraces } from './adk/index.ts';

/** What the parts of one server share. */
export interface ServerContext {
  /** The server's own lifetime: every call is a child of it. */
  readonly owner: Lifetime;
  readonly limits: ServerLimits;
  readonly apps: AppRegistry;
  readonly store: SessionStore;
  readonly artifacts: ArtifactStore;
  readonly calls: Calls;
  readonly drain: Drain;
  readonly hosts: HostCheck;
  readonly listeners: Listeners;
  /** Who may speak to this server. */
  readonly access: Access;
  /** Who may administer it. */
  readonly admin: AdminAccess;
  readonly metrics: ServerMetrics;
  /** What was measured of the last sessions. */
  readonly traces: SessionTraces;
  readonly random: Random;
  /** How lost connections to models are had again. */
  readonly reconnect: ReconnectOptions | undefined;
  /** What comes after a live session. */
  readonly onSessionEnd: SessionEndHook | undefined;
  /** Who is told of each live session. */
  readonly onLiveSession: SessionHook | undefined;
  /** Ends the server as its method of this name does. */
  end(verb: 'drain' | 'close' | 'abort'): void;
  /** The agent of an app with its model. @throws AppNotFoundError, or what keeps the app from being served. */
  serve(appName: string): ServedAgent;
  /** Who may begin something new. */
  readonly admission: Admission;
  readonly refusals: Refusals;
  readonly tracing: SessionTracing;
  /** The process it runs in, watched as long as it is there. */
  readonly runtime: RuntimeMetrics;
  /** What is kept for all clients that may come back. */
  readonly replayBudget: ReplayBudget;
  /** Where clients are, through the proxies that are believed. */
  readonly addresses: ClientAddresses;
}
