import { afterEach, describe, expect, it } from 'vitest';
import { GATEWAY_INACTIVITY_CODE, TextToSpeechEmulator, findTones } from '../../src/testing/index.ts';
import type { TextToSpeechEmulatorOptions, TtsFaultRule } from '../../src/testing/index.ts';
import { DeepgramTtsWire, GatewayTtsWire } from '../support/speech-wire.ts';

const TEXT = 'one two three four';
/** Its samples at 24 kHz: four words of 180 to 300 ms, and 80 ms behind each. */
const SAMPLES = ((180 + 180 + 300 + 240 + 4 * 80) * 24_000) / 1000;

let tts: TextToSpeechEmulator;

async function start(
  faults: readonly TtsFaultRule[],
  options: TextToSpeechEmulatorOptions = {},
): Promise<void> {
  tts = await TextToSpeechEmulator.start({ faults, pace: 1_000, ...options });
}

function ask(body: object = { input: TEXT, response_format: 'pcm' }): Promise<Response> {
  const headers = { Authorization: 'Bearer any' };
  return fetch(`${tts.url}/v1/audio/speech`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function spoken(faults: readonly TtsFaultRule[]): Promise<GatewayTtsWire> {
  await start(faults);
  const wire = await GatewayTtsWire.ready(tts.url);
  wire.speak(TEXT);
  await tts.waitFor(({ connections }) => (connections.last?.finished ?? 0) === 1);
  wire.send({ type: 'session.close' });
  await wire.kind('closed');
  wire.socket.terminate();
  return wire;
}

afterEach(async () => {
  await tts?.close();
});

describe('faults of text-to-speech on the wire of the gateway', () => {
  it.each([401, 402, 429])('HTTP %i at the upgrade', async (status) => {
    await start([{ what: { type: 'httpStatus', status } }]);
    using wire = new GatewayTtsWire(tts.url);
    await wire.until(() => wire.httpBody !== undefined);
    expect(wire.httpStatus).toBe(status);
  });

  it('done missing', async () => {
    const wire = await spoken([{ when: { kind: 'done' }, what: { type: 'silence' } }]);
    expect(wire.story).toEqual(['created', 'alignment', 'audio', 'closed']);
    expect(wire.samples).toHaveLength(SAMPLES);
  });

  it('audio after done', async () => {
    const wire = await spoken([{ what: { type: 'strayAudio', ms: 100 } }]);
    expect(wire.story).toEqual(['created', 'alignment', 'audio', 'done', 'audio', 'closed']);
    expect(wire.samples).toHaveLength(SAMPLES + 2_400);
  });

  it('an odd number of bytes', async () => {
    const wire = await spoken([{ when: { on: 'audio', nth: 2 }, what: { type: 'oddBytes' } }]);
    const lengths = wire.ofKind('audio').map(({ audio }) => Buffer.from(audio as string, 'base64').length);
    expect(lengths.slice(0, 3)).toEqual([1_920, 1_919, 1_920]);
    expect(wire.audio.length % 2).toBe(1);
  });

  it('an error in the middle of an utterance, then a close', async () => {
    await start([{ when: { on: 'audio', nth: 3 }, what: { type: 'error', code: 503, message: 'gone' } }]);
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak(TEXT);
    expect((await wire.ended()).code).toBe(1000);
    expect(wire.ofKind('audio')).toHaveLength(2);
    expect(wire.messages.at(-1)).toEqual({ type: 'error', code: 503, message: 'gone' });
  });

  it('an error in the middle of an utterance, which goes on', async () => {
    const wire = await spoken([{ when: { on: 'audio', nth: 3 }, what: { type: 'error', close: false } }]);
    expect(wire.story).toEqual(['created', 'alignment', 'audio', 'error', 'audio', 'done', 'closed']);
  });

  it('a connection that is lost in the middle of an utterance', async () => {
    await start([{ when: { on: 'audio', nth: 3 }, what: { type: 'reset' } }]);
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak(TEXT);
    expect((await wire.ended()).code).toBe(1006);
    expect(tts.connections.last).toMatchObject({ finished: 0 });
  });

  it('a chunk that is missing', async () => {
    const wire = await spoken([{ when: { on: 'audio', nth: 2 }, what: { type: 'silence' } }]);
    expect(wire.samples).toHaveLength(SAMPLES - 960);
  });

  it('a flush that is ignored', async () => {
    await start([{ what: { type: 'silence' } }]);
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await tts.waitFor(({ connections }) => connections.last?.flushes === 1);
    wire.send({ type: 'nothing anybody knows' });
    await wire.kind('error');
    expect(wire.story).toEqual(['created', 'error']);
  });

  it('created never sent', async () => {
    await start([{ when: { on: 'create' }, what: { type: 'silence' } }]);
    using wire = await GatewayTtsWire.open(tts.url);
    await tts.waitFor(({ connections }) => connections.last?.received['session.create'] === 1);
    expect([wire.messages, tts.connections.last?.stage]).toEqual([[], 'open']);
  });

  it('a hang after session.close', async () => {
    await start([{ when: { on: 'end' }, what: { type: 'silence' } }]);
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.send({ type: 'session.close' });
    wire.send({ type: 'session.close' });
    await tts.waitFor(({ connections }) => connections.last?.endRequests === 2);
    expect([wire.story, wire.closed]).toEqual([['created'], undefined]);
  });

  it('a mute provider', async () => {
    await start([{ when: { on: 'text' }, what: { type: 'mute' } }]);
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await tts.waitFor(({ connections }) => connections.last?.finished === 1);
    expect(wire.story).toEqual(['created']);
  });

  it('inactivity: error 2007, which is no close code, and then a close', async () => {
    await start([], { gatewayInactivityMs: 1_800_000, timeScale: 100_000 });
    using wire = await GatewayTtsWire.ready(tts.url);
    expect((await wire.ended()).code).toBe(1000);
    expect(wire.messages.at(-1)).toMatchObject({ type: 'error', code: GATEWAY_INACTIVITY_CODE });
  });
});

describe('faults of text-to-speech on the wire of Deepgram', () => {
  /** Everything of a text that is spoken and answered. */
  async function spokenBytes(faults: readonly TtsFaultRule[]): Promise<DeepgramTtsWire> {
    await start(faults);
    const wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await tts.waitFor(({ connections }) => (connections.last?.finished ?? 0) === 1);
    wire.send({ type: 'Close' });
    await wire.ended();
    return wire;
  }

  it.each([
    [{ when: { kind: 'done' }, what: { type: 'silence' } }, ['created', 'audio'], 0],
    [{ when: { kind: 'created' }, what: { type: 'duplicate' } }, ['created', 'audio', 'done'], 0],
    [{ what: { type: 'strayAudio', ms: 100 } }, ['created', 'audio', 'done', 'audio'], 2_400],
    [{ when: { on: 'audio', nth: 2 }, what: { type: 'silence' } }, ['created', 'audio', 'done'], -960],
    [{ when: { kind: 'audio', nth: 2 }, what: { type: 'duplicate' } }, ['created', 'audio', 'done'], 960],
    [{ when: { kind: 'audio', nth: 2 }, what: { type: 'swapWithNext' } }, ['created', 'audio', 'done'], 0],
    [{ when: { kind: 'audio' }, what: { type: 'fragment', frames: 3 } }, ['created', 'audio', 'done'], 0],
    [
      { when: { on: 'audio', nth: 3 }, what: { type: 'error', close: false } },
      ['created', 'audio', 'error', 'audio', 'done'],
      0,
    ],
    [
      { when: { on: 'audio', nth: 3 }, what: { type: 'unknownMessage' } },
      ['created', 'audio', 'unknown', 'audio', 'done'],
      0,
    ],
  ] as const satisfies readonly (readonly [TtsFaultRule, readonly string[], number])[])(
    '%j',
    async (rule, story, more) => {
      const wire = await spokenBytes([rule]);
      expect(wire.story).toEqual(story);
      expect(wire.samples).toHaveLength(SAMPLES + more);
    },
  );

  it('an odd number of bytes', async () => {
    const wire = await spokenBytes([{ when: { on: 'audio', nth: 2 }, what: { type: 'oddBytes' } }]);
    expect(wire.audioFrames.slice(0, 3).map(({ length }) => length)).toEqual([1_920, 1_919, 1_920]);
  });

  it('an error in the middle of an utterance, then a close', async () => {
    await start([
      { when: { on: 'audio', nth: 3 }, what: { type: 'error', code: 'NET-0000', message: 'gone' } },
    ]);
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    expect((await wire.ended()).code).toBe(1011);
    expect(wire.audioFrames).toHaveLength(2);
    expect(wire.messages.at(-1)).toMatchObject({ type: 'Error', code: 'NET-0000', description: 'gone' });
  });

  it('a frame of audio that is cut in two', async () => {
    await start([{ when: { kind: 'audio', nth: 3 }, what: { type: 'cutMessage' } }]);
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    expect((await wire.ended()).code).toBe(1006);
    expect(wire.audioFrames).toHaveLength(2);
  });

  it('a Clear that is ignored, and speech goes on', async () => {
    await start([{ when: { on: 'clear' }, what: { type: 'silence' } }]);
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    wire.send({ type: 'Clear' });
    await wire.kind('done');
    expect(wire.story).toEqual(['created', 'audio', 'done']);
    expect(tts.connections.last).toMatchObject({ clears: 1 });
  });

  it('a hang after Close', async () => {
    await start([{ when: { on: 'end' }, what: { type: 'silence' } }]);
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.send({ type: 'Close' });
    wire.send({ type: 'Close' });
    await tts.waitFor(({ connections }) => connections.last?.endRequests === 2);
    expect([wire.story, wire.closed]).toEqual([['created'], undefined]);
  });

  it('a mute provider', async () => {
    await start([{ when: { on: 'text' }, what: { type: 'mute' } }]);
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await tts.waitFor(({ connections }) => connections.last?.finished === 1);
    expect(wire.story).toEqual(['created']);
  });
});

describe('faults of text-to-speech by HTTP', () => {
  it.each([402, 429, 503])('a status %i', async (status) => {
    await start([{ what: { type: 'httpStatus', status, retryAfter: '2' } }]);
    const response = await ask();
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, '2']);
    expect(await response.json()).toMatchObject({ error: { message: expect.any(String) as string } });
  });

  it('an error before anything was said is a status', async () => {
    await start([{ when: { on: 'flush' }, what: { type: 'error', code: 503, message: 'overloaded' } }]);
    const response = await ask();
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      error: { message: 'overloaded', type: 'server_error', code: 503 },
    });
  });

  it.each(['error', 'reset', 'endWithoutCloseFrame'] as const)(
    'an answer that breaks off in the middle: %s',
    async (type) => {
      await start([{ when: { on: 'audio', nth: 4 }, what: { type } }]);
      const response = await ask();
      expect(response.status).toBe(200);
      await expect(response.arrayBuffer()).rejects.toThrow('terminated');
      await tts.waitFor(({ sockets }) => sockets === 0);
      expect(tts.connections.last).toMatchObject({ finished: 0 });
    },
  );

  it('an odd number of bytes, and audio behind the end', async () => {
    await start([
      { when: { on: 'audio', nth: 1 }, what: { type: 'oddBytes' } },
      { what: { type: 'strayAudio' } },
    ]);
    const { byteLength } = await (await ask()).arrayBuffer();
    expect(byteLength).toBe((SAMPLES + 4_800) * 2 - 1);
  });

  it('an answer that never comes', async () => {
    await start([{ when: { on: 'upgrade' }, what: { type: 'neverAnswerUpgrade' } }]);
    const going = new AbortController();
    const answer = fetch(`${tts.url}/v1/audio/speech`, { method: 'POST', body: '{}', signal: going.signal });
    await tts.waitFor(({ connections }) => connections.count === 1);
    going.abort();
    await expect(answer).rejects.toThrow('aborted');
    await tts.waitFor(({ sockets }) => sockets === 0);
  });

  it('denied while as many as may be are open', async () => {
    await start([], { maxSessions: 1 });
    const orphan = await GatewayTtsWire.ready(tts.url);
    expect((await ask()).status).toBe(429);
    orphan.socket.close();
    await tts.waitFor(({ sockets }) => sockets === 0);
    const response = await ask();
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(findTones(new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2), 24_000)).toHaveLength(
      4,
    );
  });
});
