import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientOptions } from 'ws';
import { slotOf } from '../../src/cli/workers/slots.ts';
import { TestClient } from './live-server.ts';
import { startService } from './process.ts';
import type { ProcessUnderTest } from './process.ts';

/** How long a condition may take before a test calls it unmet: a worker starts anew in it, on a loaded machine. */
const PATIENCE_MS = 20_000;

export const ADMIN_TOKEN = 'an-admin-token-of-a-test';

const SESSIONS = '/apps/default/users/u/sessions';

interface ListedCall {
  readonly id: string;
  readonly worker: number;
  readonly client: string;
}

/** Resolves when `condition` holds; looks again and again. */
export async function untilSo(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`It never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server with two workers and a file of sessions of its own, as a test drives it. */
export class WorkersRig implements AsyncDisposable {
  readonly process: ProcessUnderTest;
  readonly url: string;
  readonly #folder: string;

  static async start(...flags: readonly string[]): Promise<WorkersRig> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-workers-'));
    const store = `sqlite:${join(folder, 'sessions.sqlite')}`;
    const service = await startService(
      ['api-server', '--port', '0', '--workers', '2', '--store', store, ...flags],
      // What it puts into the temporary folder is removed with it, however it ends.
      { env: { HOLDFAST_ADMIN_TOKEN: ADMIN_TOKEN, TMPDIR: folder } },
    );
    return new WorkersRig(service.process, service.url, folder);
  }

  private constructor(process: ProcessUnderTest, url: string, folder: string) {
    this.process = process;
    this.url = url;
    this.#folder = folder;
  }

  /** The process that serves a slot now. */
  pidOf(slot: number): number {
    const served = this.process.log.filter(({ msg, worker }) => msg === 'worker serves' && worker === slot);
    return Number(served.at(-1)?.pid);
  }

  /** The workers that have served a slot, one after the other. */
  servedBy(slot: number): number {
    return this.process.log.filter(({ msg, worker }) => msg === 'worker serves' && worker === slot).length;
  }

  /** The numbers of the workers whose logs have such a line. */
  workersThatSaid(message: string): Set<unknown> {
    return new Set(this.process.log.flatMap(({ msg, worker }) => (msg === message ? worker : [])));
  }

  /** A stored session that belongs to a slot. */
  async session(slot: number, name = 's'): Promise<string> {
    let number = 0;
    const id = (): string => `${name}${number}`;
    while (slotOf({ appName: 'default', userId: 'u', id: id() }, 2) !== slot) number += 1;
    const created = await fetch(this.url + SESSIONS, {
      method: 'POST',
      body: JSON.stringify({ sessionId: id() }),
    });
    if (!created.ok) throw new Error(`The session was not created: ${created.status}`);
    return id();
  }

  /** A client of the ADK wire, or of another one. */
  client(id: string, protocols: readonly string[] = [], options: ClientOptions = {}): TestClient {
    return new TestClient(
      `${this.url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=${id}`,
      protocols,
      {},
      options,
    );
  }

  /** One that has been answered, and stays. */
  async stayOn(id: string): Promise<TestClient> {
    const client = await this.client(id).opened();
    client.sendText('Hello');
    await untilSo('it is answered', () => client.having('turnComplete').length > 0);
    return client;
  }

  /** One message over HTTP, and the text of its answer. */
  async run(id: string, text: string): Promise<string> {
    const response = await fetch(`${this.url}/run`, {
      method: 'POST',
      body: JSON.stringify({
        appName: 'default',
        userId: 'u',
        sessionId: id,
        newMessage: { role: 'user', parts: [{ text }] },
      }),
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${body}`);
    return body;
  }

  /** What was said in a session, as it is stored. */
  async told(id: string): Promise<string[]> {
    const session = (await (await fetch(`${this.url}${SESSIONS}/${id}`)).json()) as {
      events: { content: { parts: { text?: string }[] } }[];
    };
    return session.events.map(({ content }) => content.parts.map(({ text }) => text ?? '').join(''));
  }

  async delete(id: string): Promise<number> {
    return (await fetch(`${this.url}${SESSIONS}/${id}`, { method: 'DELETE' })).status;
  }

  /** What is under way on all workers, as administration has it. */
  async calls(): Promise<readonly ListedCall[]> {
    const { sessions } = (await (await this.admin('GET', 'sessions')).json()) as { sessions: ListedCall[] };
    return sessions;
  }

  admin(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.url}/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The value of a metric of the whole. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  }

  /** The folders with the sockets of its workers, and who may enter them. */
  get socketFolders(): string[] {
    return readdirSync(this.#folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith('holdfast-'))
      .map(({ name }) => (statSync(join(this.#folder, name)).mode & 0o777).toString(8));
  }

  /** Signals every process of the group, as a terminal does. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.process.pid, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Also where its supervisor has ended before its workers.
    if (this.process.hasLeftovers) this.signalGroup('SIGKILL');
    await this.process[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
