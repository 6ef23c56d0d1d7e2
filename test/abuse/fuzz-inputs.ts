import fc from 'fast-check';
import { grouped } from './abuse-input.ts';
import type { AbuseInput } from './abuse-input.ts';
import { onWebSocket } from './frame-inputs.ts';
import { RawConnection, answersOf } from './raw-connection.ts';
import type { Wire } from './raw-websocket.ts';
import { OPCODE, clientFrame, textFrame } from './websocket-frames.ts';

// What nobody has thought of. The seed is in each name, so that what fails can be had again.

/** Change it to try others: what it finds belongs to the inputs that have names. */
export const FUZZ_SEED = 20_261;

const RUNS = 24;

/** So many inputs of one kind, each made of the seed and its number. */
function fuzzed<Value>(
  what: string,
  values: fc.Arbitrary<Value>,
  allowed: RegExp,
  run: (value: Value, place: Parameters<AbuseInput['run']>[0]) => Promise<string>,
): AbuseInput[] {
  return fc.sample(values, { seed: FUZZ_SEED, numRuns: RUNS }).map((value, index) => ({
    name: `${what} (seed ${FUZZ_SEED}, ${index + 1})`,
    allowed,
    run: (place) => run(value, place),
  }));
}

const someBytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: 1, maxLength }).map((bytes) => Buffer.from(bytes));

/** A text of which some characters are others, are missing, or come twice. */
function mangled(text: string): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(text.length - 1),
    how: fc.constantFrom('replace', 'remove', 'double', 'insert'),
    byte: fc.nat(255),
  });
  return fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
    let bytes = Buffer.from(text, 'latin1');
    for (const { at, how, byte } of changes) {
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + (how === 'insert' ? 0 : 1))];
      const here = bytes.subarray(at, at + 1);
      const middle = {
        replace: Buffer.of(byte),
        remove: Buffer.alloc(0),
        double: Buffer.concat([here, here]),
        insert: Buffer.of(byte),
      }[how];
      bytes = Buffer.concat([before, middle ?? here, after]);
    }
    return bytes;
  });
}

const REQUEST =
  'POST /apps/demo/users/u/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{"state":null}';
const UPGRADE =
  'GET /run_live?app_name=demo&user_id=u&session_id=none HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n' +
  'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

async function overTcp(bytes: Buffer, url: string): Promise<string> {
  using connection = new RawConnection(url);
  connection.write(bytes);
  await connection.ended();
  return answersOf(connection);
}

const frame = fc
  .record({
    opcode: fc.nat(15),
    reserved: fc.constantFrom(0, 0, 0, 1, 4),
    final: fc.boolean(),
    masked: fc.constantFrom(true, true, true, false),
    payload: fc.oneof(fc.string(), fc.json(), fc.constant('{"type":"ping"}')),
  })
  .map((shape) => clientFrame(shape));

/** What the fields of messages are changed to. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('', '\u0000', '__proto__', -1, 2 ** 53, 1e308, null, [], {}),
);

const ADK_MESSAGE = fc.dictionary(
  fc.constantFrom(
    'content',
    'blob',
    'activity_start',
    'activityEnd',
    'audio_stream_end',
    'partial',
    'unknown',
  ),
  fc.oneof(
    odd,
    fc.record({ role: odd, parts: odd }),
    fc.record({ mime_type: odd, data: odd }),
    fc.record({ parts: fc.array(fc.record({ text: odd, inlineData: odd })) }),
  ),
);

const HOLDFAST_MESSAGE = fc
  .tuple(
    fc.constantFrom(
      'content',
      'text',
      'image',
      'activityStart',
      'ack',
      'playout',
      'ping',
      'hello',
      'audioDropped',
    ),
    fc.dictionary(
      fc.constantFrom('content', 'text', 'mimeType', 'data', 'seq', 'positionSamples', 'id', 'resume'),
      odd,
    ),
  )
  .map(([type, fields]) => ({ ...fields, type }));

const onWire =
  (wire: Wire) =>
  (frames: readonly Buffer[], place: Parameters<AbuseInput['run']>[0]): Promise<string> =>
    onWebSocket(wire, place, async (socket) => {
      for (const each of frames) socket.write(each);
      return await socket.goesOn();
    });

const messages = (values: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer[]> =>
  fc.array(
    values.map((value) => textFrame(JSON.stringify(value))),
    { minLength: 1, maxLength: 8 },
  );

/** Refused, answered, or given up; but never an answer that says the server failed. */
const ANSWERED = /^((200|400|403|404|405|408|409|413|417|426|429|431|501|101) )*closed$/;
const ENDED = /^(goes on.*|close (1000|1001|1002|1003|1007|1008|1009|4000|4011)|cut)$/;

export const FUZZ_INPUTS: readonly AbuseInput[] = grouped('fuzz', [
  ...fuzzed('bytes', someBytes(400), ANSWERED, (bytes, { target }) => overTcp(bytes, target.url)),
  ...fuzzed(
    'bytes behind a head',
    someBytes(400).map((rest) => Buffer.concat([Buffer.from('GET '), rest])),
    ANSWERED,
    (bytes, { target }) => overTcp(bytes, target.url),
  ),
  ...fuzzed('a request with changes', mangled(REQUEST), ANSWERED, (bytes, { target }) =>
    overTcp(bytes, target.url),
  ),
  ...fuzzed('an upgrade with changes', mangled(UPGRADE), ANSWERED, (bytes, { target }) =>
    overTcp(bytes, target.url),
  ),
  ...fuzzed('frames, ADK', fc.array(frame, { minLength: 1, maxLength: 12 }), ENDED, onWire('adk')),
  ...fuzzed(
    'frames, holdfast.v1',
    fc.array(frame, { minLength: 1, maxLength: 12 }),
    ENDED,
    onWire('holdfast.v1'),
  ),
  ...fuzzed(
    'bytes in the place of frames',
    someBytes(600).map((bytes) => [bytes]),
    /^(goes on.*|close (1000|1002|1007|1008|1009|4011)|cut|open)$/,
    (frames, place) =>
      onWebSocket('holdfast.v1', place, async (socket) => {
        for (const each of frames) socket.write(each);
        // They may be the beginning of a long frame, which is waited for.
        socket.connection.tcp.end();
        await socket.connection.ended();
        return socket.outcome;
      }),
  ),
  ...fuzzed('messages, ADK', messages(ADK_MESSAGE), ENDED, onWire('adk')),
  ...fuzzed('messages, holdfast.v1', messages(HOLDFAST_MESSAGE), ENDED, onWire('holdfast.v1')),
  ...fuzzed(
    'binary frames, holdfast.v1',
    fc.array(
      someBytes(60).map((payload) => clientFrame({ opcode: OPCODE.binary, payload })),
      { minLength: 1, maxLength: 8 },
    ),
    ENDED,
    onWire('holdfast.v1'),
  ),
]);
