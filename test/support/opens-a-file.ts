import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteFile } from '../../src/store/sqlite-file.ts';

// Opens one new file after the other, each in the same moment as the other threads that do.

const { files, gate, threads } = workerData as {
  readonly files: readonly string[];
  readonly gate: SharedArrayBuffer;
  readonly threads: number;
};
const arrived = new Int32Array(gate);
const failures: string[] = [];
for (const [round, file] of files.entries()) {
  Atomics.add(arrived, 0, 1);
  while (Atomics.load(arrived, 0) < (round + 1) * threads);
  try {
    openSqliteFile(file).close();
  } catch (error) {
    failures.push(String(error));
  }
}
parentPort?.postMessage(failures);
