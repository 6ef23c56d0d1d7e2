import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { GEMINI_CLOSES, GeminiEmulator } from '../../src/testing/index.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { GEMINI_PATH, GeminiWire } from '../support/gemini-wire.ts';

const MINUTE_MS = 60_000;
const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };
const RESUMABLE = { ...TEXT, sessionResumption: {} };
const VIDEO = { realtimeInput: { video: { data: 'AAAA', mimeType: 'image/jpeg' } } };
const ROOM = { contextWindowCompression: { slidingWindow: {} } };

let gemini: GeminiEmulator;

afterEach(async () => {
  await gemini.close();
});

describe('Gemini emulator: accelerated limits', () => {
  it('lets a connection of ten minutes pass in one second: goAway with the real time left, then the end', async () => {
    gemini = await GeminiEmulator.start({ timeScale: 600 });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    expect(await wire.message('goAway')).toEqual({ goAway: { timeLeft: '0.1s' } });
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
    await gemini.waitFor(({ sockets }) => sockets === 0);
    const { openedAtMs, closedAtMs } = gemini.connections.last!.times;
    expect(closedAtMs! - openedAtMs!).toBeGreaterThanOrEqual(999);
    expect(closedAtMs! - openedAtMs!).toBeLessThan(10_000);
  });
});

describe('Gemini emulator: limits on virtual time', () => {
  let clock: VirtualClock;

  async function start(options: GeminiEmulatorOptions = {}): Promise<void> {
    clock = new VirtualClock();
    const owner = Lifetime.root({ name: 'test', clock });
    gemini = await GeminiEmulator.start({ connectionLifetimeMs: 1e8, goAwayLeadMs: 0, ...options, owner });
  }

  async function resume(handle: string, setup: object = TEXT): Promise<GeminiWire> {
    await gemini.waitFor(({ sockets }) => sockets === 0);
    return GeminiWire.ready(gemini.url, { ...setup, sessionResumption: { handle } });
  }

  async function handleOf(wire: GeminiWire, nth = 2): Promise<string> {
    return (await wire.message('sessionResumptionUpdate', nth)).sessionResumptionUpdate.newHandle as string;
  }

  it('ends a session after fifteen minutes, and it cannot be resumed', async () => {
    await start();
    using wire = await GeminiWire.ready(gemini.url, RESUMABLE);
    wire.sendText('hello');
    const handle = await handleOf(wire);
    await clock.advance(15 * MINUTE_MS - 1);
    expect(wire.closed).toBeUndefined();
    await clock.advance(1);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
    using late = new GeminiWire(gemini.url);
    await late.opened();
    late.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect(await late.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });

  it('counts a session over its connections, and not the time between them', async () => {
    await start();
    const first = await GeminiWire.ready(gemini.url, RESUMABLE);
    first.sendText('hello');
    const handle = await handleOf(first);
    await clock.advance(10 * MINUTE_MS);
    first.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    await clock.advance(30 * MINUTE_MS);
    using second = await resume(handle);
    await clock.advance(5 * MINUTE_MS - 1);
    expect(second.closed).toBeUndefined();
    await clock.advance(1);
    expect(await second.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
  });

  it('gives a session with video two minutes, whenever the video came', async () => {
    await start();
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    await clock.advance(MINUTE_MS);
    wire.send(VIDEO);
    await gemini.waitFor(({ connections }) => connections.last?.inputs.video === 1);
    await clock.advance(MINUTE_MS - 1);
    expect(wire.closed).toBeUndefined();
    await clock.advance(1);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
  });

  it('sets no limit to a session whose context is compressed', async () => {
    await start();
    using wire = await GeminiWire.ready(gemini.url, { ...TEXT, ...ROOM });
    wire.send(VIDEO);
    await gemini.waitFor(({ connections }) => connections.last?.inputs.video === 1);
    await clock.advance(60 * MINUTE_MS);
    wire.sendText('still there?');
    await wire.message('turnComplete');
    expect(wire.closed).toBeUndefined();
  });

  it('ends a session the way it was told to', async () => {
    await start({ audioSessionMs: MINUTE_MS, sessionLimitClose: GEMINI_CLOSES.deadline });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    await clock.advance(MINUTE_MS);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
  });

  it('ages handles as much faster as it was told to', async () => {
    await start({ timeScale: 60 });
    const first = await GeminiWire.ready(gemini.url, RESUMABLE);
    first.sendText('hello');
    const handle = await handleOf(first);
    first.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    await clock.advance(2 * MINUTE_MS - 1);
    const second = await resume(handle);
    second.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    await clock.advance(1);
    using third = new GeminiWire(gemini.url);
    await third.opened();
    third.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect(await third.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });

  it('ends a long connection after 58 minutes to the second, without goAway', async () => {
    clock = new VirtualClock();
    gemini = await GeminiEmulator.start({ limits: 'long-connection', clock });
    using wire = await GeminiWire.ready(gemini.url, { ...TEXT, ...ROOM });
    await clock.advance(58 * MINUTE_MS - 1);
    wire.sendText('still there?');
    await wire.message('turnComplete');
    await clock.advance(1);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
    expect(wire.story).not.toContain('goAway');
  });

  it('keeps handles for a day on Vertex', async () => {
    await start();
    const target = '/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent';
    const express = { headers: { 'x-goog-api-key': 'express' } };
    const setup = { ...RESUMABLE, model: 'publishers/google/models/gemini-2.5-flash' };
    const first = new GeminiWire(gemini.url, target, express);
    await first.opened();
    first.send({ setup });
    await first.message('setupComplete');
    first.sendText('hello');
    const handle = await handleOf(first);
    first.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    await clock.advance(23 * 60 * MINUTE_MS);
    using second = new GeminiWire(gemini.url, target, express);
    await second.opened();
    second.send({ setup: { ...setup, sessionResumption: { handle } } });
    await second.message('setupComplete');
    expect(gemini.connections.last?.resumedFrom).toBe(handle);
  });
});

describe('Gemini emulator: a limit on sessions', () => {
  it('closes one too many with 1011 and the quota, and takes the next when there is room', async () => {
    gemini = await GeminiEmulator.start({ maxSessions: 1 });
    const first = await GeminiWire.ready(gemini.url);
    using second = new GeminiWire(gemini.url);
    expect(await second.ended()).toEqual(GEMINI_CLOSES.quota);
    first.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    using third = await GeminiWire.ready(gemini.url);
    expect(third.closed).toBeUndefined();
  });

  it('refuses one too many with 429 where it was told to', async () => {
    gemini = await GeminiEmulator.start({ maxSessions: 1, maxSessionsAnswer: 'status' });
    using first = await GeminiWire.ready(gemini.url);
    using second = new GeminiWire(gemini.url, `${GEMINI_PATH}?key=any`);
    await second.ended();
    expect(second).toMatchObject({ httpStatus: 429, retryAfter: '1' });
    expect(first.closed).toBeUndefined();
  });
});
