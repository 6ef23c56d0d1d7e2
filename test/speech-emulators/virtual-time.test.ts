import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import {
  DEFAULT_DEEPGRAM_IDLE_MS,
  DEFAULT_GATEWAY_INACTIVITY_MS,
  DEEPGRAM_CLOSES,
  GATEWAY_INACTIVITY_CODE,
  RECYCLING_IDLE_MS,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
} from '../../src/testing/index.ts';
import type { SpeechToTextEmulatorOptions } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';
import { DeepgramWire, GatewaySttWire, GatewayTtsWire } from '../support/speech-wire.ts';

let clock: VirtualClock;
let owner: Lifetime;

beforeEach(() => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'test', clock });
});

afterEach(async () => {
  await owner.close();
  expect(clock.pendingTimers).toBe(0);
  expect(owner.resources()).toEqual([]);
});

function start(options: SpeechToTextEmulatorOptions = {}): Promise<SpeechToTextEmulator> {
  return SpeechToTextEmulator.start({ owner, ...options });
}

describe('speech emulators on virtual time', () => {
  it('closes with NET-0001 after ten seconds without audio or KeepAlive', async () => {
    const stt = await start();
    using wire = await DeepgramWire.open(stt.url);
    await stt.waitFor(({ connections }) => connections.last?.stage === 'ready');
    await clock.advance(DEFAULT_DEEPGRAM_IDLE_MS - 1);
    wire.send({ type: 'KeepAlive' });
    await stt.waitFor(({ connections }) => connections.last?.keepAlives === 1);
    await clock.advance(DEFAULT_DEEPGRAM_IDLE_MS - 1);
    expect(wire.closed).toBeUndefined();
    wire.say(burst(20, 0));
    await stt.waitFor(({ connections }) => connections.last?.audioFrames === 1);
    await clock.advance(DEFAULT_DEEPGRAM_IDLE_MS);
    expect(await wire.ended()).toEqual(DEEPGRAM_CLOSES.noData);
  });

  it('scales what is no whole number then, and fires once', async () => {
    const stt = await start({ timeScale: 60 });
    using wire = await DeepgramWire.open(stt.url);
    await stt.waitFor(({ connections }) => connections.last?.stage === 'ready');
    await clock.advance(100);
    wire.say(burst(20, 0));
    await stt.waitFor(({ connections }) => connections.last?.audioFrames === 1);
    await clock.advance(166);
    expect(wire.closed).toBeUndefined();
    await clock.advance(1);
    expect(await wire.ended()).toEqual(DEEPGRAM_CLOSES.noData);
  });

  it('says error 2007 and closes after half an hour without input, and the session was paid until then', async () => {
    const stt = await start();
    using wire = await GatewaySttWire.ready(stt.url);
    wire.send({ type: 'session.finalize' });
    await wire.kind('finalized');
    await clock.advance(DEFAULT_GATEWAY_INACTIVITY_MS - 1);
    expect(stt.connections.open).toBe(1);
    await clock.advance(1);
    expect((await wire.ended()).code).toBe(1000);
    expect(wire.messages.at(-1)).toMatchObject({ type: 'error', code: GATEWAY_INACTIVITY_CODE });
    await stt.waitFor(({ sockets }) => sockets === 0);
    const { times } = stt.connections.last!;
    expect(times.closedAtMs! - times.dialledAtMs).toBe(DEFAULT_GATEWAY_INACTIVITY_MS);
  });

  it('recycles a socket on which nobody speaks, however much silence it is sent', async () => {
    const stt = await start({ recycleIdleMs: RECYCLING_IDLE_MS, timeScale: 60, deepgramIdleMs: 1e9 });
    using wire = await DeepgramWire.open(stt.url);
    await stt.waitFor(({ connections }) => connections.last?.stage === 'ready');
    wire.say(burst(500, 700));
    await wire.kind('speechFinal');
    await clock.advance(100);
    wire.say(new Int16Array(320));
    await stt.waitFor(({ connections }) => connections.last?.audioFrames === 61);
    await clock.advance(RECYCLING_IDLE_MS / 60 - 100);
    expect(await wire.ended()).toEqual({ code: 1001, reason: 'Idle timeout' });
  });

  it('hangs for ever when it is told to, and lets go when its owner closes', async () => {
    const stt = await start({ faults: [{ when: { on: 'end' }, what: { type: 'silence' } }] });
    using wire = await DeepgramWire.open(stt.url);
    wire.send({ type: 'CloseStream' });
    await stt.waitFor(({ connections }) => connections.last?.endRequests === 1);
    await clock.advance(86_400_000);
    expect([wire.closed, stt.sockets]).toEqual([undefined, 1]);
    await owner.close();
    expect((await wire.ended()).code).toBe(1001);
    expect(stt.sockets).toBe(0);
  });

  it('is mute for as long as it was told', async () => {
    const stt = await start();
    using wire = await GatewaySttWire.ready(stt.url);
    stt.inject({ type: 'mute', ms: 60_000 });
    wire.say(burst(500));
    await stt.waitFor(({ connections }) => connections.last?.finals.length === 1);
    await clock.advance(60_000);
    wire.say(burst(500));
    expect((await wire.kind('final')).start).toBeCloseTo(1.2, 1);
  });

  it('speaks at the pace it was given', async () => {
    const tts = await TextToSpeechEmulator.start({ owner, pace: 2 });
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak('one two');
    await tts.waitFor(({ connections }) => connections.last?.audioChunks === 1);
    await clock.advance(19);
    expect(tts.connections.last?.audioChunks).toBe(1);
    await clock.advance(1);
    expect(tts.connections.last?.audioChunks).toBe(2);
    await clock.advance(260);
    await wire.kind('done');
    expect(tts.connections.last?.audioMs).toBeCloseTo(520);
  });
});
