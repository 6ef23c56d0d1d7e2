import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidOptionError, systemClock } from '../../kernel/index.ts';
import type { Logger } from '../../kernel/index.ts';
import { listenError } from '../../server/http/index.ts';
import { refuseUpgrade } from '../../server/routes/index.ts';
import { callsWere, endInWords } from '../drain-words.ts';
import { createLogger } from '../logger.ts';
import type { ServeFlags } from '../serve-options.ts';
import { openStore } from '../session-store.ts';
import { SignalLadder, drainOnHangUp, listenToSignals } from '../signals.ts';
import { readTlsPair } from '../tls-options.ts';
import { noWorkerError } from './relay.ts';
import { spawnWorkers } from './spawn-worker.ts';
import { WorkerGroup } from './worker-group.ts';
import type { WorkerGroupReport } from './worker-group.ts';

/**
 * Serves with several workers until a signal ends them, and sets the process's exit code: 0 when nothing was cut and every
 * worker ended in order, otherwise 1 with a line that says what was.
 * @throws InvalidOptionError when sessions are not shared; ListenError when the address cannot be had.
 */
export async function serveWithWorkers(flags: ServeFlags): Promise<void> {
  checkShared({ place: flags.store.kind });
  checkShared({ place: flags.artifacts ?? '' });
  // Before anything is started: what is wrong with it is said once.
  const tls = readTlsPair(flags);
  const log = createLogger(flags.logLevel, process.stderr.isTTY);
  await makeStore(flags, log);
  const port = await freePort(flags.port, flags.host);
  const opsPort = flags.opsPort === undefined ? undefined : await freePort(flags.opsPort, flags.opsHost);
  // Who may enter it may speak to the workers as if he had passed every check of hosts: its owner alone.
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  const group = new WorkerGroup({
    count: flags.workers,
    ports: { port, ...(opsPort === undefined ? {} : { opsPort }) },
    spawn: spawnWorkers({ count: flags.workers, folder }),
    drainMs: (flags.preDrainDelay + flags.drainTimeout) * 1_000,
    log,
    refuse,
  });
  const tell = (line: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`${line}\n`);
  };
  // Before anybody is told that the server is there: who reads that may signal at once.
  listenToSignals(new SignalLadder(group, { clock: systemClock, tell }));
  // Each worker reads its certificate again, where there is one.
  if (tls === undefined) drainOnHangUp(group);
  else process.on('SIGHUP', () => group.signal('SIGHUP'));
  void group.closed.then((report) => {
    rmSync(folder, { recursive: true, force: true });
    exitWith(report);
  });
  const address = await group.start().catch(() => undefined);
  // It says why when its last worker has ended.
  if (address === undefined) return;
  if (address.operationsUrl !== undefined)
    process.stdout.write(`Operations are at ${address.operationsUrl}\n`);
  log.info('sessions are kept', { in: address.store, artifacts: address.artifacts });
  process.stdout.write(`Holdfast is listening on ${address.url}\n`);
}

/**
 * Makes the file before the workers open it: of two processes that make it in the same moment one is told that it is locked.
 * @throws StoreError when it cannot be used.
 */
async function makeStore({ store }: ServeFlags, log: Logger): Promise<void> {
  const opened = await openStore(store, log);
  await opened.close();
  checkShared(opened);
}

/** @throws InvalidOptionError for a store that other processes do not see. */
export function checkShared({ place }: { readonly place: string }): void {
  if (place !== 'memory') return;
  throw new InvalidOptionError(
    'Several workers need sessions and artifacts in files that all of them can use: give --store sqlite:<file> and ' +
      '--artifacts <folder>, or --workers 1.',
  );
}

/** Whatever is still open in this process does not keep it. */
function exitWith({ cutCalls, drain, died, error }: WorkerGroupReport): void {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const words = endInWords({ cutCalls, ...(drain === undefined ? {} : { drain }) });
  if (error !== undefined) say(`holdfast: ${error.message}`);
  if (process.stderr.isTTY) {
    if (words !== undefined) say(words);
  } else if (cutCalls > 0) say(`holdfast: ${callsWere(cutCalls)} cut (shutdown)`);
  if (error === undefined && died.length > 0) say(`holdfast: ${died.join(', ')} did not end in order`);
  process.exit(error?.exitCode ?? (cutCalls > 0 || died.length > 0 ? 1 : 0));
}

/** A client whose worker is gone. */
function refuse(socket: Socket): void {
  refuseUpgrade(socket, noWorkerError());
}

/**
 * A port that nobody has, found by having it for a moment: workers share theirs, so that they would not notice somebody else
 * of the same user who shares it too. @throws ListenError when the address cannot be had.
 */
function freePort(port: number, host: string): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', (error) => reject(listenError(error, host, port)));
    probe.listen({ port, host }, () => {
      const { port: actual } = probe.address() as AddressInfo;
      probe.close(() => resolve(actual));
    });
  });
}
