import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gemini } from '../../src/models/gemini/index.ts';
import { WsTransport } from '../../src/models/ws-transport.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import type { LiveEvent } from '../../src/protocol/index.ts';
import {
  Agent,
  AgentSession,
  ConnectionLostError,
  LiveRequestQueue,
  runLive,
} from '../../src/session/index.ts';
import type { LiveModel } from '../../src/session/index.ts';
import { FaultProxy, GeminiEmulator } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';

let provider: GeminiEmulator;
let proxy: FaultProxy;

beforeEach(async () => {
  provider = await GeminiEmulator.start({ generationSpeed: 100, playbackSpeed: 100 });
  proxy = await FaultProxy.start({ target: provider.url });
});

afterEach(async () => {
  await proxy.close();
  await provider.close();
});

function model(socketCloseTimeoutMs = 1_000): LiveModel {
  return gemini({
    model: 'gemini-2.5-flash-native-audio-latest',
    apiKey: 'any',
    baseUrl: proxy.url,
    transport: new WsTransport({ socketCloseTimeoutMs }),
  });
}

const agent = new Agent({ name: 'clerk' });

/** A question, spoken at once. */
function speak(queue: LiveRequestQueue): void {
  const samples = burst(300);
  for (let at = 0; at < samples.length; at += 320) {
    queue.sendAudio(AudioChunk.fromSamples(samples.slice(at, at + 320), 16_000));
  }
}

describe('a live session through the fault proxy', () => {
  it('is held as if the proxy were not there', async () => {
    const queue = new LiveRequestQueue();
    const run = runLive({ agent, model: model(), queue });
    const types = new Set<LiveEvent['type']>();
    for await (const event of run) {
      types.add(event.type);
      if (event.type === 'connection' && event.state === 'connected') speak(queue);
      if (event.type === 'turnComplete') queue.close();
    }
    expect(types).toContain('audio');
    expect((await run.closed).error).toBe(undefined);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });

  it('ends with ConnectionLostError when it is reset in the middle of an answer, and leaves no socket', async () => {
    const queue = new LiveRequestQueue();
    const run = runLive({ agent, model: model(), queue });
    const loop = async (): Promise<void> => {
      for await (const event of run) {
        if (event.type === 'connection' && event.state === 'connected') speak(queue);
        if (event.type === 'audio') proxy.reset();
      }
    };
    await expect(loop()).rejects.toBeInstanceOf(ConnectionLostError);
    expect(await run.closed).toMatchObject({ reason: 'error' });
    expect(run.session.resources()).toEqual([]);
    await proxy.waitFor(({ sockets }) => sockets === 0);
    await provider.waitFor(({ sockets }) => sockets === 0);
    expect(proxy.connections.count).toBe(1);
  });

  it('C10 close: a connection gone half open ends within socketCloseTimeoutMs, and its socket is destroyed', async () => {
    const socketCloseTimeoutMs = 200;
    const session = new AgentSession({ agent, model: model(socketCloseTimeoutMs) });
    await session.start();
    proxy.inject({ type: 'halfOpen' });
    const report = await session.close();
    expect(report.steps.filter(({ outcome }) => outcome === 'overran')).toMatchObject([
      { name: expect.stringMatching(/socket$/) as unknown },
    ]);
    expect(report.durationMs).toBeGreaterThanOrEqual(socketCloseTimeoutMs - 5);
    // The bound is named above; on a loaded machine the rest of the close still is no multiple of it.
    expect(report.durationMs).toBeLessThan(1_500);
    expect(session.resources()).toEqual([]);
    await proxy.waitFor(({ connections }) => connections.last?.client === 'ended');
    // The provider knows nothing of it until the network is back.
    expect(provider.connections.open).toBe(1);
    await proxy.heal();
    await provider.waitFor(({ sockets }) => sockets === 0);
    await proxy.waitFor(({ sockets }) => sockets === 0);
  });
});
