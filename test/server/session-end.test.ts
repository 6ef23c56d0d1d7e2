import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { LogFields } from '../../src/kernel/index.ts';
import {
  DEFAULT_JOB_CLOSE_TIMEOUT_MS,
  DEFAULT_SESSION_END_TIMEOUT_MS,
  SERVER_CLOSE_TIMEOUT_MS,
} from '../../src/server/index.ts';
import type { ServerOptions, SessionEndContext, SessionEndReport } from '../../src/server/index.ts';
import { AgentSession, DEFAULT_MAX_DURATION_MS, QuotaError } from '../../src/session/index.ts';
import type { EndReason, StoredSession } from '../../src/session/index.ts';
import { MemorySessionStore } from '../../src/store/index.ts';
import { isCollected } from '../support/garbage.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestClient, TestServer } from '../support/live-server.ts';

interface Told {
  readonly report: SessionEndReport;
  readonly session: StoredSession;
  readonly context: SessionEndContext;
}

interface Line {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

const KEY = { appName: 'demo', userId: 'u', id: 's1' };
const WIRES = ['adk', 'holdfast.v1'] as const;

let clock: VirtualClock;
let test: TestServer;
let store: MemorySessionStore;
let told: Told[];
let lines: Line[];

beforeEach(() => {
  clock = new VirtualClock();
  store = new MemorySessionStore({ clock });
  told = [];
  lines = [];
});

afterEach(async () => {
  vi.restoreAllMocks();
  const aborted = test.server.abort();
  await clock.advance(60_000);
  await aborted;
  expect(test.server.resources()).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

/** A server that notes every end; `hook` does more about it. */
async function start(
  options: Partial<ServerOptions> = {},
  hook: (end: Told) => unknown = () => undefined,
): Promise<void> {
  const note =
    (level: Line['level']) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields });
  test = await startServer({
    clock,
    store,
    log: { debug: () => undefined, info: note('info'), warn: note('warn'), error: note('error') },
    onSessionEnd: (report, session, context) => {
      const end = { report, session, context };
      told.push(end);
      return hook(end);
    },
    ...options,
  });
  await test.createSession('s1');
}

async function live(wire: (typeof WIRES)[number] = 'adk'): Promise<TestClient> {
  const before = test.model.connections.length;
  const client = wire === 'adk' ? await test.adk('s1').opened() : await test.welcomed('s1');
  await until('the model is connected', () => test.model.connections.length > before);
  return client;
}

const over = (): Promise<void> => until('nothing is under way', () => test.server.liveSessions === 0);

const isTold = (): Promise<void> => until('the hook has run', () => told.length > 0);

function ask(route: string): Promise<Response> {
  const newMessage = { role: 'user', parts: [{ text: 'Hello' }] };
  const body = JSON.stringify({ appName: 'demo', userId: 'u', sessionId: 's1', newMessage });
  return fetch(test.url + route, { method: 'POST', body });
}

const never = (): Promise<never> => new Promise(() => undefined);

/** Makes the live session hang in its close for as long as that may take. */
function hangInClose(): void {
  const connect = test.model.connect.bind(test.model);
  test.model.connect = (setup, sink, scope) => {
    scope.own('deaf provider', {}, { boundMs: Infinity, close: never });
    return connect(setup, sink, scope);
  };
}

async function metric(name: string): Promise<string[]> {
  const { text } = await test.request('/metrics');
  return text.split('\n').filter((line) => line.startsWith(name) && !line.endsWith(' 0'));
}

describe('onSessionEnd', () => {
  it('is told once of a live session, after its end, with its report and what is stored of it', async () => {
    let wasStored: StoredSession | undefined;
    await start({}, async () => {
      wasStored = await store.get(KEY);
    });
    const client = await live();
    client.sendText('Hello');
    await until('it is asked', () => test.model.last.of('content').length === 1);
    test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    await until('it is answered', () => client.having('turnComplete').length === 1);
    await clock.advance(2_000);
    client.socket.close(1000);
    await over();
    expect(told).toHaveLength(1);
    expect(told[0]?.report).toMatchObject({
      kind: 'run_live',
      appName: 'demo',
      userId: 'u',
      sessionId: 's1',
      reason: 'participant_disconnected',
      durationMs: 2_000,
      isGivenUp: false,
      close: { reason: 'participant_disconnected', connections: { dials: 1 } },
    });
    expect(told[0]?.session.history).toMatchObject([{ role: 'user' }, { role: 'model' }]);
    expect(wasStored?.history).toHaveLength(2);
    expect(await metric('holdfast_session_end_hooks_total')).toEqual([
      'holdfast_session_end_hooks_total{outcome="done"} 1',
    ]);
  });

  it.each(['/run', '/run_sse'])('is told once of a text turn by POST %s', async (route) => {
    await start();
    const answer = ask(route);
    await until('it is asked', () => test.model.connections[0]?.of('content').length === 1);
    test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    await (await answer).text();
    await over();
    expect(told.map(({ report: { kind, reason } }) => ({ kind, reason }))).toEqual([
      { kind: route.slice(1), reason: 'task_completed' },
    ]);
  });

  it('is told of a live session that failed to start, and why', async () => {
    await start();
    const error = new QuotaError('Nothing is left.', { provider: 'scripted' });
    test.model.beforeConnect = () => Promise.reject(error);
    const client = test.adk('s1');
    expect((await client.closed).code).toBe(1011);
    await over();
    expect(told).toMatchObject([{ report: { reason: 'error', error, close: { reason: 'error' } } }]);
  });

  it('is told of one that could not even be made', async () => {
    await start();
    vi.spyOn(AgentSession.prototype, 'on').mockImplementation(() => {
      throw new Error('a bug');
    });
    expect((await test.adk('s1').closed).code).toBe(1011);
    await over();
    expect(told).toMatchObject([{ report: { reason: 'error', error: { message: 'a bug' } } }]);
  });

  it('is not told of who never came to a session', async () => {
    await start();
    await test.adk('nobody').closed;
    (await test.holdfast('s1').opened()).socket.terminate();
    await over();
    expect(told).toEqual([]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('a hook');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a hook'))],
    [
      'gives back a thenable that throws',
      () => ({
        then: () => {
          throw new Error('a hook');
        },
      }),
    ],
  ])('C8 that %s is logged, and harms nothing', async (_name, hook) => {
    await start({}, hook);
    (await live()).socket.close(1000);
    await over();
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        message: 'end-of-session hook failed',
        fields: { session: 's1', error: expect.stringContaining('a hook') as string },
      },
    ]);
    (await live()).socket.close(1000);
    await over();
    expect(told).toHaveLength(2);
  });

