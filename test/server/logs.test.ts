import { describe, expect, it } from 'vitest';
import { Lifetime } from '../../src/kernel/index.ts';
import { Agent, ConnectionLostError, tool } from '../../src/session/index.ts';
import { LogBook } from '../support/live-rig.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

/** What the server says of itself; every other line is of a call. */
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  'listening',
  'draining',
  'drain over',
  'request',
  'upgrade refused',
]);

const weather = tool({ name: 'weather', description: 'Tells it.', execute: () => ({ sky: 'blue' }) });

/** A call that uses a tool, loses its model and gets it back, drains with its server, and ends by its client. */
async function wholeCall(book: LogBook): Promise<void> {
  await using test = await startServer({
    agents: { demo: new Agent({ name: 'helper', tools: [weather] }) },
    log: book.log,
    reconnect: { withoutHandle: 'reseed' },
  });
  const client = await test.welcomed(await test.createSession());
  await until('it is live', () => test.model.openConnections === 1);
  test.model.last.output({ type: 'toolCall', calls: [{ id: 'c1', name: 'weather', args: {} }] });
  await until('the tool has answered', () => test.model.last.of('toolResponse').length === 1);
  test.model.last.output({ type: 'turnComplete' });
  test.model.last.fail(new ConnectionLostError('the line was cut', { provider: 'test' }));
  await until('it is back', () => test.model.connections.length === 2);
  const closed = test.server.drain();
  client.send({ type: 'close' });
  await closed;
}

const isOfServer = ({ message, fields }: LogBook['lines'][number]): boolean =>
  OF_THE_SERVER.has(message) || fields['owner'] === 'server';

describe('the log of a call', () => {
  it('C3 every line names the session, the app and the leg it is of, and closings come in pairs with the reason', async () => {
    const book = new LogBook();
    await wholeCall(book);
    const ofCall = book.lines.filter((line) => !isOfServer(line));
    expect(ofCall.length).toBeGreaterThan(18);
    for (const { message, fields } of ofCall) {
      const path = String(fields['owner']);
      const leg = path.includes('/model leg') || /onnect/.test(message) ? 'model' : undefined;
      expect({ message, ...fields }).toMatchObject({
        session: 's1',
        app: 'demo',
        kind: 'run_live',
        ...(leg === undefined ? {} : { leg }),
        ...(path.includes('/client') ? { leg: 'client' } : {}),
        ...(path.includes('/tool ') ? { tool: 'weather' } : {}),
      });
    }
    const begun = book.lines.filter(({ message }) => message === 'closing');
    const over = book.lines.filter(({ message }) => message === 'closed');
    const told = ({ fields }: LogBook['lines'][number]): string => `${fields['owner']}: ${fields['reason']}`;
    expect(begun.map(told).toSorted()).toEqual(over.map(told).toSorted());
    expect(begun.every(({ fields }) => String(fields['reason']).length > 0)).toBe(true);
    const owners = begun.map(({ fields }) => fields['owner']);
    expect(owners).toContain('server');
    expect(owners).toContain('server/live call/session s1/model leg');
    expect(owners).toContain('server/live call/client');
    expect(owners).toContain('server/live call/session s1/tool weather');
    expect(book.at('warn').concat(book.at('error'))).toEqual([]);
  });

  it('tells the whole of it at `info` in a few lines, in order', async () => {
    const book = new LogBook();
    await wholeCall(book);
    const told = book.lines
      .filter(({ level, message }) => level === 'info' && message !== 'draining')
      .map(({ message, fields }) => [message, fields['leg'] ?? fields['session']].filter(Boolean).join(' '));
    expect(told).toEqual([
      'listening',
      'establishing connection model',
      'connection established model',
      'connection lost model',
      'establishing connection model',
      'connection established model',
      'connection reseeded model',
      'closing s1',
      'closed s1',
      'closing',
      'closed',
      'drain over',
    ]);
  });

  it('names no user, and of requests the route, without what is in the path and in the query', async () => {
    const book = new LogBook();
    await wholeCall(book);
    expect(book.lines.flatMap(({ fields }) => Object.keys(fields))).not.toContain('user');
    const requests = book.lines.filter(({ message }) => message === 'request').map(({ fields }) => fields);
    expect(requests).toMatchObject([
      {
        method: 'POST',
        route: '/apps/:app/users/:user/sessions',
        status: 200,
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('tells of requests and upgrades that were refused', async () => {
    const book = new LogBook();
    await using test: TestServer = await startServer({ log: book.log, maxLiveSessions: 1 });
    await test.welcomed(await test.createSession());
    expect((await test.holdfast('s2').refused).status).toBe(503);
    await test.request('/nowhere');
    const refused = book.lines.filter(({ message }) => message === 'upgrade refused');
    expect(refused).toMatchObject([
      { level: 'debug', fields: { status: 503, code: 'HOLDFAST_UNAVAILABLE' } },
    ]);
    const last = book.lines.filter(({ message }) => message === 'request').at(-1);
    expect(last).toMatchObject({ level: 'debug', fields: { method: 'GET', status: 404 } });
  });
});

describe('fields of an owner', () => {
  it('stand on every line of it and of those inside it, where a level is on, and cost nothing where it is not', async () => {
    const { log, lines } = new LogBook();
    let merged = 0;
    const logFields = {
      get session() {
        merged += 1;
        return 's1';
      },
    };
    const root = Lifetime.root({ name: 'root', log: { ...log, isEnabled: (level) => level !== 'debug' } });
    const owner = root.child('call', { logFields });
    const leg = owner.child('leg', { logFields: { leg: 'model' } });
    leg.log.debug('a frame');
    expect(merged).toBe(0);
    leg.log.warn('a warning', { leg: 'other', count: 1 });
    expect(lines).toEqual([
      { level: 'warn', message: 'a warning', fields: { session: 's1', leg: 'other', count: 1 } },
    ]);
    await root.close();
    // Those of debug were not even put together.
    expect(lines).toHaveLength(1);
  });
});
