import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { ClosedError, TimeoutError, VirtualClock } from '../kernel/index.ts';
import {
  decodeAudioFrame,
  encodeAdkError,
  encodeAdkEvent,
  encodeAudioFrame,
  encodeServerMessage,
} from '../protocol/index.ts';
import { AudioChunk } from '../protocol/index.ts';
import type { LiveEvent, LiveEventBody, ServerHello, ServerMessage } from '../protocol/index.ts';
import { NotOpenError, ServerConnectionError, connectSession } from './index.ts';
import type { ConnectOptions, LiveClient } from './index.ts';

const HELLO: ServerHello = {
  type: 'hello',
  protocol: 1,
  sessionId: 's1',
  appName: 'demo',
  agent: 'assistant',
  input: { encoding: 'pcm16', rateHz: 16_000 },
  output: { encoding: 'pcm16', rateHz: 24_000 },
  limits: { maxMessageBytes: 1_000_000 },
  resumeToken: 'secret',
  recovered: false,
  seq: 0,
};

/** A server that does what the test says, and keeps what it was sent. */
class ScriptedServer {
  readonly server: WebSocketServer;
  readonly texts: string[] = [];
  readonly frames: Uint8Array[] = [];
  readonly urls: string[] = [];
  peer: WebSocket | undefined;
  #arrived = Promise.withResolvers<void>();

