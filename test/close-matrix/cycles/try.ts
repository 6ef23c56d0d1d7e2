import { MemoryWorld } from './memory-world.ts';
import { SocketWorld } from './socket-world.ts';
import { describeCycles, runCycles } from './run-cycles.ts';
const [kind, n, seed, only] = process.argv.slice(2);
const world = kind === 'm' ? new MemoryWorld() : await SocketWorld.open();
const r = await runCycles(world, {
  seed: Number(seed ?? 1),
  cycles: Number(n),
  only: only === undefined ? undefined : Number(only),
});
console.log(describeCycles(r));
console.log(r.named);
console.log(r.problems.slice(0, 12).join('\n'), r.problems.length);
