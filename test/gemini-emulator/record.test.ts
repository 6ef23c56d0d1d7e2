import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { GEMINI_CLOSES, GeminiEmulator, MAX_RECORDED_EVENTS } from '../../src/testing/index.ts';
import type { GeminiEmulatorOptions, RecordedEvent } from '../../src/testing/index.ts';
import { Recorder } from '../../src/testing/emulators/recorder.ts';
import { GEMINI_PATH, GeminiWire } from '../support/gemini-wire.ts';

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };
const SECRET = 'AIza-very-secret';

let gemini: GeminiEmulator;
let folder: string | undefined;

async function start(options: GeminiEmulatorOptions): Promise<void> {
  gemini = await GeminiEmulator.start({ generationSpeed: 50, playbackSpeed: 50, ...options });
}

function fileIn(name: string): string {
  folder ??= mkdtempSync(join(tmpdir(), 'holdfast-record-'));
  return join(folder, name);
}

function parse(lines: string): RecordedEvent[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedEvent);
}

afterEach(async () => {
  await gemini?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

describe('Gemini emulator: its record', () => {
  it('tells a connection from its first byte to its end', async () => {
    await start({ record: true, faults: [{ when: { on: 'close' }, what: { type: 'raw', json: {} } }] });
    const wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    wire.socket.close(1000, 'done');
    await gemini.waitFor(({ sockets }) => sockets === 0);
    const { recorded } = gemini;
    expect(recorded.map(({ event }) => event)).toEqual([
      'dialled',
      'request',
      'open',
      'in',
      'out',
      'ready',
      'in',
      'out',
      'out',
      'out',
      'fault',
      'out',
      'closed',
    ]);
    expect(recorded[1]).toMatchObject({ connection: 1, method: 'GET', headers: { upgrade: 'websocket' } });
    expect(recorded[3]).toMatchObject({ message: { setup: { model: 'models/gemini-2.5-flash' } } });
    expect(recorded[7]).toMatchObject({ message: { serverContent: { modelTurn: { role: 'model' } } } });
    expect(recorded.at(-3)).toMatchObject({ fault: { type: 'raw', json: {} } });
    expect(recorded.at(-1)).toMatchObject({ by: 'client', code: 1000, reason: 'done' });
    const times = recorded.map(({ t }) => t);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('never holds a credential, wherever it came', async () => {
    await start({ record: true });
    using query = await GeminiWire.ready(gemini.url, {}, `${GEMINI_PATH}?key=${SECRET}&alt=json`);
    using escaped = await GeminiWire.ready(gemini.url, {}, `${GEMINI_PATH}?%6bey=${SECRET}`);
    const constrained = `${GEMINI_PATH.replace('v1beta', 'v1alpha')}Constrained`;
    using token = await GeminiWire.ready(gemini.url, {}, `${constrained}?access_token=auth_tokens/${SECRET}`);
    const headers = {
      Authorization: `Bearer ${SECRET}`,
      'x-goog-api-key': SECRET,
      Cookie: `session=${SECRET}`,
      Referer: `http://localhost/?key=${SECRET}`,
      'User-Agent': 'somebody',
    };
    using bearer = new GeminiWire(gemini.url, GEMINI_PATH, { headers });
    await bearer.opened();
    await fetch(`${gemini.url}/v1beta/models?key=${SECRET}`, { headers: { 'x-goog-api-key': SECRET } });
    expect([query, escaped, token, bearer].map(({ closed }) => closed)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const text = JSON.stringify(gemini.recorded);
    expect(text).not.toContain(SECRET);
    expect(text).toContain('key=redacted&alt=json');
    expect(text).toContain('"authorization":"redacted"');
    expect(text).toContain('"user-agent":"somebody"');
  });

  it('says how much audio it was, and holds the audio itself only when asked', async () => {
    const audio = { mimeType: 'audio/pcm;rate=16000', data: Buffer.alloc(640, 'a').toString('base64') };
    const image = { mimeType: 'image/jpeg', data: 'AAAA' };
    const send = async (): Promise<RecordedEvent[]> => {
      using wire = await GeminiWire.ready(gemini.url);
      const { mimeType: mime_type, data } = audio;
      wire.send({ realtimeInput: { audio, video: image } });
      wire.send({ realtime_input: { audio: { mime_type, data } } });
      wire.send({ realtimeInput: { text: 'speak' } });
      await wire.message('turnComplete');
      return gemini.recorded;
    };
    await start({ record: true });
    const plain = await send();
    const inputs = plain.filter(({ event }) => event === 'in');
    expect(inputs[1]?.message).toEqual({
      realtimeInput: {
        audio: { mimeType: audio.mimeType, samples: 320, rateHz: 16_000 },
        video: { mimeType: 'image/jpeg', bytes: 3 },
      },
    });
    expect(JSON.stringify(inputs[2])).toContain('"samples":320');
    expect(JSON.stringify(plain)).toContain('"samples":960,"rateHz":24000');
    expect(JSON.stringify(plain)).not.toContain('"data"');
    await gemini.close();
    await start({ record: true, recordAudio: true });
    expect(JSON.stringify(await send())).toContain(audio.data);
  });

  it('is written to a file that is whole when the emulator has ended', async () => {
    const file = fileIn('record.jsonl');
    await start({ record: file });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.socket.send('not json');
    await wire.ended();
    using open = await GeminiWire.ready(gemini.url, TEXT);
    await gemini.close();
    await open.ended();
    const written = parse(readFileSync(file, 'utf8'));
    expect(written).toEqual(gemini.recorded);
    expect(written.find(({ event, text }) => event === 'in' && text !== undefined)).toMatchObject({
      text: 'not json',
    });
    expect(written.at(-1)).toMatchObject({ connection: 2, event: 'closed', code: 1001 });
  });

  it('says where it cannot be written', async () => {
    await start({});
    const record = fileIn('no/such/folder');
    await expect(GeminiEmulator.start({ record })).rejects.toMatchObject({
      code: 'HOLDFAST_INVALID_OPTION',
      message: expect.stringContaining(record),
    });
  });

  it('can be read and followed over HTTP', async () => {
    await start({ record: true });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    const whole = await fetch(`${gemini.url}/_emulator/record`);
    expect(whole.headers.get('content-type')).toContain('ndjson');
    expect(parse(await whole.text()).map(({ event }) => event)).toEqual([
      'dialled',
      'request',
      'open',
      'in',
      'out',
      'ready',
      'control',
    ]);
    const follow = await fetch(`${gemini.url}/_emulator/record?follow=1`);
    wire.sendText('hello');
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of follow.body!) {
      text += decoder.decode(chunk);
      if (text.includes('turnComplete":true')) break;
    }
    expect(text).toContain('"event":"dialled"');
  });

  it('is nothing unless asked for, and says so', async () => {
    await start({});
    using wire = await GeminiWire.ready(gemini.url);
    expect(wire.story).toEqual(['setupComplete']);
    expect(gemini.recorded).toEqual([]);
    const response = await fetch(`${gemini.url}/_emulator/record`);
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining('--record') });
  });

  it('keeps the latest in memory and no more', async () => {
    await start({});
    const owner = Lifetime.root({ name: 'test', clock: new VirtualClock() });
    const recorder = new Recorder(owner, { file: undefined, audio: false });
    for (let n = 0; n < MAX_RECORDED_EVENTS + 10; n += 1) recorder.message('in', n, '{}');
    expect(recorder.lines).toHaveLength(MAX_RECORDED_EVENTS);
    expect(recorder.events[0]?.connection).toBe(10);
    recorder.message('in', 0, `"${'x'.repeat(3_000_000)}"`);
    expect(recorder.lines.at(-1)?.length).toBeLessThan(1_100_000);
    await owner.close();
  });

  it('tells an end that the emulator chose', async () => {
    await start({ record: true, keys: ['good'] });
    using wire = new GeminiWire(gemini.url);
    await wire.ended();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    expect(gemini.recorded.at(-1)).toMatchObject({ by: 'emulator', ...GEMINI_CLOSES.keyNotValid });
  });
});
