import { encodeAudioFrame } from '../../src/protocol/index.ts';
import { grouped } from './abuse-input.ts';
import type { AbuseInput, AbusePlace } from './abuse-input.ts';
import { onWebSocket } from './frame-inputs.ts';
import { RawConnection, answersOf } from './raw-connection.ts';
import { RawWebSocket } from './raw-websocket.ts';
import { OPCODE, clientFrame, textFrame } from './websocket-frames.ts';

// Too much of what is right. Each of them is alone when it runs: it takes what the others would need.

const GET = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';

const sorted = (statuses: Iterable<string | undefined>): string =>
  [...statuses]
    .map(String)
    .toSorted((a, b) => Number(a) - Number(b))
    .join(' ');

/** More connections than the server takes, all at once, each with the same words. */
function connections(name: string, count: number, text: string, allowed: RegExp): AbuseInput {
  return {
    name,
    allowed,
    run: async ({ target }) => {
      const held = Array.from({ length: count }, () => new RawConnection(target.url));
      for (const each of held) each.write(text);
      await Promise.all(held.map((each) => each.until(() => each.received.byteLength > 0)));
      const answers = new Set(
        held.map((each) => /HTTP\/1\.1 (\d+)/.exec(each.received.toString('latin1'))?.[1]),
      );
      for (const each of held) each[Symbol.dispose]();
      return sorted(answers);
    },
  };
}

/** So many requests one after the other, over one connection, without waiting for an answer. */
const PIPELINED: AbuseInput = {
  name: 'a thousand requests in one breath',
  allowed: /^(200 ){100,1000}closed$/,
  run: async ({ target }) => {
    using connection = new RawConnection(target.url);
    connection.write(GET.repeat(999) + GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    await connection.ended();
    return answersOf(connection);
  },
};

async function statuses(requests: readonly Promise<Response>[]): Promise<string> {
  const answers = await Promise.all(requests);
  await Promise.all(answers.map((each) => each.arrayBuffer()));
  return sorted(new Set(answers.map(({ status }) => `${status}`)));
}

function sessionOf({ target, address }: AbusePlace, id: string): Promise<Response> {
  return fetch(`${target.url}/apps/demo/users/flood/sessions`, {
    method: 'POST',
    headers: { 'x-forwarded-for': address },
    body: JSON.stringify({ sessionId: id }),
  });
}

const SESSIONS: AbuseInput = {
  name: 'more sessions than are made in a minute, for one address',
  allowed: /^200 429$/,
  run: async (place) => {
    const seen: string[] = [];
    for (let batch = 0; batch < 15; batch += 1) {
      const ids = Array.from({ length: 100 }, (_, index) => `${place.sessionId}-${batch}-${index}`);
      seen.push(await statuses(ids.map((id) => sessionOf(place, id))));
    }
    return [...new Set(seen.flatMap((each) => each.split(' ')))].toSorted().join(' ');
  },
};

const UPGRADES: AbuseInput = {
  name: 'more WebSockets than one address may open in a minute',
  allowed: /^(101 )+429$/,
  run: async ({ target, sessionId, address }) => {
    const outcomes: string[] = [];
    for (let opened = 0; opened < 120; opened += 1) {
      using socket = new RawWebSocket(target.url, 'adk', sessionId, address);
      await socket.connection.until(() => socket.connection.received.includes('\r\n\r\n'));
      const status = /HTTP\/1\.1 (\d+)/.exec(socket.connection.received.toString('latin1'))?.[1] ?? 'none';
      if (outcomes.at(-1) !== status) outcomes.push(status);
    }
    return outcomes.join(' ');
  },
};

/** Turns whose answers nobody reads, and whose client goes. */
const UNREAD_TURNS: AbuseInput = {
  name: 'forty turns over SSE that nobody reads',
  allowed: /^gone$/,
  run: async ({ target, sessionId }) => {
    const held = Array.from({ length: 40 }, () => {
      const body = JSON.stringify({
        appName: 'demo',
        userId: 'u',
        sessionId,
        newMessage: { parts: [{ text: 'x'.repeat(50_000) }] },
      });
      const connection = new RawConnection(target.url);
      connection.tcp.pause();
      connection.write(
        `POST /run_sse HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return connection;
    });
    await held[0]?.until(() => false, 300);
    for (const each of held) each.tcp.resetAndDestroy();
    return 'gone';
  },
};

/** Speaks faster than anybody hears, and reads nothing of the echo. */
const UNREAD_AUDIO: AbuseInput = {
  name: 'an hour of audio in one breath, and nothing is read',
  allowed: /^(close 4011|cut)$/,
  run: (place) =>
    onWebSocket('holdfast.v1', place, async (socket) => {
      const second = new Uint8Array(32_000);
      for (let said = 0; said < 3_600 && !socket.connection.isEnded; said += 1) {
        socket.write(
          clientFrame({ opcode: OPCODE.binary, payload: encodeAudioFrame('input', said * 16_000, second) }),
        );
        if (said % 100 === 0) await socket.connection.until(() => false, 1);
      }
      await socket.closes();
      return socket.outcome;
    }),
};

const messages = (wire: 'adk' | 'holdfast.v1', allowed: RegExp): AbuseInput => ({
  name: `five thousand texts in one breath (${wire})`,
  allowed,
  run: (place) =>
    onWebSocket(wire, place, async (socket) => {
      const text =
        wire === 'adk' ? '{"content":{"parts":[{"text":"x"}]},"partial":true}' : '{"type":"text","text":"x"}';
      socket.write(Buffer.concat(Array.from({ length: 5_000 }, () => textFrame(text))));
      return await socket.closes();
    }),
});

/** Greets, and never comes back: each leaves a live session that waits for it. */
const VANISHING: AbuseInput = {
  name: 'sixty clients that vanish once they are greeted',
  allowed: /^gone$/,
  run: async (place) => {
    const ids = Array.from({ length: 60 }, (_, index) => `${place.sessionId}-v${index}`);
    await Promise.all(ids.map((id) => place.target.createSession(id, place.address)));
    await Promise.all(
      ids.map(async (id) => {
        const socket = await new RawWebSocket(place.target.url, 'holdfast.v1', id, place.address).ready();
        socket.connection.tcp.resetAndDestroy();
      }),
    );
    return 'gone';
  },
};

export const FLOOD_INPUTS: readonly AbuseInput[] = grouped('floods', [
  connections('four hundred connections that ask', 400, GET, /^200 503$/),
  connections(
    'four hundred connections that ask for half of something',
    400,
    'GET /health HTTP/1.1\r\n',
    /^408 503$/,
  ),
  PIPELINED,
  SESSIONS,
  UPGRADES,
  UNREAD_TURNS,
  UNREAD_AUDIO,
  messages('adk', /^close 1008$/),
  messages('holdfast.v1', /^close 4011$/),
  VANISHING,
]);
