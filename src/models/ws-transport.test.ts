import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { ClosedError, DialError, InvalidOptionError, Lifetime } from '../kernel/index.ts';
import type { DialOptions, SocketEnd } from '../kernel/index.ts';
import { WsTransport } from './ws-transport.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function listenWs(onConnection: (peer: WebSocket) => void): Promise<number> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', onConnection);
  return listen(server);
}

/** What Node hands over at an upgrade is half-open by default: it must be told to end when the other side does. */
function answerEnd(socket: Duplex): void {
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.resume();
}

/** A peer that speaks just enough of the upgrade and then only what the test writes. */
async function listenRaw(onUpgraded: (socket: Socket) => void): Promise<number> {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    void crypto.subtle
      .digest(
        'SHA-1',
        Buffer.from(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`),
      )
      .then((digest) => {
        const accept = Buffer.from(digest).toString('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        onUpgraded(socket as Socket);
      });
  });
  return listen(server);
}

function owner(closeTimeoutMs = 5_000): Lifetime {
  const scope = Lifetime.root({ name: 'leg', closeTimeoutMs });
  undo.push(() => scope.abort());
  return scope;
}

interface Recorder extends DialOptions {
  readonly messages: string[];
  readonly ends: SocketEnd[];
  readonly ended: Promise<SocketEnd>;
  pongs: number;
}

function recorder(maxMessageBytes = 65_536): Recorder {
  const messages: string[] = [];
  const ends: SocketEnd[] = [];
  const { promise, resolve } = Promise.withResolvers<SocketEnd>();
  const told: Recorder = {
    maxMessageBytes,
    messages,
    ends,
    ended: promise,
    pongs: 0,
    sink: {
      pong: () => (told.pongs += 1),
      message: (data, isText) =>
        messages.push(`${isText ? 'text' : 'binary'}:${Buffer.from(data).toString()}`),
      closed: (end) => {
        ends.push(end);
        resolve(end);
      },
    },
  };
  return told;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: Error) => error,
  );
}

const SECRET = 'SECRET-key-value';
const transport = new WsTransport();

describe('WsTransport', () => {
  it('carries text and binary both ways, and is released when its owner closes', async () => {
    const closed = Promise.withResolvers<string>();
    const port = await listenWs((peer) => {
      peer.on('message', (data, isBinary) => peer.send(data as Buffer, { binary: isBinary }));
      peer.on('close', (code, reason) => closed.resolve(`${code} ${reason.toString()}`));
    });
    const scope = owner();
    const told = recorder();
    const socket = await transport.dial(`ws://127.0.0.1:${port}/?key=${SECRET}`, told, scope);
    expect(scope.resources()).toEqual(['socket']);
    expect(socket.send('hällo')).toBe(true);
    expect(socket.send(new Uint8Array([65, 66]))).toBe(true);
    await expect.poll(() => told.messages).toEqual(['text:hällo', 'binary:AB']);
    expect(socket.bufferedBytes).toBe(0);

    const report = await scope.close('hung up');
    expect(await closed.promise).toBe('1000 hung up');
    expect(report.steps).toMatchObject([{ name: 'socket', outcome: 'done' }]);
    expect(scope.resources()).toEqual([]);
    expect(socket.send('late')).toBe(false);
    expect(socket.bufferedBytes).toBe(0);
    expect(told.ends).toEqual([]);
  });

  it('C11 transport: what is sent between the close and the goodbye still leaves', async () => {
    const received: string[] = [];
    const gone = Promise.withResolvers<void>();
    const port = await listenWs((peer) => {
      peer.on('message', (data) => received.push((data as Buffer).toString()));
      peer.on('close', () => gone.resolve());
    });
    const scope = owner();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, recorder(), scope);
    scope.own('last words', { socket }, { phase: 'flush', close: (held) => void held.socket.send('last') });
    await scope.close();
    await gone.promise;
    expect(received).toEqual(['last']);
  });

  it('rejects a refused connection with a DialError that does not tell the query', async () => {
    const port = await listenWs(() => undefined);
    await undo.pop()?.();
    const scope = owner();
    const error = await failure(transport.dial(`ws://127.0.0.1:${port}/x?key=${SECRET}`, recorder(), scope));
    expect(error).toBeInstanceOf(DialError);
    expect(error.message).toContain(`ws://127.0.0.1:${port}/x`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(JSON.stringify([error.message, String(error.cause), (error as DialError).refusal])).not.toContain(
      SECRET,
    );
    expect(scope.resources()).toEqual([]);
  });

  it('rejects a refused upgrade with status, Retry-After and the first bytes of the body, without the key', async () => {
    const server = createServer();
    server.on('upgrade', (request, socket) => {
      const body = `not found: ${request.url} ${'x'.repeat(5_000)}`;
      answerEnd(socket);
      socket.write(
        `HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    });
    const port = await listen(server);
    const scope = owner();
    const error = await failure(transport.dial(`ws://127.0.0.1:${port}/?key=${SECRET}`, recorder(), scope));
    const { refusal } = error as DialError;
    expect(refusal.httpStatus).toBe(429);
    expect(refusal.retryAfterMs).toBe(7_000);
    expect(refusal.body).toMatch(/^not found: \/\?key=… x{100}/);
    expect(Buffer.byteLength(refusal.body ?? '')).toBeLessThanOrEqual(1_024);
    expect(error.message).toContain('HTTP 429');
    expect(scope.resources()).toEqual([]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it('does not wait for ever for the body of a refused upgrade', async () => {
    const server = createServer();
    server.on('upgrade', (_request, socket) => {
      answerEnd(socket);
      socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 900\r\n\r\nhalf of ');
    });
    const port = await listen(server);
    const error = await failure(transport.dial(`ws://127.0.0.1:${port}`, recorder(), owner()));
    expect((error as DialError).refusal).toMatchObject({ httpStatus: 401, body: 'half of ' });
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it('tells a TLS failure as a DialError', async () => {
    const port = await listenWs(() => undefined);
    const scope = owner();
    const error = await failure(transport.dial(`wss://127.0.0.1:${port}/?key=${SECRET}`, recorder(), scope));
    expect(error).toBeInstanceOf(DialError);
    expect(`${error.message} ${String(error.cause)}`).not.toContain(SECRET);
    expect(scope.resources()).toEqual([]);
  });

  it.each(['close', 'abort'] as const)(
    'C10 transport: %s destroys a dial whose upgrade is never answered, at once',
    async (verb) => {
      const server = createTcpServer();
      const ended = Promise.withResolvers<void>();
      const arrived = Promise.withResolvers<void>();
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('data', () => arrived.resolve());
        socket.on('close', () => ended.resolve());
      });
      const port = await listen(server);
      const scope = owner();
      const dial = failure(transport.dial(`ws://127.0.0.1:${port}/?key=${SECRET}`, recorder(), scope));
      await arrived.promise;
      const report = await scope[verb]();
      expect(await dial).toBeInstanceOf(ClosedError);
      expect(report.durationMs).toBeLessThan(500);
      expect(scope.resources()).toEqual([]);
      await ended.promise;
    },
  );

  it('C1 transport: does not dial under an owner that has closed', async () => {
    const server = createTcpServer();
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const port = await listen(server);
    const scope = owner();
    await scope.close();
    expect(await failure(transport.dial(`ws://127.0.0.1:${port}`, recorder(), scope))).toBeInstanceOf(
      ClosedError,
    );
    expect(connections).toBe(0);
  });

  it('C10 transport: a half-open peer that never answers the close is destroyed after socketCloseTimeoutMs', async () => {
    const gone = Promise.withResolvers<void>();
    const port = await listenRaw((socket) => {
      answerEnd(socket);
      socket.on('close', () => gone.resolve());
    });
    const scope = owner();
    const quick = new WsTransport({ socketCloseTimeoutMs: 200 });
    const told = recorder();
    await quick.dial(`ws://127.0.0.1:${port}`, told, scope);
    const report = await scope.close('hung up');
    expect(report.steps).toMatchObject([{ name: 'socket', outcome: 'overran' }]);
    expect(report.durationMs).toBeGreaterThanOrEqual(195);
    expect(report.durationMs).toBeLessThan(1_500);
    await gone.promise;
    expect(told.ends).toEqual([]);
  });

  it('C10 transport: a socket closed by hand on a half-open peer ends within the bound too, told once', async () => {
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => undefined);
    });
    const scope = owner();
    const told = recorder();
    const quick = new WsTransport({ socketCloseTimeoutMs: 100 });
    const socket = await quick.dial(`ws://127.0.0.1:${port}`, told, scope);
    socket.close(1_005, 'a code that cannot travel');
    socket.close(1_000, 'again');
    expect(await told.ended).toMatchObject({ code: 1_006 });
    expect(scope.resources()).toEqual([]);
    expect(told.ends).toHaveLength(1);
  });

  it('R8 transport: after a goodbye of ours, what the peer still sends arrives before the end', async () => {
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      // The close frame comes masked; what is sent before it is answered was on its way.
      socket.once('data', () => {
        for (const text of ['one', 'two']) socket.write(Buffer.from([0x81, 3, ...Buffer.from(text)]));
        socket.end(Buffer.from([0x88, 2, 0x03, 0xe8]));
      });
    });
    const scope = owner();
    const told = recorder();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    socket.close(1_000, 'swap');
    expect(socket.send('late')).toBe(false);
    expect(await told.ended).toEqual({ code: 1_000, reason: '' });
    expect(told.messages).toEqual(['text:one', 'text:two']);
    expect(scope.resources()).toEqual([]);
  });

  it('R12 transport: a ping is answered, and a ping of the peer is a sign of life', async () => {
    const pinged = Promise.withResolvers<void>();
    const port = await listenWs((peer) => {
      peer.on('ping', () => pinged.resolve());
      peer.on('message', () => peer.ping());
    });
    const scope = owner();
    const told = recorder();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    socket.ping();
    await pinged.promise;
    await expect.poll(() => told.pongs).toBe(1);
    socket.send('your turn');
    await expect.poll(() => told.pongs).toBe(2);
    await scope.close();
    socket.ping();
    expect(told.pongs).toBe(2);
  });

  it('R12 transport: a half-open peer answers no ping', async () => {
    const arrived = Promise.withResolvers<void>();
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => arrived.resolve());
    });
    const told = recorder();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, told, owner());
    socket.ping();
    await arrived.promise;
    expect(told.pongs).toBe(0);
  });

  it('R12 transport: flushedBytes stands still while the peer does not read, and grows bit by bit when it does', async () => {
    let stream: Socket | undefined;
    let receivedBytes = 0;
    const port = await listenRaw((socket) => {
      stream = socket;
      socket.on('error', () => undefined);
      // A slow reader: a turn of the event loop for each piece.
      socket.on('data', (data: Buffer) => {
        receivedBytes += data.length;
        socket.pause();
        setImmediate(() => socket.resume());
      });
      socket.pause();
    });
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, recorder(), owner());
    const message = 'x'.repeat(1_000);
    const handshakeBytes = socket.flushedBytes;
    expect(handshakeBytes).toBeGreaterThan(0);
    // As much as the network takes, and then a few megabytes that only this process can hold.
    let stalledAt = -1;
    while (socket.flushedBytes > stalledAt) {
      stalledAt = socket.flushedBytes;
      for (let count = 0; count < 10_000; count += 1) socket.send(message);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.bufferedBytes).toBeGreaterThan(1_000_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(socket.flushedBytes).toBe(stalledAt);

    const seen = [stalledAt];
    stream?.resume();
    while (socket.bufferedBytes > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      if (socket.flushedBytes !== seen.at(-1)) seen.push(socket.flushedBytes);
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(6);
    const sentBytes = socket.flushedBytes - handshakeBytes;
    await expect.poll(() => receivedBytes).toBe(sentBytes);
    socket.destroy();
    expect(socket.flushedBytes).toBe(handshakeBytes + sentBytes);
  });

  it('C11 transport: what waits for a slow peer leaves before the goodbye, whole and in order', async () => {
    const lengths: number[] = [];
    const gone = Promise.withResolvers<string>();
    let stream: Socket | undefined;
    const server = createServer();
    new WebSocketServer({ server }).on('connection', (peer, request) => {
      stream = request.socket;
      stream.pause();
      peer.on('message', (data, isBinary) => lengths.push((data as Buffer).length * (isBinary ? -1 : 1)));
      peer.on('close', (code, reason) => gone.resolve(`${code} ${reason.toString()}`));
    });
    const port = await listen(server);
    const scope = owner();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, recorder(), scope);
    const expected: number[] = [];
    for (let count = 1; count <= 100; count += 1) {
      const isText = count % 2 === 0;
      const bytes = new Uint8Array(80_000 + count).fill(65);
      socket.send(isText ? Buffer.from(bytes).toString() : bytes);
      // Whoever sends bytes may use them again.
      bytes.fill(0);
      expected.push(isText ? bytes.length : -bytes.length);
    }
    const closing = scope.close('hung up');
    stream?.resume();
    await closing;
    expect(await gone.promise).toBe('1000 hung up');
    expect(lengths).toEqual(expected);
  });

  it('abort destroys an open socket without a close frame', async () => {
    const code = Promise.withResolvers<number>();
    const port = await listenWs((peer) => peer.on('close', (seen) => code.resolve(seen)));
    const scope = owner();
    await transport.dial(`ws://127.0.0.1:${port}`, recorder(), scope);
    await scope.abort();
    expect(await code.promise).toBe(1_006);
  });

  it('cuts a reason to 123 bytes between characters, and shows that it did', async () => {
    const said = Promise.withResolvers<string>();
    const port = await listenWs((peer) =>
      peer.on('close', (_code, reason) => said.resolve(reason.toString())),
    );
    const scope = owner();
    await transport.dial(`ws://127.0.0.1:${port}`, recorder(), scope);
    await scope.close('ä'.repeat(200));
    expect(await said.promise).toBe(`${'ä'.repeat(60)}…`);
  });

  it('tells what the peer said in its close frame, once, and releases itself', async () => {
    const port = await listenWs((peer) => peer.close(1_011, 'r'.repeat(123)));
    const scope = owner();
    const told = recorder();
    await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    expect(await told.ended).toEqual({ code: 1_011, reason: 'r'.repeat(123) });
    expect(scope.resources()).toEqual([]);
    await scope.close();
    expect(told.ends).toHaveLength(1);
  });

  it('tells 1005 for a close frame without a code', async () => {
    const port = await listenWs((peer) => peer.close());
    const told = recorder();
    await transport.dial(`ws://127.0.0.1:${port}`, told, owner());
    expect(await told.ended).toEqual({ code: 1_005, reason: '' });
  });

  it('tells 1006 for a connection that is reset, and takes nothing any more', async () => {
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
    const scope = owner();
    const told = recorder();
    const socket = await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    for (let frame = 0; frame < 200; frame += 1) socket.send('x'.repeat(1_000));
    expect(await told.ended).toEqual({ code: 1_006, reason: '' });
    expect(socket.send('late')).toBe(false);
    expect(scope.resources()).toEqual([]);
  });

  it('ends a connection with 1009 when a message is larger than the limit', async () => {
    const seen = Promise.withResolvers<number>();
    const port = await listenWs((peer) => {
      peer.on('close', (code) => seen.resolve(code));
      peer.send('x'.repeat(2_000));
    });
    const scope = owner();
    const told = recorder(1_000);
    await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    expect(await told.ended).toMatchObject({ code: 1_009 });
    expect(await seen.promise).toBe(1_009);
    expect(told.messages).toEqual([]);
    expect(scope.resources()).toEqual([]);
  });

  it('passes text on that is not UTF-8, and goes on', async () => {
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      socket.write(Buffer.from([0x81, 2, 0xc3, 0x28]));
      socket.write(Buffer.from([0x81, 2, 0x6f, 0x6b]));
    });
    const told = recorder();
    await transport.dial(`ws://127.0.0.1:${port}`, told, owner());
    await expect.poll(() => told.messages).toEqual(['text:\uFFFD(', 'text:ok']);
  });

  it('ends a connection whose frames break the protocol', async () => {
    const port = await listenRaw((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.end());
      socket.write(Buffer.from([0xff, 0x00]));
    });
    const scope = owner();
    const told = recorder();
    await transport.dial(`ws://127.0.0.1:${port}`, told, scope);
    expect(await told.ended).toMatchObject({ code: 1_002 });
    expect(scope.resources()).toEqual([]);
  });

  it('C8 transport: a reader that throws does not end the connection, nor the process', async () => {
    const port = await listenWs((peer) => {
      peer.send('one');
      peer.send('two');
    });
    const seen: string[] = [];
    const options: DialOptions = {
      maxMessageBytes: 1_000,
      sink: {
        message: (data) => {
          seen.push(Buffer.from(data).toString());
          throw new Error('the reader broke');
        },
        closed: () => undefined,
      },
    };
    await transport.dial(`ws://127.0.0.1:${port}`, options, owner());
    await expect.poll(() => seen).toEqual(['one', 'two']);
  });

  it.each([
    'http://127.0.0.1/?key=SECRET-key-value',
    'not a url SECRET-key-value',
    'ws://[::1/?key=SECRET-key-value',
  ])('refuses the address %s without repeating it', async (url) => {
    const error = await failure(transport.dial(url, recorder(), owner()));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(`${error.message}${String(error.cause)}`).not.toContain(SECRET);
  });

  it('refuses a header that cannot be sent', async () => {
    const options = { ...recorder(), headers: { authorization: `Bearer ${SECRET}\r\nx: y` } };
    const scope = owner();
    const error = await failure(transport.dial('ws://127.0.0.1:9', options, scope));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.message).not.toContain(SECRET);
    expect(scope.resources()).toEqual([]);
  });
});

/** Counted by asking, so that what is half-closed counts too. */
function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
