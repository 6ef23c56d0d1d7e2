import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Operations, Question } from './operations.ts';

/** How long a program may take to start, and to end after it was told to, before it is killed. */
const START_BOUND_MS = 20_000;
const STOP_BOUND_MS = 3_000;

/** Every program that was started, for the report: a bench that leaves one behind has failed. */
export const startedPrograms: { readonly name: string; readonly pid: number; exit?: string }[] = [];

/** A program of the bench in a process of its own, asked by name what to do. */
export class Program<Offered extends Operations> implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #name: string;
  #asked = 0;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    this.pid = child.pid ?? 0;
    const record: (typeof startedPrograms)[number] = { name, pid: this.pid };
    startedPrograms.push(record);
    child.on('message', (message) => this.#answered(message as Answer | 'ready'));
    child.on('exit', (code, signal) => {
      record.exit = signal ?? String(code);
      this.#gone.resolve();
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended (${record.exit})`));
      this.#waiting.clear();
    });
  }

  /** Starts `bench/<file>` and waits until it is ready. */
  static async start<Offered extends Operations>(
    file: string,
    args: readonly string[],
  ): Promise<Program<Offered>> {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
    const child = fork(path, [...args], {
      execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const program = new Program<Offered>([file, ...args].join(' '), child);
    const ready = Promise.withResolvers<unknown>();
    program.#waiting.set(READY, ready);
    const bound = setTimeout(() => child.kill('SIGKILL'), START_BOUND_MS);
    await ready.promise.finally(() => clearTimeout(bound));
    return program;
  }

  /** Asks for one operation; rejects with the program's own error, or when it ends. */
  ask<Name extends keyof Offered & string>(
    name: Name,
    ...args: Parameters<Offered[Name]>
  ): Promise<Awaited<ReturnType<Offered[Name]>>> {
    const waiting = Promise.withResolvers<unknown>();
    this.#asked += 1;
    this.#waiting.set(this.#asked, waiting);
    const question: Question = { id: this.#asked, name, args };
    this.#child.send(question, (error) => {
      if (error !== null) waiting.reject(new Error(`${this.#name} cannot be asked: ${error.message}`));
    });
    return waiting.promise as Promise<Awaited<ReturnType<Offered[Name]>>>;
  }

  /** Ends the process and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const bound = setTimeout(() => this.#child.kill('SIGKILL'), STOP_BOUND_MS);
    await this.#gone.promise;
    clearTimeout(bound);
  }

  #answered(answer: Answer | 'ready'): void {
    const id = answer === 'ready' ? READY : answer.id;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (answer !== 'ready' && 'error' in answer) waiting?.reject(new Error(`${this.#name}: ${answer.error}`));
    else waiting?.resolve(answer === 'ready' ? undefined : answer.result);
  }
}

const READY = 0;
