import { startService } from '../support/process.ts';
import type { ProcessExit, ProcessUnderTest } from '../support/process.ts';

export interface DrillServerOptions {
  /** 0 takes a free one. */
  readonly port?: number;
  readonly store: string;
  readonly agentsDir?: string;
  readonly drainTimeoutS: number;
  readonly preDrainDelayS?: number;
  readonly flags?: readonly string[];
}

/** A real server: `holdfast api-server` in a process of its own. */
export class DrillServer implements AsyncDisposable {
  readonly url: string;
  readonly process: ProcessUnderTest;

  static async start(options: DrillServerOptions): Promise<DrillServer> {
    const { port = 0, store, agentsDir, drainTimeoutS, preDrainDelayS = 0, flags = [] } = options;
    const { process, url } = await startService([
      'api-server',
      ...(agentsDir === undefined ? [] : [agentsDir]),
      ...['--port', `${port}`, '--store', store],
      ...['--drain-timeout', `${drainTimeoutS}`, '--pre-drain-delay', `${preDrainDelayS}`],
      // All calls of a drill are one user's, and the machine is busy with their clients as well.
      ...['--max-user-sessions', '100000', '--max-load', '1'],
      ...flags,
    ]);
    return new DrillServer(process, url);
  }

  private constructor(process: ProcessUnderTest, url: string) {
    this.process = process;
    this.url = url;
  }

  /** How many calls it has. */
  async calls(): Promise<number> {
    const metrics = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/^holdfast_live_sessions (\d+)/m.exec(metrics)?.[1]);
  }

  /** Sends the signal that counts next: one within half a second of another counts as the same. */
  signal(): void {
    this.process.signal('SIGTERM');
  }

  /** How it ended, and how long that took from now. */
  async exit(boundMs: number): Promise<ProcessExit & { readonly tookMs: number }> {
    const startedAtMs = performance.now();
    const exit = await this.process.exit(boundMs);
    return { ...exit, tookMs: performance.now() - startedAtMs };
  }

  /** How many calls it says it has cut; 0 where it says nothing. */
  get cutCalls(): number {
    const [, count] = /^holdfast: (\d+) calls? (?:was|were) cut/m.exec(this.process.text) ?? [];
    return Number(count ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}
