import { encodeAudioFrame } from '../../src/protocol/index.ts';
import { grouped } from './abuse-input.ts';
import type { AbuseInput } from './abuse-input.ts';
import { closing, harmless, onWebSocket } from './frame-inputs.ts';
import { RawWebSocket } from './raw-websocket.ts';
import { OPCODE, textFrame } from './websocket-frames.ts';

// Messages of the two wires that are none.

const BAD = 'HOLDFAST_BAD_MESSAGE';

const nested = (depth: number, open: string, close: string): string =>
  open.repeat(depth) + close.repeat(depth);

/** What is no message on either wire. */
const NO_MESSAGE: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['a space', ' '],
  ['no JSON', 'hello'],
  ['half of JSON', '{"type":"te'],
  ['JSON with something behind it', '{"type":"none"}x'],
  ['two JSONs', '{}{}'],
  ['a number', '17'],
  ['a text', '"text"'],
  ['null', 'null'],
  ['true', 'true'],
  ['a list', '[{"type":"text","text":"x"}]'],
  ['an object with nothing in it', '{}'],
  ['a comment', '{/* */}'],
  ['a comma too many', '{"a":1,}'],
  ['single quotes', "{'type':'text'}"],
  ['NaN', '{"a":NaN}'],
  ['a number without an end', `{"a":${'9'.repeat(10_000)}}`],
  ['a number beyond all numbers', '{"a":1e999999}'],
  ['a byte order mark', '\ufeff{}'],
  ['a NUL', '{"a":"\u0000"}'],
  ['lists in lists, a hundred levels', `{"a":${nested(100, '[', ']')}}`],
  ['lists in lists, thirty thousand levels', `{"a":${nested(30_000, '[', ']')}}`],
  ['objects in objects, five thousand levels', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
  ['lists that never end', '['.repeat(60_000)],
  ['thirty thousand values', `{"a":[${'0,'.repeat(30_000)}0]}`],
  ['ten thousand keys', `{${Array.from({ length: 5_000 }, (_, index) => `"k${index}":1`).join(',')}}`],
  ['the prototype of all objects', '{"__proto__":{"admin":true}}'],
  ['the prototype, deep inside', '{"content":{"parts":[{"text":"x","__proto__":{"admin":true}}]}}'],
  ['the prototype, in escapes', String.raw`{"\u005f\u005fproto\u005f\u005f":{"admin":true}}`],
  ['the prototype of the constructor', '{"constructor":{"prototype":{"admin":true}}}'],
  ['a type that is a method of all objects', '{"type":"toString"}'],
  ['a type that is the constructor', '{"type":"constructor"}'],
  ['a type that is no text', '{"type":7}'],
  ['a type that is a list', '{"type":["text"]}'],
  ['a type of 60 kB', `{"type":"${'x'.repeat(60_000)}"}`],
  ['a key of 60 kB', `{"${'x'.repeat(60_000)}":1}`],
];

const CONTENTS: readonly (readonly [string, string])[] = [
  ['a content that is a number', '7'],
  ['a content that is a list', '[]'],
  ['a content without parts', '{"role":"user"}'],
  ['parts that are a text', '{"parts":"x"}'],
  ['parts that are numbers', '{"parts":[1,2,3]}'],
  ['a part with a text that is none', '{"parts":[{"text":{"a":1}}]}'],
  ['a part with data that is none', '{"parts":[{"inlineData":7}]}'],
  ['a part with data that is no base64', '{"parts":[{"inlineData":{"mimeType":"image/png","data":"!!!"}}]}'],
  ['a part with a call that is none', '{"parts":[{"functionCall":"x"}]}'],
  ['a role that is none', '{"role":7,"parts":[{"text":"x"}]}'],
];

