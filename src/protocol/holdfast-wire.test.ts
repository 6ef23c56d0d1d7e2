import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import {
  MAX_POSITION_SAMPLES,
  decodeAudioFrame,
  encodeAudioFrame,
  encodeClientMessage,
  encodeServerMessage,
  parseClientMessage,
  parseServerMessage,
  requestOfClientMessage,
} from './index.ts';
import type { ClientMessage, ServerMessage, WireEvent } from './index.ts';

const pcm = fc
  .uint8Array({ minLength: 2, maxLength: 400 })
  .map((bytes) => bytes.subarray(0, bytes.length - (bytes.length % 2)));
const position = fc.oneof(fc.nat(), fc.integer({ min: 0, max: MAX_POSITION_SAMPLES }));

describe('audio frames of holdfast.v1', () => {
  it('P5 a binary frame is kind, flags, a position of 48 bits and PCM16', () => {
    const frame = encodeAudioFrame('output', 0x0102_0304_0506, Uint8Array.of(0xaa, 0xbb), 3);
    expect([...frame]).toEqual([2, 3, 1, 2, 3, 4, 5, 6, 0xaa, 0xbb]);
    expect(encodeAudioFrame('input', 0, Uint8Array.of(0, 0))[0]).toBe(1);
  });

  it('P5 what was encoded is decoded, at every position', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('input' as const, 'output' as const),
        position,
        pcm,
        fc.nat(255),
        (kind, positionSamples, samples, flags) => {
          const frame = decodeAudioFrame(encodeAudioFrame(kind, positionSamples, samples, flags));
          expect(frame && { ...frame, pcm: Uint8Array.from(frame.pcm) }).toEqual({
            kind,
            flags,
            positionSamples,
            pcm: samples,
          });
        },
      ),
    );
  });

  it('P5 decoding copies nothing', () => {
    const frame = encodeAudioFrame('input', 7, new Uint8Array(640));
    expect(decodeAudioFrame(frame)?.pcm.buffer).toBe(frame.buffer);
  });

  it('P6 a frame that is too short, ends in half a sample or is of an unknown kind is refused', () => {
    const good = encodeAudioFrame('input', 1, Uint8Array.of(1, 2, 3, 4));
    expect(decodeAudioFrame(new Uint8Array(0))).toBeUndefined();
    expect(decodeAudioFrame(good.subarray(0, 8))).toBeUndefined();
    expect(decodeAudioFrame(good.subarray(0, 11))).toBeUndefined();
    for (const kind of [0, 3, 255]) {
      const other = good.slice();
      other[0] = kind;
      expect(decodeAudioFrame(other)).toBeUndefined();
    }
  });

  it('P6 what cannot be a frame is not encoded', () => {
    const two = new Uint8Array(2);
    expect(() => encodeAudioFrame('input', 0, new Uint8Array(3))).toThrow(InvalidOptionError);
    expect(() => encodeAudioFrame('input', 0, new Uint8Array(0))).toThrow(InvalidOptionError);
    for (const wrong of [-1, 0.5, Number.NaN, MAX_POSITION_SAMPLES + 1]) {
      expect(() => encodeAudioFrame('input', wrong, two)).toThrow(InvalidOptionError);
    }
  });
});

const CLIENT_MESSAGES: readonly ClientMessage[] = [
  { type: 'hello', protocol: 1 },
  { type: 'hello', protocol: 1, resume: { token: 't', seq: 4, positionSamples: 9_600 } },
  { type: 'content', content: { role: 'user', parts: [{ text: 'Hello' }] } },
  { type: 'content', content: { role: 'model', parts: [{ text: 'Hi' }] }, turnComplete: false },
  { type: 'text', text: 'Hello' },
  { type: 'image', mimeType: 'image/jpeg', data: 'AAAA' },
  { type: 'activityStart' },
  { type: 'activityEnd' },
  { type: 'audioStreamEnd' },
  { type: 'ack', seq: 12 },
  { type: 'playout', positionSamples: 4_800 },
  { type: 'ping' },
  { type: 'ping', id: 3 },
  { type: 'close' },
];

function reasonOf(result: { readonly ok: boolean; readonly reason?: string }): string {
  expect(result.ok).toBe(false);
  return result.reason ?? '';
}

