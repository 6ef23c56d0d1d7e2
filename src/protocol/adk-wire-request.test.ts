import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanAudioFrame } from './adk-wire-audio.ts';
import { encodeAdkRequest, parseAdkRequest, parseAdkRequestFully } from './adk-wire-request.ts';
import { AudioChunk } from './audio-chunk.ts';
import { encodeBase64 } from './base64.ts';
import type { LiveRequest } from './live-request.ts';
import type { AdkRequest } from './adk-wire-request.ts';
import type { ParseResult } from './wire-json.ts';

function requestsOf(text: string): readonly AdkRequest[] {
  const result = parseAdkRequest(text);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

function reasonOf(text: string): string {
  const result = parseAdkRequest(text);
  return result.ok ? '' : result.reason;
}

/** Audio compared by what it says: its bytes as they came, and its rate. */
function plain(result: ParseResult<readonly AdkRequest[]>): unknown {
  if (!result.ok) return result;
  return result.value.map((request) =>
    request.type === 'audio' ? { base64: request.audio.base64, rateHz: request.audio.rateHz } : request,
  );
}

const FLAVOURS: readonly ((standard: string) => string)[] = [
  (standard) => standard,
  (standard) => standard.replace(/=+$/, ''),
  (standard) => standard.replaceAll('+', '-').replaceAll('/', '_'),
  (standard) => standard.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''),
];

const space = fc.constantFrom('', ' ', '\n', '\t\r ');
const base64 = fc
  .tuple(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .array(fc.nat(0xffff), { maxLength: 30 })
          .map((words) => new Uint8Array(Uint16Array.from(words).buffer)),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    ),
    fc.constantFrom(...FLAVOURS),
  )
  .map(([bytes, flavour]) => flavour(encodeBase64(bytes)));
const data = fc.oneof({ weight: 4, arbitrary: base64 }, { weight: 1, arbitrary: fc.string() });
const mimeType = fc.constantFrom(
  'audio/pcm',
  'audio/pcm;rate=16000',
  'audio/pcm;rate=22050',
  'audio/pcm; rate=8000',
  'audio/L16;rate=44100',
  'audio/pcm;rate=1',
  'audio/opus',
  'image/png',
  'audio/pcm;rate="',
  'audio/pcm\u00e9',
);
/** Frames that are the scanned form, or nearly. */
const frame = fc
  .record({
    gaps: fc.array(space, { minLength: 12, maxLength: 12 }),
    mimeKey: fc.constantFrom(
      ...Array<string>(4).fill('mime_type'),
      ...Array<string>(4).fill('mimeType'),
      'mime-type',
      '__proto__',
    ),
    mimeType,
    data,
    dataFirst: fc.boolean(),
    blobKey: fc.constantFrom('blob', 'blob', 'blob', 'Blob'),
    extra: fc.constantFrom(...Array<string>(8).fill(''), ',"close":true', ',"blob":{}'),
    tail: fc.constantFrom(...Array<string>(8).fill(''), '}', 'x'),
  })
  .map(({ gaps, mimeKey, mimeType: type, data: bytes, dataFirst, blobKey, extra, tail }) => {
    const gap = (index: number): string => gaps[index] ?? '';
    const first = `"${mimeKey}"${gap(0)}:${gap(1)}${JSON.stringify(type)}`;
    const second = `"data"${gap(2)}:${gap(3)}${JSON.stringify(bytes)}`;
    const fields = dataFirst ? [second, first] : [first, second];
    const blob = fields.join(`${gap(4)},${gap(5)}`);
    const head = `${gap(6)}{${gap(7)}"${blobKey}"${gap(8)}:`;
    return `${head}${gap(9)}{${blob}${gap(10)}}${extra}${gap(11)}}${tail}`;
  });

