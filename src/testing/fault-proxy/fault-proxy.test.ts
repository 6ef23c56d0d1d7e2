import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TcpEnd, TcpPeer } from '../../../test/support/tcp-end.ts';
import {
  InvalidOptionError,
  Lifetime,
  VirtualClock,
  describeError,
  seededRandom,
} from '../../kernel/index.ts';
import { FaultProxy } from './fault-proxy.ts';
import { MAX_HELD_BYTES } from './held-back.ts';

/** What a socket is read in, at most, at a time. */
const ONE_READ_BYTES = 64 * 1024;

let clock: VirtualClock;
let owner: Lifetime;
let peer: TcpPeer;
let proxy: FaultProxy;
const clients: TcpEnd[] = [];

beforeEach(async () => {
  // The proxy's time stands still until a test moves it; sockets are real.
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'test', clock });
  peer = await TcpPeer.listen();
  proxy = await FaultProxy.start({
    target: { host: '127.0.0.1', port: peer.port },
    owner,
    random: seededRandom(3),
  });
});

afterEach(async () => {
  await proxy.close();
  expect(proxy.sockets).toBe(0);
  expect(owner.resources()).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
  for (const client of clients.splice(0)) client[Symbol.dispose]();
  await peer[Symbol.asyncDispose]();
});