describe('client messages of holdfast.v1', () => {
  it.each(CLIENT_MESSAGES)('P2 $type is read as it was written', (message) => {
    expect(parseClientMessage(encodeClientMessage(message))).toEqual({ ok: true, value: message });
  });

  it('P2 unknown fields are left out', () => {
    expect(parseClientMessage('{"type":"ping","id":1,"later":true}')).toEqual({
      ok: true,
      value: { type: 'ping', id: 1 },
    });
  });

  it('P3 messages are bounded in size and depth', () => {
    const text = encodeClientMessage({ type: 'text', text: 'x'.repeat(100) });
    expect(reasonOf(parseClientMessage(text, { maxMessageBytes: 50 }))).toMatch(/at most 50/);
    const deep = `{"type":"ping","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(reasonOf(parseClientMessage(deep))).toMatch(/deeper than 64/);
  });

  it('P3 a key named __proto__ is refused wherever it stands, also when it is written with escapes', () => {
    for (const key of ['__proto__', '\\u005f_proto__']) {
      const text = `{"type":"content","content":{"parts":[{"functionCall":{"name":"f","args":{"${key}":{"x":1}}}}]}}`;
      expect(reasonOf(parseClientMessage(text))).toMatch(/__proto__/);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it.each([
    ['no JSON', 'hello', /not JSON/],
    ['an array', '[]', /not a JSON object/],
    ['no type', '{}', /no 'type'/],
    ['an unknown type', '{"type":"dance"}', /'dance' is not known/],
    ['a name of Object.prototype', '{"type":"constructor"}', /'constructor' is not known/],
    ['another protocol', '{"type":"hello","protocol":2}', /'protocol' 1/],
    ['a resume without its token', '{"type":"hello","protocol":1,"resume":{"seq":1}}', /'token'/],
    ['content without parts', '{"type":"content","content":{"role":"user"}}', /'content.parts'/],
    ['an empty part', '{"type":"content","content":{"parts":[{}]}}', /'content.parts\[0\]' is empty/],
    [
      'another role',
      '{"type":"content","content":{"role":"system","parts":[{"text":"x"}]}}',
      /'content.role'/,
    ],
    ['text that is none', '{"type":"text","text":5}', /'text'/],
    ['data that is not base64', '{"type":"image","mimeType":"image/png","data":"&"}', /base64/],
    ['a picture that is none', '{"type":"image","mimeType":"text/html","data":"AAAA"}', /mimeType/],
    ['a negative seq', '{"type":"ack","seq":-1}', /'seq'/],
    ['a fraction', '{"type":"playout","positionSamples":0.5}', /'positionSamples'/],
    ['a ping with a text', '{"type":"ping","id":"x"}', /'id'/],
  ])('P4 %s is refused with a reason', (_case, text, reason) => {
    expect(reasonOf(parseClientMessage(text))).toMatch(reason);
  });

  it('P4 no text makes the parser throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(typeof parseClientMessage(text).ok).toBe('boolean');
        expect(typeof parseServerMessage(text).ok).toBe('boolean');
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...CLIENT_MESSAGES.map((message) => message.type)),
        fc.dictionary(
          fc.constantFrom('protocol', 'resume', 'content', 'text', 'data', 'mimeType', 'seq', 'id'),
          fc.jsonValue(),
        ),
        (type, fields) => {
          expect(typeof parseClientMessage(JSON.stringify({ ...fields, type })).ok).toBe('boolean');
        },
      ),
    );
  });

  it('P10 text is short for a content of one text, and what concerns the connection alone asks for nothing', () => {
    expect(requestOfClientMessage({ type: 'text', text: 'Hello' })).toEqual({
      type: 'content',
      content: { role: 'user', parts: [{ text: 'Hello' }] },
    });
    expect(requestOfClientMessage({ type: 'close' })).toEqual({ type: 'close' });
    expect(requestOfClientMessage({ type: 'ack', seq: 1 })).toBeUndefined();
  });
});

const STAMP = { seq: 3, atMs: 1_900_000_000_000, author: 'assistant', turn: 1 };
const USAGE = { promptTokens: 1, responseTokens: 2, totalTokens: 3 };

/** One of each type, so that a new type of event cannot be forgotten here. */
const EVENTS: { readonly [Type in WireEvent['type']]: WireEvent & { readonly type: Type } } = {
  text: { ...STAMP, type: 'text', text: 'Hi', partial: true },
  transcript: { ...STAMP, type: 'transcript', speaker: 'user', text: 'Hi', partial: false },
  content: { ...STAMP, type: 'content', content: { role: 'model', parts: [{ text: 'x' }] } },
  toolCall: { ...STAMP, type: 'toolCall', calls: [{ id: '1', name: 'f', args: { a: 1 } }] },
  toolCallCancellation: { ...STAMP, type: 'toolCallCancellation', ids: ['1'] },
  toolResult: { ...STAMP, type: 'toolResult', result: { id: '1', name: 'f', response: { output: 1 } } },
  stateChanged: { ...STAMP, type: 'stateChanged', stateDelta: { mood: 'good' } },
  interrupted: { ...STAMP, type: 'interrupted', positionSamples: 4_800, provisional: true },
  resumed: { ...STAMP, type: 'resumed', positionSamples: 4_800 },
  generationComplete: { ...STAMP, type: 'generationComplete' },
  turnComplete: { ...STAMP, type: 'turnComplete', interrupted: false },
  voiceActivity: { ...STAMP, type: 'voiceActivity', activity: 'start', offsetMs: 20 },
  usage: { ...STAMP, type: 'usage', usage: USAGE, total: USAGE },
  goAway: { ...STAMP, type: 'goAway', timeLeftMs: 5_000 },
  connection: { ...STAMP, type: 'connection', state: 'connecting', attempt: 1 },
  agentChanged: { ...STAMP, type: 'agentChanged', agent: 'biller', previous: 'clerk', why: 'handoff' },
  userState: { ...STAMP, type: 'userState', state: 'away' },
  limit: { ...STAMP, type: 'limit', limit: 'idle', afterMs: 60_000 },
  warning: { ...STAMP, type: 'warning', code: 'HOLDFAST_X', message: 'x' },
  unknown: { ...STAMP, type: 'unknown', message: { later: 1 } },
};

const FORMAT = { encoding: 'pcm16', rateHz: 16_000 } as const;
const HELLO: ServerMessage = {
  type: 'hello',
  protocol: 1,
  sessionId: 's',
  appName: 'demo',
  agent: 'assistant',
  model: 'echo',
  input: FORMAT,
  output: { ...FORMAT, rateHz: 24_000 },
  limits: { maxMessageBytes: 1_000, idleTimeoutMs: 60_000 },
  resumeToken: 'secret',
  recovered: false,
  seq: 0,
};
const SERVER_MESSAGES: readonly ServerMessage[] = [
  HELLO,
  {
    ...HELLO,
    limits: { maxMessageBytes: 1_000, clientGraceMs: 20_000 },
    recovered: true,
    resumed: true,
    seq: 7,
  },
  { ...HELLO, resumed: true, taken: { positionSamples: 640, messages: 2 } },
  { type: 'taken', positionSamples: 640, messages: 2 },
  { type: 'goAway', timeLeftMs: 10_000, reconnect: true },
  { type: 'error', code: 'HOLDFAST_X', message: 'no' },
  { type: 'pong' },
  { type: 'pong', id: 3 },
];

describe('server messages of holdfast.v1', () => {
  it.each(SERVER_MESSAGES)('P8 $type is read as it was written', (message) => {
    expect(parseServerMessage(encodeServerMessage(message))).toEqual({ ok: true, value: message });
  });

  it.each(Object.values(EVENTS))('P17 the event $type is read as it was written', (event) => {
    const message: ServerMessage = { type: 'event', event };
    expect(parseServerMessage(encodeServerMessage(message))).toEqual({ ok: true, value: message });
  });

  it.each([
    ['a hello whose resumed is no flag', { ...HELLO, resumed: 'yes' }, /'resumed'/],
    ['a hello whose taken is no count', { ...HELLO, taken: { positionSamples: -1, messages: 0 } }, /'taken/],
    ['a taken without its messages', { type: 'taken', positionSamples: 1 }, /'taken'/],
  ])('P4 %s is refused with a reason', (_name, message, reason) => {
    expect(parseServerMessage(JSON.stringify(message))).toMatchObject({
      ok: false,
      reason: expect.stringMatching(reason) as string,
    });
  });

  it('P17 an event of a type that is not known comes as an unknown one with its number', () => {
    const event = { ...STAMP, type: 'applause', loud: true };
    expect(parseServerMessage(JSON.stringify({ type: 'event', event }))).toEqual({
      ok: true,
      value: { type: 'event', event: { ...STAMP, type: 'unknown', message: event } },
    });
  });

  it('P17 an event without its number or with a wrong field is refused with a reason', () => {
    const { seq: _seq, ...unnumbered } = EVENTS.text;
    const noSeq = JSON.stringify({ type: 'event', event: unnumbered });
    expect(reasonOf(parseServerMessage(noSeq))).toMatch(/'seq' of the event 'text'/);
    const wrong = JSON.stringify({ type: 'event', event: { ...EVENTS.interrupted, positionSamples: '5' } });
    expect(reasonOf(parseServerMessage(wrong))).toMatch(/'positionSamples' of the event 'interrupted'/);
  });
});