const BLOBS: readonly (readonly [string, string])[] = [
  ['a blob that is a text', '"x"'],
  ['a blob without a type', '{"data":"AAAA"}'],
  ['a blob without data', '{"mime_type":"audio/pcm"}'],
  ['a blob of a type that is none', '{"mime_type":7,"data":"AAAA"}'],
  ['a blob of an unknown type', '{"mime_type":"application/x-evil","data":"AAAA"}'],
  ['a blob that is no base64', '{"mime_type":"audio/pcm","data":"\u00e4\u00f6"}'],
  ['a blob of half a sample', '{"mime_type":"audio/pcm","data":"AA=="}'],
  ['a blob at a rate of zero', '{"mime_type":"audio/pcm;rate=0","data":"AAAA"}'],
  ['a blob at a rate below zero', '{"mime_type":"audio/pcm;rate=-1","data":"AAAA"}'],
  ['a blob at a rate that is no number', '{"mime_type":"audio/pcm;rate=fast","data":"AAAA"}'],
];

const ADK: readonly AbuseInput[] = [
  ...NO_MESSAGE.map(([name, text]) => harmless('adk', name, BAD, textFrame(text))),
  ...CONTENTS.map(([name, content]) => harmless('adk', name, BAD, textFrame(`{"content":${content}}`))),
  ...BLOBS.map(([name, blob]) => harmless('adk', name, BAD, textFrame(`{"blob":${blob}}`))),
  harmless('adk', 'a binary message', BAD, { opcode: OPCODE.binary, payload: Buffer.alloc(640) }),
  harmless('adk', 'an empty binary message', BAD, { opcode: OPCODE.binary }),
  // Resampled, or refused by name: a rate that nobody has is no reason to stop.
  {
    ...harmless(
      'adk',
      'a blob at a rate of a thousand million',
      '',
      textFrame('{"blob":{"mime_type":"audio/pcm;rate=1000000000","data":"AAAA"}}'),
    ),
    allowed: /^goes on( HOLDFAST_\w+)?$/,
  },
  {
    ...harmless(
      'adk',
      'a blob at a rate of 1',
      '',
      textFrame('{"blob":{"mime_type":"audio/pcm;rate=1","data":"AAAA"}}'),
    ),
    allowed: /^goes on( HOLDFAST_\w+)?$/,
  },
  harmless(
    'adk',
    'the same key many times',
    BAD,
    textFrame(`{${Array<string>(500).fill('"content":7').join(',')}}`),
  ),
  harmless(
    'adk',
    'half of a surrogate pair',
    '',
    textFrame(String.raw`{"content":{"role":"user","parts":[{"text":"\ud800"}]},"partial":true}`),
  ),
  harmless(
    'adk',
    'marks without their turn',
    '',
    ...['activity_end', 'activity_end', 'activity_start', 'activity_start'].map((mark) =>
      textFrame(`{"${mark}":{}}`),
    ),
    textFrame('{"activity_end":{}}'),
  ),
  harmless(
    'adk',
    'the end of a stream a hundred times',
    '',
    ...Array.from({ length: 100 }, () => textFrame('{"audio_stream_end":true}')),
  ),
  {
    ...closing(
      'adk',
      'everything at once, and the end',
      1000,
      textFrame(
        '{"activity_start":{},"activity_end":{},"content":{"parts":[{"text":"x"}]},"audio_stream_end":true,"close":true}',
      ),
    ),
    allowed: /^close 1000$/,
  },
  {
    ...closing(
      'adk',
      'the end, and everything after it',
      1000,
      textFrame('{"close":true}'),
      ...Array.from({ length: 20 }, () => textFrame('{"content":{"parts":[{"text":"x"}]}}')),
    ),
    allowed: /^close 1000$/,
  },
];

const audio = (...bytes: number[]): { opcode: number; payload: Buffer } => ({
  opcode: OPCODE.binary,
  payload: Buffer.from(bytes),
});

