import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { DEFAULT_OVERSIZE_BYTES, GeminiEmulator, parseFaultText } from '../../src/testing/index.ts';
import { GeminiWire } from '../support/gemini-wire.ts';
import { OPCODE, RawWire } from '../support/raw-wire.ts';

let gemini: GeminiEmulator;

async function start(script: string, frames: 'text' | 'binary' = 'text'): Promise<void> {
  gemini = await GeminiEmulator.start({ faults: parseFaultText(script, 'test'), frames, playbackSpeed: 50 });
}

afterEach(async () => {
  await gemini.close();
  expect(gemini.sockets).toBe(0);
});

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };

describe('Gemini emulator: faults of TCP', () => {
  it('refuses TCP for a while, and comes back', async () => {
    const clock = new VirtualClock();
    const owner = Lifetime.root({ name: 'test', clock });
    const script = `
      - { when: { connection: 1, on: turn }, what: { type: stopListening, ms: 80 } }
      - { when: { connection: 1, on: turn }, what: { type: reset } }`;
    gemini = await GeminiEmulator.start({ owner, faults: parseFaultText(script, 'test'), frames: 'text' });
    using first = await RawWire.ready(gemini.url, TEXT);
    first.sendText('down with you');
    expect(await first.ended()).toBe('ECONNRESET');
    await clock.advance(79);
    using second = new RawWire(gemini.url);
    expect(await second.ended()).toBe('ECONNREFUSED');
    await clock.advance(1);
    using third = await RawWire.ready(gemini.url, TEXT);
    expect(third.end).toBeUndefined();
    expect(gemini.connections.count).toBe(2);
  });

  it('is silent after the upgrade', async () => {
    await start('- { when: { on: open }, what: { type: halfOpen } }');
    using wire = new RawWire(gemini.url);
    await wire.until(() => wire.head?.startsWith('HTTP/1.1 101') ?? false);
    wire.send({ setup: { model: 'models/m' } });
    wire.sendFrame(OPCODE.ping, Buffer.from('anybody?'));
    wire.sendClose(1000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(wire).toMatchObject({ frames: [], end: undefined });
  });

  it.each([
    ['reset', 'ECONNRESET'],
    ['fin', 'fin'],
  ])('cuts a message in its middle: %s', async (by, end) => {
    await start(`- { when: { kind: modelTurn, nth: 2 }, what: { type: cutMessage, by: ${by} } }`);
    using wire = await RawWire.ready(gemini.url, TEXT);
    wire.sendText('a text of more than one piece, so that the second one can be cut in two');
    expect(await wire.ended()).toBe(end);
    expect(wire.texts).toHaveLength(2);
    expect(wire.rest.subarray(2, 18).toString()).toBe('{"serverContent"');
    expect(wire.rest.byteLength).toBeLessThan(2 + (wire.rest[1] ?? 0));
  });

  it('ends the TCP connection without a close frame', async () => {
    await start('- { what: { type: endWithoutCloseFrame } }');
    using wire = await RawWire.ready(gemini.url);
    expect(await wire.ended()).toBe('fin');
    expect(wire.of(OPCODE.close)).toEqual([]);
  });

  it('lets what it sends drip, close frame and all', async () => {
    await start(`
      - { what: { type: slowWrites, bytesPerSecond: 500 } }
      - { when: { kind: turnComplete, after: { ms: 1 } }, what: { type: close, code: 1011 } }`);
    using wire = await RawWire.ready(gemini.url, TEXT);
    const pieces: number[] = [];
    wire.tcp.on('data', ({ byteLength }: Buffer) => pieces.push(byteLength));
    const startedAtMs = performance.now();
    wire.sendText('slowly');
    await wire.until(() => wire.of(OPCODE.close).length === 1);
    const bytes = pieces.reduce((sum, piece) => sum + piece, 0);
    expect(bytes).toBeGreaterThan(200);
    expect(pieces.length).toBeGreaterThan(10);
    expect(performance.now() - startedAtMs).toBeGreaterThan((bytes / 500) * 1_000 * 0.9);
    expect(wire.texts.at(-1)).toContain('turnComplete');
    wire.sendClose(1011);
    expect(await wire.ended()).toBe('fin');
  });

  it('takes what a client sends slowly', async () => {
    await start('- { what: { type: slowReads, bytesPerSecond: 40000000 } }');
    using wire = await GeminiWire.ready(gemini.url);
    const startedAtMs = performance.now();
    const silence = { realtimeInput: { audio: { data: 'A'.repeat(80_000), mimeType: 'audio/pcm' } } };
    for (let sent = 0; sent < 200; sent += 1) wire.send(silence);
    expect(wire.socket.bufferedAmount).toBeGreaterThan(1_000_000);
    await gemini.waitFor(() => gemini.connections.last?.inputs.audio === 200);
    expect(performance.now() - startedAtMs).toBeGreaterThan((16_000_000 / 40_000_000) * 1_000 * 0.9);
  });
});

describe('Gemini emulator: faults of the close handshake', () => {
  it.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])(
    'upgrades and closes at once with %i',
    async (code) => {
      await start(`- { when: { on: open }, what: { type: close, code: ${code} } }`);
      using wire = new RawWire(gemini.url);
      await wire.until(() => wire.of(OPCODE.close).length === 1);
      expect(wire.frames.map(({ payload }) => payload.readUInt16BE())).toEqual([code]);
      wire.sendClose(code);
      expect(await wire.ended()).toBe('fin');
    },
  );

  it('sends a close frame and then never closes the TCP connection', async () => {
    await start('- { when: { on: turn }, what: { type: closeAndStay, code: 1011, reason: bye } }');
    using wire = await RawWire.ready(gemini.url, TEXT);
    wire.sendText('leave');
    await wire.until(() => wire.of(OPCODE.close).length === 1);
    expect(wire.frames.at(-1)?.payload).toEqual(Buffer.from([0x03, 0xf3, ...Buffer.from('bye')]));
    wire.sendClose(1011);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(wire.end).toBeUndefined();
    wire.tcp.destroy();
    await gemini.waitFor(() => gemini.sockets === 0);
    expect(gemini.connections.last?.ending).toEqual({ by: 'emulator', code: 1011, reason: 'bye' });
  });

  it('answers a close late, and talks on meanwhile', async () => {
    await start(`
      - { what: { type: delayCloseEcho, ms: 80 } }
      - { when: { on: close }, what: { type: usageOnly } }`);
    using wire = await RawWire.ready(gemini.url, TEXT);
    const askedAtMs = performance.now();
    wire.sendClose(1000);
    await wire.until(() => wire.of(OPCODE.close).length === 1);
    expect(wire.of(OPCODE.close)[0]!.atMs - askedAtMs).toBeGreaterThanOrEqual(79);
    expect(JSON.parse(wire.texts.at(-1)!)).toMatchObject({ serverContent: {}, usageMetadata: {} });
    expect(await wire.ended()).toBe('fin');
  });

  it('never answers a close', async () => {
    await start('- { what: { type: ignoreClose } }');
    using wire = await RawWire.ready(gemini.url);
    wire.sendClose(1000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(wire).toMatchObject({ end: undefined });
    expect(wire.of(OPCODE.close)).toEqual([]);
  });

  it('sends a message behind its own close frame', async () => {
    await start('- { when: { on: turn }, what: { type: closeAndTalk, code: 1000, json: { late: true } } }');
    using wire = await RawWire.ready(gemini.url, TEXT);
    wire.sendText('leave');
    await wire.until(() => wire.frames.length === 3);
    expect(wire.frames.slice(1).map(({ opcode }) => opcode)).toEqual([OPCODE.close, OPCODE.text]);
    expect(wire.texts.at(-1)).toBe('{"late":true}');
  });
});

