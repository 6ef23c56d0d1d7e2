import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import type { LogFields, Logger } from '../../src/kernel/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

// What strangers may take of a server. Clients are told apart by X-Forwarded-For, which these servers believe.
const BEHIND_A_PROXY = { trustProxy: ['127.0.0.1'], unlimitedAddresses: [] };

function live(test: TestServer, id: string, user: string, address: string, protocols: string[] = []) {
  const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=${user}&session_id=${id}`;
  return new TestClient(url, protocols, { 'x-forwarded-for': address });
}

async function create(test: TestServer, user: string, address: string, id?: string) {
  const response = await fetch(`${test.url}/apps/demo/users/${user}/sessions`, {
    method: 'POST',
    headers: { 'x-forwarded-for': address },
    body: JSON.stringify(id === undefined ? {} : { sessionId: id }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function reached(test: TestServer, limit: string): Promise<number> {
  const { text } = await test.request('/metrics');
  return Number(new RegExp(`holdfast_limits_reached_total\\{limit="${limit}"\\} (\\d+)`).exec(text)?.[1]);
}

/** Everything that comes over a TCP connection after `bytes`, until the server ends it. */
function raw(test: TestServer, ...pieces: (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(test.url);
  return new Promise((resolve) => {
    const tcp = createConnection({ host: hostname, port: Number(port) });
    let text = '';
    tcp.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    tcp.on('error', () => undefined);
    tcp.on('close', () => resolve(text));
    for (const piece of pieces) tcp.write(piece);
  });
}

describe('L how much a user and an address may have', () => {
  it('L a user with as many live sessions as they may have is told to wait, others are served, and one that ends makes room', async () => {
    await using test = await startServer({ ...BEHIND_A_PROXY, maxLiveSessionsPerUser: 2 });
    for (const id of ['1', '2', '3']) await create(test, 'ann', '1.1.1.1', id);
    await create(test, 'bob', '1.1.1.1', 'b');
    const first = await live(test, '1', 'ann', '1.1.1.1').opened();
    await live(test, '2', 'ann', '2.2.2.2').opened();
    const refused = await live(test, '3', 'ann', '3.3.3.3').refused;
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('5');
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'HOLDFAST_LIMIT_REACHED' });
    await live(test, 'b', 'bob', '1.1.1.1').opened();
    const turn = await test.request('/run', {
      appName: 'demo',
      userId: 'ann',
      sessionId: '3',
      newMessage: HELLO,
    });
    expect(turn.status).toBe(429);
    expect(await reached(test, 'live_sessions_per_user')).toBe(2);
    first.socket.close();
    await until('it has ended', () => test.server.liveSessions === 2);
    await live(test, '3', 'ann', '3.3.3.3').opened();
  });

  it('L an address with as many live sessions as it may have is told to wait; IPv6 is counted by its network', async () => {
    await using test = await startServer({ ...BEHIND_A_PROXY, maxLiveSessionsPerAddress: 1 });
    for (const user of ['a', 'b', 'c']) await create(test, user, '9.9.9.9', 's');
    await live(test, 's', 'a', '2001:db8::1').opened();
    expect((await live(test, 's', 'b', '2001:db8::2').refused).status).toBe(429);
    await live(test, 's', 'b', '2001:db8:0:1::2').opened();
  });

  it('L who comes back to a live session is let in, however many there are', async () => {
    await using test = await startServer({ ...BEHIND_A_PROXY, maxLiveSessionsPerUser: 1 });
    await create(test, 'ann', '1.1.1.1', 's');
    await create(test, 'ann', '1.1.1.1', 'other');
    const first = await live(test, 's', 'ann', '1.1.1.1', [HOLDFAST_SUBPROTOCOL]).opened();
    first.send({ type: 'hello', protocol: 1 });
    await until('welcomed', () => first.having('type', 'hello').length === 1);
    const token = first.having('type', 'hello')[0]?.['resumeToken'];
    first.socket.terminate();
    await first.closed;
    expect((await live(test, 'other', 'ann', '1.1.1.1', [HOLDFAST_SUBPROTOCOL]).refused).status).toBe(429);
    const back = await live(test, 's', 'ann', '1.1.1.1', [HOLDFAST_SUBPROTOCOL]).opened();
    back.send({ type: 'hello', protocol: 1, resume: { token, seq: 0, positionSamples: 0 } });
    await until('welcomed', () => back.having('type', 'hello').length === 1);
    expect(back.having('type', 'hello')[0]).toMatchObject({ resumed: true });
  });

  it('L an address that opens WebSockets all the time is told when to ask again', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ ...BEHIND_A_PROXY, clock, upgradesPerMinutePerAddress: 3 });
    const opens = async (address: string) =>
      expect((await live(test, 'none', 'u', address).closed).code).toBe(1002);
    for (let asked = 0; asked < 3; asked += 1) await opens('1.1.1.1');
    const refused = await live(test, 'none', 'u', '1.1.1.1').refused;
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '20' } });
    await opens('2.2.2.2');
    await clock.advance(20_000);
    await opens('1.1.1.1');
    expect(await reached(test, 'upgrades_per_address')).toBe(1);
  });

  it('L what a client claims of its address does nothing where no proxy is believed', async () => {
    await using test = await startServer({ unlimitedAddresses: [], newSessionsPerMinutePerAddress: 2 });
    expect((await create(test, 'a', '1.1.1.1')).status).toBe(200);
    expect((await create(test, 'b', '2.2.2.2')).status).toBe(200);
    expect((await create(test, 'c', '3.3.3.3')).status).toBe(429);
  });

  it('L sessions are made no faster than a user and an address may', async () => {
    await using test = await startServer({
      ...BEHIND_A_PROXY,
      clock: new VirtualClock(),
      newSessionsPerMinutePerUser: 2,
      newSessionsPerMinutePerAddress: 3,
    });
    expect((await create(test, 'a', '1.1.1.1')).status).toBe(200);
    expect((await create(test, 'a', '2.2.2.2')).status).toBe(200);
    const refused = await create(test, 'a', '3.3.3.3');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('30');
    for (const user of ['b', 'c']) expect((await create(test, user, '1.1.1.1')).status).toBe(200);
    expect((await create(test, 'd', '1.1.1.1')).status).toBe(429);
    expect(await reached(test, 'new_sessions_per_user')).toBe(1);
    expect(await reached(test, 'new_sessions_per_address')).toBe(1);
  });

  it('L a user keeps no more sessions than the bound, and makes room by deleting one', async () => {
    await using test = await startServer({ maxSessionsPerUser: 2 });
    for (const id of ['1', '2']) expect((await create(test, 'a', '', id)).status).toBe(200);
    const refused = await create(test, 'a', '', '3');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBeNull();
    expect((await create(test, 'b', '', '3')).status).toBe(200);
    await fetch(`${test.url}/apps/demo/users/a/sessions/1`, { method: 'DELETE' });
    expect((await create(test, 'a', '', '3')).status).toBe(200);
  });
});

const HELLO = { role: 'user', parts: [{ text: 'Hello' }] };

describe('L the log under a flood', () => {
  it('L tells a limit once, and then how often it was reached, and is no flood itself', async () => {
    const clock = new VirtualClock();
    const lines: { message: string; fields: LogFields }[] = [];
    const log: Logger = {
      debug: () => undefined,
      info: (message, fields = {}) => lines.push({ message, fields }),
      warn: () => undefined,
      error: () => undefined,
    };
    await using test = await startServer({ ...BEHIND_A_PROXY, clock, log, newSessionsPerMinutePerUser: 1 });
    for (let asked = 0; asked < 31; asked += 1) await create(test, 'a', '1.1.1.1');
    const told = (): string[] =>
      lines.map(({ message }) => message).filter((each) => each.startsWith('limit'));
    expect(told()).toEqual(['limit reached']);
    await clock.advance(10_000);
    expect(told()).toEqual(['limit reached', 'limit reached again']);
    expect(lines.at(-1)?.fields).toMatchObject({ limit: 'new_sessions_per_user', times: 29 });
    await clock.advance(100_000);
    expect(told()).toHaveLength(2);
  });
});

describe('L connections', () => {
  it('L an address has so many, a WebSocket does not count among them, and one that ends makes room', async () => {
    await using test = await startServer({ unlimitedAddresses: [], maxConnectionsPerAddress: 3 });
    const { hostname, port } = new URL(test.url);
    await test.createSession('s');
    await test.adk('s').opened();
    const open = () => createConnection({ host: hostname, port: Number(port) }).on('error', () => undefined);
    const held = [open(), open(), open()];
    await expect.poll(() => raw(test, HEALTH_ONCE)).toContain('503 Service Unavailable');
    for (const each of held) each.destroy();
    await expect.poll(() => raw(test, HEALTH_ONCE)).toContain('200 OK');
    expect(await reached(test, 'connections_per_address')).toBeGreaterThan(0);
  });

  it('L the port of operations has the same bounds, counted by itself, and refuses WebSockets', async () => {
    await using test = await startServer({ unlimitedAddresses: [], maxConnectionsPerAddress: 2 });
    const operations = { ...test, url: (await test.server.listenOps()).url };
    const { hostname, port } = new URL(operations.url);
    const open = () => createConnection({ host: hostname, port: Number(port) }).on('error', () => undefined);
    const held = [open(), open()];
    await expect.poll(() => raw(operations, HEALTH_ONCE)).toContain('503 Service Unavailable');
    expect(await raw(test, HEALTH_ONCE)).toContain('200 OK');
    for (const each of held) each.destroy();
    await expect.poll(() => raw(operations, HEALTH_ONCE)).toContain('200 OK');
    const upgrade = HEALTH_ONCE.replace('Connection: close', 'Connection: upgrade\r\nUpgrade: websocket');
    expect(await raw(operations, upgrade)).toContain('404 Not Found');
  });

  it('L in all there are so many, and the next is told so', async () => {
    await using test = await startServer({ maxConnections: 1 });
    const { hostname, port } = new URL(test.url);
    const first = createConnection({ host: hostname, port: Number(port) });
    await until('it is connected', () => first.readyState === 'open');
    await expect.poll(() => raw(test, HEALTH_ONCE)).toContain('503 Service Unavailable');
    first.destroy();
    await expect.poll(() => raw(test, HEALTH_ONCE)).toContain('200 OK');
  });

  it.each([
    ['a head that never ends', ['GET /health HTTP/1.1\r\nHost: localhost\r\nX: ']],
    ['an upgrade that stands still', ['GET /run_live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n']],
    [
      'a body that never comes',
      [
        'POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"app',
      ],
    ],
  ])('L %s is answered with 408 in time, and the connection ends', async (_name, pieces) => {
    await using test = await startServer({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
    expect(await raw(test, ...pieces)).toMatch(/^HTTP\/1.1 408 /);
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect(await reached(test, 'slow_request')).toBe(1);
  });

  it('L a head that is too large is refused with 431, and one with too many headers or parameters with 400', async () => {
    await using test = await startServer();
    const head = (lines: string) =>
      `GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}\r\n`;
    expect(await raw(test, head(`X: ${'x'.repeat(20_000)}\r\n`))).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(test, head('X: 1\r\n'.repeat(150)))).toMatch(/^HTTP\/1.1 400 /);
    expect((await test.request(`/version?${'a=1&'.repeat(100)}`)).status).toBe(400);
    expect((await test.request(`/version?a=${'x'.repeat(9_000)}`)).status).toBe(400);
    const { status } = await live(test, `s${'&a=1'.repeat(100)}`, 'u', '').refused;
    expect(status).toBe(400);
    expect((await test.request('/version')).status).toBe(200);
    expect(await reached(test, 'header_bytes')).toBe(1);
  });
});

describe('L the body of a request', () => {
  const post = (fields: string, body: string): string =>
    `POST /apps/demo/users/u/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${fields}\r\n${body}`;

  it('a POST without a body, and one whose body comes in chunks, are answered', async () => {
    await using test = await startServer();
    expect(await raw(test, post('', ''))).toMatch(/^HTTP\/1.1 200 /);
    const body = '{"sessionId":"chunked"}';
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect(await raw(test, post('Transfer-Encoding: chunked\r\n', chunks))).toContain('"id":"chunked"');
  });

  it('L one that is too large is refused, whether it says so or not, and one that is no text as well', async () => {
    await using test = await startServer({ maxBodyBytes: 100 });
    const large = `{"state":{"a":"${'x'.repeat(200)}"}}`;
    expect(await raw(test, post(`Content-Length: ${large.length}\r\n`, large))).toMatch(/^HTTP\/1.1 413 /);
    const chunks = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(await raw(test, post('Transfer-Encoding: chunked\r\n', chunks))).toMatch(/^HTTP\/1.1 413 /);
    expect(await reached(test, 'body_bytes')).toBe(2);
    const response = await fetch(`${test.url}/apps/demo/users/u/sessions`, {
      method: 'POST',
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect(response.status).toBe(400);
  });

  it('L one whose client goes in its middle is no failure of the server', async () => {
    const failures: string[] = [];
    const log: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (message) => failures.push(message),
      error: (message) => failures.push(message),
    };
    await using test = await startServer({ log });
    const { hostname, port } = new URL(test.url);
    const tcp = createConnection({ host: hostname, port: Number(port) });
    tcp.write(post('Content-Length: 60\r\n', '{"state":'));
    const head = await test.request('/health');
    expect(head.status).toBe(200);
    tcp.resetAndDestroy();
    expect(await raw(test, post('Content-Length: 60\r\n', '{}x'.repeat(2)) + HEALTH_ONCE)).toContain('400');
    await expect.poll(() => test.server.liveSessions).toBe(0);
    expect(failures).toEqual([]);
  });
});

const HEALTH_ONCE = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

describe('L what is no HTTP', () => {
  it('L behind a request that is being answered ends the connection, and puts no words into that answer', async () => {
    await using test = await startServer();
    await test.createSession('s');
    const body = JSON.stringify({ appName: 'demo', userId: 'u', sessionId: 's', newMessage: HELLO });
    const { hostname, port } = new URL(test.url);
    const tcp = createConnection({ host: hostname, port: Number(port) }).on('error', () => undefined);
    let text = '';
    tcp.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    tcp.write(`POST /run_sse HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await until('it is being answered', () => text.includes('text/event-stream'));
    tcp.write('\u0001\u0002 no HTTP\r\n\r\n');
    await until('it has ended', () => tcp.closed);
    expect(text).toMatch(/^HTTP\/1.1 200 /);
    expect(text).not.toContain('HTTP/1.1 400');
    await until('the turn has ended', () => test.server.liveSessions === 0);
  });
});

