import { CpuProfile, LoopDelayMeter, cpuMicros, settledMemory } from '../process/measurements.ts';
import type { LoopDelay, Memory, ProfileEntry } from '../process/measurements.ts';
import { serveOperations } from '../process/operations.ts';

/** What every relay can be asked, Holdfast and the others alike. */
export type RelayOperations = {
  readonly port: () => number;
  readonly cpu: () => number;
  readonly rss: () => number;
  readonly memory: () => Promise<Memory>;
  readonly startProfile: () => Promise<void>;
  readonly stopProfile: (entries: number) => Promise<ProfileEntry[]>;
  readonly startLoopDelay: () => void;
  readonly stopLoopDelay: () => LoopDelay;
  /** How many sessions, and what else outside memory, it still holds. */
  readonly held: () => number;
};

export function serveRelay(port: number, held: () => number): void {
  let profile = new CpuProfile();
  const loopDelay = new LoopDelayMeter();
  const operations: RelayOperations = {
    port: () => port,
    cpu: cpuMicros,
    rss: () => process.memoryUsage.rss(),
    memory: settledMemory,
    startProfile: () => {
      profile = new CpuProfile();
      return profile.start();
    },
    stopProfile: (entries) => profile.stop(entries),
    startLoopDelay: () => loopDelay.start(),
    stopLoopDelay: () => loopDelay.stop(),
    held,
  };
  serveOperations(operations);
}
