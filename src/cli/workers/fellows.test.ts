import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { ENOUGH_PATIENCE_MS, Fellows } from './fellows.ts';
import type { Answer } from './fellows.ts';
import { socketPathOf } from './place.ts';
import type { WorkerPlace } from './place.ts';

// Questions to workers of which one hangs.

const READY = { method: 'GET', path: '/ready', headers: { host: 'localhost' } } as const;
const isReady = ({ status }: Answer): boolean => status === 200;

let clock: VirtualClock;
let place: WorkerPlace;
let workers: Server[];
let asked: number;

beforeEach(() => {
  clock = new VirtualClock();
  place = { slot: 0, count: 2, replaced: 0, folder: mkdtempSync(join(tmpdir(), 'holdfast-fellows-')) };
  workers = [];
  asked = 0;
});
afterEach(() => {
  for (const worker of workers) worker.close().closeAllConnections();
  rmSync(place.folder, { recursive: true });
});

async function work(...answers: readonly RequestListener[]): Promise<Fellows> {
  for (const [slot, answer] of answers.entries()) {
    const worker = createServer((request, response) => {
      asked += 1;
      answer(request, response);
    });
    workers.push(worker);
    await new Promise<void>((resolve) => worker.listen(socketPathOf(place, slot, 'public'), resolve));
  }
  return new Fellows(place, Lifetime.root({ name: 'worker', clock }), 'public');
}

const answers =
  (status: number): RequestListener =>
  (_, response) =>
    void response.writeHead(status).end();
const hangs: RequestListener = () => undefined;

/** Until both have been asked, and whoever answers has. */
async function haveBeenAsked(): Promise<void> {
  while (asked < 2) await new Promise(setImmediate);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
}

it('one that is ready is enough for the whole, and one that hangs is not waited for long', async () => {
  const fellows = await work(answers(200), hangs);
  const told = fellows.askUntil(READY, isReady);
  await haveBeenAsked();
  await clock.advance(ENOUGH_PATIENCE_MS);
  expect((await told).map((answer) => answer?.status)).toEqual([200, undefined]);
});

it('where none is ready, one that hangs is given the time it has', async () => {
  const fellows = await work(answers(503), hangs);
  let isTold = false;
  const told = fellows.askUntil(READY, isReady).finally(() => (isTold = true));
  await haveBeenAsked();
  await clock.advance(ENOUGH_PATIENCE_MS);
  await haveBeenAsked();
  expect(isTold).toBe(false);
  await clock.advance(2_000);
  expect((await told).map((answer) => answer?.status)).toEqual([503, undefined]);
});

it('where all answer, nobody is waited for', async () => {
  const fellows = await work(answers(200), answers(503));
  const told = await fellows.askUntil(READY, isReady);
  expect(told.map((answer) => answer?.status)).toEqual([200, 503]);
});
