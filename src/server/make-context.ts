import { InvalidOptionError, Lifetime, systemEventLoop, systemRandom } from '../kernel/index.ts';
import { parseReconnect } from '../session/reconnect-policy.ts';
import { MemoryArtifactStore } from '../store/memory-artifacts.ts';
import { MemorySessionStore } from '../store/memory.ts';
import { Admission, ClientAddresses, Refusals } from './limits/index.ts';
import { Access, AdminAccess } from './auth/index.ts';
import { AppRegistry } from './apps/index.ts';
import type { ServedAgent } from './apps/index.ts';
import { Calls, SessionTracing } from './calls/index.ts';
import { Drain } from './drain/index.ts';
import { HostCheck, Listeners } from './http/index.ts';
import { RuntimeMetrics, ServerMetrics } from './metrics/index.ts';
import { ReplayBudget } from './client/index.ts';
import type { ServerContext } from './server-context.ts';
import { SERVER_CLOSE_TIMEOUT_MS, parseServerLimits } from './server-options.ts';
import type { ServerOptions } from './server-options.ts';
import { SessionTraces } from './adk/index.ts';

/** How the server ends that the context is of. */
interface Ends {
  /** The drain is over, or has come to its deadline. */
  close(reason: 'drained' | 'shutdown'): void;
  end(verb: 'drain' | 'close' | 'abort'): void;
}

/** Makes the parts of a server, which own nothing but through its lifetime. @throws InvalidOptionError for an option that cannot work. */
export function makeContext(options: ServerOptions, { close, end }: Ends): ServerContext {
  const limits = parseServerLimits(options);
  parseReconnect(options.reconnect);
  const apps = options.agents instanceof AppRegistry ? options.agents : AppRegistry.of(options.agents);
  checkModels(apps, options);
  const { model, random = systemRandom } = options;
  const owner = rootOf(options);
  const { clock } = owner;
  const calls = new Calls(clock);
  const metrics = new ServerMetrics();
  const listeners = new Listeners(owner.log);
  const drain = new Drain(
    { ...limits, scope: owner, calls },
    { unreachable: () => listeners.shutPublic(), close },
  );
  const refusals = new Refusals(owner);
  const eventLoop = options.eventLoop ?? systemEventLoop;
  return {
    owner,
    limits,
    apps,
    calls,
    drain,
    random,
    listeners,
    metrics,
    refusals,
    end,
    ...accessOf(options, owner, metrics, limits.adminToken),
    reconnect: options.reconnect,
    onSessionEnd: options.onSessionEnd,
    onLiveSession: options.onLiveSession,
    store: options.store ?? new MemorySessionStore({ clock, random }),
    artifacts: options.artifacts ?? new MemoryArtifactStore({ clock }),
    hosts: new HostCheck(limits.allowedHosts, limits.allowedOrigins),
    traces: new SessionTraces(random),
    serve: (appName) => servedAgent(apps, appName, model),
    admission: new Admission({ owner, limits, calls, drain, refusals, eventLoop }),
    runtime: new RuntimeMetrics(owner),
    tracing: new SessionTracing({
      tracerProvider: options.tracerProvider,
      capturesContent: limits.traceContent,
    }),
    replayBudget: new ReplayBudget(limits.maxTotalReplayBytes, () => refusals.note('replay_bytes')),
    addresses: new ClientAddresses(limits.trustProxy),
  };
}

function rootOf({ clock, log }: ServerOptions): Lifetime {
  return Lifetime.root({
    name: 'server',
    closeTimeoutMs: SERVER_CLOSE_TIMEOUT_MS,
    logLevel: 'info',
    ...(clock === undefined ? {} : { clock }),
    ...(log === undefined ? {} : { log }),
  });
}

/** Who may use it, and who may administer it: an administrator of the former is one of the latter. */
function accessOf(
  { auth, authorize, random = systemRandom }: ServerOptions,
  owner: Lifetime,
  metrics: ServerMetrics,
  adminToken: string | undefined,
): Pick<ServerContext, 'access' | 'admin'> {
  const access = new Access({
    owner,
    random,
    authenticators: [auth ?? []].flat(),
    authorize,
    refused: (reason) => metrics.authFailed(reason),
  });
  const admin = new AdminAccess(adminToken);
  if (access.isRequired) admin.alsoBy((authorization) => access.administers(authorization));
  return { access, admin };
}

function servedAgent(apps: AppRegistry, appName: string, fallback: ServerOptions['model']): ServedAgent {
  const agent = apps.get(appName);
  const model = agent.model ?? fallback;
  // Looked at when the server was made; only a later change of the agent could bring us here.
  if (model === undefined) throw new InvalidOptionError(`The app '${appName}' has no model.`);
  return { agent, model };
}

function checkModels(apps: AppRegistry, { model }: ServerOptions): void {
  const without = apps.agents.filter(({ agent }) => agent.model === undefined && model === undefined);
  if (without.length === 0) return;
  throw new InvalidOptionError(
    `These apps have no model: ${without.map(({ name }) => name).join(', ')}. Give createServer a model for them.`,
  );
}
