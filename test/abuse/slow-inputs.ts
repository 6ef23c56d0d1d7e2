import { grouped } from './abuse-input.ts';
import type { AbuseInput } from './abuse-input.ts';
import { onWebSocket } from './frame-inputs.ts';
import { RawConnection, answersOf } from './raw-connection.ts';
import { RawWebSocket } from './raw-websocket.ts';
import type { Wire } from './raw-websocket.ts';
import { OPCODE, clientFrame, textFrame } from './websocket-frames.ts';

// Who begins something and does not go on with it, or goes in its middle.

const UPGRADE =
  'GET /run_live?app_name=demo&user_id=u&session_id=none HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n' +
  'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

const POST =
  'POST /apps/demo/users/u/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
  'Content-Length: 60\r\n\r\n{"state":{"slow":true}';

/** Between two bytes of who drips, in milliseconds. */
const DRIP_MS = 40;

/** The beginning of a request, and then nothing. */
function stalls(name: string, text: string): AbuseInput {
  return {
    name,
    allowed: /^(408 closed|closed)$/,
    run: async ({ target }) => {
      using connection = new RawConnection(target.url);
      connection.write(text);
      await connection.ended();
      return answersOf(connection);
    },
  };
}

/** Something that comes byte by byte, and is not over in time. */
function drips(name: string, first: string, rest: string): AbuseInput {
  return {
    name,
    allowed: /^(408 closed|closed)$/,
    run: async ({ target }) => {
      using connection = new RawConnection(target.url);
      connection.write(first);
      for (let at = 0; !connection.isEnded && at < 400; at += 1) {
        connection.write(rest[at % rest.length] ?? '');
        await connection.until(() => false, DRIP_MS);
      }
      return answersOf(connection);
    },
  };
}

/** Goes in the middle of something: by the end of its side, or by a reset. */
function leaves(name: string, how: 'FIN' | 'RST', text: string | Buffer): AbuseInput {
  return {
    name: `${name}, and goes with ${how}`,
    allowed: /closed$/,
    run: async ({ target }) => {
      using connection = new RawConnection(target.url);
      connection.write(text);
      await new Promise((resolve) => connection.tcp.once('connect', resolve));
      if (how === 'FIN') connection.tcp.end();
      else connection.tcp.resetAndDestroy();
      await connection.ended();
      return answersOf(connection);
    },
  };
}

/** Goes in the middle of a WebSocket. */
function leavesWebSocket(wire: Wire, name: string, how: 'FIN' | 'RST', bytes: Buffer): AbuseInput {
  return {
    name: `${name}, and goes with ${how} (${wire})`,
    allowed: /^(cut|close 1006|close 1000)$/,
    run: (place) =>
      onWebSocket(wire, place, async (socket) => {
        socket.write(bytes);
        if (how === 'FIN') socket.connection.tcp.end();
        else socket.connection.tcp.resetAndDestroy();
        await socket.connection.ended();
        return socket.outcome;
      }),
  };
}

const cuts = [1, 4, 15, 60, 80, 120, 150, 190].map((length) => UPGRADE.slice(0, length));
const unfinished = textFrame('{"type":"text","text":"never"}').subarray(0, 12);
const fragment = clientFrame({ opcode: OPCODE.text, payload: '{"type":', final: false });

const STALLS: readonly AbuseInput[] = [
  stalls('a connection without a word', ''),
  ...cuts.map((text) => stalls(`an upgrade that stops after ${text.length} bytes`, text)),
  stalls('a head that stops before its last line break', 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r'),
  stalls('a body that does not come', POST.slice(0, POST.indexOf('{'))),
  stalls('a body that stops in its middle', POST),
  stalls(
    'a chunk that does not come',
    'POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
  ),
  stalls(
    'a chunk that stops in its size',
    'POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff',
  ),
  stalls(
    'chunks without the last one',
    'POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
  ),
  drips('a head, byte by byte', 'GET /health HTTP/1.1\r\nHost: localhost\r\n', 'X-Slow: a\r\n'),
  drips('a line, byte by byte', 'GET /', 'slow'),
  drips('an upgrade, byte by byte', '', UPGRADE),
  drips('a body, byte by byte', POST.slice(0, POST.indexOf('{')).replace('60', '600'), ' '),
  drips(
    'chunks, byte by byte',
    'POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    '1\r\n \r\n',
  ),
];

const LEAVES: readonly AbuseInput[] = (['FIN', 'RST'] as const).flatMap((how) => [
  leaves('nothing', how, ''),
  ...cuts.map((text) => leaves(`${text.length} bytes of an upgrade`, how, text)),
  leaves('a whole upgrade', how, UPGRADE),
  leaves('an upgrade to a path that is none', how, UPGRADE.replace('/run_live', '/none')),
  leaves('half of a body', how, POST),
  leaves(
    'a turn that is not waited for',
    how,
    'POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}',
  ),
  ...(['adk', 'holdfast.v1'] as const).flatMap((wire) => [
    leavesWebSocket(wire, 'half of a frame', how, unfinished),
    leavesWebSocket(wire, 'a fragment', how, fragment),
    leavesWebSocket(wire, 'a message', how, textFrame('{"type":"text","text":"gone"}')),
    leavesWebSocket(wire, 'nothing more', how, Buffer.alloc(0)),
  ]),
]);

/** Says hello, and then nothing but half of something, while it answers nothing: it costs a socket, and no more than that. */
const HANGS: readonly AbuseInput[] = [
  {
    name: 'a WebSocket that is greeted and whose next frame never comes to an end',
    allowed: /^close 1000$/,
    run: (place) =>
      onWebSocket('holdfast.v1', place, async (socket) => {
        socket.write(unfinished);
        using other = await new RawWebSocket(
          place.target.url,
          'holdfast.v1',
          place.sessionId,
          place.address,
        ).ready();
        // A newer client takes over, although the older one is in the middle of a frame.
        other.goodbye();
        await other.closes();
        return other.outcome;
      }),
  },
];

export const SLOW_INPUTS: readonly AbuseInput[] = [
  ...grouped('stands still', STALLS),
  ...grouped('goes', LEAVES),
  ...grouped('hangs', HANGS),
];