function dial(): TcpEnd {
  const client = TcpEnd.dial(proxy.port);
  clients.push(client);
  return client;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A connection that is open from end to end. */
async function connected(): Promise<[client: TcpEnd, server: TcpEnd]> {
  const client = dial();
  const server = await peer.end(proxy.connections.count + 1);
  const number = peer.ends.length;
  await proxy.waitFor(({ connections }) => connections.nth(number)?.isOpen === true);
  return [client, server];
}

describe('fault proxy: a healthy network', () => {
  it('passes every byte on, both ways at once, whatever the pieces', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(pieces, pieces, async (up, down) => {
        const [client, server] = await connected();
        for (const piece of up) client.send(piece);
        for (const piece of down) server.send(piece);
        client.socket.end();
        server.socket.end();
        await Promise.all([client.gone(), server.gone()]);
        expect(server.received.equals(Buffer.concat(up))).toBe(true);
        expect(client.received.equals(Buffer.concat(down))).toBe(true);
        await proxy.waitFor(({ sockets }) => sockets === 0);
      }),
      { numRuns: 25, seed: 11 },
    );
  });

  it('passes more on than it may hold', async () => {
    const [client, server] = await connected();
    const bytes = seededRandom(5).fill(new Uint8Array(8 * MAX_HELD_BYTES));
    client.send(bytes);
    await server.until(() => server.socket.bytesRead === bytes.length);
    expect(server.received.equals(bytes)).toBe(true);
    expect(proxy.connections.last?.toTarget).toEqual({ passed: bytes.length, held: 0, swallowed: 0 });
  });

  it('passes one end on, and leaves the other direction alive', async () => {
    const [client, server] = await connected();
    client.send('question');
    client.socket.end();
    await server.until(() => server.ended);
    expect(server.text).toBe('question');
    expect(proxy.connections.last).toMatchObject({ client: 'ended', target: 'open' });
    server.send('answer');
    await client.has('answer');
    server.send(', and more');
    await client.has('answer, and more');
    expect(client.ended).toBe(false);
    server.socket.end();
    await Promise.all([client.gone(), server.gone()]);
    await proxy.waitFor(({ sockets }) => sockets === 0);
    expect([client.failure, server.failure]).toEqual([undefined, undefined]);
  });

  it('passes a reset on, from either side', async () => {
    const [client, server] = await connected();
    client.socket.resetAndDestroy();
    await server.gone();
    expect(server.failure).toBe('ECONNRESET');
    const [second, secondServer] = await connected();
    secondServer.socket.resetAndDestroy();
    await second.gone();
    expect(second.failure).toBe('ECONNRESET');
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('passes a reset on to who goes on sending after the other side has left', async () => {
    const [client, server] = await connected();
    client.socket.destroy();
    await server.until(() => server.ended);
    // As without a proxy: the first bytes are answered with a reset, and who writes again learns of it.
    while (!server.closed) {
      server.send('into the void');
      await nextTurn();
    }
    expect(server.failure).toMatch(/ECONNRESET|EPIPE/);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('resets who dials when the target does not listen', async () => {
    await peer[Symbol.asyncDispose]();
    const client = dial();
    await client.gone();
    expect(client.failure).toBe('ECONNRESET');
    expect(proxy.connections).toMatchObject({ count: 1, open: 0 });
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });
});

describe('fault proxy: late', () => {
  it('delays every byte and the end, one way only where it is told to', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'delay', ms: 200, towards: 'target' });
    client.send('late');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.held === 4);
    await clock.advance(150);
    client.socket.end();
    await proxy.waitFor(({ connections }) => connections.last?.client === 'ended');
    server.send('at once');
    await client.has('at once');
    await clock.advance(49);
    expect(proxy.connections.last?.toTarget).toMatchObject({ passed: 0, held: 4 });
    await clock.advance(1);
    await server.has('late');
    await clock.advance(149);
    expect(server.ended).toBe(false);
    await clock.advance(1);
    await server.until(() => server.ended);
  });

  it('lets nothing overtake anything, however it jitters, and takes shorter delays in their turn', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'delay', ms: 50, jitterMs: 500 });
    let sent = '';
    for (let number = 0; number < 40; number += 1) {
      if (number === 30) proxy.inject({ type: 'delay', ms: 0 });
      client.send(`${number} `);
      sent += `${number} `;
      await proxy.waitFor(({ connections }) => {
        const { held = 0, passed = 0 } = connections.last?.toTarget ?? {};
        return held + passed === sent.length;
      });
      await clock.advance(5);
    }
    expect(proxy.connections.last?.toTarget.held).toBeGreaterThan(0);
    await clock.advance(1_000);
    await server.has(sent);
  });

  it('stalls for a while, later connections too, and then passes everything', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'stall', ms: 1_000 });
    client.send('held ');
    client.send('back');
    await clock.advance(900);
    const later = dial();
    later.send('me too');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.held === 6);
    await clock.advance(99);
    expect(server.text).toBe('');
    await clock.advance(1);
    await server.has('held back');
    await (await peer.end(2)).has('me too');
    client.send(', and on');
    await server.has('held back, and on');
  });

  it('throttles, and makes who sends too much wait', async () => {
    const [client, server] = await connected();
    const bytesPerSecond = 100_000;
    proxy.inject({ type: 'throttle', bytesPerSecond });
    const bytes = seededRandom(6).fill(new Uint8Array(32 * MAX_HELD_BYTES));
    client.send(bytes);
    const toTarget = () => proxy.connections.last?.toTarget ?? { passed: 0, held: 0 };
    await proxy.waitFor(() => toTarget().held >= MAX_HELD_BYTES * 0.9);
    for (let second = 1; second <= 5; second += 1) {
      await clock.advance(1_000);
      // In pieces of 20 ms, the first of them at once.
      expect(toTarget().passed).toBeLessThanOrEqual(bytesPerSecond * (second + 0.02));
      expect(toTarget().passed).toBeGreaterThanOrEqual(bytesPerSecond * second);
      expect(toTarget().held).toBeLessThan(MAX_HELD_BYTES + ONE_READ_BYTES);
    }
    // Much more than the system's own buffers take is still with the one who sends.
    expect(client.socket.writableLength).toBe(bytes.length);
    await server.until(() => server.socket.bytesRead === toTarget().passed);
    expect(server.received.equals(bytes.subarray(0, server.received.length))).toBe(true);
    await proxy.heal();
    await server.until(() => server.socket.bytesRead === bytes.length);
    expect(server.received.equals(bytes)).toBe(true);
  });

  it('holds no more of many tiny pieces than of few large ones', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'delay', ms: 1_000 });
    let sent = 0;
    let held = -1;
    while (held !== proxy.connections.last?.toTarget.held && sent < 20_000) {
      held = proxy.connections.last?.toTarget.held ?? 0;
      for (let piece = 0; piece < 100; piece += 1, sent += 1) {
        client.send('x');
        await nextTurn();
      }
    }
    expect(sent).toBeLessThan(20_000);
    expect(proxy.connections.last?.toTarget.held).toBeLessThan(MAX_HELD_BYTES / 100);
    await proxy.heal();
    await server.has('x'.repeat(sent));
  });

  it('changes no byte under several of them at once', async () => {
    const piece = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), fc.nat(400));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.nat(300), async (pieces, jitterMs) => {
        const [client, server] = await connected();
        proxy.inject({ type: 'delay', ms: 100, jitterMs });
        proxy.inject({ type: 'throttle', bytesPerSecond: 20_000 });
        for (const [bytes, ms] of pieces) {
          client.send(bytes);
          server.send(bytes);
          await clock.advance(ms);
          proxy.inject({ type: 'stall', ms: 50 });
        }
        client.socket.end();
        server.socket.end();
        const { last } = proxy.connections;
        await proxy.waitFor(() => last?.client === 'ended' && last.target === 'ended');
        await clock.advance(10_000);
        await Promise.all([client.gone(), server.gone()]);
        const sent = Buffer.concat(pieces.map(([bytes]) => bytes));
        expect(server.received.equals(sent)).toBe(true);
        expect(client.received.equals(sent)).toBe(true);
      }),
      { numRuns: 15, seed: 12 },
    );
  });
});

