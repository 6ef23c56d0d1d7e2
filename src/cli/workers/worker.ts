import { rmSync, rmdirSync } from 'node:fs';
import { ClosedError, Lifetime, systemClock } from '../../kernel/index.ts';
import type { Logger } from '../../kernel/index.ts';
import type { HoldfastServer } from '../../server/index.ts';
import { failureOf } from '../failure.ts';
import type { OpenedStore } from '../session-store.ts';
import { SignalLadder, listenToSignals } from '../signals.ts';
import { Fellows } from './fellows.ts';
import { socketPathOf } from './place.ts';
import type { WorkerPlace } from './place.ts';
import { WorkerRouter } from './router.ts';
import { SupervisorLink } from './supervisor-link.ts';

/** How often the supervisor is told how many calls there are; it says so to who presses Ctrl-C. */
const TELL_CALLS_MS = 500;

/** How long what goes through this worker to another one may take to end, once this one has closed. */
const LAST_RELAYS_MS = 2_000;

export interface WorkerParts {
  readonly server: HoldfastServer;
  readonly opened: OpenedStore;
  readonly log: Logger;
  readonly host: string;
  readonly allowUnauthenticated: boolean;
}

/**
 * Runs this process as one of several workers: `prepare` makes its server, which then serves until it is told to end, by the
 * supervisor or by a signal of its own. It does not end with the supervisor: its calls go on, and new ones are taken.
 */
export async function runWorker(place: WorkerPlace, prepare: () => Promise<WorkerParts>): Promise<void> {
  const link = new SupervisorLink();
  try {
    const parts = await prepare();
    await new Worker(place, link, parts).run();
  } catch (error) {
    const failure = failureOf(error);
    await link.tell({ tag: 'failed', ...failure });
    process.exit(failure.exitCode);
  }
}

class Worker {
  readonly #place: WorkerPlace;
  readonly #link: SupervisorLink;
  readonly #parts: WorkerParts;
  readonly #scope: Lifetime;
  readonly #port = Promise.withResolvers<number>();
  /** How many things of ours are on other workers. */
  #relays = 0;
  #relaysOver: (() => void) | undefined;
  #toldCalls = 0;

  constructor(place: WorkerPlace, link: SupervisorLink, parts: WorkerParts) {
    this.#place = place;
    this.#link = link;
    this.#parts = parts;
    this.#scope = Lifetime.root({ name: 'worker', log: parts.log });
    // It may be rejected before anybody waits for it.
    this.#port.promise.catch(() => undefined);
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
    const { server, opened, host, allowUnauthenticated } = this.#parts;
    const link = this.#link;
    // One press of Ctrl-C reaches us as well as the supervisor, whose word then changes nothing.
    listenToSignals(new SignalLadder(server, { clock: systemClock, tell: () => undefined }));
    link.listen((message, socket) => {
      if (message.tag === 'listen') this.#port.resolve(message.port);
      else if (message.tag !== 'client') void server[message.tag]();
      else if (socket !== undefined) server.takeConnection(socket, Buffer.from(message.bytes, 'base64'));
    });
    void server.closed.then(({ cutCalls, reason }) => this.#end(cutCalls, reason));
    void link.lost.then(() => this.#alone());
    const path = socketPathOf(this.#place, this.#place.slot);
    // That of a worker which was killed is still there, and there is one worker of a slot at a time.
    rmSync(path, { force: true });
    await server.listenForPeers(path);
    await link.tell({ tag: 'prepared' });
    const port = await this.#port.promise;
    const fellows = new Fellows(this.#place, this.#scope);
    const router = new WorkerRouter({
      fellows,
      scope: this.#scope,
      supervisor: link,
      hold: () => this.#hold(),
    });
    const { url } = await server.listen(port, host, { reusePort: true, router, allowUnauthenticated });
    await link.tell({ tag: 'listening', url, store: opened.place });
    this.#tellCalls();
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
    if (count !== this.#toldCalls) void this.#link.tell({ tag: 'calls', count });
    this.#toldCalls = count;
    this.#scope.timer('calls told', TELL_CALLS_MS, () => this.#tellCalls());
  }

  /** The supervisor is gone. Nobody replaces a worker any more, and `/ready` says so. */
  #alone(): void {
    const { server, log } = this.#parts;
    // One that does not listen yet will never be told to.
    this.#port.reject(new Error('The supervisor ended before this worker served.'));
    if (server.ready) log.error('supervisor lost', { worker: this.#place.slot, calls: server.liveSessions });
  }

  async #end(cutCalls: number, reason: string): Promise<void> {
    await this.#untilRelaysAreOver();
    // A store that cannot be closed has had everything written to it that could be.
    await this.#parts.opened.close().catch(() => undefined);
    if (!this.#link.isThere) this.#sayAlone(cutCalls, reason);
    await this.#link.tell({ tag: 'closed', cutCalls, reason });
    process.exit(cutCalls > 0 ? 1 : 0);
  }

  /** What we have passed on to another worker over its socket ends with the call there, or now. */
  #untilRelaysAreOver(): Promise<void> | undefined {
    if (this.#relays === 0) return undefined;
    return new Promise((resolve) => {
      this.#relaysOver = resolve;
      this.#scope.timer('last relays', LAST_RELAYS_MS, resolve);
    });
  }

  #sayAlone(cutCalls: number, reason: string): void {
    if (cutCalls > 0) {
      const calls = cutCalls === 1 ? '1 call was' : `${cutCalls} calls were`;
      process.stderr.write(`holdfast: worker ${this.#place.slot}: ${calls} cut (${reason})\n`);
    }
    try {
      rmdirSync(this.#place.folder);
    } catch {
      // Another worker still has its socket in it: the last one removes it.
    }
  }
}
