import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { describeError } from '../kernel/index.ts';
import type { Clock, Lifetime, Timer } from '../kernel/index.ts';
import { BoundedLines } from './bounded-lines.ts';
import type { ServerLink } from './server-link.ts';

/** How long a server may take to end once its input has ended, before it gets a SIGTERM. Most take a tenth of it. */
export const STDIN_END_GRACE_MS = 400;

/** How long it may take to end after a SIGTERM, before it is killed. */
export const SIGTERM_GRACE_MS = 300;

/** Both of them, and the time the system takes; no more than a step of a close has. */
export const PROCESS_CLOSE_BOUND_MS = 1_000;

/** An output that has ended belongs to a process that ends, nearly always: its exit tells more. */
const EXIT_GRACE_MS = 100;

/** What a process that has ended may leave in its pipes is read for so long: somebody else may hold them open. */
const PIPE_GRACE_MS = 200;

/** How much of the last words of a server on its standard error is kept. */
const LAST_WORDS_BYTES = 2_048;

/**
 * What a server gets of this process's environment, besides what it is given: what programs need to run at all, and none
 * of the keys that stand beside it.
 */
const INHERITED_VARIABLES =
  process.platform === 'win32'
    ? [
        'APPDATA',
        'HOMEDRIVE',
        'HOMEPATH',
        'LOCALAPPDATA',
        'PATH',
        'PROGRAMFILES',
        'SYSTEMROOT',
        'TEMP',
        'USERNAME',
      ]
    : ['HOME', 'LANG', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'USER'];

/** What is started as a server. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** The largest message taken from it, and the most that may wait to be read by it, in bytes. */
  readonly maxMessageBytes: number;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Every server that has not ended: none outlives this process, however it ends, short of a SIGKILL. */
const running = new Set<ServerProcess>();
const killAll = (): void => {
  for (const server of running) server.kill();
};

/**
 * A server that is a process of ours and speaks over its standard streams, one message a line. It has a process group of
 * its own, and what is left of that when the process has ended is killed: what it has started does not survive it.
 *
 * It is a transport of our own because that of the SDK knows no groups, and because its bounds are timers nobody owns.
 */