describe('fault proxy: lost', () => {
  it('drops what comes from now on, and still tells the end', async () => {
    const [client, server] = await connected();
    client.send('heard');
    await server.has('heard');
    proxy.inject({ type: 'drop', towards: 'target' });
    client.send('lost');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.swallowed === 4);
    server.send('still heard');
    await client.has('still heard');
    client.socket.end();
    await server.until(() => server.ended);
    expect(server.text).toBe('heard');
  });

  it('brings nothing back of what was dropped, and passes what comes after the healing', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'drop' });
    client.send('lost');
    server.send('lost');
    await proxy.waitFor(({ connections: { last } }) => last?.toTarget.swallowed === 4);
    await proxy.waitFor(({ connections: { last } }) => last?.toClient.swallowed === 4);
    await proxy.heal();
    client.send('question');
    server.send('answer');
    await Promise.all([server.has('question'), client.has('answer')]);
  });

  it('goes half open: nothing passes, no end is told or answered, and all of it comes with the healing', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'halfOpen' });
    client.send('question');
    client.socket.end();
    server.send('unasked');
    await proxy.waitFor(({ connections: { last } }) => last?.client === 'ended' && last.toClient.held === 7);
    await clock.advance(3_600_000);
    expect([server.text, server.ended, client.text, client.ended]).toEqual(['', false, '', false]);
    expect(proxy.sockets).toBe(2);
    await proxy.heal();
    await server.until(() => server.ended);
    await client.has('unasked');
    expect(server.text).toBe('question');
    server.socket.end();
    await Promise.all([client.gone(), server.gone()]);
  });

  it('goes half open for those who dial later, too', async () => {
    proxy.inject({ type: 'halfOpen' });
    const client = dial();
    client.send('hello');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.held === 5);
    expect(client.closed).toBe(false);
    const [connection] = proxy.connections;
    expect(connection).toMatchObject({ number: 1, client: 'open' });
  });

  it('makes who sends into a half-open connection wait, in the end', async () => {
    const [client] = await connected();
    proxy.inject({ type: 'halfOpen' });
    const bytes = new Uint8Array(32 * MAX_HELD_BYTES);
    client.send(bytes);
    await proxy.waitFor(({ connections }) => (connections.last?.toTarget.held ?? 0) >= MAX_HELD_BYTES * 0.9);
    expect(proxy.connections.last?.toTarget.held).toBeLessThan(MAX_HELD_BYTES + ONE_READ_BYTES);
    expect(client.socket.writableLength).toBe(bytes.length);
  });

  it('hides an end from the other side, while bytes pass', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'hideEnd', towards: 'target' });
    client.send('the last word');
    client.socket.end();
    await proxy.waitFor(({ connections }) => connections.last?.client === 'ended');
    await server.has('the last word');
    server.send('are you there?');
    await client.has('are you there?');
    expect(server.ended).toBe(false);
    await proxy.heal();
    await server.until(() => server.ended);
  });

  it('hides a reset from the other side, and swallows what that side sends', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'hideEnd' });
    client.socket.resetAndDestroy();
    await proxy.waitFor(({ connections }) => connections.last?.client === 'gone');
    server.send('are you there?');
    await proxy.waitFor(({ connections }) => connections.last?.toClient.swallowed === 14);
    expect([server.ended, server.closed]).toEqual([false, false]);
    await proxy.heal();
    await server.gone();
    expect(server.failure).toBe('ECONNRESET');
  });
});

