import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClosedError, registerSecret, systemClock } from '../kernel/index.ts';
import type { Logger } from '../kernel/index.ts';
import { modelFromId } from '../models/model-id.ts';
import { AgentLoadError, AppRegistry, createServer, loadAgents } from '../server/index.ts';
import type { ServerCloseReport } from '../server/index.ts';
import { Agent } from '../session/index.ts';
import { authenticatorsOf } from './auth-options.ts';
import { registerEnvironmentSecrets } from './environment-secrets.ts';
import { limitsOf } from './limit-options.ts';
import { callsWere, endInWords } from './drain-words.ts';
import { countBuffersWithHeap } from './garbage-collection.ts';
import { failureOf } from './failure.ts';
import { createLogger } from './logger.ts';
import { outliveOutput } from './lost-output.ts';
import { outliveRejections } from './stray-rejections.ts';
import { graceWarning, platformGrace } from './platform-grace.ts';
import { recordCalls } from './record-calls.ts';
import type { ServeFlags } from './serve-options.ts';
import { openArtifacts } from './artifact-folder.ts';
import { givenFolder } from './page-option.ts';
import { openStore } from './session-store.ts';
import { readTlsPair, renewTlsOnSignal } from './tls-options.ts';
import { SignalLadder, drainOnHangUp, endOnEarlySignals, listenToSignals } from './signals.ts';
import { openTracing } from './tracing.ts';
import { placeOfThisProcess } from './workers/place.ts';
import type { WorkerPlace } from './workers/place.ts';
import { checkShared, serveWithWorkers } from './workers/supervise.ts';
import { workerLogger } from './workers/worker-log.ts';
import { runWorker } from './workers/worker.ts';
import type { WorkerParts } from './workers/worker.ts';

/** The app that is served when no folder of agents is given. */
export const DEFAULT_APP = 'default';

/**
 * Serves until a signal ends it, by itself or with workers, and sets the process's exit code: 0 when nothing was cut, otherwise 1 with a line
 * that says what was (clause D4).
 */
export async function serve(
  agentsDir: string | undefined,
  flags: ServeFlags,
  parts: { readonly page: boolean },
): Promise<void> {
  countBuffersWithHeap();
  outliveOutput();
  registerEnvironmentSecrets(process.env);
  registerSecret(flags.adminToken);
  const place = placeOfThisProcess();
  if (place !== undefined) {
    await runWorker(place, flags, () => prepare(agentsDir, flags, parts, place));
    return;
  }
  if (flags.workers > 1) {
    await serveWithWorkers(flags);
    return;
  }
  const stopEarly = endOnEarlySignals(() => process.exit(0));
  const made = await prepare(agentsDir, flags, parts);
  stopEarly();
  const ended = endOnSignals(made);
  void listen(made, flags).catch((error: unknown) => {
    // Told to end before it served, it ends as always.
    if (!(error instanceof ClosedError)) exitFailed(error);
  });
  exitWith(await ended);
}

/**
 * It cannot listen. The process ends, whatever it has open: with one of its ports it would be there, and ready, for who asks
 * about it, and for nobody else. Nobody was served, so there is nothing to close.
 */
function exitFailed(error: unknown): void {
  const { text, exitCode } = failureOf(error);
  process.stderr.write(`holdfast: ${text}\n`);
  process.exit(exitCode);
}

/** Has it serve, and says where. */
async function listen(
  { server, opened, tls, artifacts, log }: WorkerParts,
  flags: ServeFlags,
): Promise<void> {
  if (tls !== undefined) renewTlsOnSignal(server, flags, log);
  if (flags.opsPort !== undefined) {
    const operations = await server.listenOps(flags.opsPort, flags.opsHost);
    process.stdout.write(`Operations are at ${operations.url}\n`);
  }
  const { url } = await server.listen(flags.port, flags.host, {
    allowUnauthenticated: flags.insecureNoAuth === true,
    ...(tls === undefined ? {} : { tls }),
  });
  log.info('sessions are kept', { in: opened.place, artifacts });
  process.stdout.write(`Holdfast is listening on ${url}\n`);
}

