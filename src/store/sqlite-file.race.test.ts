import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

const THREADS = 4;
const FILES = 80;

it(
  'H3 store: a file that is new to several who open it at once is nobody else’s',
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-race-'));
    try {
      const files = Array.from({ length: FILES }, (_, index) => join(folder, `${index}.db`));
      const gate = new SharedArrayBuffer(4);
      const opener = new URL('../../test/support/opens-a-file.ts', import.meta.url);
      const failures = Array.from({ length: THREADS }, () => {
        const worker = new Worker(opener, { workerData: { files, gate, threads: THREADS } });
        return new Promise<string[]>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      });
      expect((await Promise.all(failures)).flat()).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
