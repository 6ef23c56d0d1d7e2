import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT, shellEnvironment } from './checkout.ts';

/** How long a program may take to say or do something before a test calls it stuck: a loaded machine is slow. */
export const PATIENCE_MS = 20_000;

/** The built command line. */
export const HOLDFAST = join(CHECKOUT, 'dist/cli/main.js');

export interface ProcessExit {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Every child that has not ended, so that none outlives the tests, whatever becomes of them. */
const running = new Set<ProcessUnderTest>();
process.on('exit', () => {
  for (const child of running) child.kill();
});

/** A program that runs beside a test: what it says is kept line by line, and every wait is bounded. */
export class ProcessUnderTest implements AsyncDisposable {
  readonly name: string;
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #printed: string[] = [];
  readonly #complained: string[] = [];
  readonly #changed = new Set<() => void>();
  #exit: ProcessExit | undefined;

  /** Starts a program in a process group of its own, without a terminal. */
  static start(program: string, parameters: readonly string[], options: StartOptions = {}): ProcessUnderTest {
    return new ProcessUnderTest(program, parameters, options);
  }

  private constructor(program: string, parameters: readonly string[], { cwd = CHECKOUT, env }: StartOptions) {
    this.name = [program, ...parameters].join(' ');
    this.#child = spawn(program, parameters, {
      cwd,
      env: shellEnvironment(env),
      detached: true,
      stdio: 'pipe',
    });
    running.add(this);
    this.#keepLines(this.#child.stdout, this.#printed);
    this.#keepLines(this.#child.stderr, this.#complained);
    // Input for a program that has ended is lost; its exit tells why.
    this.#child.stdin.on('error', () => undefined);
    this.exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (status, signal) => {
        running.delete(this);
        this.#exit = { status, signal };
        this.#tell();
        resolve(this.#exit);
      });
    });
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it has not ended. */
  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** What it said so far, both streams, in the order it came. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** What it said on its standard output alone. */
  get printed(): readonly string[] {
    return this.#printed;
  }

  /** What it said on its standard error alone. */
  get complained(): readonly string[] {
    return this.#complained;
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  /** What it said as JSON: the lines of its log. */
  get log(): Record<string, unknown>[] {
    return this.#lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The first line that matches, whether it was said before or comes yet. */
  async line(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | undefined => {
      for (const line of this.#lines) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      return undefined;
    };
    await this.until(() => find() !== undefined || !this.isRunning, `to say ${pattern}`, timeoutMs);
    const match = find();
    if (match === undefined) throw this.#failure(`ended without saying ${pattern}`);
    return match;
  }

  /** Its exit. */
  async exit(timeoutMs = PATIENCE_MS): Promise<ProcessExit> {
    await this.until(() => !this.isRunning, 'to end', timeoutMs);
    return this.exited;
  }

  /** Waits until `condition` holds; it is looked at whenever the program says something or ends. */
  async until(condition: () => boolean, what: string, timeoutMs = PATIENCE_MS): Promise<void> {
    if (condition()) return;
    const held = Promise.withResolvers<void>();
    const look = (): void => {
      if (condition()) held.resolve();
    };
    const timer = setTimeout(
      () => held.reject(this.#failure(`was waited for ${what}, ${timeoutMs} ms long`)),
      timeoutMs,
    );
    this.#changed.add(look);
    try {
      await held.promise;
    } finally {
      clearTimeout(timer);
      this.#changed.delete(look);
    }
  }

  /** Sends a signal to this process alone, as `kill` does. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Writes to its standard input. */
  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Whether anything of its process group is there: itself, or what it started and left behind. */
  get hasLeftovers(): boolean {
    try {
      process.kill(-this.pid, 0);
      return true;
    } catch {
      // ESRCH: there is nobody to signal.
      return false;
    }
  }

  /** Ends it, and what it has started in its group, now. */
  kill(): void {
    if (!this.isRunning) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It ended between the look and the signal.
      return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.exited.catch(() => undefined);
  }

  #keepLines(stream: NodeJS.ReadableStream, own: string[]): void {
    const keep = (...lines: readonly string[]): void => {
      this.#lines.push(...lines);
      own.push(...lines);
    };
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n|\r/);
      rest = lines.pop() ?? '';
      keep(...lines);
      this.#tell();
    });
    stream.on('end', () => {
      if (rest !== '') keep(rest);
      rest = '';
    });
  }

  #tell(): void {
    for (const look of [...this.#changed]) look();
  }

  #failure(what: string): Error {
    return new Error(`\`${this.name}\` ${what}. It said:\n${this.text}`);
  }
}

/** A server, or an emulator, of the built command line, and where it listens. */
export interface Service extends AsyncDisposable {
  readonly process: ProcessUnderTest;
  readonly url: string;
}

/** Starts `holdfast …` and waits until it says where it listens. */
export async function startService(
  parameters: readonly string[],
  options: StartOptions = {},
): Promise<Service> {
  return serviceOf(ProcessUnderTest.start(process.execPath, [HOLDFAST, ...parameters], options));
}

/** The service a process becomes, once it says where it listens. */
export async function serviceOf(started: ProcessUnderTest): Promise<Service> {
  try {
    const [, url = ''] = await started.line(/listening on (https?:\/\/\S+?)(?=["\s]|$)/);
    return { process: started, url, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts `holdfast …` that ends by itself. */
export function startHoldfast(parameters: readonly string[], options: StartOptions = {}): ProcessUnderTest {
  return ProcessUnderTest.start(process.execPath, [HOLDFAST, ...parameters], options);
}

/** Runs `holdfast …` to its end. */
export async function runHoldfast(
  parameters: readonly string[],
  options: StartOptions = {},
): Promise<{ readonly status: number | null; readonly lines: readonly string[]; readonly text: string }> {
  await using started = startHoldfast(parameters, options);
  const { status } = await started.exit();
  return { status, lines: started.lines, text: started.text };
}