  it('C8 that hangs holds up no client, is told to stop at its bound, and is left behind', async () => {
    await start({}, never);
    (await live()).socket.close(1000);
    await isTold();
    const next = await live();
    expect(test.server.liveSessions).toBe(2);
    expect(told[0]?.context.signal.aborted).toBe(false);
    await clock.advance(DEFAULT_SESSION_END_TIMEOUT_MS);
    expect(told[0]?.context.signal.aborted).toBe(true);
    await until('one is over', () => test.server.liveSessions === 1);
    expect(lines.filter(({ level }) => level !== 'info')).toMatchObject([
      { level: 'warn', message: 'end-of-session hook overran', fields: { session: 's1' } },
    ]);
    expect(await metric('holdfast_session_end_hooks_total')).toEqual([
      'holdfast_session_end_hooks_total{outcome="overran"} 1',
    ]);
    next.socket.terminate();
  });

  it('C6 that hangs keeps no live session', async () => {
    let ref: WeakRef<AgentSession> | undefined;
    const { start: begin } = AgentSession.prototype;
    AgentSession.prototype.start = function (this: AgentSession) {
      ref = new WeakRef(this);
      return begin.call(this);
    };
    const hanging: unknown[] = [];
    try {
      await start({}, () => new Promise((resolve) => hanging.push(resolve)));
      (await live()).socket.close(1000);
      await isTold();
    } finally {
      AgentSession.prototype.start = begin;
    }
    told.splice(0);
    // What the model of this test keeps of it is its own.
    test.model.connections.splice(0);
    expect(ref === undefined ? false : await isCollected(ref)).toBe(true);
    expect(hanging).toHaveLength(1);
  });

