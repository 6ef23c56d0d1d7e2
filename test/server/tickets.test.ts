import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectSession, createSession, createTicket, listApps } from '../../src/client/index.ts';
import type { ConnectOptions, WebSocketConstructor } from '../../src/client/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { MAX_TICKETS_PER_USER, bearerTokens } from '../../src/server/index.ts';
import type { ServerOptions } from '../../src/server/index.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const TOKEN = 'program-token-0123456789abcdef';
const ONLY_V = 'token-of-v-0123456789abcdef';

const auth = bearerTokens([TOKEN, { token: ONLY_V, subject: 'v', users: ['v'] }]);

async function guarded(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const test = await startServer({ auth, ...options });
  await createSession({ url: test.url, token: TOKEN, appName: 'demo', userId: 'u', sessionId: 's1' });
  return test;
}

const ask = (test: TestServer, body: object, token = TOKEN): Promise<Response> =>
  fetch(`${test.url}/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });

const TARGET = { appName: 'demo', userId: 'u', sessionId: 's1' };
const ticketFor = (test: TestServer, session = 's1'): Promise<string> =>
  createTicket({ url: test.url, token: TOKEN, ...TARGET, sessionId: session });

function dial(test: TestServer, protocols: readonly string[], query = ''): TestClient {
  const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s1${query}`;
  return new TestClient(url, protocols);
}

