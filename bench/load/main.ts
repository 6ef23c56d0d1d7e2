import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicros } from '../process/measurements.ts';
import { serveOperations } from '../process/operations.ts';
import type { Wire } from '../wires.ts';
import { Arrivals } from './arrivals.ts';
import { clientFrame } from './canned-frames.ts';
import { Client } from './client.ts';
import { flood } from './flood.ts';
import { Pacer } from './pacer.ts';
import { Provider } from './provider.ts';
import type { ProviderManners } from './provider.ts';
import { createSession } from './stored-session.ts';

/** Clients and provider of every relay: one process, so that both ends of a frame read the same clock. */

/** How many connections are opened at a time: a burst of all would measure the accept queue. */
const CONNECTING_AT_ONCE = 20;
const PROVIDER_BOUND_MS = 20_000;

const arrivals = new Arrivals();
const provider = new Provider(arrivals);
const pacer = new Pacer();
const clients: Client[] = [];
let madeSessions = 0;

export interface Target {
  readonly port: number;
  readonly wire: Wire;
  /** Whether sessions must be created before they are connected to. */
  readonly hasSessions: boolean;
}

/** What came through since `clear`. */
export interface Reading {
  readonly frames: number;
  readonly spoiled: number;
  readonly lostConnections: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

const frames = { binary: clientFrame('binary'), adk: clientFrame('adk') };

async function connectOne({ port, wire, hasSessions }: Target): Promise<Client> {
  madeSessions += 1;
  const id = `s${madeSessions}`;
  if (hasSessions) await createSession(port, id);
  const path = `/run_live?app_name=bench&user_id=load&session_id=${id}`;
  const client = new Client({
    port,
    path,
    wire: wire.client,
    frame: frames[wire.client],
    tellsPlayout: hasSessions && wire.client === 'binary',
    arrivals,
  });
  await client.ready;
  return client;
}

async function connectTo(target: Target, count: number): Promise<void> {
  while (clients.length < count) {
    const batch = Math.min(CONNECTING_AT_ONCE, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => connectOne(target)))));
  }
  if (target.wire.model === 'loopback') return;
  const giveUpAtMs = performance.now() + PROVIDER_BOUND_MS;
  while (provider.senders.length < clients.length) {
    if (performance.now() > giveUpAtMs) throw new Error('the relay does not connect to the provider');
    await sleep(5);
  }
}

async function disconnect(): Promise<number> {
  pacer.stop();
  await Promise.all(clients.splice(0).map((client) => client.leave()));
  const giveUpAtMs = performance.now() + PROVIDER_BOUND_MS;
  while (provider.senders.length > 0 && performance.now() < giveUpAtMs) await sleep(5);
  return provider.senders.length;
}

const operations = {
  listen: () => provider.listen(),
  behave(manners: ProviderManners): void {
    provider.manners = manners;
  },
  connect: (target: Target, count: number) => connectTo(target, count),
  /**
   * Fifty frames a second from every client, and from the provider on every connection it has; with `only`, from that
   * many of each.
   */
  stream(only: number | null): void {
    const { senders } = provider;
    const talking = only ?? Math.max(clients.length, senders.length);
    pacer.start(
      Array.from({ length: talking }, (_, index) => [clients[index], senders[index]])
        .flat()
        .filter((sender) => sender !== undefined),
    );
  },
  quiet: () => pacer.stop(),
  clear: () => arrivals.clear(),
  read(): Reading {
    return {
      frames: arrivals.latencies.count,
      spoiled: arrivals.spoiled,
      lostConnections: arrivals.lostConnections,
      p50Ms: arrivals.latencies.quantileMs(0.5),
      p99Ms: arrivals.latencies.quantileMs(0.99),
      cpuMicros: cpuMicros(),
    };
  },
  /** Sends this many frames through one session, as fast as they come out again. */
  flood: (count: number) => flood([...clients, ...provider.senders], arrivals, count),
  /** Ends every client; returns how many connections the provider is left with. */
  disconnect,
};

export type LoadOperations = typeof operations;

serveOperations(operations);
