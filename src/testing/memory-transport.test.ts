import { describe, expect, it } from 'vitest';
import { ClosedError, DialError, Lifetime, VirtualClock } from '../kernel/index.ts';
import type { DialOptions, MessageSocket, SocketEnd } from '../kernel/index.ts';
import { MemoryTransport } from './memory-transport.ts';
import type { MemoryDial, MemoryPeer, MemoryPeerHandlers } from './memory-transport.ts';

interface Line {
  readonly clock: VirtualClock;
  readonly scope: Lifetime;
  readonly transport: MemoryTransport;
  readonly messages: string[];
  readonly ends: SocketEnd[];
  /** When pongs came, in milliseconds. */
  readonly pongs: number[];
  dial(): Promise<MessageSocket | Error>;
}

function line(serve: (dial: MemoryDial) => void): Line {
  const clock = new VirtualClock();
  const scope = Lifetime.root({ name: 'leg', clock });
  const transport = new MemoryTransport({ clock, latencyMs: 20, serve });
  const messages: string[] = [];
  const ends: SocketEnd[] = [];
  const pongs: number[] = [];
  const options: DialOptions = {
    maxMessageBytes: 100,
    sink: {
      message: (data, isText) => messages.push(`${isText}:${new TextDecoder().decode(data)}`),
      pong: () => pongs.push(clock.now()),
      closed: (end) => ends.push(end),
    },
  };
  const dial = (): Promise<MessageSocket | Error> =>
    transport.dial('ws://peer', options, scope).catch((error: Error) => error);
  return { clock, scope, transport, messages, ends, pongs, dial };
}

async function opened(given: Line): Promise<MessageSocket> {
  const dial = given.dial();
  await given.clock.advance(40);
  const socket = await dial;
  if (socket instanceof Error) throw socket;
  return socket;
}

describe('MemoryTransport', () => {
  it('delivers what is sent after the latency, in order', async () => {
    const given = line((dial) => dial.accept({ message: (data, peer) => peer.send(data) }));
    const socket = await opened(given);
    socket.send('one');
    socket.send(new Uint8Array([50]));
    expect([socket.bufferedBytes, socket.flushedBytes]).toEqual([4, 0]);
    await given.clock.advance(39);
    expect(given.messages).toEqual([]);
    await given.clock.advance(1);
    expect(given.messages).toEqual(['true:one', 'false:2']);
    expect([socket.bufferedBytes, socket.flushedBytes]).toEqual([0, 4]);
  });

  it('refuses a dial', async () => {
    const given = line((dial) => dial.refuse({ httpStatus: 503 }));
    const dial = given.dial();
    await given.clock.advance(40);
    expect(await dial).toBeInstanceOf(DialError);
    expect(given.scope.resources()).toEqual([]);
    expect(given.transport.openSockets).toBe(0);
  });

  it('ends a dial that is never answered with its owner', async () => {
    const given = line(() => undefined);
    const dial = given.dial();
    await given.clock.advance(1_000);
    await given.scope.close();
    expect(await dial).toBeInstanceOf(ClosedError);
    expect([given.transport.dials, given.transport.openSockets, given.clock.pendingTimers]).toEqual([
      1, 0, 0,
    ]);
  });

  it('says goodbye when its owner closes, and waits for the answer', async () => {
    const seen: string[] = [];
    const given = line((dial) => dial.accept({ closed: (code, reason) => seen.push(`${code} ${reason}`) }));
    await opened(given);
    const closing = given.scope.close('hung up');
    await given.clock.advance(100);
    expect((await closing).durationMs).toBe(40);
    expect(seen).toEqual(['1000 hung up']);
    expect(given.ends).toEqual([]);
    expect(given.clock.pendingTimers).toBe(0);
  });

  it('destroys a half-open peer after a second', async () => {
    const given = line((dial) => dial.accept({ answersClose: false }));
    await opened(given);
    const closing = given.scope.close();
    await given.clock.advance(1_100);
    expect((await closing).steps).toMatchObject([{ name: 'socket', outcome: 'overran' }]);
    expect(given.transport.openSockets).toBe(0);
  });

  it('R8 transport: delivers what the peer sent before it saw the goodbye, then the end, and takes nothing more', async () => {
    let peer: MemoryPeer | undefined;
    const given = line((dial) => {
      peer = dial.accept({ closed: () => peer?.send('with the answer') });
    });
    const socket = await opened(given);
    socket.close(1_000, 'swap');
    expect(socket.send('late')).toBe(false);
    peer?.send('crossing');
    await given.clock.advance(39);
    expect([given.messages, given.ends]).toEqual([['true:crossing'], []]);
    await given.clock.advance(1);
    expect(given.messages).toEqual(['true:crossing', 'true:with the answer']);
    expect(given.ends).toEqual([{ code: 1_000, reason: 'swap' }]);
    expect(given.scope.resources()).toEqual([]);
    expect([peer?.received, given.clock.pendingTimers]).toEqual([[], 0]);
  });

  it.each<[string, MemoryPeerHandlers, boolean]>([
    ['a peer', {}, true],
    ['a peer that does not answer pings', { answersPings: false }, false],
    ['a half-open peer', { answersClose: false }, false],
  ])('R12 transport: a ping to %s', async (_who, handlers, answers) => {
    const given = line((dial) => dial.accept(handlers));
    const socket = await opened(given);
    socket.ping();
    await given.clock.advance(100);
    expect(given.pongs).toEqual(answers ? [80] : []);
    await given.scope.abort();
    socket.ping();
    await given.clock.advance(100);
    expect(given.pongs).toHaveLength(answers ? 1 : 0);
  });

  it.each([
    ['a close frame', 1_011],
    ['no word', 1_006],
  ])('tells an end by %s once, and releases itself', async (_what, code) => {
    const given = line((dial) => {
      const peer = dial.accept();
      if (code === 1_006) peer.destroy();
      else peer.close(code, 'over');
    });
    const socket = await opened(given);
    expect(given.ends).toMatchObject([{ code }]);
    expect(given.scope.resources()).toEqual([]);
    expect(socket.send('late')).toBe(false);
  });

  it('ends with 1009 over a message that is too large', async () => {
    const given = line((dial) => dial.accept().send('x'.repeat(101)));
    await opened(given);
    expect(given.ends).toMatchObject([{ code: 1_009 }]);
    expect(given.messages).toEqual([]);
  });
});
