import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { TestClient } from './live-server.ts';

/** How long a process may take to do what a test waits for; `npm start` may build first. */
const PATIENCE_MS = 90_000;

/** Looks at a condition until it holds. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`It never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server in a process of its own, with all it has said. */
export class ServedProcess {
  readonly child: ChildProcess;
  /** The exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  stdout = '';
  stderr = '';
  hasExited = false;

  constructor(
    program: string,
    parameters: readonly string[],
    options: { cwd: string; env: Record<string, string> },
  ) {
    this.child = spawn(program, parameters, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => {
        this.hasExited = true;
        resolve(code);
      });
    });
  }

  /** Everything it has said, also where a terminal mixes both streams. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  /** The printed address. */
  async url(): Promise<string> {
    const found = (): string | undefined => /listening on (http:\/\/\S+)/.exec(this.stdout)?.[1];
    await eventually(
      `the address is printed; it said: ${this.output}`,
      () => this.hasExited || found() !== undefined,
    );
    const url = found();
    if (url === undefined) throw new Error(`The server did not start: ${this.output}`);
    return url;
  }

  /** A call that has been answered once. */
  async call(id: string): Promise<TestClient> {
    const url = await this.url();
    await fetch(`${url}/apps/default/users/u/sessions`, {
      method: 'POST',
      body: JSON.stringify({ sessionId: id }),
    });
    const live = `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=${id}`;
    const client = await new TestClient(live).opened();
    await converse(client, 'hello');
    return client;
  }

  async stop(): Promise<void> {
    if (!this.hasExited) this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** One turn with the echo model. */
export async function converse(client: TestClient, text: string): Promise<void> {
  const turns = client.having('turnComplete').length;
  client.sendText(text);
  await eventually(`'${text}' is answered`, () => client.having('turnComplete').length > turns);
}

export async function readinessOf(url: string): Promise<number> {
  return (await fetch(`${url}/ready`)).status;
}