describe('Gemini emulator: faults of pings', () => {
  it('answers pings late', async () => {
    await start('- { what: { type: latePongs, ms: 90 } }');
    using wire = await RawWire.ready(gemini.url);
    const askedAtMs = performance.now();
    wire.sendFrame(OPCODE.ping, Buffer.from('1'));
    await wire.until(() => wire.of(OPCODE.pong).length === 1);
    expect(wire.of(OPCODE.pong)[0]).toMatchObject({ payload: Buffer.from('1') });
    expect(wire.of(OPCODE.pong)[0]!.atMs - askedAtMs).toBeGreaterThanOrEqual(89);
  });

  it('answers no ping, and talks on', async () => {
    await start('- { what: { type: noPongs } }');
    using wire = await RawWire.ready(gemini.url, TEXT);
    wire.sendFrame(OPCODE.ping, Buffer.from('1'));
    wire.sendText('and?');
    await wire.until(() => wire.texts.at(-1)?.includes('turnComplete') ?? false);
    expect(wire.of(OPCODE.pong)).toEqual([]);
  });

  it.each(['count: 300', 'count: 5, everyMs: 5'])('floods with pings: %s', async (how) => {
    await start(`- { what: { type: pingFlood, ${how} } }`);
    using wire = await RawWire.ready(gemini.url, TEXT);
    const count = how.startsWith('count: 5') ? 5 : 300;
    await wire.until(() => wire.of(OPCODE.ping).length === count);
    wire.sendText('and?');
    await wire.until(() => wire.texts.at(-1)?.includes('turnComplete') ?? false);
    expect(wire.of(OPCODE.ping)).toHaveLength(count);
  });
});

