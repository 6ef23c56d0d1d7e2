import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lifetime } from '../../../src/kernel/index.ts';
import type { CloseReport } from '../../../src/kernel/index.ts';
import { mcpToolset } from '../../../src/mcp/index.ts';
import type { McpHttpOptions, McpProcessOptions, McpToolsetOptions } from '../../../src/mcp/index.ts';
import type { Tool, ToolContext } from '../../../src/session/index.ts';
import { CHECKOUT } from '../checkout.ts';
import { PATIENCE_MS } from '../process.ts';

const STDIO_SERVER = join(CHECKOUT, 'test/support/mcp/stdio-server.ts');

/** Waits for a condition, looked at every few milliseconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let leftMs = PATIENCE_MS; !condition(); leftMs -= 10) {
    if (leftMs <= 0) throw new Error(`It was waited in vain for ${what}.`);
    await sleep(10);
  }
}

/** Whether a process is there. One that has ended counts until its parent has asked for it, unless that is not us. */
export function isAlive(pid: number, isOurs = true): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    // ESRCH: there is none.
    return false;
  }
  const file = `/proc/${pid}/stat`;
  if (isOurs || !existsSync(file)) return true;
  return !/\) Z/.test(readFileSync(file, 'utf8'));
}

/** A toolset under a root as a live session is one, with everything it logs. */
export class McpRig implements AsyncDisposable {
  readonly logged: string[] = [];
  readonly root: Lifetime;
  readonly scope: Lifetime;
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-mcp-'));
  #tools: readonly Tool[] = [];

  constructor() {
    const log = (message: string, fields?: object): void =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    this.root = Lifetime.root({ name: 'session', log: { debug: log, info: log, warn: log, error: log } });
    this.scope = this.root.child('toolset test', { phase: 'settle' });
  }

  /** Where servers note what they were told. */
  get logFile(): string {
    return join(this.#folder, 'log');
  }

  /** What they noted. */
  get noted(): string[] {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').split('\n').slice(0, -1) : [];
  }

  /** The ids of processes that the server noted as `started` or `child`. */
  pids(kind: 'started' | 'child' = 'started'): number[] {
    return this.noted.filter((line) => line.startsWith(`${kind} `)).map((line) => Number(line.split(' ')[1]));
  }

  /** Opens the toolset of a server that is a process, with a fault. */
  async openProcess(fault = 'none', options: Partial<McpProcessOptions> = {}): Promise<readonly Tool[]> {
    const env = options.env ?? {};
    return this.#open({
      name: 'test',
      command: process.execPath,
      args: [STDIO_SERVER, fault],
      ...options,
      env: async () => ({ MCP_LOG: this.logFile, ...(typeof env === 'function' ? await env() : env) }),
    });
  }

  async openHttp(url: string, options: Partial<McpHttpOptions> = {}): Promise<readonly Tool[]> {
    return this.#open({ name: 'test', url, ...options });
  }

  async #open(options: McpToolsetOptions): Promise<readonly Tool[]> {
    this.#tools = await mcpToolset(options).open(this.scope);
    return this.#tools;
  }

  /** Calls a tool as the engine does. */
  call(name: string, args: unknown = {}, signal = new AbortController().signal): Promise<unknown> {
    const tool = this.#tools.find((each) => each.name === name);
    if (tool === undefined) throw new Error(`There is no tool ${name}.`);
    return tool.execute(args, { signal, callId: 'call-1' } as unknown as ToolContext);
  }

  /** Calls a tool that fails, and gives what the model is told. */
  async failure(name: string, args: unknown = {}, signal?: AbortSignal): Promise<Error & { code?: string }> {
    const settled = await this.call(name, args, signal).then(
      (result) => new Error(`It gave ${JSON.stringify(result)}.`),
      (error: unknown) => error as Error,
    );
    return settled;
  }

  close(): Promise<CloseReport> {
    return this.root.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.root.close();
    for (const pid of [...this.pids(), ...this.pids('child')]) {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
