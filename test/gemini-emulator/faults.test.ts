import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidOptionError, seededRandom } from '../../src/kernel/index.ts';
import { GEMINI_CLOSES, GeminiEmulator } from '../../src/testing/index.ts';
import type { Fault, FaultScript } from '../../src/testing/index.ts';
import { GeminiWire, burst } from '../support/gemini-wire.ts';

let gemini: GeminiEmulator;

async function start(faults: FaultScript): Promise<void> {
  gemini = await GeminiEmulator.start({
    faults,
    playbackSpeed: 50,
    generationSpeed: 50,
    random: seededRandom(7),
  });
}

afterEach(async () => {
  await gemini.close();
  expect(gemini.sockets).toBe(0);
});

const SETUP = {
  setup: { model: 'models/gemini-2.5-flash', generationConfig: { responseModalities: ['TEXT'] } },
};
const TEXT = { generationConfig: SETUP.setup.generationConfig };

describe('Gemini emulator: faults before the WebSocket', () => {
  it('resets what was dialled, on the connection it was told to', async () => {
    await start([{ when: { connection: 1 }, what: { type: 'refuseTcp' } }]);
    using refused = new GeminiWire(gemini.url);
    expect((await refused.ended()).code).toBe(1006);
    expect(refused.failure).toMatch(/ECONNRESET|hang up/);
    using accepted = await GeminiWire.ready(gemini.url);
    expect(accepted.closed).toBeUndefined();
    expect(gemini.connections.nth(1)?.ending).toMatchObject({ by: 'emulator', code: 1006 });
  });

  it('never answers an upgrade, and lets the client go', async () => {
    await start([{ what: { type: 'neverAnswerUpgrade' } }]);
    using wire = new GeminiWire(gemini.url);
    await gemini.waitFor(() => gemini.connections.count === 1);
    expect(wire.socket.readyState).toBe(wire.socket.CONNECTING);
    wire.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    expect(gemini.connections).toMatchObject({ count: 1, open: 0 });
  });

  it.each([400, 401, 403, 404, 429, 500, 503])('answers the upgrade with %i', async (status) => {
    await start([{ what: { type: 'httpStatus', status, body: '{"error":{}}', retryAfter: '7' } }]);
    using wire = new GeminiWire(gemini.url);
    await wire.ended();
    expect(wire).toMatchObject({ httpStatus: status, retryAfter: '7', httpBody: '{"error":{}}' });
    await gemini.waitFor(() => gemini.sockets === 0);
  });

  it('goes down, while open connections go on, and comes back at the same address', async () => {
    await start([]);
    using open = await GeminiWire.ready(gemini.url, TEXT);
    gemini.stopListening();
    using refused = new GeminiWire(gemini.url);
    await refused.ended();
    expect(refused.failure).toContain('ECONNREFUSED');
    open.sendText('still there?');
    await open.message('turnComplete');
    await gemini.listenAgain();
    using back = await GeminiWire.ready(gemini.url);
    expect(back.closed).toBeUndefined();
    expect(gemini.connections.count).toBe(2);
  });

  it('says whose port it cannot have', async () => {
    await start([]);
    await expect(GeminiEmulator.start({ port: gemini.port })).rejects.toMatchObject({
      code: 'HOLDFAST_INVALID_OPTION',
      message: expect.stringContaining(`port ${gemini.port}`),
    });
  });

  it('is nothing but a closed port after it has ended', async () => {
    await start([]);
    await gemini.close();
    using wire = new GeminiWire(gemini.url);
    await wire.ended();
    expect(wire.failure).toContain('ECONNREFUSED');
  });
});

