import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { ProcessUnderTest } from './process.ts';

// The balancers of deploy/, with the files that are shipped: only addresses are replaced.

interface SystemPrograms {
  findHaproxy(): string | undefined;
  findNginx(): string | undefined;
}

const require = createRequire(import.meta.url);
const { findHaproxy, findNginx } = require('../../scripts/system-programs.cjs') as SystemPrograms;

const HAPROXY_CONFIGURATION = join(CHECKOUT, 'deploy/haproxy/haproxy.cfg');
const NGINX_CONFIGURATION = join(CHECKOUT, 'deploy/nginx/nginx.conf');

/** How long a balancer may take to start, or to notice something, before a test calls it stuck. */
const PATIENCE_MS = 20_000;

/** The ports of the two servers a balancer stands before. */
export type TwoPorts = readonly [number, number];

export interface Balancer extends AsyncDisposable {
  readonly process: ProcessUnderTest;
  /** Where clients go. */
  readonly url: string;
}

/** What HAProxy thinks of one server. */
export interface ServerState {
  /** `UP`, `DOWN`, `NOLB` (it drains: nothing new, but who has a call there), with a way to go between them behind it. */
  readonly status: string;
  /** Connections it has there now. */
  readonly current: number;
  /** Requests that were asked of it again, and of another one instead. */
  readonly retries: number;
  readonly redispatches: number;
}

/**
 * Where ports are looked for that are left alone for a while: below those that connections get by themselves (from 32 768 on
 * Linux), or one of them takes the port of a server that is being restarted.
 */
const FIRST_PORT = 10_240;
const PORTS = 22_000;

/** How many are tried for each; some are in use. */
const TRIES = 50;

/** `count` ports that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries += 1) {
    if (tries > count * TRIES) throw new Error(`${count} free ports could not be found.`);
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** HAProxy with deploy/haproxy/haproxy.cfg as it stands there. */
export class Haproxy implements Balancer {
  readonly process: ProcessUnderTest;
  readonly url: string;
  readonly #operations: string;

  static async start([one, two]: TwoPorts): Promise<Haproxy> {
    const [listen = 0, operations = 0] = await freePorts(2);
    const started = ProcessUnderTest.start(
      programOf('HAProxy', findHaproxy()),
      ['-db', '-f', HAPROXY_CONFIGURATION],
      {
        env: {
          BALANCER_LISTEN: `127.0.0.1:${listen}`,
          BALANCER_OPERATIONS: `127.0.0.1:${operations}`,
          HOLDFAST_ONE: `127.0.0.1:${one}`,
          HOLDFAST_TWO: `127.0.0.1:${two}`,
        },
      },
    );
    const balancer = new Haproxy(started, listen, operations);
    await ready(started, () => balancer.states());
    return balancer;
  }

  private constructor(started: ProcessUnderTest, listen: number, operations: number) {
    this.process = started;
    this.url = `http://127.0.0.1:${listen}`;
    this.#operations = `http://127.0.0.1:${operations}`;
  }

  /** What it thinks of its servers, in their order. */
  async states(): Promise<readonly [ServerState, ServerState]> {
    const response = await fetch(`${this.#operations}/stats;csv`);
    const [head = '', ...lines] = (await response.text()).replace(/^# /, '').trim().split('\n');
    const names = head.split(',');
    const rows = lines
      .map((line) => line.split(','))
      .map((values) => new Map(names.map((name, index) => [name, values[index] ?? ''])));
    const stateOf = (server: string): ServerState => {
      const row = rows.find((each) => each.get('pxname') === 'holdfast' && each.get('svname') === server);
      if (row === undefined) throw new Error(`HAProxy tells nothing of the server '${server}'.`);
      return {
        status: row.get('status') ?? '',
        current: Number(row.get('scur')),
        retries: Number(row.get('wretr')),
        redispatches: Number(row.get('wredis')),
      };
    };
    return [stateOf('one'), stateOf('two')];
  }

  /** Waits until it thinks so of a server. */
  async until(server: 0 | 1, status: RegExp, timeoutMs = PATIENCE_MS): Promise<ServerState> {
    const startedAtMs = performance.now();
    for (;;) {
      const state = (await this.states())[server];
      if (status.test(state.status)) return state;
      if (performance.now() - startedAtMs > timeoutMs) {
        throw new Error(`HAProxy calls server ${server + 1} ${state.status}, and never came to ${status}.`);
      }
      await pause();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** nginx with deploy/nginx/nginx.conf, its addresses replaced. */
export async function startNginx([one, two]: TwoPorts): Promise<Balancer> {
  const [listen = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-nginx-'));
  const shipped = readFileSync(NGINX_CONFIGURATION, 'utf8');
  let configuration = shipped;
  const replace = (from: string, to: string): void => {
    if (configuration.split(from).length !== 2) throw new Error(`'${from}' is not once in nginx.conf.`);
    configuration = configuration.replace(from, to);
  };
  replace('listen 8080;', `listen 127.0.0.1:${listen};`);
  replace('server 127.0.0.1:8001 ', `server 127.0.0.1:${one} `);
  replace('server 127.0.0.1:8002 ', `server 127.0.0.1:${two} `);
  // The folders a package makes for it are not everybody's to write in.
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  replace('http {', `http {\n${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')}`);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration);
  mkdirSync(join(folder, 'logs'));
  const started = ProcessUnderTest.start(
    programOf('nginx', findNginx()),
    ['-p', folder, '-c', file, '-g', `daemon off; pid ${folder}/nginx.pid;`],
    {},
  );
  const url = `http://127.0.0.1:${listen}`;
  await ready(started, () => fetch(`${url}/admin`));
  return {
    process: started,
    url,
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function programOf(name: string, path: string | undefined): string {
  if (path === undefined) throw new Error(`${name} was not found: run \`npm test\`, which installs it.`);
  return path;
}

/** Waits until a balancer answers; one that ends instead says why. */
async function ready(started: ProcessUnderTest, ask: () => Promise<unknown>): Promise<void> {
  const startedAtMs = performance.now();
  for (;;) {
    const answered = await ask().then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (!started.isRunning || performance.now() - startedAtMs > PATIENCE_MS) {
      const { name, text } = started;
      await started[Symbol.asyncDispose]();
      throw new Error(`\`${name}\` does not answer. It said:\n${text}`);
    }
    await pause();
  }
}

/** Between two looks at something that another process does. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