describe('L the folder of the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('L nothing outside of it is served, by whatever name or link', async () => {
    const page = join(folder, 'page');
    mkdirSync(join(page, 'inside'), { recursive: true });
    writeFileSync(join(folder, 'secret.txt'), 'secret');
    writeFileSync(join(page, 'index.html'), 'page');
    writeFileSync(join(page, 'inside', 'a.txt'), 'fine');
    symlinkSync(join(folder, 'secret.txt'), join(page, 'link.txt'));
    symlinkSync(folder, join(page, 'out'));
    mkdirSync(join(page, 'begun'));
    symlinkSync(join(folder, 'secret.txt'), join(page, 'begun', 'index.html'));
    symlinkSync(join(page, 'inside'), join(page, 'in'));
    await using test = await startServer({ pageDir: page });
    expect((await test.request('/')).text).toBe('page');
    expect((await test.request('/in/a.txt')).text).toBe('fine');
    const paths = [
      '/link.txt',
      '/out/secret.txt',
      '/begun',
      '/begun/',
      '/../secret.txt',
      '/inside/../../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/%2e%2e%2fsecret.txt',
      '/..%5csecret.txt',
      '/..\\secret.txt',
      '/..%c0%afsecret.txt',
      '/%c0%ae%c0%ae/secret.txt',
      '/secret.txt%00.html',
      '/index.html%00',
      `//${folder}/secret.txt`,
      '/%252e%252e/secret.txt',
    ];
    const answers = await Promise.all(
      paths.map((path) => raw(test, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)),
    );
    const served = paths.filter((_path, index) => !/^HTTP\/1.1 40[04] /.test(answers[index]!));
    expect(served).toEqual([]);
    expect(answers.filter((answer) => answer.endsWith('secret'))).toEqual([]);
  });
});