const BINARIES: readonly AbuseInput[] = [
  harmless('holdfast.v1', 'a binary frame of nothing', BAD, { opcode: OPCODE.binary }),
  ...[1, 2, 7, 8, 9].map((length) =>
    harmless(
      'holdfast.v1',
      `a binary frame of ${length} bytes`,
      BAD,
      audio(...Array<number>(length).fill(1)),
    ),
  ),
  harmless(
    'holdfast.v1',
    'a binary frame that ends in half a sample',
    BAD,
    audio(1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3),
  ),
  ...[0, 2, 3, 127, 128, 255].map((kind) =>
    harmless('holdfast.v1', `a binary frame of kind ${kind}`, BAD, audio(kind, 0, 0, 0, 0, 0, 0, 0, 1, 2)),
  ),
  harmless('holdfast.v1', 'a binary frame with every flag', '', audio(1, 255, 0, 0, 0, 0, 0, 0, 1, 2)),
  harmless(
    'holdfast.v1',
    'a binary frame at the last position there is',
    '',
    audio(1, 0, 255, 255, 255, 255, 255, 255, 1, 2),
  ),
  harmless(
    'holdfast.v1',
    'positions that jump about',
    '',
    ...[5, 0, 2 ** 47, 1, 2 ** 40, 0].map((position) => ({
      opcode: OPCODE.binary,
      payload: encodeAudioFrame('input', position, new Uint8Array(320)),
    })),
  ),
];

const MESSAGES: readonly (readonly [string, string])[] = [
  ['a text without a text', '{"type":"text"}'],
  ['a text that is a number', '{"type":"text","text":7}'],
  ['a picture without data', '{"type":"image","mimeType":"image/png"}'],
  ['a picture that is no base64', '{"type":"image","mimeType":"image/png","data":"!!!"}'],
  ['a picture that is no picture', '{"type":"image","mimeType":"text/html","data":"AAAA"}'],
  ['an acknowledgement without a number', '{"type":"ack"}'],
  ['an acknowledgement below zero', '{"type":"ack","seq":-1}'],
  ['an acknowledgement of a half', '{"type":"ack","seq":0.5}'],
  ['an acknowledgement that is a text', '{"type":"ack","seq":"7"}'],
  ['an acknowledgement beyond all numbers', '{"type":"ack","seq":1e999}'],
  ['an acknowledgement that no double counts', '{"type":"ack","seq":9007199254740993}'],
  ['a playout below zero', '{"type":"playout","positionSamples":-5}'],
  ['a playout that is no number', '{"type":"playout","positionSamples":{}}'],
  ['a ping with an id that is none', '{"type":"ping","id":"x"}'],
  ['a second hello', '{"type":"hello","protocol":1}'],
  [
    'a second hello that comes back',
    '{"type":"hello","protocol":1,"resume":{"token":"x","seq":0,"positionSamples":0}}',
  ],
  ['an event, which is for servers to tell', '{"type":"event","event":{"type":"turnComplete"}}'],
  ['a goAway, which is for servers to say', '{"type":"goAway","timeLeftMs":0,"reconnect":true}'],
];

/** Of what was never sent there is nothing to acknowledge, and nothing to be heard. */
const NONSENSE: readonly (readonly [string, string])[] = [
  ['an acknowledgement of what there never was', '{"type":"ack","seq":9007199254740991}'],
  ['a playout of what there never was', '{"type":"playout","positionSamples":9007199254740991}'],
  ['acknowledgements that go backwards', '{"type":"ack","seq":0}'],
];

const HOLDFAST: readonly AbuseInput[] = [
  ...NO_MESSAGE.map(([name, text]) => harmless('holdfast.v1', name, BAD, textFrame(text))),
  ...CONTENTS.map(([name, content]) =>
    harmless('holdfast.v1', name, BAD, textFrame(`{"type":"content","content":${content}}`)),
  ),
  ...MESSAGES.map(([name, text]) => harmless('holdfast.v1', name, BAD, textFrame(text))),
  ...NONSENSE.map(([name, text]) => harmless('holdfast.v1', name, '', textFrame(text), textFrame(text))),
  ...BINARIES,
];

