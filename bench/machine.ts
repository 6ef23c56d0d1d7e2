import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** What the machine did before the bench began; far from 0 the figures mean little. */
  readonly loadBefore: number;
}

export function machineFacts(): Machine {
  const [first] = cpus();
  return {
    node: process.version,
    system: `${process.platform} ${release()} ${process.arch}`,
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1_000_000_000),
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function describeMachine(machine: Machine): string {
  const { node, system, cpu, cores, memoryGb, loadBefore } = machine;
  return (
    `Node ${node}, ${system}, ${cores} × ${cpu}, ${memoryGb} GB; load average before: ${loadBefore.toFixed(2)}.\n` +
    'Loopback, no TLS; a session is 50 frames a second each way, 640 bytes up and 960 down.'
  );
}
