import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects until `ref` is gone. A weak reference lives to the end of the turn that read it, so turns pass between. */
export async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 20; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    if (ref.deref() === undefined) return true;
  }
  return false;
}

/** Those of `refs` that cannot be collected, by their index. */
export async function uncollected(refs: readonly WeakRef<object>[]): Promise<number[]> {
  let left = [...refs.keys()];
  for (let round = 0; round < 20 && left.length > 0; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    left = left.filter((index) => refs[index]?.deref() !== undefined);
  }
  return left;
}

/** Bytes of the heap in use after everything that can be collected was. */
export async function settledHeapBytes(): Promise<number> {
  await settle();
  return process.memoryUsage().heapUsed;
}

/** The same, with the memory of array buffers. */
export async function settledBytes(): Promise<number> {
  await settle();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** More than once: array buffers are freed beside the program, and the next collection waits until those of the last are. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}
