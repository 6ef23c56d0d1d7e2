import { setFlagsFromString } from 'node:v8';

/** The Node whose V8 this was measured on. Another one may know the flag under another name, and would say so on stderr. */
const MEASURED_ON = 24;

/**
 * Lets the garbage collector count buffers together with the heap when it decides whether to look through all of it.
 *
 * V8 as it is looks through the whole heap whenever 64 MB of buffers have been made since the last time, however large the
 * heap is. A server of live audio makes that much twice a second, all of it soon garbage; with two thousand sessions in
 * the heap each look was a pause in which nobody's audio moved (docs/decisions/0020). Returns whether it was set.
 */
export function countBuffersWithHeap(nodeVersion = process.versions.node): boolean {
  if (Number.parseInt(nodeVersion, 10) !== MEASURED_ON) return false;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  return true;
}
