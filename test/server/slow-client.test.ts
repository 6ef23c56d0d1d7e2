import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { AudioChunk, decodeAudioFrame } from '../../src/protocol/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestClient, TestServer } from '../support/live-server.ts';

// Clients that do not read what they are sent, over real sockets.

const RATE_HZ = 24_000;
const second = AudioChunk.fromPcm(new Uint8Array(RATE_HZ * 2), RATE_HZ);

/** More than the network between two processes of one machine holds. */
const SECONDS = 400;

/** The agent speaks for a long time, and says something in words now and then. */
function speak(test: TestServer): number {
  let words = 0;
  for (let said = 0; said < SECONDS; said += 1) {
    test.model.last.output({ type: 'audio', audio: second });
    if (said % 20 === 0) test.model.last.output({ type: 'text', text: `word ${(words += 1)} ` });
  }
  return words;
}

const wordsOf = (client: TestClient): number => new Set(client.texts.join('').match(/word \d+ /g)).size;

async function metric(test: TestServer, name: string): Promise<number> {
  const { text } = await test.request('/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1));
}

describe('L a client that does not read', () => {
  it('P29 L is sent everything but the audio that waits too long, and told on holdfast.v1 which that was', async () => {
    await using test = await startServer({ maxBufferedBytes: 200_000 });
    const client = await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    client.socket.pause();
    const words = speak(test);
    client.socket.resume();
    await until('every word has come', () => wordsOf(client) === words);
    const dropped = client.having('type', 'audioDropped');
    expect(dropped.length).toBeGreaterThan(0);
    const got = client.binaries.map((each) => decodeAudioFrame(each)!);
    const pieces = [
      ...got.map(({ positionSamples, pcm }) => [positionSamples, pcm.byteLength / 2]),
      ...dropped.map(({ positionSamples, samples }) => [positionSamples, samples]),
    ].toSorted((a, b) => Number(a[0]) - Number(b[0]));
    let end = 0;
    for (const [position, samples] of pieces) {
      expect(position).toBe(end);
      end += Number(samples);
    }
    expect(end).toBe(SECONDS * RATE_HZ);
    const lost = dropped.reduce((sum, { samples }) => sum + Number(samples), 0) / RATE_HZ;
    expect(await metric(test, 'holdfast_client_audio_dropped_seconds_total')).toBe(lost);
    expect(await metric(test, 'holdfast_limits_reached_total{limit="output_bytes"}')).toBe(1);
    expect(test.server.liveSessions).toBe(1);
    // It has caught up, and hears everything again.
    const before = client.binaries.length;
    test.model.last.output({ type: 'audio', audio: second });
    await until('it hears', () => client.binaries.length === before + 1);
    expect(client.having('type', 'audioDropped')).toHaveLength(dropped.length);
  });

  it('P44 L the same on the ADK wire, where only who looks for it is told', async () => {
    await using test = await startServer({ maxBufferedBytes: 200_000 });
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    client.socket.pause();
    const words = speak(test);
    client.socket.resume();
    await until('every word has come', () => wordsOf(client) === words);
    const dropped = client.messages
      .map((each) => (each['customMetadata'] as { holdfast?: Record<string, unknown> } | undefined)?.holdfast)
      .filter((each) => each?.['type'] === 'audioDropped');
    const lost = dropped.reduce((sum, each) => sum + Number(each?.['durationMs']), 0) / 1_000;
    const heard = client.texts.filter((text) => text.includes('inlineData')).length;
    expect(lost).toBeGreaterThan(0);
    expect(heard + lost).toBe(SECONDS);
    expect(client.having('errorCode')).toEqual([]);
  });

  it('L one that does not catch up in time is closed with the reason, although it still speaks', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock, maxBufferedBytes: 200_000, slowClientTimeoutMs: 8_000 });
    const client = await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    client.socket.pause();
    speak(test);
    for (let said = 1; said <= 2; said += 1) {
      await clock.advance(3_000);
      client.send({ type: 'text', text: 'I am here' });
      await until('it is heard', () => test.model.last.of('content').length === said);
      expect(test.server.liveSessions).toBe(1);
    }
    await clock.advance(2_000);
    client.socket.resume();
    expect(await client.closed).toEqual({ code: 4013, reason: 'client too slow' });
    expect(await metric(test, 'holdfast_limits_reached_total{limit="slow_client"}')).toBe(1);
  });

  it('L one that is not heard of either is gone, and may come back', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock, maxBufferedBytes: 200_000, slowClientTimeoutMs: 8_000 });
    const client = await test.welcomed(await test.createSession());
    await until('connected', () => test.model.connections.length === 1);
    client.socket.pause();
    speak(test);
    await clock.advance(8_000);
    client.socket.resume();
    expect((await client.closed).code).toBe(1006);
    expect(test.server.liveSessions).toBe(1);
    expect(test.model.openConnections).toBe(1);
  });

  it('L a flood of pings is no way to fill the memory of a server', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.socket.pause();
    for (let sent = 0; sent < 5_000; sent += 1) client.socket.ping('x'.repeat(100));
    client.socket.resume();
    expect((await client.closed).code).toBe(1008);
    expect(await metric(test, 'holdfast_limits_reached_total{limit="messages_per_second"}')).toBe(1);
  });

  it('L so many bytes a second are taken, and one large message as it is', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock, maxBytesPerSecond: 10_000, maxMessageBytes: 50_000 });
    const client = await test.adk(await test.createSession()).opened();
    client.sendText('x'.repeat(49_000));
    await until('it is heard', () => test.model.connections[0]?.of('content').length === 1);
    client.sendText('x'.repeat(30_000));
    expect(await client.closed).toEqual({ code: 1008, reason: 'more than 10000 bytes a second' });
  });

  it('L a text turn whose answer is not read is given up, and counted', async () => {
    await using test = await startServer({ maxBufferedBytes: 200_000 });
    const id = await test.createSession();
    const body = JSON.stringify({
      appName: 'demo',
      userId: 'u',
      sessionId: id,
      newMessage: { role: 'user', parts: [{ text: 'Hello' }] },
    });
    const { hostname, port } = new URL(test.url);
    const tcp = createConnection({ host: hostname, port: Number(port) }).on('error', () => undefined);
    tcp.pause();
    tcp.write(`POST /run_sse HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await until('it is asked', () => test.model.connections[0]?.of('content').length === 1);
    speak(test);
    await until('it is given up', () => test.server.liveSessions === 0);
    expect(await metric(test, 'holdfast_limits_reached_total{limit="slow_client"}')).toBe(1);
    tcp.destroy();
  });
});
