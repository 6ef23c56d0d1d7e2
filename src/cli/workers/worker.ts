import { rmSync, rmdirSync } from 'node:fs';
import { ClosedError, Lifetime, systemClock } from '../../kernel/index.ts';
import type { Logger } from '../../kernel/index.ts';
import type { HoldfastServer, ListenAddress } from '../../server/index.ts';
import type { RequestRouter, TlsPair } from '../../server/http/index.ts';
import { callsWere } from '../drain-words.ts';
import { failureOf } from '../failure.ts';
import type { ServeFlags } from '../serve-options.ts';
import type { OpenedStore } from '../session-store.ts';
import { SignalLadder, drainOnHangUp, endOnEarlySignals, listenToSignals } from '../signals.ts';
import { renewTlsOnSignal } from '../tls-options.ts';
import type { Tracing } from '../tracing.ts';
import { Fellows } from './fellows.ts';
import { socketPathOf } from './place.ts';
import type { WorkerEnd, WorkerPorts } from './messages.ts';
import { WORKER_HEARTBEAT_MS } from './worker-slot.ts';
import type { Door, WorkerPlace } from './place.ts';
import { WorkerRouter } from './router.ts';
import type { WorkerRouterOptions } from './router.ts';
import { SupervisorLink } from './supervisor-link.ts';
import { WholeAnswers } from './whole-answers.ts';

/** How often the supervisor is told how many calls there are; it says so to who presses Ctrl-C. */
const TELL_CALLS_MS = 500;

/** How long what goes through this worker to another one may take to end, once this one has closed. */
const LAST_RELAYS_MS = 2_000;

export interface WorkerParts {
  readonly server: HoldfastServer;
  readonly opened: OpenedStore;
  readonly tracing: Tracing | undefined;
  readonly tls: TlsPair | undefined;
  /** Where artifacts are kept, for people. */
  readonly artifacts: string;
  readonly log: Logger;
}

/**
 * Runs this process as one of several workers: `prepare` makes its server, which then serves until it is told to end, by the
 * supervisor or by a signal of its own. It does not end with the supervisor: its calls go on, and new ones are taken.
 */
export async function runWorker(
  place: WorkerPlace,
  flags: ServeFlags,
  prepare: () => Promise<WorkerParts>,
): Promise<void> {
  const link = new SupervisorLink();
  const stopEarly = endEarly(link);
  try {
    const parts = await prepare();
    stopEarly();
    await new Worker(place, link, parts, flags).run();
  } catch (error) {
    const failure = failureOf(error);
    await link.tell({ tag: 'failed', ...failure });
    process.exit(failure.exitCode);
  }
}

/** Told to end while its agents are loaded, it does, by a signal or by its supervisor. Returns what stops listening. */
function endEarly(link: SupervisorLink): () => void {
  const end = (): void =>
    void link.tell({ tag: 'closed', cutCalls: 0, reason: 'shutdown' }).then(() => process.exit(0));
  // Nothing else is told to a worker that has not said that it is prepared.
  const stops = [endOnEarlySignals(end), link.listen(end)];
  return () => stops.forEach((stop) => stop());
}

class Worker {
  readonly #place: WorkerPlace;
  readonly #link: SupervisorLink;
  readonly #parts: WorkerParts;
  readonly #flags: ServeFlags;
  readonly #scope: Lifetime;
  readonly #ports = Promise.withResolvers<WorkerPorts>();
  /** How many things of ours are on other workers. */
  #relays = 0;
  #relaysOver: (() => void) | undefined;
  #toldCalls = 0;
  #toldAtMs = 0;

  constructor(place: WorkerPlace, link: SupervisorLink, parts: WorkerParts, flags: ServeFlags) {
    this.#place = place;
    this.#link = link;
    this.#parts = parts;
    this.#flags = flags;
    this.#scope = Lifetime.root({ name: 'worker', log: parts.log });
    // It may be rejected before anybody waits for it.
    this.#ports.promise.catch(() => undefined);
  }

  async run(): Promise<void> {
    const { server } = this.#parts;
    try {
      await this.#serve();
    } catch (error) {
      // It was told to end before it served.
      if (!(error instanceof ClosedError)) throw error;
    }
    await server.closed;
  }

