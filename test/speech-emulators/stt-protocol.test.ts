import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/kernel/index.ts';
import { SpeechToTextEmulator } from '../../src/testing/index.ts';
import type { SpeechToTextEmulatorOptions } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';
import { DeepgramWire, GatewaySttWire, LISTEN } from '../support/speech-wire.ts';

let stt: SpeechToTextEmulator;

async function start(options: SpeechToTextEmulatorOptions = {}): Promise<void> {
  stt = await SpeechToTextEmulator.start(options);
}

afterEach(async () => {
  await stt?.close();
});

function joined(...pieces: Int16Array[]): Int16Array {
  const all = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

describe('speech-to-text emulator on the wire of Deepgram', () => {
  it('tells speech from its start to its end, and says how much it was', async () => {
    await start();
    using wire = await DeepgramWire.open(stt.url);
    wire.say(joined(burst(0, 200), burst(1_500)));
    const final = await wire.kind('speechFinal');
    expect(wire.story).toEqual(['speechStarted', 'interim', 'final']);
    expect(wire.messages[0]).toEqual({ type: 'SpeechStarted', channel: [0], timestamp: 0.2 });
    expect(final).toMatchObject({
      type: 'Results',
      channel_index: [0, 1],
      start: 0.2,
      is_final: true,
      speech_final: true,
      channel: { alternatives: [{ transcript: '(1.5 s of speech)' }] },
    });
    expect(final.duration).toBeCloseTo(1.5, 1);
    expect(wire.ofKind('interim').map(({ is_final: isFinal }) => isFinal)).not.toContain(true);
  });

  it('claims the texts of its script, word by word, and has times for the words', async () => {
    await start({ transcripts: ['Two rye, please.', 'That is all.'] });
    using wire = await DeepgramWire.open(stt.url);
    wire.say(joined(burst(1_500), burst(900), burst(600)));
    await wire.kind('speechFinal', 3);
    expect(wire.finals).toEqual(['Two rye, please.', 'That is all.', '(0.6 s of speech)']);
    const interims = wire.ofKind('interim').map(DeepgramWire.textOf);
    expect(interims.slice(0, 3)).toEqual(['Two', 'Two rye,', 'Two rye, please.']);
    const { words } = wire.ofKind('final')[0]!.channel.alternatives[0];
    expect(words.map(({ word }: { word: string }) => word)).toEqual(['two', 'rye', 'please']);
    expect(words[1]).toMatchObject({ punctuated_word: 'rye,', start: words[0].end, end: words[2].start });
    expect(words[2].end).toBeCloseTo(1.5, 1);
  });

  it('keeps to one text an utterance, also when two clients speak at the same time', async () => {
    await start({ transcripts: ['one one one', 'two two two'] });
    using first = await DeepgramWire.open(stt.url);
    first.say(burst(900, 0));
    await first.kind('interim', 2);
    using second = await DeepgramWire.open(stt.url);
    second.say(burst(900, 0));
    await second.kind('interim', 2);
    first.say(burst(0));
    await first.kind('final');
    second.say(burst(0));
    await second.kind('final');
    expect([first.finals, second.finals]).toEqual([['one one one'], ['two two two']]);
    expect(new Set(second.ofKind('interim').map(DeepgramWire.textOf))).not.toContain('one');
  });

  it('gives the text of a speech that was cut off to the next one', async () => {
    await start({ transcripts: ['one', 'two'] });
    const first = await DeepgramWire.open(stt.url);
    first.say(burst(900, 0));
    await first.kind('interim');
    first.socket.terminate();
    await stt.waitFor(({ sockets }) => sockets === 0);
    using second = await DeepgramWire.open(stt.url);
    second.say(burst(900));
    await second.kind('final');
    expect(second.finals).toEqual(['one']);
  });

  it('says the same whatever pieces the audio comes in', async () => {
    const audio = joined(burst(0, 170), burst(1_350), burst(700));
    const stories: unknown[] = [];
    for (const pieceSamples of [audio.length, 1_234, 160]) {
      await start({ transcripts: ['one two three four'], random: seededRandom(1) });
      using wire = await DeepgramWire.open(stt.url, `${LISTEN}&utterance_end_ms=600`);
      for (let at = 0; at < audio.length; at += pieceSamples) {
        wire.socket.send(Buffer.from(audio.slice(at, at + pieceSamples).buffer));
      }
      wire.send({ type: 'CloseStream' });
      await wire.ended();
      stories.push(wire.messages.filter(({ type }) => type === 'Results' || type === 'SpeechStarted'));
      await stt.close();
    }
    expect(stories[0]).not.toEqual([]);
    expect(stories[1]).toEqual(stories[0]);
    expect(stories[2]).toEqual(stories[0]);
  });

  it('tells a long speech in segments, which together are its text', async () => {
    const text = 'one two three four five six seven eight nine ten';
    await start({ transcripts: [text], longestSegmentMs: 1_000 });
    using wire = await DeepgramWire.open(stt.url);
    wire.say(burst(3_000));
    await wire.kind('speechFinal');
    const finals = wire.ofKind('final');
    expect(finals.length).toBeGreaterThan(2);
    expect(finals.map(({ speech_final: ends }) => ends)).toEqual([...finals.slice(1).map(() => false), true]);
    expect(wire.finals.join(' ').trim()).toBe(text);
  });

  it('sends interim results, SpeechStarted and UtteranceEnd only to those who ask', async () => {
    await start();
    using wire = await DeepgramWire.open(stt.url, '/v1/listen?encoding=linear16&sample_rate=16000');
    wire.say(burst(800, 2_000));
    using asking = await DeepgramWire.open(stt.url, `${LISTEN}&utterance_end_ms=1000`);
    asking.say(burst(800, 2_000));
    const end = await asking.kind('utteranceEnd');
    expect(end).toMatchObject({ type: 'UtteranceEnd', channel: [0, 1] });
    expect(end.last_word_end).toBeCloseTo(0.8, 1);
    await wire.kind('final');
    expect(wire.story).toEqual(['final']);
  });

  it('flushes on Finalize, also when there is nothing', async () => {
    await start();
    using wire = await DeepgramWire.open(stt.url);
    wire.send({ type: 'Finalize' });
    expect(DeepgramWire.textOf(await wire.kind('finalized'))).toBe('');
    wire.say(burst(700, 0));
    wire.send({ type: 'Finalize' });
    const final = await wire.kind('finalized', 2);
    expect(final).toMatchObject({ from_finalize: true, is_final: true, speech_final: true });
    expect(DeepgramWire.textOf(final)).toBe('(0.7 s of speech)');
    expect(stt.connections.last).toMatchObject({ finalizes: 2, stage: 'ready' });
  });

  it.each(['CloseStream', 'an empty frame'])('ends on %s with results, Metadata and 1000', async (way) => {
    await start();
    using wire = await DeepgramWire.open(stt.url);
    const audio = burst(700, 100);
    wire.say(audio);
    if (way === 'CloseStream') wire.send({ type: 'CloseStream' });
    else wire.socket.send(Buffer.alloc(0));
    expect(await wire.ended()).toEqual({ code: 1000, reason: '' });
    expect(wire.story.slice(-2)).toEqual(['final', 'closed']);
    expect(wire.messages.at(-1)).toMatchObject({
      type: 'Metadata',
      duration: 0.8,
      channels: 1,
      sha256: createHash('sha256').update(Buffer.from(audio.buffer)).digest('hex'),
    });
    expect(wire.ofKind('final')[0]).not.toHaveProperty('from_finalize');
    await stt.waitFor(({ sockets }) => sockets === 0);
    expect(stt.connections.last).toMatchObject({ endRequests: 1, receivedAfterEnd: 0 });
    expect(stt.connections.last?.audioMs).toBeCloseTo(800);
  });

  it('hears telephone audio, and samples that two frames share', async () => {
    await start();
    const silence = new Uint8Array(5_600).fill(0xff);
    const tone = Uint8Array.from({ length: 8_000 }, (_, index) => (index % 16 < 8 ? 0x20 : 0xa0));
    using phone = await DeepgramWire.open(stt.url, '/v1/listen?encoding=mulaw&sample_rate=8000');
    phone.socket.send(tone);
    phone.socket.send(silence);
    expect(DeepgramWire.textOf(await phone.kind('final'))).toBe('(1.0 s of speech)');
    using odd = await DeepgramWire.open(stt.url);
    const bytes = Buffer.from(burst(1_000).buffer);
    for (let at = 0; at < bytes.length; at += 333) odd.socket.send(bytes.subarray(at, at + 333));
    expect(DeepgramWire.textOf(await odd.kind('final'))).toBe('(1.0 s of speech)');
  });

  it('takes a KeepAlive in a binary frame for audio, and answers no KeepAlive', async () => {
    await start();
    using wire = await DeepgramWire.open(stt.url);
    wire.send({ type: 'KeepAlive' });
    wire.socket.send(Buffer.from('{"type":"KeepAlive"}'));
    await stt.waitFor(({ connections }) => connections.last?.audioFrames === 1);
    expect(stt.connections.last).toMatchObject({ keepAlives: 1, received: { KeepAlive: 1, binary: 1 } });
    expect(wire.messages).toEqual([]);
  });

  it.each([
    ['/v1/listen?encoding=opus', 400, 'linear16 and mulaw'],
    ['/v1/listen?channels=2', 400, 'one channel'],
    ['/v1/listen?sample_rate=much', 400, 'no sample rate'],
    ['/v2/listen', 404, 'There is no'],
  ])('refuses %s with %i', async (target, status, message) => {
    await start();
    using wire = new DeepgramWire(stt.url, target);
    await wire.until(() => wire.httpBody !== undefined);
    expect(wire.httpStatus).toBe(status);
    expect(wire.httpBody).toContain(message);
  });

  it('refuses who has no key, or a wrong one, in the words of the service', async () => {
    await start({ keys: ['good'] });
    for (const headers of [{}, { Authorization: 'Token bad' }]) {
      using wire = new DeepgramWire(stt.url, LISTEN, { headers });
      await wire.until(() => wire.httpBody !== undefined);
      expect(wire.httpStatus).toBe(401);
      expect(JSON.parse(wire.httpBody!)).toMatchObject({ err_code: 'INVALID_AUTH' });
      expect(wire.httpHeaders['dg-request-id']).toBe(JSON.parse(wire.httpBody!).request_id);
      expect(wire.httpHeaders['dg-error']).toBe('Invalid credentials.');
    }
    using good = new DeepgramWire(stt.url, LISTEN, { headers: { Authorization: 'Token good' } });
    await good.opened();
    expect(good.httpStatus).toBeUndefined();
  });
});

describe('speech-to-text emulator on the wire of the gateway', () => {
  it.each(['/v1/stt', '/stt', '//v1/stt/', '/behind/v1/stt?model=x'])('is found at %s', async (path) => {
    await start();
    using wire = new DeepgramWire(stt.url, path);
    await wire.opened();
    expect(stt.connections.last?.api).toBe('gateway-stt');
  });

  it('creates a session, tells speech, and has a result in the pause before the end', async () => {
    await start({ transcripts: ['Two rye, please.'] });
    using wire = await GatewaySttWire.ready(stt.url);
    wire.say(burst(1_200));
    const final = await wire.kind('final');
    expect(wire.story).toEqual(['created', 'speechStarted', 'interim', 'preflight', 'final']);
    expect(final).toMatchObject({
      type: 'final_transcript',
      transcript: 'Two rye, please.',
      language: 'en',
      start: 0,
      session_id: wire.messages[0]!.session_id,
    });
    expect(final.words).toHaveLength(3);
    expect(final.words[0]).toMatchObject({ word: 'Two', start: 0 });
    expect(wire.ofKind('preflight')[0]).toMatchObject({ transcript: 'Two rye, please.' });
  });

  it('finalizes without ending, and ends with session.closed; the socket is the client’s to close', async () => {
    await start();
    using wire = await GatewaySttWire.ready(stt.url);
    wire.say(burst(600, 0));
    wire.send({ type: 'session.finalize' });
    await wire.kind('finalized');
    expect(wire.finals).toEqual(['(0.6 s of speech)']);
    wire.send({ type: 'session.update', settings: { language: 'de' } });
    wire.say(burst(900, 0));
    wire.send({ type: 'session.close' });
    await wire.kind('closed');
    expect(wire.ofKind('final')[1]).toMatchObject({ transcript: '(0.9 s of speech)', language: 'de' });
    expect(wire.closed).toBeUndefined();
    wire.say(burst(900));
    await stt.waitFor(({ connections }) => (connections.last?.receivedAfterEnd ?? 0) > 0);
    wire.socket.close(1000);
    expect((await wire.ended()).code).toBe(1000);
    expect(wire.story.at(-1)).toBe('closed');
  });

  it('closes the socket behind session.closed when it is told to', async () => {
    await start({ gatewayCloses: true });
    using wire = await GatewaySttWire.ready(stt.url);
    wire.send({ type: 'session.close' });
    expect((await wire.ended()).code).toBe(1000);
    expect(wire.story).toEqual(['created', 'closed']);
  });

  it.each([
    [{ type: 'input_audio', audio: '' }, 'session.create comes first'],
    [{ type: 'session.create', settings: { encoding: 'opus' } }, 'pcm_s16le'],
    [{ type: 'session.create', settings: { sample_rate: 'fast' } }, 'no sample rate'],
    [{ noType: true }, 'every message is JSON with a type'],
  ])('answers %j with an error, and goes on', async (message, text) => {
    await start();
    using wire = new GatewaySttWire(stt.url);
    await wire.opened();
    wire.send(message);
    const error = await wire.kind('error');
    expect(error).toMatchObject({ type: 'error', code: 400 });
    expect(error.message).toContain(text);
    wire.create();
    await wire.kind('created');
    expect(wire.messages).toHaveLength(2);
  });

  it('answers what it does not know with an error', async () => {
    await start();
    using wire = await GatewaySttWire.ready(stt.url);
    wire.send({ type: 'session.dance' });
    expect((await wire.kind('error')).message).toContain('session.dance');
    wire.send({ type: 'input_audio', audio: '%' });
    expect((await wire.kind('error', 2)).message).toContain('base64');
    wire.create();
    expect((await wire.kind('error', 3)).message).toContain('once');
  });

  it('counts what came in, and records it without credentials and without audio', async () => {
    await start({ record: true });
    using wire = await GatewaySttWire.ready(stt.url);
    wire.say(burst(500, 500));
    wire.send({ type: 'session.close' });
    await wire.kind('closed');
    wire.socket.close();
    await stt.waitFor(({ sockets }) => sockets === 0);
    const record = stt.connections.last!;
    expect(record).toMatchObject({ api: 'gateway-stt', model: 'any', audioMs: 1_000, audioFrames: 20 });
    expect(record.received).toEqual({ 'session.create': 1, input_audio: 20, 'session.close': 1 });
    expect(record.sentKinds).toMatchObject({ created: 1, speechStarted: 1, final: 1, closed: 1 });
    expect(record.finals).toEqual(['(0.5 s of speech)']);
    const told = JSON.stringify([stt.recorded, record.describe(), stt.status()]);
    expect(told).not.toContain('secret-key');
    expect(told).toContain('"audioBytes":1600');
    const status = await fetch(`${stt.url}/_emulator/connections`);
    expect(await status.text()).toContain('"audioMs": 1000');
  });
});