  it('D5 is waited for by a drain, and no longer than it takes', async () => {
    const work = Promise.withResolvers<void>();
    await start({}, () => work.promise);
    const client = await live();
    const closed = test.server.drain();
    client.socket.close(1000);
    await isTold();
    await clock.advance(5_000);
    expect(test.server.liveSessions).toBe(1);
    work.resolve();
    expect(await closed).toMatchObject({ reason: 'drained', cutCalls: 0 });
  });

  it('D3 runs when the server closes, and is waited for', async () => {
    let isDone = false;
    await start(
      {},
      () =>
        new Promise<void>((resolve) => {
          clock.setTimer(2_000, () => {
            isDone = true;
            resolve();
          });
        }),
    );
    await live();
    const closed = test.server.close().then((report) => ({ report, isDone }));
    await isTold();
    await clock.advance(2_000);
    expect((await closed).isDone).toBe(true);
    expect(told).toMatchObject([{ report: { reason: 'shutdown' } }]);
  });

  it('D3 one that hangs holds the close of a server up to its deadline, and not beyond', async () => {
    await start({}, never);
    await live();
    const closed = test.server.close();
    await isTold();
    await clock.advance(SERVER_CLOSE_TIMEOUT_MS);
    await clock.advance(0);
    const { durationMs } = await closed;
    expect(durationMs).toBeLessThanOrEqual(SERVER_CLOSE_TIMEOUT_MS);
    await over();
  });

  it('D4 runs when the server aborts, and is not waited for', async () => {
    await start({}, never);
    await live();
    const aborted = test.server.abort();
    await clock.advance(0);
    await aborted;
    expect(told).toMatchObject([{ report: { reason: 'aborted' }, context: { signal: { aborted: true } } }]);
  });
});

describe('the end of a call that takes longer than it may', () => {
  const options = { closeTimeoutMs: 60_000, jobCloseTimeoutMs: 5_000 };

  it('C3 C5 is cut short: its sockets go, the next client has the session, the hook runs, and it is told by name', async () => {
    await start(options);
    hangInClose();
    const client = await live();
    client.send({ close: true });
    await until('it closes', () => test.model.openConnections === 0);
    const next = test.adk('s1');
    await next.opened();
    await clock.advance(4_999);
    expect(told).toEqual([]);
    expect(test.model.connections).toHaveLength(1);
    await clock.advance(1);
    await clock.advance(0);
    expect(await client.closed).toEqual({ code: 1006, reason: '' });
    await until('the next one has it', () => test.model.connections.length === 2);
    expect(told).toMatchObject([{ report: { reason: 'user_initiated', isGivenUp: true, sessionId: 's1' } }]);
    expect(test.server.liveSessions).toBe(1);
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        message: 'call given up',
        fields: {
          call: 'live call',
          session: 's1',
          afterMs: 5_000,
          held: expect.arrayContaining([expect.stringContaining('deaf provider')]) as string[],
        },
      },
    ]);
    expect(await metric('holdfast_calls_given_up_total')).toEqual([
      'holdfast_calls_given_up_total{kind="run_live"} 1',
    ]);
    next.socket.terminate();
  });

  it.each(['/run', '/run_sse'])('C3 also that of a text turn by POST %s', async (route) => {
    await start(options);
    hangInClose();
    const answer = ask(route);
    await until('it is asked', () => test.model.connections[0]?.of('content').length === 1);
    test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    await until('it closes', () => test.model.openConnections === 0);
    await clock.advance(5_000);
    await clock.advance(0);
    await over();
    await (await answer).text();
    expect(told).toMatchObject([{ report: { kind: route.slice(1), isGivenUp: true } }]);
    expect(await metric('holdfast_calls_given_up_total')).toEqual([
      `holdfast_calls_given_up_total{kind="${route.slice(1)}"} 1`,
    ]);
  });

  it('C3 C4 a save and a client that both hang end within their own bounds, and nothing is given up', async () => {
    await start();
    const client = await live();
    store.save = never;
    client.socket.pause();
    client.send({ close: true });
    client.send({ close: true });
    const path = '/apps/demo/users/u/sessions/s1';
    const deleted = fetch(test.url + path, { method: 'DELETE' });
    await until('it closes', () => test.model.openConnections === 0);
    await clock.advance(SERVER_CLOSE_TIMEOUT_MS);
    await over();
    await deleted;
    expect(told).toMatchObject([{ report: { isGivenUp: false } }]);
    expect(await metric('holdfast_calls_given_up_total')).toEqual([]);
    client.socket.terminate();
  });

  it('C3 by default waits for every bound in it, whatever they are set to', async () => {
    expect(DEFAULT_JOB_CLOSE_TIMEOUT_MS).toBeGreaterThan(SERVER_CLOSE_TIMEOUT_MS);
    await start({ closeTimeoutMs: 60_000 });
    hangInClose();
    const client = await live();
    client.send({ close: true });
    await until('it closes', () => test.model.openConnections === 0);
    await clock.advance(60_000);
    await clock.advance(10_000);
    await over();
    expect(told).toMatchObject([{ report: { isGivenUp: false } }]);
  });
});

