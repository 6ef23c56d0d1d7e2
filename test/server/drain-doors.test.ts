import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { ServerCloseReport, ServerOptions } from '../../src/server/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

// What of a draining server can still be reached, and through which door.

const TOKEN = 'an-admin-token-of-a-test';

let clock: VirtualClock;
let test: TestServer;
let operations: string;

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  const aborted = test.server.abort();
  await clock.advance(10_000);
  await aborted;
});

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  test = await startServer({ clock, adminToken: TOKEN, ...options });
  operations = (await test.server.listenOps()).url;
}

/** `refused` where nobody listens, else the status. */
async function status(url: string): Promise<number | 'refused'> {
  try {
    return (await fetch(url, { headers: { authorization: `Bearer ${TOKEN}`, connection: 'close' } })).status;
  } catch {
    return 'refused';
  }
}

/** What /metrics says to who asks by that name. */
function metricsBy(host: string, url: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.end(`GET /metrics HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (data) => (text += String(data)));
    socket.on('close', () => resolve(text));
  });
}

const adkCall = async (id: string) => {
  const before = test.model.openConnections;
  const client = await test.adk(await test.createSession(id)).opened();
  await until('connected', () => test.model.openConnections > before);
  return client;
};

describe('a port of operations', () => {
  it('answers what those who run the server ask, and nothing else; the public one does not answer that', async () => {
    await start();
    const asked = [
      '/health',
      '/ready',
      '/metrics',
      '/admin/sessions',
      '/admin/drain',
      '/list-apps',
      '/version',
    ];
    const there = await Promise.all(asked.map((path) => status(operations + path)));
    expect(there).toEqual([200, 200, 200, 200, 200, 404, 404]);
    const here = await Promise.all(asked.map((path) => status(test.url + path)));
    expect(here).toEqual([200, 200, 404, 404, 404, 200, 200]);
  });

  it('asks for the token, and answers to loopback names alone where it listens on loopback', async () => {
    await start();
    expect((await fetch(`${operations}/admin/sessions`)).status).toBe(401);
    expect(await metricsBy('rebound.example', operations)).toContain('HTTP/1.1 403');
  });

  it('answers elsewhere by whatever address it is asked, also where the public one has a name', async () => {
    test = await startServer({ clock, allowedHosts: ['agents.example'], openMetrics: true });
    operations = (await test.server.listenOps(0, '0.0.0.0')).url;
    expect(await metricsBy('10.1.2.3:9000', operations)).toContain('HTTP/1.1 200');
    expect(await metricsBy('10.1.2.3:9000', test.url)).toContain('HTTP/1.1 403');
  });

  it('D1 the public listener closes at once when no call can be resumed, and operations answer to the end', async () => {
    await start();
    const client = await adkCall('a');
    expect(await status(`${test.url}/health`)).toBe(200);
    const closed = test.server.drain();
    await until('nobody listens', () => !test.server.ready);
    expect(await status(`${test.url}/health`)).toBe('refused');
    expect(await status(`${test.url}/run_live`)).toBe('refused');
    for (const [path, answer] of [
      ['/health', 200],
      ['/ready', 503],
      ['/metrics', 200],
      ['/admin/sessions', 200],
    ] as const) {
      expect([path, await status(operations + path)]).toEqual([path, answer]);
    }
    // The call under way has its connection, and goes on.
    client.sendText('Are you there?');
    await until('it is heard', () => test.model.last.received.length === 1);
    client.send({ close: true });
    await client.closed;
    await clock.advance(500);
    expect(await closed).toMatchObject({ cutCalls: 0, drain: { calls: 1, ended: 1, cut: 0 } });
    expect(await status(`${operations}/health`)).toBe('refused');
  });

  it('D1 the public listener stays while a live session can be resumed through it, and closes after the last one', async () => {
    await start();
    const stays = await adkCall('a');
    const client = await test.welcomed(await test.createSession('b'));
    await until('both are live', () => test.model.openConnections === 2);
    const { resumeToken } = client.having('type', 'hello')[0] as { resumeToken: string };
    void test.server.drain();
    client.socket.terminate();
    await until('it is missed', () => test.server.resources().some((name) => name.includes('client grace')));
    expect(await status(`${test.url}/health`)).toBe(200);

    const back = await test.holdfast('b').opened();
    back.send({ type: 'hello', protocol: 1, resume: { token: resumeToken, seq: 0, positionSamples: 0 } });
    await until('it is told to go', () => back.having('type', 'goAway').length === 1);
    back.send({ type: 'close' });
    await back.closed;
    await until('one is left', () => test.server.liveSessions === 1);
    expect(await status(`${test.url}/health`)).toBe('refused');
    expect(await status(`${operations}/ready`)).toBe(503);
    stays.send({ close: true });
    await stays.closed;
    await clock.advance(500);
    expect(await test.server.closed).toMatchObject({ drain: { calls: 2, ended: 2, cut: 0 } });
  });

  it('D1 where nobody may come back at all, the public listener closes at once', async () => {
    await start({ clientGraceMs: 0 });
    await test.welcomed(await test.createSession('a'));
    void test.server.drain();
    expect(await status(`${test.url}/health`)).toBe('refused');
    expect(await status(`${operations}/health`)).toBe(200);
  });

  it('D1 until the pre-drain delay is over, the public listener takes calls', async () => {
    await start({ preDrainDelayMs: 5_000 });
    await adkCall('a');
    void test.server.drain();
    expect(await status(`${test.url}/ready`)).toBe(503);
    await adkCall('b');
    await clock.advance(5_000);
    expect(await status(`${test.url}/ready`)).toBe('refused');
  });

  it('D6 metrics tell the stage, the oldest call, the time so far and the deadline', async () => {
    await start({ drainTimeoutMs: 60_000 });
    const metric = async (name: string): Promise<string | undefined> => {
      const text = await (await fetch(`${operations}/metrics`)).text();
      return text.split('\n').find((line) => line.startsWith(name));
    };
    expect(await metric('holdfast_drain_stage{stage="serving"}')).toMatch(/ 1$/);
    await adkCall('a');
    await clock.advance(5_000);
    void test.server.drain();
    await clock.advance(10_000);
    expect(await metric('holdfast_drain_stage{stage="refusing"}')).toMatch(/ 1$/);
    expect(await metric('holdfast_drain_stage{stage="serving"}')).toMatch(/ 0$/);
    expect(await metric('holdfast_oldest_call_seconds')).toMatch(/ 15$/);
    expect(await metric('holdfast_drain_elapsed_seconds')).toMatch(/ 10$/);
    expect(await metric('holdfast_drain_deadline_seconds')).toMatch(/ 50$/);
  });
});

describe('connections that are no calls', () => {
  /** A connection that sends this and then nothing. */
  async function dangling(url: string, sent: string): Promise<{ readonly gone: Promise<unknown> }> {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.resume();
    socket.write(sent);
    return { gone: new Promise((resolve) => socket.once('close', resolve)) };
  }

  it.each([
    ['an empty one', ''],
    ['half a head', 'GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n'],
    [
      'half a body',
      'POST /run HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"app',
    ],
    ['half an upgrade', 'GET /run_live?app_name=demo HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n'],
  ])('D5 do not hold up the end: %s', async (_name, sent) => {
    await start();
    const client = await adkCall('a');
    const connections = await Promise.all([dangling(test.url, sent), dangling(operations, sent)]);
    let report: ServerCloseReport | undefined;
    void test.server.drain().then((given) => (report = given));
    client.send({ close: true });
    await client.closed;
    const beganAtMs = clock.now();
    while (report === undefined && clock.now() - beganAtMs < 10_000) {
      await clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(report).toMatchObject({ cutCalls: 0, reason: 'drained' });
    expect(report?.steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    expect(clock.now() - beganAtMs).toBeLessThan(1_000);
    await Promise.all(connections.map(({ gone }) => gone));
  });
});