export class ServerProcess implements Transport, ServerLink {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: JSONRPCMessage) => void) | undefined;
  /** Resolves when the process, and its group, are gone. */
  readonly gone: Promise<void>;

  readonly #command: ServerCommand;
  readonly #clock: Clock;
  readonly #child: Child;
  readonly #started = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #state: 'running' | 'closing' | 'ended' = 'running';
  #isClosedTold = false;
  #wasKilled = false;
  #timer: Timer | undefined;
  #end = '';
  #lastWords = '';

  private constructor(command: ServerCommand, clock: Clock) {
    this.#command = command;
    this.#clock = clock;
    this.gone = this.#gone.promise;
    this.#started.promise.catch(() => undefined);
    this.#child = spawnServer(command);
    if (running.size === 0) process.on('exit', killAll);
    running.add(this);
    const lines = new BoundedLines(
      command.maxMessageBytes,
      (line) => this.#read(line),
      () => this.#fail(`sent a message of more than ${command.maxMessageBytes} bytes`),
    );
    this.#child.on('spawn', () => this.#started.resolve());
    this.#child.on('error', (error) => this.#onError(error));
    this.#child.on('exit', (status, signal) => this.#onExit(status, signal));
    this.#child.on('close', () => this.#onGone());
    this.#child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    this.#child.stdout.on('end', () => this.#onOutputEnd());
    this.#child.stderr.on('data', (chunk: Buffer) => this.#hearLastWords(chunk));
    // What is written to a process that has ended is lost; its exit tells why.
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      stream.on('error', () => undefined);
    }
  }

  /** Starts it. It belongs to `scope`. */
  static start(command: ServerCommand, scope: Lifetime): ServerProcess {
    return scope.own('process', new ServerProcess(command, scope.clock), {
      boundMs: PROCESS_CLOSE_BOUND_MS,
      close: (held) => held.#goodbye(),
      abort: (held) => {
        held.kill();
        return held.gone;
      },
    });
  }

  get transport(): Transport {
    return this;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  describeEnd(): string {
    const words = this.#lastWords.trim();
    return words === '' ? this.#end : `${this.#end}${this.#end === '' ? '' : ', '}and said last: ${words}`;
  }

  /** Resolves when it runs. Rejects when it cannot be started. */
  start(): Promise<void> {
    return this.#started.promise;
  }

  /** Rejects when it has ended, or does not read what it is sent. */
  async send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#child;
    if (this.#state !== 'running' || !stdin.writable) throw new Error('The server has ended.');
    if (stdin.writableLength > this.#command.maxMessageBytes) {
      throw new Error('The server does not read what it is sent.');
    }
    stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** What the SDK calls: whoever waits for an answer is told at once, and the process ends by itself or by its scope. */
  async close(): Promise<void> {
    this.#goodbye().catch(() => undefined);
  }

  /** Ends it, and what it has started, now. */
  kill(): void {
    if (this.#state !== 'ended') this.#signal('SIGKILL');
  }

  /** Ends its input, then says it with a SIGTERM, then kills it. Rejects when it came to that. */
  async #goodbye(): Promise<void> {
    if (this.#state === 'running') {
      this.#state = 'closing';
      this.#child.stdin.end();
      this.#after(STDIN_END_GRACE_MS, () => {
        this.#signal('SIGTERM');
        this.#after(SIGTERM_GRACE_MS, () => {
          this.#wasKilled = true;
          this.kill();
        });
      });
    }
    this.#tellClosed();
    await this.gone;
    if (this.#wasKilled)
      throw new Error('The server did not end by itself, nor on a SIGTERM, and was killed.');
  }

  #after(delayMs: number, fire: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(delayMs, fire);
  }

  #onOutputEnd(): void {
    if (this.#state === 'running') this.#after(EXIT_GRACE_MS, () => this.#fail('closed its output'));
  }

  #read(line: string): void {
    if (line.trim() === '') return;
    try {
      const message: unknown = JSON.parse(line);
      if (typeof message !== 'object' || message === null) throw new SyntaxError('It is no object.');
      // The SDK takes notifications a moment later than answers: the last progress would come after the end of its call.
      if ('method' in message) this.onmessage?.(message as JSONRPCMessage);
      else queueMicrotask(() => this.onmessage?.(message as JSONRPCMessage));
    } catch {
      // Many servers print where they must not. A message that was damaged by it is missed by its time-out.
      this.onerror?.(new Error('The server wrote something to its standard output that is no message.'));
    }
  }

  #fail(end: string): void {
    if (this.#state !== 'running') return;
    this.#end ||= end;
    this.#goodbye().catch(() => undefined);
  }

  #onError(error: Error): void {
    const { code } = error as { code?: unknown };
    if (this.#child.pid !== undefined) return;
    this.#end = `could not be started (${typeof code === 'string' ? code : describeError(error)})`;
    this.#started.reject(new Error(this.#end));
    this.#onGone();
  }

  #onExit(status: number | null, signal: NodeJS.Signals | null): void {
    const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
    if (this.#state === 'running') this.#end = how;
    this.#state = 'ended';
    this.#signal('SIGKILL');
    this.#after(PIPE_GRACE_MS, () => {
      for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy();
    });
  }

  #onGone(): void {
    this.#state = 'ended';
    this.#timer?.cancel();
    running.delete(this);
    if (running.size === 0) process.off('exit', killAll);
    this.#tellClosed();
    this.#gone.resolve();
  }

  #tellClosed(): void {
    if (this.#isClosedTold) return;
    this.#isClosedTold = true;
    this.onclose?.();
  }

  #hearLastWords(chunk: Buffer): void {
    this.#lastWords = (this.#lastWords + chunk.toString('utf8')).slice(-LAST_WORDS_BYTES);
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#child.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // ESRCH: nobody of the group is left.
      return;
    }
  }
}

function spawnServer({ command, args, env, cwd }: ServerCommand): Child {
  const inherited = INHERITED_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return spawn(command, [...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // The leader of a group of its own, so that one signal reaches all of it.
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
}
