import { PerformanceObserver, constants } from 'node:perf_hooks';
import { countBuffersWithHeap } from '../../src/cli/garbage-collection.ts';

// A heap of some size, and a stream of buffers that are soon garbage, as a server of live audio has. Prints how often all of
// the heap was looked through, and how many megabytes the process holds at the end.

if (process.argv[2] === 'with') countBuffersWithHeap();
let collections = 0;
const counting = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
    if (detail.kind !== constants.NODE_PERFORMANCE_GC_MINOR) collections += 1;
  }
});
counting.observe({ entryTypes: ['gc'] });
const kept = Array.from({ length: 200_000 }, (_, index) => ({ index, inner: { index } }));
const buffers: Uint8Array[] = [];
let rounds = 0;
function makeGarbage(): void {
  for (let index = 0; index < 2_000; index += 1) buffers[index % 5_000] = new Uint8Array(5_000);
  rounds += 1;
  if (rounds < 200) setImmediate(makeGarbage);
  else setTimeout(tell, 20);
}
function tell(): void {
  const megabytes = Math.round(process.memoryUsage.rss() / 1e6);
  process.stdout.write(JSON.stringify({ collections, megabytes, kept: kept.length }));
}
makeGarbage();