describe('fault proxy: reset', () => {
  it('resets both sides, and lets those be that are dialled later', async () => {
    const [client, server] = await connected();
    proxy.reset();
    await Promise.all([client.gone(), server.gone()]);
    expect([client.failure, server.failure]).toEqual(['ECONNRESET', 'ECONNRESET']);
    const [again, answers] = await connected();
    again.send('hello');
    await answers.has('hello');
  });

  it.each(['client', 'target'] as const)('resets the %s alone, and the other is not told', async (side) => {
    const [client, server] = await connected();
    const [reset, left] = side === 'client' ? [client, server] : [server, client];
    proxy.reset({ side });
    await reset.gone();
    expect(reset.failure).toBe('ECONNRESET');
    left.send('are you there?');
    const bytes = side === 'client' ? 'toClient' : 'toTarget';
    await proxy.waitFor(({ connections }) => connections.last?.[bytes].swallowed === 14);
    expect([left.ended, left.closed, proxy.sockets]).toEqual([false, false, 1]);
    left.socket.end();
    await left.gone();
    expect(left.failure).toBe(undefined);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('resets a side alone whose other one has said its last word before', async () => {
    const [client, server] = await connected();
    client.socket.end();
    await server.until(() => server.ended);
    proxy.reset({ side: 'target' });
    await client.gone();
    expect(client.failure).toBe(undefined);
    // A socket that has read its end hears of a reset when it writes.
    server.send('are you there?');
    await server.gone();
    expect(server.failure).toMatch(/ECONNRESET|EPIPE/);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('resets in the middle of a chunk, after exactly so many bytes', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'reset', afterBytes: 7, towards: 'client' });
    client.send('does not count');
    await server.has('does not count');
    server.send('abc');
    await client.has('abc');
    server.send('defghi');
    await Promise.all([client.gone(), server.gone()]);
    expect(client.text).toBe('abcdefg');
    expect([client.failure, server.failure]).toEqual(['ECONNRESET', 'ECONNRESET']);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('resets one side alone after so many bytes, on every connection, until it is healed', async () => {
    proxy.inject({ type: 'reset', afterBytes: 2, side: 'client', towards: 'target' });
    for (let time = 1; time <= 2; time += 1) {
      const [client, server] = await connected();
      client.send('abcd');
      await client.gone();
      await server.has('ab');
      expect([server.ended, server.closed]).toEqual([false, false]);
    }
    await proxy.heal();
    const [client, server] = await connected();
    client.send('abcd');
    await server.has('abcd');
  });

  it('resets at once, and whoever dials, after no byte at all', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'reset', afterBytes: 0 });
    await Promise.all([client.gone(), server.gone()]);
    const refused = dial();
    await refused.gone();
    expect(refused.failure).toBe('ECONNRESET');
    expect(proxy.connections.count).toBe(2);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });
});

describe('fault proxy: refused', () => {
  it('goes down, while open connections go on, and comes back at the same port', async () => {
    const [client, server] = await connected();
    const { port } = proxy;
    proxy.stopListening();
    const refused = dial();
    await refused.gone();
    expect(refused.failure).toBe('ECONNREFUSED');
    client.send('still there?');
    await server.has('still there?');
    await proxy.listenAgain();
    expect(proxy.port).toBe(port);
    await connected();
    proxy.stopListening();
    await proxy.heal();
    await connected();
    expect(proxy.connections.count).toBe(3);
  });

  it('may be told to come back twice, and to go down meanwhile', async () => {
    proxy.stopListening();
    await Promise.all([proxy.listenAgain(), proxy.heal(), proxy.listenAgain()]);
    await connected();
    const back = proxy.listenAgain();
    proxy.stopListening();
    await back;
    const refused = dial();
    await refused.gone();
    expect(refused.failure).toBe('ECONNREFUSED');
  });

  it('says whose port it cannot have', async () => {
    proxy.stopListening();
    const thief = await TcpPeer.listen(proxy.port);
    await expect(proxy.listenAgain()).rejects.toThrow(/proxy cannot listen on port \d+ of 127\.0\.0\.1/);
    await expect(
      FaultProxy.start({ target: 'ws://127.0.0.1:1', port: thief.port, owner }),
    ).rejects.toBeInstanceOf(InvalidOptionError);
    await thief[Symbol.asyncDispose]();
    await proxy.listenAgain();
    await connected();
  });
});

