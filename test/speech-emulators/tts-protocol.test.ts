import { afterEach, describe, expect, it } from 'vitest';
import { parseWav, resample } from '../../src/speech/index.ts';
import {
  TextToSpeechEmulator,
  WORD_GAP_MS,
  findTones,
  isWord,
  voiceWords,
  wordPitchHz,
} from '../../src/testing/index.ts';
import type { TextToSpeechEmulatorOptions } from '../../src/testing/index.ts';
import { DeepgramTtsWire, GatewayTtsWire, samplesOf } from '../support/speech-wire.ts';

const TEXT = 'Good morning, which bread would you like?';
const WORDS = TEXT.split(' ');

let tts: TextToSpeechEmulator;

async function start(options: TextToSpeechEmulatorOptions = {}): Promise<void> {
  tts = await TextToSpeechEmulator.start({ pace: 1_000, ...options });
}

function ask(body: object, headers: Record<string, string> = { Authorization: 'Bearer secret-key' }) {
  return fetch(`${tts.url}/v1/audio/speech`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

/** The words heard in audio are these, each where it should be. */
function expectWords(samples: Int16Array, rateHz: number, text = TEXT): void {
  const tones = findTones(samples, rateHz);
  const words = voiceWords(text);
  expect(tones).toHaveLength(words.length);
  for (const [index, { word, startMs, endMs }] of words.entries()) {
    const tone = tones[index]!;
    expect({ word, heard: isWord(tone, word) }).toEqual({ word, heard: true });
    expect(Math.abs(tone.startMs - startMs)).toBeLessThan(5);
    expect(Math.abs(tone.endMs - endMs)).toBeLessThan(5);
  }
}

afterEach(async () => {
  await tts?.close();
});

describe('the voice of the text-to-speech emulator', () => {
  it('has a pitch for each word, whatever its case and punctuation', () => {
    expect(wordPitchHz('Bread,')).toBe(wordPitchHz('bread'));
    expect(new Set(WORDS.map(wordPitchHz)).size).toBe(WORDS.length);
    expect(isWord({ startMs: 0, endMs: 1, pitchHz: wordPitchHz('rye') + 2 }, 'rye')).toBe(false);
  });

  it('leaves silence behind each word', () => {
    const [first, second] = voiceWords('one two');
    expect(second!.startMs - first!.endMs).toBe(WORD_GAP_MS);
    expect(voiceWords('one two', 2)[1]!.startMs).toBe(second!.startMs / 2);
  });
});

describe('text-to-speech emulator on the wire of the gateway', () => {
  it('speaks a text so that its words can be found, and says where they are', async () => {
    await start();
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await wire.kind('done');
    expect(wire.story).toEqual(['created', 'alignment', 'audio', 'done']);
    expectWords(wire.samples, 24_000);
    const { words } = wire.ofKind('alignment')[0]!;
    expect(words.map(({ word }: { word: string }) => word)).toEqual(WORDS);
    expect(words[1].start * 1000).toBeCloseTo(voiceWords(TEXT)[1]!.startMs);
    const ids = new Set(wire.messages.map(({ session_id: id }) => id));
    expect(ids.size).toBe(1);
  });

  it('speaks each sentence as soon as it is whole, and the rest when it is flushed', async () => {
    await start();
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.send({ type: 'input_transcript', transcript: 'Good morning. Which ' });
    await wire.kind('audio');
    await tts.waitFor(({ connections }) => Math.round(connections.last?.audioMs ?? 0) === 880);
    expect(wire.ofKind('done')).toEqual([]);
    wire.speak('bread? ');
    await wire.kind('done');
    expectWords(wire.samples, 24_000, 'Good morning. Which bread?');
    const starts = wire
      .ofKind('alignment')
      .flatMap(({ words }) => words.map((word: { start: number }) => word.start));
    expect(starts).toEqual([...starts].toSorted((one, other) => one - other));
    wire.speak('Rye.');
    await wire.kind('done', 2);
    expect(wire.ofKind('alignment').at(-1)!.words[0].start).toBe(0);
    expect(tts.connections.last).toMatchObject({ flushes: 2, finished: 2, characters: 31 });
  });

  it('says done also when there was nothing to speak', async () => {
    await start();
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.send({ type: 'session.flush' });
    await wire.kind('done');
    expect(wire.story).toEqual(['created', 'done']);
  });

  it('speaks what was flushed to its end when the session is closed', async () => {
    await start();
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak('One two.');
    wire.send({ type: 'session.close' });
    await wire.kind('closed');
    expect(wire.story).toEqual(['created', 'alignment', 'audio', 'done', 'closed']);
    expect(wire.closed).toBeUndefined();
    expect(tts.connections.last).toMatchObject({ endRequests: 1, finished: 1 });
  });

  it('speaks no faster than it is told', async () => {
    await start({ pace: 4 });
    using wire = await GatewayTtsWire.ready(tts.url);
    const began = performance.now();
    wire.speak('one two three');
    await wire.kind('done');
    // 780 ms of speech; its last chunk leaves 40 ms of it before its end.
    expect(performance.now() - began).toBeGreaterThan(740 / 4 - 20);
  });

  it.each([
    [{ type: 'input_transcript', transcript: 'x' }, 'session.create comes first'],
    [{ type: 'session.create', encoding: 'mp3' }, 'pcm_s16le'],
    [{ type: 'session.create', sample_rate: 'fast' }, 'no sample rate'],
    [{ noType: true }, 'every message is JSON with a type'],
  ])('answers %j with an error, and goes on', async (message, text) => {
    await start();
    using wire = new GatewayTtsWire(tts.url);
    await wire.opened();
    wire.send(message);
    expect((await wire.kind('error')).message).toContain(text);
    wire.send({ type: 'session.create', transcript: 'Hello. ' });
    wire.send({ type: 'session.flush' });
    await wire.kind('done');
    expect(wire.story).toEqual(['error', 'created', 'alignment', 'audio', 'done']);
    expect(findTones(wire.samples, 16_000)).toHaveLength(1);
  });

  it('records what was said and how much was spoken, and no credential', async () => {
    await start({ record: true });
    using wire = await GatewayTtsWire.ready(tts.url);
    wire.speak('One.');
    await wire.kind('done');
    const record = tts.connections.last!;
    expect(record).toMatchObject({ api: 'gateway-tts', texts: ['One.'], audioChunks: 8 });
    expect(record.audioMs).toBeCloseTo(320);
    expect(record.sentKinds).toEqual({ created: 1, alignment: 1, audio: 8, done: 1 });
    const told = JSON.stringify([tts.recorded, record.describe(), tts.status()]);
    expect(told).not.toContain('secret-key');
    expect(told).toContain('"audioBytes":1920');
  });
});

describe('text-to-speech emulator on the wire of Deepgram', () => {
  it('speaks in frames of bytes what was flushed, and nothing before', async () => {
    await start();
    using wire = await DeepgramTtsWire.ready(tts.url);
    expect(wire.messages[0]).toMatchObject({ type: 'Metadata', model_name: 'aura-2-thalia-en' });
    wire.send({ type: 'Speak', text: 'Good morning. ' });
    wire.speak('Which bread?');
    await wire.kind('done');
    expect(wire.story).toEqual(['created', 'audio', 'done']);
    expectWords(wire.samples, 24_000, 'Good morning. Which bread?');
    wire.speak('Rye.');
    wire.send({ type: 'Flush' });
    await wire.kind('done', 3);
    expect(wire.ofKind('done').map(({ sequence_id: id }) => id as number)).toEqual([0, 1, 2]);
    expect(tts.connections.last).toMatchObject({ api: 'deepgram-tts', flushes: 3, finished: 3, clears: 0 });
  });

  it('speaks at the rate it is asked for', async () => {
    await start();
    using wire = await DeepgramTtsWire.open(tts.url, '/v1/speak?sample_rate=16000');
    wire.speak(TEXT);
    await wire.kind('done');
    expectWords(wire.samples, 16_000);
  });

  it('forgets text and audio when it is told to, and answers no flush of them', async () => {
    await start({ pace: 1 });
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak(TEXT);
    await wire.kind('audio');
    wire.send({ type: 'Clear' });
    await wire.kind('cleared');
    const before = wire.audioFrames.length;
    wire.speak('Rye.');
    await wire.kind('done');
    const samples = samplesOf(Buffer.concat(wire.audioFrames.slice(before)));
    expectWords(samples, 24_000, 'Rye.');
    expect(wire.story).toEqual(['created', 'audio', 'cleared', 'audio', 'done']);
    expect(tts.connections.last).toMatchObject({ clears: 1, flushes: 2, finished: 1 });
  });

  it('speaks what it has to its end when it is told to close, and closes', async () => {
    await start();
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak('One two.');
    wire.send({ type: 'Speak', text: 'Three.' });
    wire.send({ type: 'Close' });
    wire.send({ type: 'Close' });
    expect((await wire.ended()).code).toBe(1000);
    expectWords(wire.samples, 24_000, 'One two. Three.');
    expect(tts.connections.last).toMatchObject({ endRequests: 2 });
  });

  it('takes twenty flushes a minute', async () => {
    await start();
    using wire = await DeepgramTtsWire.ready(tts.url);
    for (let flush = 1; flush <= 21; flush += 1) wire.send({ type: 'Flush' });
    expect(await wire.kind('warning')).toMatchObject({ warn_code: 'EXCESSIVE_FLUSH' });
    expect(wire.ofKind('done')).toHaveLength(20);
    expect(wire.closed).toBeUndefined();
  });

  it.each([
    [JSON.stringify({ type: 'KeepAlive' }), 1008, 'DATA-0000'],
    ['{', 1008, 'DATA-0000'],
    [JSON.stringify({ type: 'Speak', text: 'x'.repeat(2_001) }), 1009, 'BIG-0001'],
    [Buffer.from('{"type":"Flush"}'), 1003, 'MESSAGE-0000'],
  ])('closes on %s with %i %s', async (frame, code, reason) => {
    await start();
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.socket.send(frame);
    expect(await wire.ended()).toEqual({ code, reason });
  });

  it.each([
    ['/v1/speak?encoding=mulaw', 400],
    ['/v1/speak?sample_rate=fast', 400],
    ['/v1/speech', 404],
  ])('refuses %s with %i', async (target, status) => {
    await start();
    using wire = new DeepgramTtsWire(tts.url, target);
    await wire.until(() => wire.httpBody !== undefined);
    expect(wire.httpStatus).toBe(status);
  });

  it('records what was said and how much was spoken, and no credential', async () => {
    await start({ record: true });
    using wire = await DeepgramTtsWire.ready(tts.url);
    wire.speak('One.');
    await wire.kind('done');
    const record = tts.connections.last!;
    expect(record).toMatchObject({ texts: ['One.'], audioChunks: 8 });
    expect(record.sentKinds).toEqual({ created: 1, audio: 8, done: 1 });
    const told = JSON.stringify([tts.recorded, record.describe(), tts.status()]);
    expect(told).not.toContain('secret-key');
    expect(told).toContain('"audioBytes":1920');
  });
});

describe('text-to-speech emulator by HTTP', () => {
  it('answers with samples, in chunks, as they are spoken', async () => {
    await start();
    const response = await ask({ model: 'any', voice: 'alloy', input: TEXT, response_format: 'pcm' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'audio/pcm']);
    expect(response.headers.get('content-length')).toBeNull();
    expectWords(samplesOf(await bytesOf(response)), 24_000);
    await tts.waitFor(({ sockets }) => sockets === 0);
    expect(tts.connections.last).toMatchObject({ api: 'http', model: 'any', texts: [TEXT], finished: 1 });
  });

  it('answers with a WAV file whose header tells the truth', async () => {
    await start();
    const wav = parseWav(await bytesOf(await ask({ input: TEXT, response_format: 'wav', speed: 1 })));
    expect(wav.rateHz).toBe(24_000);
    expectWords(wav.samples, 24_000);
    expectWords(resample(wav.samples, 24_000, 16_000), 16_000);
  });

  it('answers with server-sent events', async () => {
    await start();
    const response = await ask({ input: 'One two.', response_format: 'pcm', stream_format: 'sse' });
    const events = (await response.text())
      .trim()
      .split('\n\n')
      .map((line) => JSON.parse(line.replace('data: ', '')) as { type: string; audio?: string });
    expect(events.at(-1)).toEqual({ type: 'speech.audio.done' });
    const audio = events.slice(0, -1).map((event) => Buffer.from(event.audio ?? '', 'base64'));
    expectWords(samplesOf(Buffer.concat(audio)), 24_000, 'One two.');
  });

  it('answers a text without a word with no sample', async () => {
    await start();
    expect((await bytesOf(await ask({ input: ' ', response_format: 'pcm' }))).length).toBe(0);
  });

  it.each([
    [{ input: 'x' }, 'response_format'],
    [{ input: 'x', response_format: 'mp3' }, 'pcm'],
    [{ input: 'x'.repeat(4_097), response_format: 'pcm' }, '4096'],
    [{ input: 'x', response_format: 'pcm', speed: 9 }, 'speed'],
  ])('refuses %j with 400', async (body, text) => {
    await start();
    const response = await ask(body);
    expect(response.status).toBe(400);
    const answer = (await response.json()) as { error: { message: string; type: string } };
    expect(answer.error.type).toBe('invalid_request_error');
    expect(answer.error.message).toContain(text);
  });

  it('refuses who has no key with 401, and what it does not have with 404', async () => {
    await start({ keys: ['good'] });
    expect((await ask({}, {})).status).toBe(401);
    expect((await ask({}, { Authorization: 'Bearer bad' })).status).toBe(401);
    const good = await ask({ input: 'x', response_format: 'pcm' }, { Authorization: 'Bearer good' });
    expect(good.status).toBe(200);
    await good.arrayBuffer();
    const { count } = tts.connections;
    const elsewhere = await fetch(`${tts.url}/v1/models`);
    expect([elsewhere.status, tts.connections.count]).toEqual([404, count]);
  });

  it('stops speaking when the client goes', async () => {
    await start({ pace: 1 });
    const going = new AbortController();
    const response = await fetch(`${tts.url}/v1/audio/speech`, {
      method: 'POST',
      headers: { Authorization: 'Bearer any' },
      body: JSON.stringify({ input: TEXT, response_format: 'pcm' }),
      signal: going.signal,
    });
    expect(response.status).toBe(200);
    going.abort();
    await tts.waitFor(({ sockets }) => sockets === 0);
    expect(tts.connections.last).toMatchObject({ finished: 0, stage: 'closed' });
  });
});
