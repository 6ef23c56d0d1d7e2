import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/kernel/index.ts';
import {
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  findTones,
  isWord,
  speakWords,
} from '../../src/testing/index.ts';
import { DeepgramWire, GatewaySttWire, GatewayTtsWire } from '../support/speech-wire.ts';

let stt: SpeechToTextEmulator;
let tts: TextToSpeechEmulator;

beforeEach(async () => {
  stt = await SpeechToTextEmulator.start();
  tts = await TextToSpeechEmulator.start({ pace: 1_000 });
});

afterEach(async () => {
  await stt.close();
  await tts.close();
});

describe('the speech emulators together', () => {
  it('hear what they speak, as one utterance, for as long as it is', async () => {
    using mouth = await GatewayTtsWire.ready(tts.url);
    mouth.speak('Which bread would you like?');
    await mouth.kind('done');
    using ear = await DeepgramWire.open(stt.url, '/v1/listen?encoding=linear16&sample_rate=24000');
    ear.say(mouth.samples);
    ear.say(new Int16Array(24_000));
    const final = await ear.kind('final');
    const tones = findTones(mouth.samples, 24_000);
    expect(tones).toHaveLength(5);
    expect(Math.abs(final.duration * 1000 - tones.at(-1)!.endMs)).toBeLessThan(20);
    expect(ear.finals).toHaveLength(1);
  });

  it('find words that went over a telephone', () => {
    const samples = speakWords('two rye please', 8_000);
    // The steps of 8-bit telephone audio are at most a thirty-second of what they stand for.
    const coarse = samples.map((sample) => Math.trunc(sample / 256) * 256);
    const tones = findTones(coarse, 8_000);
    expect(['two', 'rye', 'please'].map((word, index) => isWord(tones[index]!, word))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('survive whatever they are sent', async () => {
    const random = seededRandom(11);
    const pieces = [
      '{',
      '"type"',
      ':',
      '"session.create"',
      '"input_audio"',
      'null',
      '[]',
      '}',
      ',',
      '"settings"',
      '{}',
      '1e999',
    ];
    const garbage = (): string =>
      Array.from({ length: 8 }, () => pieces[Math.floor(random.next() * pieces.length)]).join('');
    const wellFormed = [
      { type: 'session.create', settings: null },
      { type: 'session.create', settings: { sample_rate: {}, encoding: [] } },
      { type: 'input_audio', audio: 7 },
      { type: 'input_transcript', transcript: {} },
      { type: '__proto__' },
      { type: 'constructor' },
      { type: 'session.update', settings: { language: 4 } },
      { type: 'session.flush' },
      [],
      null,
    ];
    for (const wire of [
      await DeepgramWire.open(stt.url),
      await GatewaySttWire.ready(stt.url),
      await GatewayTtsWire.ready(tts.url),
    ]) {
      for (let sent = 0; sent < 200; sent += 1) wire.socket.send(garbage());
      for (const message of wellFormed) wire.socket.send(JSON.stringify(message));
      wire.socket.send(Buffer.from([1]));
      wire.socket.send(Buffer.from([2, 3, 4]));
      wire.send({ type: wire instanceof DeepgramWire ? 'CloseStream' : 'session.close' });
      await wire.kind('closed');
      wire.socket.close();
    }
    await stt.waitFor(({ sockets }) => sockets === 0);
    await tts.waitFor(({ sockets }) => sockets === 0);
    expect([stt.connections.open, tts.connections.open]).toEqual([0, 0]);
    expect(stt.connections.last?.received).toMatchObject({ constructor: 1, input_audio: 1 });
  });

  it('can be controlled from outside while they run', async () => {
    using wire = await GatewaySttWire.ready(stt.url);
    const fault = { fault: { type: 'close', code: 1001, reason: 'Idle timeout' } };
    const url = `${stt.url}/_emulator`;
    const wrong = await fetch(`${url}/inject`, { method: 'POST', body: '{"fault":{"type":"clos"}}' });
    expect([wrong.status, await wrong.text()]).toEqual([
      400,
      expect.stringContaining("did you mean 'close'?"),
    ]);
    await fetch(`${url}/inject`, { method: 'POST', body: JSON.stringify(fault) });
    expect(await wire.ended()).toEqual({ code: 1001, reason: 'Idle timeout' });
    expect((await fetch(`${url}/forget-handles`, { method: 'POST' })).status).toBe(404);
    await fetch(`${url}/stop-listening`, { method: 'POST', body: '{"forMs":1}' });
    await stt.waitFor(({ listening }) => listening);
    using again = await GatewaySttWire.ready(stt.url);
    expect(again.story).toEqual(['created']);
  });
});