describe('requests of the ADK wire', () => {
  it('P34 the scan says what the parser says', () => {
    let scanned = 0;
    fc.assert(
      fc.property(frame, (text) => {
        if (scanAudioFrame(text) !== undefined) scanned += 1;
        expect(plain(parseAdkRequest(text))).toEqual(plain(parseAdkRequestFully(text)));
      }),
      { numRuns: 2_000 },
    );
    expect(scanned).toBeGreaterThan(100);
  });

  it('P34 a frame of audio is scanned in both orders and spellings, its base64 left as it is', () => {
    for (const text of [
      '{"blob":{"mime_type":"audio/pcm;rate=16000","data":"AAEC_-84"}}',
      ' { "blob" : { "data" : "AAEC_-84" , "mimeType" : "audio/pcm;rate=16000" } } ',
    ]) {
      expect(scanAudioFrame(text)?.base64).toBe('AAEC_-84');
    }
  });

  it('P34 audio in the scanned form stays bounded in size', () => {
    const text = encodeAdkRequest({ type: 'audio', audio: AudioChunk.fromPcm(new Uint8Array(640), 16_000) });
    expect(parseAdkRequest(text, { maxMessageBytes: 100 }).ok).toBe(false);
  });

  it.each(FLAVOURS.map((flavour, index) => [index, flavour] as const))(
    'P33 base64 of flavour %i stands for the same bytes',
    (_index, flavour) => {
      const bytes = Uint8Array.of(0xfb, 0xff, 0xbf, 0x3e);
      const blob = { mime_type: 'audio/pcm', data: flavour(encodeBase64(bytes)) };
      const [request] = requestsOf(JSON.stringify({ blob }));
      expect(request?.type === 'audio' && [...request.audio.pcm]).toEqual([...bytes]);
    },
  );

  it('P33 the rate is the one the type names, 16 kHz without one', () => {
    const rateOf = (type: string): number => {
      const [request] = requestsOf(JSON.stringify({ blob: { mime_type: type, data: 'AAA=' } }));
      return request?.type === 'audio' ? request.audio.rateHz : 0;
    };
    expect(rateOf('audio/pcm')).toBe(16_000);
    expect(rateOf('audio/pcm;rate=22000')).toBe(22_000);
    expect(rateOf('audio/PCM; RATE=48000')).toBe(48_000);
    expect(reasonOf('{"blob":{"mime_type":"audio/pcm;rate=7","data":"AAA="}}')).toMatch(/audio\/pcm;rate=7/);
  });

  it('P32 names are taken with underscores and in camel case, also inside; what a tool is given is not renamed', () => {
    const snake =
      '{"content":{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}},{"function_response":{"id":"1","name":"f","response":{"file_uri":"x"}}}]},"activity_start":{}}';
    const camel =
      '{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"},"text":null},{"functionResponse":{"id":"1","name":"f","response":{"file_uri":"x"}}}]},"activityStart":{}}';
    const expected: readonly AdkRequest[] = [
      { type: 'activityStart' },
      {
        type: 'content',
        content: {
          role: 'user',
          parts: [
            { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
            { functionResponse: { id: '1', name: 'f', response: { file_uri: 'x' } } },
          ],
        },
      },
    ];
    expect(requestsOf(snake)).toEqual(expected);
    expect(requestsOf(camel)).toEqual(expected);
  });

  it('P31 a frame may ask for several things, which are done in the order that makes sense', () => {
    const text = JSON.stringify({
      close: true,
      audio_stream_end: true,
      activity_end: {},
      content: { parts: [{ text: 'Hello' }] },
      blob: { mimeType: 'image/jpeg', data: 'AAAA' },
      activity_start: {},
      state_delta: { x: 1 },
    });
    expect(requestsOf(text).map((request) => request.type)).toEqual([
      'stateDelta',
      'activityStart',
      'image',
      'content',
      'activityEnd',
      'audioStreamEnd',
      'close',
    ]);
  });

  it('P31 null and false are as good as absent; a partial content asks for no answer yet', () => {
    expect(requestsOf('{"content":null,"blob":null,"activity_start":null,"close":true}')).toEqual([
      { type: 'close' },
    ]);
    expect(requestsOf('{"content":{"parts":[{"text":"x"}]},"partial":true,"close":false}')).toMatchObject([
      { type: 'content', turnComplete: false },
    ]);
    expect(requestsOf('{"blob":{"mime_type":"audio/pcm","data":""}}')).toEqual([]);
  });

  it.each([
    ['{}', /asks for nothing/],
    ['{"close":false}', /asks for nothing/],
    ['not json', /not JSON/],
    ['{"blob":"AAAA"}', /'blob' must be an object/],
    ['{"blob":{"data":"AAAA"}}', /mime_type/],
    ['{"blob":{"mime_type":"audio/pcm","data":"A"}}', /base64/],
    ['{"blob":{"mime_type":"audio/pcm","data":"AA\\u0022="}}', /base64/],
    ['{"blob":{"mime_type":"audio/pcm","data":"AAAA"}}', /half a sample/],
    ['{"blob":{"mime_type":"audio/opus","data":"AAAA"}}', /audio\/opus/],
    ['{"content":"hello"}', /'content' must be an object/],
    ['{"content":{"parts":[{"functionCall":{"args":{}}}]}}', /functionCall' must have a 'name'/],
  ])('P35 %s is refused with a reason', (text, reason) => {
    expect(reasonOf(text)).toMatch(reason);
  });

  it('P30 what a client writes is read as it was meant', () => {
    const requests: readonly LiveRequest[] = [
      { type: 'image', mimeType: 'image/jpeg', data: 'AAAA' },
      { type: 'content', content: { role: 'user', parts: [{ text: 'Hi' }] } },
      { type: 'content', content: { role: 'user', parts: [{ text: 'Hi' }] }, turnComplete: false },
      { type: 'activityStart' },
      { type: 'activityEnd' },
      { type: 'audioStreamEnd' },
      { type: 'close' },
    ];
    for (const request of requests) expect(requestsOf(encodeAdkRequest(request))).toEqual([request]);
    const audio = AudioChunk.fromPcm(Uint8Array.of(1, 2, 3, 4), 48_000);
    const text = encodeAdkRequest({ type: 'audio', audio });
    expect(scanAudioFrame(text)).toMatchObject({ base64: audio.base64, rateHz: 48_000 });
  });
});