describe('Gemini emulator: faults of the setup', () => {
  it('never answers a setup', async () => {
    await start([{ what: { type: 'neverSetupComplete' } }]);
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send(SETUP);
    await gemini.waitFor(() => gemini.connections.last?.setup !== undefined);
    wire.socket.close();
    await wire.ended();
    expect(wire.messages).toEqual([]);
  });

  it('answers a setup late', async () => {
    await start([{ what: { type: 'delaySetup', ms: 60 } }]);
    using wire = await GeminiWire.ready(gemini.url);
    const { setupAtMs, readyAtMs } = gemini.connections.last!.times;
    expect(wire.story).toEqual(['setupComplete']);
    expect(readyAtMs! - setupAtMs!).toBeGreaterThanOrEqual(59);
  });

  it.each(Object.entries(GEMINI_CLOSES))('closes before setupComplete: %s', async (_, close) => {
    await start([{ when: { on: 'setup' }, what: { type: 'close', ...close } }]);
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send(SETUP);
    expect(await wire.ended()).toEqual(close);
    expect(wire.messages).toEqual([]);
    await gemini.waitFor(() => gemini.sockets === 0);
    expect(gemini.connections.last?.ending).toEqual({ by: 'emulator', ...close });
  });

  it('closes without a code, which a client reads as 1005', async () => {
    await start([{ when: { on: 'open' }, what: { type: 'close' } }]);
    using wire = new GeminiWire(gemini.url);
    expect((await wire.ended()).code).toBe(1005);
  });

  it('lets a resumption fail where a fresh setup does not', async () => {
    await start([{ when: { on: 'resume' }, what: { type: 'close', ...GEMINI_CLOSES.entityNotFound } }]);
    using fresh = await GeminiWire.ready(gemini.url);
    expect(fresh.closed).toBeUndefined();
    using resumed = new GeminiWire(gemini.url);
    await resumed.opened();
    resumed.send({ setup: { ...SETUP.setup, sessionResumption: { handle: '0'.repeat(32) } } });
    expect(await resumed.ended()).toEqual(GEMINI_CLOSES.entityNotFound);
  });

  it('sends a message before setupComplete', async () => {
    const json = { sessionResumptionUpdate: { newHandle: 'early', resumable: true } };
    await start([{ when: { on: 'setup' }, what: { type: 'raw', json } }]);
    using wire = await GeminiWire.ready(gemini.url);
    expect(wire.story).toEqual(['sessionResumptionUpdate', 'setupComplete']);
  });
});

