import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectSession } from '../src/client/index.ts';
import type { ClientReturn, ClientState, ConnectOptions, LiveClient } from '../src/client/index.ts';
import { VirtualClock } from '../src/kernel/index.ts';
import { AudioChunk } from '../src/protocol/index.ts';
import type { ServerOptions, SessionEndReport } from '../src/server/index.ts';
import { FaultProxy } from '../src/testing/index.ts';
import { startServer, until } from './support/live-server.ts';
import type { TestServer } from './support/live-server.ts';

/** `count` samples, each of which says where it stands. */
function numbered(from: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, index) => (from + index) % 30_000);
}

const spoken = (from: number, count: number) =>
  ({ type: 'audio', audio: AudioChunk.fromSamples(numbered(from, count), 24_000) }) as const;

let test: TestServer;
let proxy: FaultProxy;
let client: LiveClient;
let ends: SessionEndReport[];
let states: ClientState['tag'][];
let returns: ClientReturn[];
let heard: number[];
let told: string[];

beforeEach(() => {
  ends = [];
});

afterEach(async () => {
  await client.abort();
  expect(client.resources()).toEqual([]);
  await proxy.close();
  await test.server.abort();
  expect(test.server.resources()).toEqual([]);
});

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  test = await startServer({
    onSessionEnd: (report) => {
      ends.push(report);
    },
    ...options,
  });
  await test.createSession('s1');
  proxy = await FaultProxy.start({ target: test.url });
}

async function connect(options: Partial<ConnectOptions> = {}): Promise<void> {
  const { url } = proxy;
  states = [];
  returns = [];
  heard = [];
  told = [];
  client = connectSession({ url, appName: 'demo', userId: 'u', sessionId: 's1', ...options });
  client.on('state', ({ tag }) => states.push(tag));
  client.on('returned', (back) => returns.push(back));
  client.on('audio', ({ samples }) => heard.push(...samples));
  client.on('event', (event) => {
    if (event.type === 'text' && event.partial) told.push(event.text);
  });
  await client.opened;
  await until('the model is connected', () => test.model.openConnections === 1);
}

/** What the model has heard of the user's voice. */
function understood(): number[] {
  return test.model.last.of('audio').flatMap(({ audio: { samples } }) => Array.from(samples));
}

const isBack = (): boolean => client.state.tag === 'open' && returns.length > 0;