describe('fault proxy: which connections', () => {
  it('makes a fault happen on the n-th connection alone, open or not dialled yet', async () => {
    proxy.inject({ type: 'drop' }, 1);
    proxy.inject({ type: 'stall', ms: 500 }, 3);
    const [first] = await connected();
    const [second, secondServer] = await connected();
    await clock.advance(400);
    const [third, thirdServer] = await connected();
    for (const client of [first, second, third]) client.send('hello');
    await proxy.waitFor(({ connections }) => connections.nth(1)?.toTarget.swallowed === 5);
    await secondServer.has('hello');
    await proxy.waitFor(({ connections }) => connections.nth(3)?.toTarget.held === 5);
    await clock.advance(499);
    expect(thirdServer.text).toBe('');
    await clock.advance(1);
    await thirdServer.has('hello');
    proxy.reset({ connection: 2 });
    await second.gone();
    expect([first.closed, third.closed]).toEqual([false, false]);
  });

  it('lets a fault take the place of an earlier one of its type', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'delay', ms: 10_000 });
    proxy.inject({ type: 'delay', ms: 10 });
    client.send('soon');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.held === 4);
    await clock.advance(10);
    await server.has('soon');
  });

  it('understands no fault and no connection that cannot be', () => {
    expect(() => proxy.inject({ type: 'earthquake' } as never)).toThrow(InvalidOptionError);
    expect(() => proxy.inject({ type: 'delay', ms: -1 })).toThrow(/ms/);
    expect(() => proxy.inject({ type: 'throttle', bytesPerSecond: 0 })).toThrow(InvalidOptionError);
    expect(() => proxy.inject({ type: 'drop', towards: 'nowhere' } as never)).toThrow(InvalidOptionError);
    expect(() => proxy.inject({ type: 'drop' }, 0)).toThrow(/counted from 1/);
  });
});

describe('fault proxy: its own life', () => {
  it('keeps everything of a URL but the host and the port', () => {
    const through = `127.0.0.1:${proxy.port}`;
    expect(proxy.url).toBe(`tcp://${through}`);
    expect(proxy.urlFor('ws://localhost:4000/run_live?a=%20b&c#d')).toBe(
      `ws://${through}/run_live?a=%20b&c#d`,
    );
    expect(proxy.urlFor('http://127.0.0.1:4000')).toBe(`http://${through}`);
    expect(proxy.urlFor('redis://user:secret@[::1]:6379/0')).toBe(`redis://user:secret@${through}/0`);
    expect(proxy.urlFor('wss://example.com?q=a@b')).toBe(`wss://${through}?q=a@b`);
    expect(() => proxy.urlFor('/run_live')).toThrow(InvalidOptionError);
  });

  it('takes its target as a URL, and refuses one that names no place', async () => {
    await using other = await FaultProxy.start({ target: `ws://127.0.0.1:${peer.port}/path`, owner });
    expect(other.url).toBe(`ws://127.0.0.1:${other.port}/path`);
    using client = TcpEnd.dial(other.port);
    client.send('hello');
    await (await peer.end()).has('hello');
    for (const target of ['nowhere', 'udp://host', { host: '', port: 1 }, { host: 'a', port: 0 }]) {
      await expect(FaultProxy.start({ target, owner })).rejects.toThrow(/says where the proxy leads to/);
    }
    await expect(FaultProxy.start({ target: 'ws://a', port: -1, owner })).rejects.toThrow(/port/);
  });

  it('closes with its owner, destroys every socket and holds nothing', async () => {
    const [client, server] = await connected();
    proxy.inject({ type: 'halfOpen' });
    client.send('held');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.held === 4);
    proxy.inject({ type: 'delay', ms: 1_000 });
    const [waiting, report] = await Promise.all([
      proxy.waitFor(() => false).catch(describeError),
      owner.close('test over'),
    ]);
    expect(report.steps.every(({ outcome }) => outcome === 'done')).toBe(true);
    expect(waiting).toContain('closed first');
    expect(await proxy.closed).toMatchObject({ reason: 'test over' });
    await Promise.all([client.until(() => client.ended || client.closed), server.until(() => server.ended)]);
    await expect(proxy.heal()).rejects.toThrow(/has been closed/);
    await expect(proxy.listenAgain()).rejects.toThrow(/has been closed/);
  });

  it('aborts while it dials, while it holds back, and while it is down', async () => {
    proxy.inject({ type: 'throttle', bytesPerSecond: 1 });
    const [client] = await connected();
    client.send('slowly');
    await proxy.waitFor(({ connections }) => connections.last?.toTarget.passed === 1);
    dial();
    await proxy.waitFor(({ connections }) => connections.count === 2);
    proxy.stopListening();
    const report = await proxy.abort();
    expect(report).toMatchObject({ verb: 'abort', reason: 'aborted' });
    expect(proxy.sockets).toBe(0);
  });
});