describe('Gemini emulator: faults of a connection that talks', () => {
  const lost: [string, Fault][] = [
    ['reset', { type: 'reset' }],
    ['FIN without a close frame', { type: 'endWithoutCloseFrame' }],
  ];

  it.each(lost)('%s right after setupComplete is 1006 to the client', async (_, what) => {
    await start([{ when: { connection: 1 }, what }]);
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send(SETUP);
    expect((await wire.ended()).code).toBe(1006);
    await gemini.waitFor(() => gemini.sockets === 0);
    expect(gemini.connections.last?.ending).toMatchObject({ by: 'emulator', code: 1006 });
  });

  it('drops right after every setupComplete', async () => {
    await start([{ what: { type: 'endWithoutCloseFrame' } }]);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      using wire = await GeminiWire.ready(gemini.url);
      expect((await wire.ended()).code).toBe(1006);
      expect(wire.story).toEqual(['setupComplete']);
    }
  });

  it('cuts an answer in the middle of its audio', async () => {
    await start([{ when: { on: 'answerAudio', nth: 3 }, what: { type: 'reset' } }]);
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendAudio(burst(800));
    expect((await wire.ended()).code).toBe(1006);
    expect(wire.audioSamples).toBeLessThanOrEqual(3 * 960);
    expect(wire.story).not.toContain('generationComplete');
  });

  it('goes half open: no message, no answer to a close, and the socket is free once the client drops it', async () => {
    await start([{ what: { type: 'halfOpen' } }]);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('anybody there?');
    wire.socket.ping();
    wire.socket.close(1000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(wire).toMatchObject({ closed: undefined, story: ['setupComplete'] });
    expect(gemini.sockets).toBe(1);
    wire.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
  });

  it('does not answer a close, and still talks until the client drops the socket', async () => {
    await start([{ what: { type: 'ignoreClose' } }]);
    using wire = await GeminiWire.ready(gemini.url);
    wire.socket.close(1000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(wire.closed).toBeUndefined();
    wire.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    expect(gemini.connections.last?.ending).toMatchObject({ by: 'client', code: 1000 });
  });

  it('stops reading, so that what the client sends piles up there, and reads on', async () => {
    await start([]);
    using wire = await GeminiWire.ready(gemini.url);
    gemini.inject({ type: 'stallReads', ms: 150 });
    const silence = { realtimeInput: { audio: { data: 'A'.repeat(80_000), mimeType: 'audio/pcm' } } };
    for (let sent = 0; sent < 200; sent += 1) wire.send(silence);
    expect(wire.socket.bufferedAmount).toBeGreaterThan(1_000_000);
    await gemini.waitFor(() => gemini.connections.last?.inputs.audio === 200);
  });

  it('makes no fault happen now that changes what a moment does', async () => {
    await start([]);
    expect(() => gemini.inject({ type: 'duplicate' })).toThrow('add it to the fault script');
    expect(() => gemini.inject({ type: 'silence' })).toThrow(InvalidOptionError);
  });

  it('is silent to a turn, once', async () => {
    await start([{ when: { times: 1 }, what: { type: 'silence' } }]);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('one');
    wire.sendText('two');
    await wire.message('turnComplete');
    expect(wire.text).toBe('two');
  });

  it('is silent to a spoken turn, and answers the next', async () => {
    await start([{ when: { nth: 1 }, what: { type: 'silence' } }]);
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendAudio(burst(500));
    wire.sendAudio(burst(1_000));
    await wire.message('turnComplete');
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'generationComplete', 'turnComplete']);
    expect(wire.audioSamples).toBeGreaterThan(24_000);
  });

  it.each([
    ['a message of an unknown kind', { type: 'unknownMessage' }, /^\{"something/],
    ['half a message', { type: 'invalidJson' }, /^\{"serverContent":\{"modelTurn":$/],
    ['any text', { type: 'rawText', text: '' }, /^$/],
  ] as [string, Fault, RegExp][])('sends %s and goes on', async (_, what, text) => {
    await start([{ when: { connection: 1 }, what }]);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.frames[1]?.text).toMatch(text);
  });

  it('says goAway as it is told, and closes after a while or not at all', async () => {
    const then = { afterMs: 30, code: 1001 };
    await start([
      { when: { connection: 1 }, what: { type: 'goAway', timeLeft: '0s', then } },
      { when: { connection: 2 }, what: { type: 'goAway' } },
    ]);
    using first = await GeminiWire.ready(gemini.url, TEXT);
    expect((await first.ended()).code).toBe(1001);
    expect(await first.message('goAway')).toEqual({ goAway: { timeLeft: '0s' } });
    using second = await GeminiWire.ready(gemini.url, TEXT);
    expect(await second.message('goAway')).toEqual({ goAway: {} });
    second.sendText('still there?');
    await second.message('turnComplete');
  });

  it('waits for so many messages after a moment', async () => {
    await start([
      {
        when: { on: 'setupComplete', after: { messages: 3 } },
        what: { type: 'close', code: 1011, reason: 'x' },
      },
    ]);
    using wire = await GeminiWire.ready(gemini.url);
    for (let sent = 0; sent < 5; sent += 1) wire.send({ realtimeInput: { text: 'hi' } });
    await wire.ended();
    expect(gemini.connections.last?.messages.realtimeInput).toBe(3);
  });

  it('decides by its own randomness', async () => {
    await start([{ when: { probability: 0.5 }, what: { type: 'httpStatus', status: 503 } }]);
    const statuses: (number | undefined)[] = [];
    for (let dial = 0; dial < 12; dial += 1) {
      using wire = new GeminiWire(gemini.url);
      await wire.until(() => wire.httpStatus !== undefined || wire.socket.readyState === wire.socket.OPEN);
      statuses.push(wire.httpStatus);
    }
    expect(new Set(statuses)).toEqual(new Set([503, undefined]));
  });
});

describe('Gemini emulator: its end', () => {
  it('closes those who listen with 1001 and does not wait for those who cannot', async () => {
    await start([{ when: { connection: 2 }, what: { type: 'halfOpen' } }]);
    using listening = await GeminiWire.ready(gemini.url);
    using dead = await GeminiWire.ready(gemini.url);
    const bare = createConnection(gemini.port, '127.0.0.1');
    await gemini.waitFor(() => gemini.sockets === 3);
    const report = await gemini.close();
    expect(report.durationMs).toBeLessThan(1_000);
    expect(report.steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    expect((await listening.ended()).code).toBe(1001);
    expect((await dead.ended()).code).toBe(1006);
    bare.destroy();
  });

  it('is waited for in vain in bounded time, with a word on how things stand', async () => {
    await start([]);
    const waiting = gemini.waitFor(() => gemini.connections.count === 7, { timeoutMs: 20 });
    await expect(waiting).rejects.toMatchObject({ code: 'HOLDFAST_TIMEOUT', message: /0 connections/ });
    const interrupted = gemini.waitFor(() => false).catch((error: unknown) => error);
    await gemini.close();
    expect(await interrupted).toMatchObject({ code: 'HOLDFAST_CLOSED' });
  });
});