describe('a client whose connection is lost', () => {
  it('C7 H2 has it again in mid-answer, and misses nothing of it', async () => {
    await start();
    await connect();
    test.model.last.output(spoken(0, 480), { type: 'text', text: 'one' });
    await until('it has the beginning', () => heard.length === 480);
    proxy.reset();
    test.model.last.output(spoken(480, 480), { type: 'text', text: 'two' });
    await until('it is away', () => states.includes('reconnecting'));
    test.model.last.output(spoken(960, 480), { type: 'text', text: 'three' }, { type: 'turnComplete' });
    await until('it is back', isBack);
    await until('it has the end', () => told.includes('three'));
    expect(heard).toEqual(Array.from(numbered(0, 1_440)));
    expect(told).toEqual(['one', 'two', 'three']);
    expect(returns).toMatchObject([{ recovered: true, resumed: true, attempt: 1 }]);
    expect(states).toEqual(['open', 'reconnecting', 'open']);
    expect(test.model.connections).toHaveLength(1);
    await client.close();
    expect(client.state).toMatchObject({ tag: 'closed', code: 1000 });
    await until('the live session has ended', () => ends.length === 1);
  });

  it('R8 is understood whole and once, however often it is lost while the user speaks', async () => {
    await start();
    await connect();
    let said = 0;
    for (let cut = 1; cut <= 10; cut += 1) {
      for (let frame = 0; frame < 40; frame += 1) {
        expect(client.sendAudio(numbered(said, 320))).toBe(true);
        said += 320;
        if (frame === 20) proxy.reset();
        if (frame % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      client.sendText(`that was ${cut}`);
      await until('it is back', () => returns.length === cut && client.state.tag === 'open');
    }
    await until('all of it is heard', () => test.model.last.of('content').length >= 10);
    expect(understood()).toEqual(Array.from(numbered(0, said)));
    const texts = test.model.last.of('content').map(({ content: { parts } }) => parts[0]?.text);
    expect(texts).toEqual(Array.from({ length: 10 }, (_, index) => `that was ${index + 1}`));
    expect(returns.every(({ recovered }) => recovered)).toBe(true);
  });

  it('R8 keeps what is said while nobody is reached, in its order and bounded, and says it when somebody is', async () => {
    await start();
    await connect();
    proxy.stopListening();
    proxy.reset();
    await until('it is away', () => client.state.tag === 'reconnecting');
    let said = 0;
    // Half a minute of it is kept; more is refused.
    while (client.sendAudio(numbered(said, 320))) said += 320;
    expect(said / 16_000).toBeGreaterThan(30);
    expect(said / 16_000).toBeLessThan(34);
    expect(() => client.sendText('no room'.repeat(1_000))).toThrow(
      expect.objectContaining({ code: 'HOLDFAST_NOT_OPEN' }) as Error,
    );
    await proxy.listenAgain();
    await until('it is back', isBack);
    client.sendText('done');
    await until('all of it is heard', () => test.model.last.of('content').length === 1);
    expect(understood()).toEqual(Array.from(numbered(0, said)));
  });

  it('R12 notices a half-open connection by asking, and leaves it for a new one', async () => {
    await start();
    const clock = new VirtualClock();
    await connect({ clock });
    proxy.inject({ type: 'halfOpen' }, 1);
    test.model.last.output({ type: 'text', text: 'lost?' });
    await clock.advance(15_000);
    expect(states).toContain('reconnecting');
    await clock.advance(0);
    await until('it is back', isBack);
    await until('it is told', () => told.includes('lost?'));
    expect(test.model.connections).toHaveLength(1);
    expect(returns).toMatchObject([{ recovered: true, resumed: true }]);
    client.sendText('Hello');
    await until('it is heard', () => test.model.last.of('content').length === 1);
    // A server that answers is not left, however long nothing happens.
    await clock.advance(5_000);
    await until('it was asked', () => proxy.connections.last !== undefined);
    expect(states.filter((tag) => tag === 'reconnecting')).toHaveLength(1);
  });

  it('L gives up when the server waits no longer, and tells what it had lost', async () => {
    await start({ clientGraceMs: 300 });
    await connect();
    proxy.stopListening();
    proxy.reset();
    await client.closed;
    expect(client.state).toMatchObject({ tag: 'closed', code: 1006, reconnect: false });
    await until('the live session has ended', () => ends.length === 1);
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it('P58 goes on in another live session where its own has ended, and says only what nobody was told', async () => {
    await start({ clientGraceMs: 60_000 });
    await connect();
    client.sendText('before');
    await until('it is heard', () => test.model.last.of('content').length === 1);
    proxy.stopListening();
    proxy.reset();
    await until('it is away', () => client.state.tag === 'reconnecting');
    client.sendText('meanwhile');
    // As when the server is another one.
    const path = '/apps/demo/users/u/sessions/s1';
    await fetch(test.url + path, { method: 'DELETE' });
    await test.createSession('s1');
    await proxy.listenAgain();
    await until('it is back', isBack);
    expect(returns).toMatchObject([{ recovered: false, resumed: false }]);
    await until('the new one is asked', () => test.model.connections[1]?.of('content').length === 1);
    expect(test.model.last.of('content')[0]?.content.parts[0]?.text).toBe('meanwhile');
    client.sendAudio(numbered(0, 320));
    await until('it is heard', () => understood().length === 320);
  });

  it('C10 close while it reconnects ends at once, and dials no more', async () => {
    await start();
    const clock = new VirtualClock();
    await connect({ clock });
    proxy.stopListening();
    proxy.reset();
    await until('it is away', () => client.state.tag === 'reconnecting');
    await clock.advance(0);
    await client.close();
    expect(client.state).toMatchObject({ tag: 'closed', code: 1006 });
    const dialled = proxy.connections.count;
    await clock.advance(2 * 3_600_000);
    expect(proxy.connections.count).toBe(dialled);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends with its connection where that is asked for, and on the ADK wire', async () => {
    await start();
    await connect({ reconnect: false });
    proxy.reset();
    await client.closed;
    expect(states).toEqual(['open', 'closed']);
    await test.createSession('s2');
    client = connectSession({
      url: proxy.url,
      appName: 'demo',
      userId: 'u',
      sessionId: 's2',
      protocol: 'adk',
    });
    await client.opened;
    proxy.reset();
    await client.closed;
    expect(client.state).toMatchObject({ tag: 'closed', code: 1006 });
  });

  it('C6 leaves no socket, timer or session in 200 rounds of coming, losing, coming back and leaving', async () => {
    await start();
    for (let round = 1; round <= 200; round += 1) {
      await connect();
      proxy.reset();
      await until('it is back', isBack);
      if (round % 3 === 0) await client.abort();
      else await client.close();
      expect(client.resources()).toEqual([]);
      await until('the call is over', () => test.server.liveSessions === 0);
    }
    expect(ends).toHaveLength(200);
    expect(test.model.openConnections).toBe(0);
    expect(test.server.resources()).toEqual(['event loop delay', 'http server', 'session rates']);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  }, 60_000);
});
