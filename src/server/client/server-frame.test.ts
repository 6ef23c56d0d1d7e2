import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { serverFrame } from './server-frame.ts';

describe('a frame of the server', () => {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  let sent: (string | Uint8Array)[] = [];

  beforeEach(async () => {
    sent = [];
    http.on('upgrade', (request, stream, head) => {
      sockets.handleUpgrade(request, stream, head, (webSocket) => {
        for (const data of sent) {
          stream.write(serverFrame(data));
          // Written by the library, between two of ours.
          webSocket.ping();
        }
        webSocket.close(1000, 'all sent');
      });
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    http.removeAllListeners('upgrade');
    await new Promise((resolve) => http.close(resolve));
  });

  async function receive(): Promise<{ messages: (string | Buffer)[]; pings: number; end: string }> {
    const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    const messages: (string | Buffer)[] = [];
    let pings = 0;
    client.on('message', (data, isBinary) => {
      messages.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
    });
    client.on('ping', () => (pings += 1));
    const end = await new Promise<string>((resolve) =>
      client.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`)),
    );
    return { messages, pings, end };
  }

  // RFC 6455 5.2: the length is written in three ways, and the borders are where it is got wrong.
  const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

  it('says its length as the protocol wants it, for every way of saying it', async () => {
    sent = LENGTHS.map((length) => Uint8Array.from({ length }, (_, index) => index));
    const { messages, pings, end } = await receive();
    expect(messages.map((message) => message.length)).toEqual(LENGTHS);
    expect(messages).toEqual(sent.map((bytes) => Buffer.from(bytes)));
    expect({ pings, end }).toEqual({ pings: LENGTHS.length, end: '1000 all sent' });
  });

  it('carries text as UTF-8, whose bytes are counted and not its characters', async () => {
    sent = ['', 'ü'.repeat(63), '🙂'.repeat(32), 'é'.repeat(32_768), '{"type":"event"}'];
    const { messages } = await receive();
    expect(messages).toEqual(sent);
  });
});
