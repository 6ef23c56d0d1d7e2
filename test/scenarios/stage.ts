import { GeminiEmulator } from '../../src/testing/index.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import { Agent, LiveRequestQueue, runLive } from '../../src/session/index.ts';
import type {
  LiveModel,
  LiveRun,
  RunLiveOptions,
  SessionCloseReport,
  Tool,
} from '../../src/session/index.ts';
import type { LiveEvent } from '../../src/protocol/index.ts';

/** How a session ended, as its user saw it. */
export interface Ending {
  readonly outcome: 'returned' | `threw ${string}`;
  readonly error?: unknown;
  /** Undefined where there was no session of ours to report, as in another process. */
  readonly report?: Pick<SessionCloseReport, 'reason' | 'unsent' | 'steps'> | undefined;
}

/** Long enough for anything that happens at all on the loopback of a loaded machine. */
const PATIENCE_MS = 10_000;

/** An answer is not waited for at the speed it would be heard. */
const HURRY = { generationSpeed: 100, playbackSpeed: 100 };

/** An emulated provider, and a session on it in the hands of a scenario. */
export class Stage implements AsyncDisposable {
  readonly emulator: GeminiEmulator;
  readonly queue = new LiveRequestQueue();
  readonly leaver = new AbortController();
  readonly events: LiveEvent[] = [];
  /** What other owners of a scenario, a server say, still hold after their end. */
  readonly resources: string[] = [];
  readonly #runs: LiveRun[] = [];
  #askedAtMs = performance.now();
  #endedAtMs: number | undefined;

  static async set(provider: GeminiEmulatorOptions = {}): Promise<Stage> {
    return new Stage(await GeminiEmulator.start({ ...HURRY, ...provider }));
  }

  private constructor(emulator: GeminiEmulator) {
    this.emulator = emulator;
  }

  model(): LiveModel {
    return gemini({
      model: 'gemini-2.5-flash-native-audio-latest',
      apiKey: 'any',
      baseUrl: this.emulator.url,
    });
  }

  agent(tools: readonly Tool[] = []): Agent {
    return new Agent({ name: 'clerk', tools: [...tools] });
  }

  /** A live session on the emulated provider; nothing is dialled before it is looped over. */
  run(options: Partial<RunLiveOptions> & { readonly tools?: readonly Tool[] } = {}): LiveRun {
    const { tools, ...rest } = options;
    const run = runLive({
      agent: this.agent(tools),
      model: this.model(),
      queue: this.queue,
      signal: this.leaver.signal,
      ...rest,
    });
    this.#runs.push(run);
    return run;
  }

  /** The end is asked for now: the duration counts from the last time this was called, or from the beginning. */
  asked(): void {
    this.#askedAtMs = performance.now();
  }

  /** It is over; called by `loop`, and by scenarios that do without it. The last call counts. */
  over(): void {
    this.#endedAtMs = performance.now();
  }

  get durationMs(): number {
    return (this.#endedAtMs ?? performance.now()) - this.#askedAtMs;
  }

  /** What is held outside memory, by name; nothing, when all has ended. */
  held(): string[] {
    return [...this.resources, ...this.#runs.flatMap((run) => run.session.resources())];
  }

  /** Loops to the end; `react` sees every event, and leaves the loop by returning 'leave' or throwing. */
  async loop(run: LiveRun, react: (event: LiveEvent) => 'leave' | void = () => undefined): Promise<Ending> {
    try {
      for await (const event of run) {
        this.events.push(event);
        if (react(event) === 'leave') break;
      }
      this.over();
      return { outcome: 'returned', report: await run.closed };
    } catch (error) {
      this.over();
      return { outcome: `threw ${nameOf(error)}`, error, report: await run.closed };
    }
  }

  /** Loops to the end, and meanwhile does `end` once `condition` holds at the provider. */
  async loopUntil(
    run: LiveRun,
    condition: (emulator: GeminiEmulator) => boolean,
    end: () => void,
  ): Promise<Ending> {
    const looping = this.loop(run);
    await this.emulator.waitFor(condition, { timeoutMs: PATIENCE_MS });
    this.asked();
    end();
    return looping;
  }

  /** Loops to the end, and does `end` as soon as the connection is ready. */
  loopUntilConnected(run: LiveRun, end: () => void): Promise<Ending> {
    return this.loop(run, (event) => {
      if (!isConnected(event)) return;
      this.asked();
      end();
    });
  }

  /** Whether every upstream socket goes, within what a peer that does not answer may cost. */
  async socketsGone(): Promise<number> {
    const { emulator } = this;
    await emulator.waitFor(() => emulator.sockets === 0, { timeoutMs: 3_000 }).catch(() => undefined);
    return emulator.sockets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runs.map((run) => run.session.abort()));
    await this.emulator.close();
  }
}

export function isConnected(event: LiveEvent): boolean {
  return event.type === 'connection' && event.state === 'connected';
}

/** The stable code of an error of ours, the name of any other. */
export function nameOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
