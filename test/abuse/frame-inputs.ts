import { grouped } from './abuse-input.ts';
import type { AbuseInput, AbusePlace } from './abuse-input.ts';
import { RawWebSocket } from './raw-websocket.ts';
import type { Wire } from './raw-websocket.ts';
import { OPCODE, clientFrame, closePayload, textFrame } from './websocket-frames.ts';
import type { FrameShape } from './websocket-frames.ts';

// What RFC 6455 forbids, and what it allows and nobody expects.

const WIRES: readonly Wire[] = ['adk', 'holdfast.v1'];

/** Frames that end a connection with this code. */
export function closing(
  wire: Wire,
  name: string,
  code: number,
  ...frames: readonly (FrameShape | Buffer)[]
): AbuseInput {
  return {
    name: `${name} (${wire})`,
    allowed: new RegExp(`^close ${code}$`),
    run: (place) =>
      onWebSocket(wire, place, async (socket) => {
        for (const frame of frames) socket.write(Buffer.isBuffer(frame) ? frame : clientFrame(frame));
        return socket.closes();
      }),
  };
}

/** Frames that are nothing to end a connection for; `errors` is what the client is told of them. */
export function harmless(
  wire: Wire,
  name: string,
  errors: string,
  ...frames: readonly (FrameShape | Buffer)[]
): AbuseInput {
  return {
    name: `${name} (${wire})`,
    allowed: new RegExp(`^goes on${errors === '' ? '' : ` ${errors}`}$`),
    run: (place) =>
      onWebSocket(wire, place, async (socket) => {
        for (const frame of frames) socket.write(Buffer.isBuffer(frame) ? frame : clientFrame(frame));
        return socket.goesOn();
      }),
  };
}

/** With a WebSocket that has been greeted. */
export async function onWebSocket(
  wire: Wire,
  { target, sessionId, address }: AbusePlace,
  use: (socket: RawWebSocket) => Promise<string>,
): Promise<string> {
  using socket = await new RawWebSocket(target.url, wire, sessionId, address).ready();
  return await use(socket);
}

const ping = (payload: string | Buffer = ''): FrameShape => ({ opcode: OPCODE.ping, payload });
const close = (payload: Buffer | string): FrameShape => ({ opcode: OPCODE.close, payload });

function reservedBits(): AbuseInput[] {
  return [1, 2, 3, 4, 5, 6, 7].flatMap((reserved) => [
    closing('adk', `a text frame with reserved bits ${reserved}`, 1002, {
      opcode: OPCODE.text,
      payload: '{}',
      reserved,
    }),
    closing('holdfast.v1', `a binary frame with reserved bits ${reserved}`, 1002, {
      opcode: OPCODE.binary,
      payload: 'x',
      reserved,
    }),
    closing('adk', `a ping with reserved bits ${reserved}`, 1002, { ...ping('x'), reserved }),
    closing('holdfast.v1', `a close with reserved bits ${reserved}`, 1002, {
      ...close(closePayload(1000)),
      reserved,
    }),
  ]);
}

function opcodes(): AbuseInput[] {
  return [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
    closing('adk', `opcode ${opcode}, which is reserved`, 1002, { opcode }),
    closing(
      'holdfast.v1',
      `opcode ${opcode} with a payload, after a good message`,
      1002,
      textFrame('{"type":"ping"}'),
      {
        opcode,
        payload: 'reserved',
      },
    ),
  ]);
}

function masks(): AbuseInput[] {
  return WIRES.flatMap((wire) => [
    closing(wire, 'a text frame without a mask', 1002, { opcode: OPCODE.text, payload: '{}', masked: false }),
    closing(wire, 'a ping without a mask', 1002, { ...ping('x'), masked: false }),
    closing(wire, 'a close without a mask', 1002, { ...close(closePayload(1000)), masked: false }),
  ]);
}