  async #serve(): Promise<void> {
    const { server, opened, artifacts, tls, log } = this.#parts;
    const { host, insecureNoAuth } = this.#flags;
    const link = this.#link;
    // One press of Ctrl-C reaches us as well as the supervisor, whose word then changes nothing.
    listenToSignals(new SignalLadder(server, { clock: systemClock, tell: () => undefined }));
    if (tls === undefined) drainOnHangUp(server);
    else renewTlsOnSignal(server, this.#flags, log);
    link.listen((message, socket) => {
      if (message.tag === 'listen') this.#ports.resolve(message.ports);
      else if (message.tag !== 'client') void server[message.tag]();
      else if (socket !== undefined) server.takeConnection(socket, Buffer.from(message.bytes, 'base64'));
    });
    void server.closed.then(({ cutCalls, reason, drain }) =>
      this.#end({ cutCalls, reason, ...(drain === undefined ? {} : { drain }) }),
    );
    void link.lost.then(() => this.#alone());
    await server.listenForPeers(this.#socketPath('public'));
    await link.tell({ tag: 'prepared' });
    const { port, opsPort } = await this.#ports.promise;
    const operations = opsPort === undefined ? undefined : await this.#listenOps(opsPort);
    const router = new WorkerRouter(this.#routing('public'));
    const { url } = await server.listen(port, host, {
      reusePort: true,
      router,
      allowUnauthenticated: insecureNoAuth === true,
      ...(tls === undefined ? {} : { tls }),
    });
    const operationsUrl = operations === undefined ? {} : { operationsUrl: operations.url };
    await link.tell({ tag: 'listening', url, ...operationsUrl, store: opened.place, artifacts });
    this.#tellCalls();
  }

  /** Operations are answered for all workers on their port, by whichever is asked. */
  #listenOps(port: number): Promise<ListenAddress> {
    const whole = new WholeAnswers(this.#routing('operations'));
    const router: RequestRouter = {
      request: (request, response) => whole.request(request, response),
      upgrade: () => false,
    };
    const peersPath = this.#socketPath('operations');
    return this.#parts.server.listenOps(port, this.#flags.opsHost, { reusePort: true, router, peersPath });
  }

  #routing(door: Door): WorkerRouterOptions {
    return {
      fellows: new Fellows(this.#place, this.#scope, door),
      scope: this.#scope,
      supervisor: this.#link,
      hold: () => this.#hold(),
    };
  }

  /** That of a worker which was killed is still there, and there is one worker of a slot at a time. */
  #socketPath(door: Door): string {
    const path = socketPathOf(this.#place, this.#place.slot, door);
    rmSync(path, { force: true });
    return path;
  }

  /** A drain waits for what is on other workers, and so does the end of the process. */
  #hold(): () => void {
    const release = this.#parts.server.hold();
    this.#relays += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      release();
      this.#relays -= 1;
      if (this.#relays === 0) this.#relaysOver?.();
    };
  }

  #tellCalls(): void {
    const count = this.#parts.server.liveSessions;
    const nowMs = this.#scope.clock.now();
    // Also where nothing has changed, now and then: that is how the supervisor knows that we do not hang.
    if (count !== this.#toldCalls || nowMs - this.#toldAtMs >= WORKER_HEARTBEAT_MS) {
      void this.#link.tell({ tag: 'calls', count });
      this.#toldCalls = count;
      this.#toldAtMs = nowMs;
    }
    this.#scope.timer('calls told', TELL_CALLS_MS, () => this.#tellCalls());
  }

  /** The supervisor is gone. Nobody replaces a worker any more, and `/ready` says so. */
  #alone(): void {
    const { server, log } = this.#parts;
    // One that does not listen yet will never be told to.
    this.#ports.reject(new Error('The supervisor ended before this worker served.'));
    if (server.ready) log.error('supervisor lost', { worker: this.#place.slot, calls: server.liveSessions });
  }

  async #end(end: WorkerEnd): Promise<void> {
    const { opened, tracing } = this.#parts;
    await this.#untilRelaysAreOver();
    // A store that cannot be closed has had everything written to it that could be.
    await Promise.all([opened.close().catch(() => undefined), tracing?.close()]);
    if (!this.#link.isThere) this.#sayAlone(end);
    await this.#link.tell({ tag: 'closed', ...end });
    process.exit(end.cutCalls > 0 ? 1 : 0);
  }

  /** What we have passed on to another worker over its socket ends with the call there, or now. */
  #untilRelaysAreOver(): Promise<void> | undefined {
    if (this.#relays === 0) return undefined;
    return new Promise((resolve) => {
      this.#relaysOver = resolve;
      this.#scope.timer('last relays', LAST_RELAYS_MS, resolve);
    });
  }

  #sayAlone({ cutCalls, reason }: WorkerEnd): void {
    if (cutCalls > 0) {
      process.stderr.write(`holdfast: worker ${this.#place.slot}: ${callsWere(cutCalls)} cut (${reason})\n`);
    }
    try {
      rmdirSync(this.#place.folder);
    } catch {
      // Another worker still has its socket in it: the last one removes it.
    }
  }
}