/** The server that the flags ask for, which does not listen yet; one of several with a `place`. */
async function prepare(
  agentsDir: string | undefined,
  flags: ServeFlags,
  parts: { readonly page: boolean },
  place?: WorkerPlace,
): Promise<WorkerParts> {
  const ownLog = createLogger(flags.logLevel, process.stderr.isTTY);
  const log = place === undefined ? ownLog : workerLogger(ownLog, place.slot);
  outliveRejections(log);
  const auth = authenticatorsOf(flags);
  const tls = readTlsPair(flags);
  const tracing = await openTracing({ environment: process.env, clock: systemClock, log });
  const model = await modelFromId(flags.model);
  const agents = await appsOf(agentsDir ?? process.env['HOLDFAST_AGENTS_DIR'], log);
  const pageDir = givenFolder(flags.page) ?? (parts.page ? findPage(log) : undefined);
  // An empty variable is one that is not set.
  const recorder =
    flags.record === undefined || flags.record === '' ? undefined : recordCalls(flags.record, log);
  const opened = await openStore(flags.store, log);
  if (place !== undefined) checkShared(opened);
  const artifacts = openArtifacts(flags.artifacts, opened);
  if (place !== undefined) checkShared(artifacts);
  const server = createServer({
    agents,
    model,
    store: opened.store,
    artifacts: artifacts.store,
    log,
    drainTimeoutMs: flags.drainTimeout * 1_000,
    preDrainDelayMs: flags.preDrainDelay * 1_000,
    maxLiveSessions: Math.ceil(flags.maxSessions / (place?.count ?? 1)),
    ...limitsOf(flags),
    ...(flags.allowHost === undefined ? {} : { allowedHosts: flags.allowHost }),
    ...(flags.allowOrigins === undefined ? {} : { allowedOrigins: flags.allowOrigins }),
    auth,
    openMetrics: flags.openMetrics === true,
    // An empty variable is one that is not set.
    ...(flags.adminToken === undefined || flags.adminToken === '' ? {} : { adminToken: flags.adminToken }),
    ...(pageDir === undefined ? {} : { pageDir }),
    ...(tracing === undefined
      ? {}
      : { tracerProvider: tracing.provider, traceContent: tracing.capturesContent }),
    ...(recorder === undefined ? {} : { onLiveSession: recorder }),
  });
  const warning = graceWarning(platformGrace(flags.platformGrace, process.env), flags);
  // Once, where there are several.
  if (warning !== undefined && (place?.slot ?? 0) === 0)
    log.warn('the platform may end this server in the middle of a drain', { warning });
  return { server, opened, tracing, tls, artifacts: artifacts.place, log };
}

/**
 * Before anybody is told that the server is there: who reads that may signal at once. Resolves when the server has closed, and
 * what it needed is let go of.
 */
async function endOnSignals({ server, opened, tracing, tls }: WorkerParts): Promise<ServerCloseReport> {
  const tell = (line: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`${line}\n`);
  };
  listenToSignals(new SignalLadder(server, { clock: systemClock, tell }));
  if (tls === undefined) drainOnHangUp(server);
  const report = await server.closed;
  // A store that cannot be closed has had everything written to it that could be.
  await Promise.all([opened.close().catch(() => undefined), tracing?.close()]);
  return report;
}

/** Whatever is still open in this process, a client's idle connection say, does not keep it. */
function exitWith(report: ServerCloseReport): void {
  const { cutCalls, reason } = report;
  const words = endInWords(report);
  if (process.stderr.isTTY) {
    if (words !== undefined) process.stderr.write(`${words}\n`);
  } else if (cutCalls > 0) {
    process.stderr.write(`holdfast: ${callsWere(cutCalls)} cut (${reason})\n`);
  }
  process.exit(cutCalls > 0 ? 1 : 0);
}

async function appsOf(agentsDir: string | undefined, log: Logger): Promise<AppRegistry> {
  if (agentsDir === undefined || agentsDir === '') {
    const instructions = 'You are a friendly voice assistant. Answer briefly.';
    return AppRegistry.of({ [DEFAULT_APP]: new Agent({ name: DEFAULT_APP, instructions }) });
  }
  const apps = await loadAgents(agentsDir);
  for (const { name, error } of apps.broken)
    log.error('agent not loaded', { app: name, error: error.message });
  if (apps.names.length === 0 && apps.broken.length === 0) {
    throw new AgentLoadError(
      `There is no agent in '${agentsDir}': it should hold <app>/agent.ts for each one.`,
    );
  }
  return apps;
}

/** The built page: beside this module in a package, in dist/ when the sources run. */
function findPage(log: Logger): string | undefined {
  const folders = ['../ui', '../../dist/ui'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const page = folders.find((folder) => existsSync(join(folder, 'index.html')));
  if (page === undefined) log.warn('the page is not built; only the routes are served', { looked: folders });
  return page;
}