function lengths(): AbuseInput[] {
  const claims = (name: string, value: bigint, opcode: number = OPCODE.text): AbuseInput[] =>
    WIRES.map((wire) =>
      closing(wire, `${name} (opcode ${opcode})`, 1009, { opcode, claims: value, lengthBits: 64 }),
    );
  return [
    ...claims('a length of 2^63', 2n ** 63n),
    ...claims('a length of 2^64 - 1', 2n ** 64n - 1n),
    ...claims('a length of 2^53', 2n ** 53n),
    ...claims('a length of 2^53 - 1', 2n ** 53n - 1n),
    ...claims('a length of 2^32', 2n ** 32n, OPCODE.binary),
    ...claims('a length of 2^31', 2n ** 31n, OPCODE.binary),
    ...claims('a length of 10 MB', 10_000_000n),
    ...WIRES.flatMap((wire) => [
      closing(wire, 'a message just too large', 1009, textFrame('x'.repeat(64 * 1024 + 1))),
      closing(wire, 'a message in pieces that is too large', 1009, ...pieces('x'.repeat(20_000), 8)),
      closing(wire, 'a ping of 126 bytes', 1002, ping('x'.repeat(126))),
      closing(wire, 'a ping that claims 2^63 bytes', 1002, { ...ping(), claims: 2n ** 63n, lengthBits: 64 }),
      closing(wire, 'a close of 126 bytes', 1002, close(closePayload(1000, 'x'.repeat(124)))),
      harmless(wire, 'a ping of 125 bytes', '', ping('x'.repeat(125))),
      harmless(
        wire,
        'lengths written in more bits than they need',
        '',
        { ...ping(), opcode: OPCODE.pong },
        {
          opcode: OPCODE.pong,
          payload: 'x',
        },
      ),
    ]),
  ];
}

/** A text in so many frames. */
function pieces(piece: string, count: number): FrameShape[] {
  return Array.from({ length: count }, (_, index) => ({
    opcode: index === 0 ? OPCODE.text : OPCODE.continuation,
    payload: piece,
    final: index === count - 1,
  }));
}

function fragments(): AbuseInput[] {
  const begun: FrameShape = { opcode: OPCODE.text, payload: '{"a":', final: false };
  return WIRES.flatMap((wire) => [
    closing(wire, 'a ping in pieces', 1002, { ...ping('x'), final: false }),
    closing(wire, 'a pong in pieces', 1002, { opcode: OPCODE.pong, final: false }),
    closing(wire, 'a close in pieces', 1002, { ...close(closePayload(1000)), final: false }),
    closing(wire, 'the end of a message that never began', 1002, {
      opcode: OPCODE.continuation,
      payload: 'x',
    }),
    closing(wire, 'the middle of a message that never began', 1002, {
      opcode: OPCODE.continuation,
      payload: 'x',
      final: false,
    }),
    closing(wire, 'a text within a text', 1002, begun, { opcode: OPCODE.text, payload: '1}' }),
    closing(wire, 'a binary message within a text', 1002, begun, { opcode: OPCODE.binary, payload: 'x' }),
    closing(
      wire,
      'a second end',
      1002,
      begun,
      { opcode: OPCODE.continuation, payload: '1}' },
      { opcode: OPCODE.continuation, payload: 'x' },
    ),
    closing(
      wire,
      'fragments without end',
      1008,
      begun,
      Buffer.concat(
        Array.from({ length: 17_000 }, () =>
          clientFrame({ opcode: OPCODE.continuation, payload: 'x', final: false }),
        ),
      ),
    ),
    closing(
      wire,
      'empty fragments without end',
      1008,
      begun,
      Buffer.concat(
        Array.from({ length: 17_000 }, () => clientFrame({ opcode: OPCODE.continuation, final: false })),
      ),
    ),
    harmless(
      wire,
      'pings between the pieces of a message',
      'HOLDFAST_BAD_MESSAGE',
      begun,
      ping('a'),
      { opcode: OPCODE.continuation, payload: '1', final: false },
      ping('b'),
      { opcode: OPCODE.continuation, payload: '}' },
    ),
    harmless(wire, 'a message of empty pieces', 'HOLDFAST_BAD_MESSAGE', ...pieces('', 50)),
    harmless(
      wire,
      'a message in pieces of one byte',
      'HOLDFAST_BAD_MESSAGE',
      ...'{"type":"none"}'.split('').map((each, index, all) => ({
        opcode: index === 0 ? OPCODE.text : OPCODE.continuation,
        payload: each,
        final: index === all.length - 1,
      })),
    ),
  ]);
}