/** What comes before the hello, or in its place. */
function greeting(name: string, code: number, ...sent: readonly (string | Buffer)[]): AbuseInput {
  return {
    name,
    allowed: new RegExp(`^close ${code}$`),
    run: async ({ target, sessionId, address }) => {
      using socket = await new RawWebSocket(target.url, 'holdfast.v1', sessionId, address).opened();
      for (const each of sent) socket.write(typeof each === 'string' ? textFrame(each) : each);
      return await socket.closes();
    },
  };
}

const hello = (resume: unknown): string => JSON.stringify({ type: 'hello', protocol: 1, resume });

const GREETINGS: readonly AbuseInput[] = [
  greeting('nothing at all', 4011),
  greeting('no JSON', 4011, 'hello'),
  greeting('a hello without a version', 4011, '{"type":"hello"}'),
  greeting('a hello of version 2', 4011, '{"type":"hello","protocol":2}'),
  greeting('a hello of version "1"', 4011, '{"type":"hello","protocol":"1"}'),
  greeting('a text', 4011, '{"type":"text","text":"hi"}'),
  greeting('a ping', 4011, '{"type":"ping"}'),
  greeting('the end', 4011, '{"type":"close"}'),
  greeting(
    'audio',
    4011,
    Buffer.concat([Buffer.of(0x82, 0x8a, 0, 0, 0, 0), Buffer.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 2)]),
  ),
  greeting('half of a frame', 4011, Buffer.of(0x81, 0xfe, 0x10)),
  greeting('a frame whose rest never comes', 4011, Buffer.of(0x81, 0x90, 0, 0, 0, 0, 1, 2)),
  greeting('a resume that is a text', 4011, hello('token')),
  greeting('a resume without a token', 4011, hello({ seq: 0, positionSamples: 0 })),
  greeting('a token that is a number', 4011, hello({ token: 7, seq: 0, positionSamples: 0 })),
  greeting('a token that is a list', 4011, hello({ token: ['a'], seq: 0, positionSamples: 0 })),
  greeting('a resume without a position', 4011, hello({ token: 'x', seq: 0 })),
  greeting('a resume below zero', 4011, hello({ token: 'x', seq: -1, positionSamples: 0 })),
  greeting('a resume of a half', 4011, hello({ token: 'x', seq: 0.5, positionSamples: 0 })),
];

/** Somebody comes with a token to a live session that has another one. */
function guess(name: string, token: string): AbuseInput {
  return {
    name,
    allowed: /^close 401[14], the other goes on$/,
    run: (place) =>
      onWebSocket('holdfast.v1', place, async (owner) => {
        using thief = await new RawWebSocket(
          place.target.url,
          'holdfast.v1',
          place.sessionId,
          place.address,
        ).opened();
        thief.text(hello({ token, seq: 0, positionSamples: 0 }));
        const thiefs = await thief.closes();
        return `${thiefs}, the other ${await owner.goesOn()}`;
      }),
  };
}

const TOKENS: readonly AbuseInput[] = [
  guess('an empty token', ''),
  guess('a token of one letter', 'a'),
  guess('a token as long as ours', '0'.repeat(32)),
  guess('a token of 60 kB', 'x'.repeat(60_000)),
  guess('a token with a NUL in it', '\u0000'),
  guess('a token of half a surrogate pair', '\ud800'),
  guess('a token that is a pattern', '.*'),
  guess('a token that is JSON', '{"$ne":null}'),
  guess('a token that is the name of a method', 'toString'),
];

export const WIRE_INPUTS: readonly AbuseInput[] = [
  ...grouped('ADK wire', ADK),
  ...grouped('holdfast.v1', HOLDFAST),
  ...grouped('greeting', GREETINGS),
  ...grouped('resume token', TOKENS),
];