  constructor(onText: (peer: WebSocket, text: string) => void, chooseProtocol = true) {
    this.server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      ...(chooseProtocol ? {} : { handleProtocols: () => false as const }),
    });
    this.server.on('connection', (peer, request) => {
      this.peer = peer;
      this.urls.push(request.url ?? '');
      peer.on('message', (data: Buffer, isBinary) => {
        if (isBinary) this.frames.push(new Uint8Array(data));
        else {
          this.texts.push(data.toString());
          onText(peer, data.toString());
        }
        this.#arrived.resolve();
        this.#arrived = Promise.withResolvers();
      });
    });
  }

  async url(): Promise<string> {
    if (this.server.address() === null) await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  send(message: ServerMessage): void {
    this.peer?.send(encodeServerMessage(message));
  }

  /** Waits for messages until what they must have brought is there. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#arrived.promise;
  }
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function scripted(onText: (peer: WebSocket, text: string) => void, chooseProtocol = true): ScriptedServer {
  const server = new ScriptedServer(onText, chooseProtocol);
  cleanups.push(() => {
    for (const peer of server.server.clients) peer.terminate();
    server.server.close();
  });
  return server;
}

const greets = (peer: WebSocket, text: string): void => {
  if (text.includes('"hello"')) peer.send(encodeServerMessage(HELLO));
};

function connect(url: string, options: Partial<ConnectOptions> = {}): LiveClient {
  const client = connectSession({ url, appName: 'demo', userId: 'u', sessionId: 's1', ...options });
  cleanups.push(() => void client.abort());
  return client;
}

function next<Name extends 'event' | 'audio' | 'goAway' | 'error' | 'hello'>(
  client: LiveClient,
  name: Name,
): Promise<unknown> {
  return new Promise((resolve) => {
    const off = client.on(name, (...args: unknown[]) => {
      off();
      resolve(args[0]);
    });
  });
}

const STAMP = { seq: 1, atMs: 1_900_000_000_000, author: 'assistant', turn: 1 };

describe('a client on holdfast.v1', () => {
  it('P7 greets first, and is open with the answering hello', async () => {
    const server = scripted(greets);
    const client = connect(await server.url(), { query: { modalities: ['AUDIO', 'TEXT'] } });
    const states: string[] = [];
    client.on('state', (state) => states.push(state.tag));
    expect(() => client.sendText('early')).toThrow(NotOpenError);
    expect(client.sendAudio(new Int16Array(2))).toBe(false);
    await client.opened;
    expect(server.texts).toEqual(['{"type":"hello","protocol":1}']);
    expect(server.urls[0]).toBe(
      '/run_live?app_name=demo&user_id=u&session_id=s1&modalities=AUDIO&modalities=TEXT',
    );
    expect(server.peer?.protocol).toBe('holdfast.v1');
    expect(client.hello).toEqual(HELLO);
    await client.close();
    expect(states).toEqual(['open', 'closing', 'closed']);
  });

  it('P13 audio goes as binary frames whose positions count the samples sent', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    expect(client.sendAudio(Int16Array.of(1, 2, 3))).toBe(true);
    expect(client.sendAudio(Uint8Array.of(4, 0))).toBe(true);
    await server.until(() => server.frames.length === 2);
    expect(server.frames.map((frame) => decodeAudioFrame(frame))).toMatchObject([
      { kind: 'input', positionSamples: 0, pcm: Uint8Array.of(1, 0, 2, 0, 3, 0) },
      { kind: 'input', positionSamples: 3, pcm: Uint8Array.of(4, 0) },
    ]);
  });

  it('P14 P17 P18 events and audio are told, and the end of a turn is acknowledged', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    const audio = next(client, 'audio');
    server.peer?.send(encodeAudioFrame('output', 480, Uint8Array.of(5, 0, 6, 0)));
    expect(await audio).toEqual({ samples: Int16Array.of(5, 6), positionSamples: 480, rateHz: 24_000 });
    const event: LiveEvent = { ...STAMP, seq: 7, type: 'turnComplete', interrupted: false };
    const told = next(client, 'event');
    server.send({ type: 'event', event });
    expect(await told).toEqual(event);
    await server.until(() => server.texts.includes('{"type":"ack","seq":7}'));
  });

  it('P14 reports how much has been heard', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    client.reportPlayout(4_800);
    await server.until(() => server.texts.includes('{"type":"playout","positionSamples":4800}'));
  });

  it('P20 P21 tells goAway, refused messages, and messages it cannot read, and goes on', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    const goAway = next(client, 'goAway');
    server.send({ type: 'goAway', timeLeftMs: 5_000, reconnect: true });
    expect(await goAway).toEqual({ timeLeftMs: 5_000, reconnect: true });
    const refusal = next(client, 'error');
    server.send({ type: 'error', code: 'HOLDFAST_X', message: 'no' });
    expect(await refusal).toEqual({ code: 'HOLDFAST_X', message: 'no' });
    const unreadable = next(client, 'error');
    server.peer?.send('{"type":"dance"}');
    expect(await unreadable).toMatchObject({ code: 'HOLDFAST_UNREADABLE_MESSAGE' });
    expect(client.state.tag).toBe('open');
  });

  it.each([
    [4000, false],
    [4001, false],
    [4010, false],
    [4100, true],
    [1012, true],
  ])('P22 a close with %i is the end, and says whether to come again: %s', async (code, reconnect) => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    server.peer?.close(code, 'because');
    await client.closed;
    expect(client.state).toEqual({ tag: 'closed', code, reason: 'because', reconnect });
    expect(client.resources()).toEqual([]);
    expect(client.sendAudio(new Int16Array(2))).toBe(false);
    expect(() => client.sendText('late')).toThrow(ClosedError);
  });

  it('P16 close says so in band before the socket goes', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    await client.close();
    await server.until(() => server.texts.includes('{"type":"close"}'));
    expect(client.state).toMatchObject({ tag: 'closed', code: 1000 });
  });

  it('C2 drain takes nothing new and waits for the answer that is under way', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    await client.opened;
    client.sendText('Hello');
    const drained = client.drain();
    expect(client.sendAudio(new Int16Array(2))).toBe(false);
    await server.until(() =>
      server.texts.includes('{"type":"content","content":{"role":"user","parts":[{"text":"Hello"}]}}'),
    );
    expect(client.state.tag).toBe('open');
    server.send({ type: 'event', event: { ...STAMP, type: 'turnComplete', interrupted: false } });
    await drained;
    expect(client.state.tag).toBe('closed');
  });

  it('P1 a server that does not choose the subprotocol is not talked to', async () => {
    const server = scripted(greets, false);
    const client = connect(await server.url());
    await expect(client.opened).rejects.toThrow(ServerConnectionError);
    await client.closed;
    expect(server.texts).toEqual([]);
  });
});

describe('a client on the ADK wire', () => {
  const CONTEXT = { invocationId: 'e1' };
  const adkEvent = (body: LiveEventBody): string => encodeAdkEvent({ ...STAMP, ...body }, CONTEXT) ?? '';

  it('P30 is open with its socket and sends text frames only', async () => {
    const server = scripted(() => undefined);
    const client = connect(await server.url(), { protocol: 'adk' });
    await client.opened;
    client.sendAudio(Int16Array.of(1));
    client.sendText('Hello');
    client.activityStart();
    client.activityEnd();
    client.audioStreamEnd();
    client.reportPlayout(5);
    await client.close();
    await server.until(() => server.texts.includes('{"close":true}'));
    expect(server.frames).toEqual([]);
    expect(server.texts).toEqual([
      '{"blob":{"mime_type":"audio/pcm;rate=16000","data":"AQA="}}',
      '{"content":{"role":"user","parts":[{"text":"Hello"}]}}',
      '{"activity_start":{}}',
      '{"activity_end":{}}',
      '{"audio_stream_end":true}',
      '{"close":true}',
    ]);
  });

  it('P36 P37 P38 tells the same events as far as that wire carries them', async () => {
    const server = scripted(() => undefined);
    const client = connect(await server.url(), { protocol: 'adk' });
    const told: unknown[] = [];
    client.on('audio', ({ samples, positionSamples }) => told.push([...samples, positionSamples]));
    client.on('event', ({ seq: _seq, atMs: _atMs, author: _author, turn, ...body }) =>
      told.push([turn, body]),
    );
    client.on('error', (error) => told.push(error));
    await client.opened;
    const audio = AudioChunk.fromSamples(Int16Array.of(7, 8), 24_000);
    const bodies: readonly LiveEventBody[] = [
      { type: 'audio', audio, positionSamples: 0 },
      { type: 'audio', audio, positionSamples: 2 },
      { type: 'transcript', speaker: 'agent', text: 'Hi', partial: false },
      { type: 'text', text: 'Hi', partial: true },
      { type: 'toolCall', calls: [{ id: '1', name: 'f', args: { a: 1 } }] },
      { type: 'toolResult', result: { id: '1', name: 'f', response: { output: 1 } } },
      { type: 'connection', state: 'connecting', attempt: 1 },
      { type: 'interrupted', positionSamples: 4 },
      { type: 'turnComplete', interrupted: true },
      { type: 'goAway', timeLeftMs: 100 },
    ];
    for (const body of bodies) server.peer?.send(adkEvent(body));
    server.peer?.send(
      encodeAdkError({ code: 'HOLDFAST_X', message: 'no' }, { id: 'x', atMs: 0, author: 'a' }, CONTEXT),
    );
    server.peer?.close(1000);
    await client.closed;
    const texts = bodies.slice(2, 9).map((body) => [1, body]);
    expect(told).toEqual([
      [7, 8, 0],
      [7, 8, 2],
      ...texts,
      [2, { type: 'goAway', timeLeftMs: 100 }],
      { code: 'HOLDFAST_X', message: 'no' },
    ]);
  });
});

describe('a client whose server does not behave', () => {
  /** A server that speaks just enough to open a WebSocket, and then says nothing, not even goodbye. */
  async function silentServer(opens: boolean): Promise<string> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', (head) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString('latin1'))?.[1] ?? '';
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        if (!opens) return;
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('C10 close: a peer that never answers the goodbye holds nothing up', async () => {
    const clock = new VirtualClock();
    const client = connect(await silentServer(true), { protocol: 'adk', clock });
    await client.opened;
    const closing = client.close();
    expect(client.state.tag).toBe('closing');
    await clock.advance(1_000);
    const report = await closing;
    expect(report.steps).toMatchObject([{ name: 'socket', outcome: 'overran' }]);
    expect(client.state.tag).toBe('closed');
    expect(clock.pendingTimers).toBe(0);
  });

  it('R11 opening is bounded, and says who did not answer', async () => {
    const clock = new VirtualClock();
    const client = connect(await silentServer(false), { clock, connectTimeoutMs: 3_000 });
    const opened = client.opened.then(
      () => undefined,
      (error: unknown) => error,
    );
    await clock.advance(3_000);
    expect(await opened).toBeInstanceOf(TimeoutError);
    await clock.advance(2_000);
    await client.closed;
    expect(client.resources()).toEqual([]);
  });

  it('C10 close while connecting ends at once', async () => {
    const client = connect(await silentServer(false));
    const closing = client.close();
    await expect(client.opened).rejects.toThrow(ClosedError);
    await closing;
    expect(client.state.tag).toBe('closed');
  });

  it('P22 a server that is not there is told as such', async () => {
    const client = connect('http://127.0.0.1:9');
    await expect(client.opened).rejects.toThrow(/127\.0\.0\.1:9.*refused the connection/);
    expect((await client.closed).verb).toBe('close');
  });

  it('C8 a listener that throws breaks nothing', async () => {
    const server = scripted(greets);
    const client = connect(await server.url());
    client.on('hello', () => {
      throw new Error('a listener');
    });
    await client.opened;
    await client.close();
    expect(client.state.tag).toBe('closed');
  });
});