const ADMIN_TOKEN = 'an-admin-token-of-a-test';

/** How each reason comes about, and what a client is told of it. */
interface Ending {
  readonly reason: EndReason;
  readonly adk: number;
  readonly holdfast: number;
  readonly how: (client: TestClient, session: AgentSession) => unknown;
}

const ENDINGS: readonly Ending[] = [
  { reason: 'user_initiated', adk: 1000, holdfast: 4000, how: (_client, session) => session.close() },
  {
    reason: 'participant_disconnected',
    adk: 1000,
    holdfast: 1000,
    how: ({ socket }) => socket.close(1000),
  },
  {
    reason: 'error',
    adk: 1011,
    holdfast: 4010,
    how: () => test.model.last.fail(new QuotaError('Nothing is left.', { provider: 'scripted' })),
  },
  { reason: 'drained', adk: 1000, holdfast: 4000, how: (_client, session) => session.drain() },
  { reason: 'limit', adk: 1000, holdfast: 4002, how: () => clock.advance(DEFAULT_MAX_DURATION_MS) },
  { reason: 'shutdown', adk: 1012, holdfast: 4100, how: () => void test.server.close() },
  {
    reason: 'task_completed',
    adk: 1000,
    holdfast: 4000,
    how: (_client, session) => session.close('task_completed'),
  },
  {
    reason: 'replaced',
    adk: 4001,
    holdfast: 4001,
    how: async () => {
      const newer = await test.adk('s1').opened();
      await until('it has the session', () => test.model.connections.length === 2);
      newer.socket.terminate();
    },
  },
  {
    reason: 'closed_by_operator',
    adk: 1000,
    holdfast: 4003,
    how: () =>
      fetch(`${test.url}/admin/sessions/s1/close`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      }),
  },
  { reason: 'aborted', adk: 1006, holdfast: 1006, how: () => void test.server.abort() },
];

describe.each(WIRES)('E every reason reaches the %s wire, the report, the log and the metrics', (wire) => {
  it.each(ENDINGS)('E $reason', async ({ reason, adk, holdfast, how }) => {
    const started = vi.spyOn(AgentSession.prototype, 'start');
    // What is idle for so long is not what this is about.
    await start({
      adminToken: ADMIN_TOKEN,
      idleTimeoutMs: 2 * DEFAULT_MAX_DURATION_MS,
      clientSilenceTimeoutMs: 2 * DEFAULT_MAX_DURATION_MS,
    });
    const client = await live(wire);
    const session = started.mock.contexts[0] as AgentSession;
    await how(client, session);
    expect((await client.closed).code).toBe(wire === 'adk' ? adk : holdfast);
    await isTold();
    expect(told[0]?.report).toMatchObject({ reason, close: { reason } });
    const pair = lines.filter(
      ({ message, fields }) =>
        /^clos(ing|ed)$/.test(message) && String(fields['owner']).endsWith('/session s1'),
    );
    expect(pair.slice(0, 2)).toMatchObject([
      { message: 'closing', fields: { reason } },
      { message: 'closed', fields: { reason } },
    ]);
    // In process: the listener has gone with the server.
    const metrics = await test.server.fetch(
      new Request('http://127.0.0.1/metrics', { headers: { host: '127.0.0.1' } }),
    );
    expect(await metrics.text()).toContain(`holdfast_sessions_closed_total{reason="${reason}"} 1`);
  });
});