describe('Gemini emulator: faults of frames', () => {
  it.each(['text', 'binary'] as const)('splits a message into continuation frames: %s', async (kind) => {
    await start('- { when: { kind: turnComplete }, what: { type: fragment, frames: 40 } }', kind);
    using wire = await RawWire.ready(gemini.url, TEXT);
    wire.sendText('in pieces');
    await wire.until(() => wire.texts.at(-1)?.includes('turnComplete') ?? false);
    const frames = wire.frames.slice(-40);
    expect(frames[0]).toMatchObject({ opcode: OPCODE[kind], final: false });
    expect(frames.slice(1).map(({ opcode }) => opcode)).toEqual(Array(39).fill(OPCODE.continuation));
    expect(frames.filter(({ final }) => final)).toEqual([frames.at(-1)]);
    expect(JSON.parse(wire.texts.at(-1)!)).toMatchObject({ serverContent: { turnComplete: true } });
  });

  it('sends a text frame that is not UTF-8', async () => {
    await start('- { what: { type: invalidUtf8 } }', 'binary');
    using wire = await RawWire.ready(gemini.url);
    await wire.until(() => wire.frames.length === 2);
    const { opcode, payload } = wire.frames[1]!;
    expect(opcode).toBe(OPCODE.text);
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(payload)).toThrow(TypeError);
  });

  it('sends an empty text frame', async () => {
    await start('- { what: { type: emptyFrame } }', 'binary');
    using wire = await RawWire.ready(gemini.url);
    await wire.until(() => wire.frames.length === 2);
    expect(wire.frames[1]).toMatchObject({ opcode: OPCODE.text, final: true, payload: Buffer.alloc(0) });
  });

  it.each([100_000, undefined])('sends an oversize message: %s bytes', async (bytes) => {
    await start(`- { what: { type: oversize${bytes === undefined ? '' : `, bytes: ${bytes}`} } }`);
    using wire = await GeminiWire.ready(gemini.url);
    await wire.message('somethingNobodyKnows');
    expect(wire.frames[1]?.text).toHaveLength(bytes ?? DEFAULT_OVERSIZE_BYTES);
  });
});