/** What is no UTF-8, by name. */
const BROKEN_UTF8: readonly (readonly [string, readonly number[]])[] = [
  ['a lone continuation byte', [0x80]],
  ['two lone continuation bytes', [0xbf, 0x80]],
  ['a byte that is never one', [0xff]],
  ['another byte that is never one', [0xc0]],
  ['a slash of two bytes', [0xc0, 0xaf]],
  ['a slash of three bytes', [0xe0, 0x80, 0xaf]],
  ['a slash of four bytes', [0xf0, 0x80, 0x80, 0xaf]],
  ['a NUL of two bytes', [0xc0, 0x80]],
  ['a high surrogate', [0xed, 0xa0, 0x80]],
  ['a low surrogate', [0xed, 0xb0, 0x80]],
  ['a pair of surrogates', [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
  ['a character beyond the last one', [0xf4, 0x90, 0x80, 0x80]],
  ['a character of five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['a character of six bytes', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['a character that stops after its first byte', [0xc3]],
  ['a character that stops after its second byte', [0xe2, 0x82]],
  ['a character that stops after its third byte', [0xf0, 0x9f, 0x98]],
  ['a character that begins anew in its middle', [0xe2, 0xe2, 0x82, 0xac]],
];

function utf8(): AbuseInput[] {
  return BROKEN_UTF8.flatMap(([name, bytes]) => {
    const broken = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(bytes), Buffer.from('"}')]);
    const [first, rest] = [broken.subarray(0, 10), broken.subarray(10)];
    return [
      closing('adk', `${name} in a text`, 1007, textFrame(broken)),
      closing(
        'holdfast.v1',
        `${name} in two pieces`,
        1007,
        { opcode: OPCODE.text, payload: first, final: false },
        { opcode: OPCODE.continuation, payload: rest },
      ),
      closing(
        'holdfast.v1',
        `${name} in the reason of a close`,
        1007,
        close(closePayload(1000, Buffer.from(bytes))),
      ),
    ];
  });
}

function closes(): AbuseInput[] {
  const never = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65_535];
  const good = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4101, 4999,
  ];
  return [
    ...never.map((code, index) =>
      closing(WIRES[index % 2]!, `a close with ${code}, which is no code`, 1002, close(closePayload(code))),
    ),
    ...good.map((code, index) =>
      closing(WIRES[index % 2]!, `a close with ${code}`, code, close(closePayload(code, 'bye'))),
    ),
    ...WIRES.flatMap((wire) => [
      closing(wire, 'a close of one byte', 1002, close(Buffer.of(3))),
      { ...closing(wire, 'a close without a code', 0, close('')), allowed: /^close (0|1005|1000)$/ },
      closing(
        wire,
        'a close, and everything else after it',
        1000,
        close(closePayload(1000)),
        textFrame('{}'),
        { opcode: 3 },
        ping('x'),
      ),
      closing(wire, 'two closes', 1000, close(closePayload(1000)), close(closePayload(1001))),
      closing(
        wire,
        'a close in the middle of a message',
        1000,
        { opcode: OPCODE.text, payload: 'x', final: false },
        close(closePayload(1000)),
      ),
      closing(wire, 'a close with the longest reason', 1000, close(closePayload(1000, 'x'.repeat(123)))),
    ]),
  ];
}

function controls(): AbuseInput[] {
  return WIRES.flatMap((wire) => [
    harmless(
      wire,
      'pongs that nobody asked for',
      '',
      ...Array.from({ length: 20 }, () => ({ opcode: OPCODE.pong, payload: 'x' })),
    ),
    harmless(wire, 'ten pings at once', '', ...Array.from({ length: 10 }, (_, index) => ping(`${index}`))),
    {
      ...closing(
        wire,
        'a flood of pings',
        0,
        Buffer.concat(Array.from({ length: 5_000 }, () => clientFrame(ping('x')))),
      ),
      allowed: wire === 'adk' ? /^close 1008$/ : /^close 4011$/,
    },
    {
      ...closing(
        wire,
        'a flood of pongs',
        0,
        Buffer.concat(Array.from({ length: 5_000 }, () => clientFrame({ opcode: OPCODE.pong }))),
      ),
      allowed: wire === 'adk' ? /^close 1008$/ : /^close 4011$/,
    },
    {
      ...closing(
        wire,
        'a flood of empty messages',
        0,
        Buffer.concat(Array.from({ length: 5_000 }, () => textFrame(''))),
      ),
      allowed: wire === 'adk' ? /^close 1008$/ : /^close 4011$/,
    },
    closing(
      wire,
      'what is not a frame: HTTP',
      1002,
      Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    ),
    closing(wire, 'what is not a frame: zeros', 1002, Buffer.alloc(100)),
  ]);
}

export const FRAME_INPUTS: readonly AbuseInput[] = grouped('frames', [
  ...reservedBits(),
  ...opcodes(),
  ...masks(),
  ...lengths(),
  ...fragments(),
  ...utf8(),
  ...closes(),
  ...controls(),
]);
