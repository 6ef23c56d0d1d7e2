import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Haproxy, freePorts, startNginx } from '../support/balancer.ts';
import type { Balancer, TwoPorts } from '../support/balancer.ts';
import { TestClient, until } from '../support/live-server.ts';
import { startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

async function startHaproxy(ports: TwoPorts): Promise<Balancer> {
  const haproxy = await Haproxy.start(ports);
  await haproxy.until(0, /^UP$/);
  await haproxy.until(1, /^UP$/);
  return haproxy;
}

/** Each with how it is started before two servers. */
export const BALANCERS = [
  ['HAProxy', startHaproxy],
  ['nginx', startNginx],
] as const;

/** Two servers with one store, and a balancer before them. */
export class Stage implements AsyncDisposable {
  readonly servers: readonly [Service, Service];
  readonly balancer: Balancer;
  readonly #folder: string;

  static async open(
    start: (ports: TwoPorts) => Promise<Balancer>,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Stage> {
    const [one = 0, two = 0] = await freePorts(2);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-balancers-'));
    const store = `sqlite:${join(folder, 'sessions.sqlite')}`;
    const serve = (port: number): Promise<Service> =>
      startService(['api-server', '--port', String(port), '--store', store], { env });
    const servers = await Promise.all([serve(one), serve(two)]);
    return new Stage(servers, await start([one, two]), folder);
  }

  private constructor(servers: readonly [Service, Service], balancer: Balancer, folder: string) {
    this.servers = servers;
    this.balancer = balancer;
    this.#folder = folder;
  }

  /** A client of `holdfast.v1` that was greeted; with `before` it comes back to what it had. */
  async call(id: string, before?: TestClient): Promise<TestClient> {
    const client = await new TestClient(this.live(id), ['holdfast.v1']).opened();
    const hello = before?.having('type', 'hello')[0];
    const resume =
      hello === undefined
        ? undefined
        : { token: hello['resumeToken'], seq: hello['seq'], positionSamples: 0 };
    client.send({ type: 'hello', protocol: 1, resume });
    await until('the server said hello', () => client.having('type', 'hello').length === 1);
    return client;
  }

  /** A client of the ADK's wire. */
  adk(id: string): Promise<TestClient> {
    return new TestClient(this.live(id)).opened();
  }

  /** A client whose session is new. */
  async newCall(id: string): Promise<TestClient> {
    const path = '/apps/default/users/u/sessions';
    const made = await fetch(this.balancer.url + path, {
      method: 'POST',
      body: JSON.stringify({ sessionId: id }),
    });
    expect(made.status).toBe(200);
    return this.call(id);
  }

  /** How many calls each server has. */
  async calls(): Promise<number[]> {
    return Promise.all(
      this.servers.map(async ({ url }) => {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        return Number(/^holdfast_live_sessions (\d+)/m.exec(metrics)?.[1]);
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.balancer[Symbol.asyncDispose]();
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Where a session of app `default` is live. */
  live(id: string): string {
    const { url } = this.balancer;
    return `${url.replace('http', 'ws')}/run_live?app_name=default&user_id=u&session_id=${id}`;
  }
}

/** Calls enough that both servers have some, by load or by hash. */
export async function callsOnBoth(stage: Stage): Promise<Map<string, TestClient>> {
  const clients = new Map<string, TestClient>();
  for (let count = 0; count < 40; count += 1) {
    const id = `s${count}`;
    clients.set(id, await stage.newCall(id));
    if (clients.size >= 6 && (await stage.calls()).every((calls) => calls > 0)) return clients;
  }
  throw new Error(`Forty calls went to one server: ${String(await stage.calls())}`);
}