describe('POST /tickets', () => {
  it('gives one to who may speak in the session, and to nobody else', async () => {
    await using test = await guarded();
    const given = await ask(test, TARGET);
    expect(given.headers.get('cache-control')).toBe('no-store');
    expect(await given.json()).toEqual({
      ticket: expect.stringMatching(/^[0-9a-f]{32}$/),
      expiresInMs: 30_000,
    });
    expect((await ask(test, { app_name: 'demo', user_id: 'u', session_id: 's1' })).status).toBe(200);
    expect((await ask(test, TARGET, ONLY_V)).status).toBe(403);
    expect((await ask(test, TARGET, 'nobody')).status).toBe(401);
    expect((await ask(test, { appName: 'demo', userId: 'u' })).status).toBe(400);
  });

  it('gives a user only so many at a time, and counts who asks for more', async () => {
    await using test = await guarded();
    for (let index = 0; index < MAX_TICKETS_PER_USER; index += 1) await ticketFor(test);
    const refused = await ask(test, TARGET);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30']);
    const metrics = await fetch(`${test.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(await metrics.text()).toContain('holdfast_limits_reached_total{limit="tickets"} 1\n');
  });
});

describe('POST /tickets of a server that is full', () => {
  it('gives one for a live session that its client may come back to', async () => {
    await using test = await guarded({ maxLiveSessions: 1 });
    await createSession({ url: test.url, token: TOKEN, appName: 'demo', userId: 'u', sessionId: 's2' });
    const client = await dial(test, [HOLDFAST_SUBPROTOCOL, `ticket.${await ticketFor(test)}`]).opened();
    client.send({ type: 'hello', protocol: 1 });
    await until('it is live', () => client.having('type', 'hello').length === 1);
    expect((await ask(test, { ...TARGET, sessionId: 's2' })).status).toBe(503);
    const back = dial(test, [HOLDFAST_SUBPROTOCOL, `ticket.${await ticketFor(test)}`]);
    await back.opened();
  });
});

describe('POST /tickets of a server that drains', () => {
  it('D1 gives one for a live session that it has, and sends everybody else to another server', async () => {
    await using test = await guarded();
    await createSession({ url: test.url, token: TOKEN, appName: 'demo', userId: 'u', sessionId: 's2' });
    const client = await dial(test, [HOLDFAST_SUBPROTOCOL, `ticket.${await ticketFor(test)}`]).opened();
    client.send({ type: 'hello', protocol: 1 });
    await until('it is live', () => client.having('type', 'hello').length === 1);
    const drained = test.server.drain();
    expect((await ask(test, TARGET)).status).toBe(200);
    const refused = await ask(test, { ...TARGET, sessionId: 's2' });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await test.server.abort();
    await drained;
  });
});

describe('a ticket', () => {
  it('P42 opens one connection, as a subprotocol that is not answered with', async () => {
    await using test = await guarded();
    const ticket = `ticket.${await ticketFor(test)}`;
    const client = await dial(test, [HOLDFAST_SUBPROTOCOL, ticket]).opened();
    expect(client.socket.protocol).toBe(HOLDFAST_SUBPROTOCOL);
    expect(await dial(test, [HOLDFAST_SUBPROTOCOL, ticket]).refused).toMatchObject({ status: 401 });
  });

  it('P42 opens one connection of the wire that has no subprotocol, in the query', async () => {
    await using test = await guarded();
    const query = `&ticket=${await ticketFor(test)}`;
    await dial(test, [], query).opened();
    const { status, body } = await dial(test, [], query).refused;
    expect([status, body]).toEqual([401, expect.stringContaining('Ask POST /tickets')]);
  });

  it('for another session opens nothing, and neither does what looks like one', async () => {
    await using test = await guarded();
    const other = await ticketFor(test, 's2');
    for (const ticket of [other, '', 'x', '0'.repeat(32)]) {
      const { status, body } = await dial(test, [HOLDFAST_SUBPROTOCOL, `ticket.${ticket}`]).refused;
      expect(status).toBe(401);
      if (ticket.length > 1) expect(body).not.toContain(ticket);
    }
    expect(test.server.liveSessions).toBe(0);
  });

  it('is quoted by no refusal of what was asked for with it', async () => {
    await using test = await guarded();
    const ticket = await ticketFor(test);
    const { status, body } = await dial(test, ['other.v9', `ticket.${ticket}`]).refused;
    expect(status).toBe(400);
    expect(body).not.toContain(ticket);
  });

  it('does not open a route', async () => {
    await using test = await guarded();
    const ticket = await ticketFor(test);
    expect((await fetch(`${test.url}/list-apps?ticket=${ticket}`)).status).toBe(401);
  });
});

describe('the client, on a server that asks who it is', () => {
  /** As in a browser: it takes no headers. */
  const browser = WebSocket as unknown as WebSocketConstructor;
  const connect = (test: TestServer, options: Partial<ConnectOptions>): ReturnType<typeof connectSession> =>
    connectSession({ url: test.url, ...TARGET, ...options });

  it.each<[string, Partial<ConnectOptions>]>([
    ['a token in a header', { token: TOKEN }],
    ['a token that a function gives', { token: () => Promise.resolve(TOKEN) }],
    ['a token, where no header can be sent', { token: TOKEN, webSocket: browser }],
    ['a token, on the wire without subprotocol', { token: TOKEN, webSocket: browser, protocol: 'adk' }],
  ])('is let in with %s', async (_name, options) => {
    await using test = await guarded();
    expect(await listApps({ url: test.url, token: TOKEN })).toEqual(['demo']);
    await using client = connect(test, options);
    await client.opened;
    await until('the model is there', () => test.model.connections.length === 1);
  });

  it('is let in with tickets of its own, and asks for the next one when it comes back', async () => {
    await using test = await guarded();
    const tickets: string[] = [];
    const ticket = async (): Promise<string> => {
      tickets.push(await ticketFor(test));
      return tickets.at(-1) ?? '';
    };
    const sockets: WebSocket[] = [];
    const Noted = class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    await using client = connect(test, { ticket, webSocket: Noted });
    await client.opened;
    await until('the model is there', () => test.model.connections.length === 1);
    const returned = new Promise((resolve) => client.on('returned', resolve));
    sockets[0]?.terminate();
    expect(await returned).toMatchObject({ resumed: true, recovered: true });
    expect(tickets).toHaveLength(2);
    expect(sockets.every(({ url }) => !tickets.some((each) => url.includes(each)))).toBe(true);
  });

  it('says what the server says when its token is not good', async () => {
    await using test = await guarded();
    await using client = connect(test, { token: 'not-the-token-0123456789', webSocket: browser });
    await expect(client.opened).rejects.toMatchObject({ code: 'HOLDFAST_SERVER_RESPONSE', status: 401 });
    await client.closed;
    expect(client.resources()).toEqual([]);
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('not logged in');
      },
    ],
    ['fails', () => Promise.reject(new Error('not logged in'))],
  ])('ends with a typed error when the function that gives tickets %s', async (_name, ticket) => {
    await using test = await guarded();
    await using client = connect(test, { ticket });
    await expect(client.opened).rejects.toMatchObject({ code: 'HOLDFAST_SERVER_CONNECTION' });
    expect((await client.closed).error).toBeDefined();
  });

  it('can be closed while its ticket is waited for, and is not waited for longer than a connection', async () => {
    await using test = await guarded();
    const never = (): Promise<string> => new Promise(() => undefined);
    const closed = connect(test, { ticket: never });
    await closed.close();
    expect(closed.resources()).toEqual([]);
    const impatient = connect(test, { ticket: never, connectTimeoutMs: 50 });
    await expect(impatient.opened).rejects.toMatchObject({ code: 'HOLDFAST_TIMEOUT' });
    await impatient.closed;
    expect(impatient.resources()).toEqual([]);
  });

  it('does not come back again and again when its token is refused by then', async () => {
    await using test = await guarded();
    let token = TOKEN;
    const sockets: WebSocket[] = [];
    const Noted = class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    await using client = connect(test, {
      token: () => token,
      webSocket: Noted,
    });
    await client.opened;
    await until('the model is there', () => test.model.connections.length === 1);
    token = 'taken-back-0123456789abcdef';
    sockets[0]?.terminate();
    await client.closed;
    expect(sockets).toHaveLength(1);
    expect(client.state).toMatchObject({ tag: 'closed', reconnect: false });
  });
});
