import type { Lifetime, Random } from '../kernel/index.ts';
import type { ArtifactStore, ReconnectOptions, SessionStore } from '../session/index.ts';
import type { Admission } from './admission.ts';
import type { AdminAccess } from './admin-access.ts';
import type { AppRegistry, ServedAgent } from './app-registry.ts';
import type { Access } from './auth/index.ts';
import type { Calls } from './calls.ts';
import type { ClientAddresses } from './client-address.ts';
import type { Drain } from './drain.ts';
import type { HostCheck } from './host-check.ts';
import type { Listeners } from './listeners.ts';
import type { ServerMetrics } from './metrics.ts';
import type { Refusals } from './refusals.ts';
import type { RuntimeMetrics } from './runtime-metrics.ts';
import type { ReplayBudget } from './replay-budget.ts';
import type { ServerLimits } from './server-options.ts';
import type { SessionEndHook } from './session-end-hook.ts';
import type { SessionTracing } from './session-tracing.ts';
import type { SessionHook } from './session-hook.ts';
import type { SessionTraces } from './session-traces.ts';

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
