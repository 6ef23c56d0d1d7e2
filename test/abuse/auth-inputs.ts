import type { TokenForge } from '../support/token-forge.ts';
import { grouped } from './abuse-input.ts';
import type { AbuseInput } from './abuse-input.ts';
import { RawConnection, answersOf } from './raw-connection.ts';

/** What strangers come with to a server that asks who they are. */
export async function authInputs(forge: TokenForge): Promise<readonly AbuseInput[]> {
  const attempts = await forge.hostileAttempts();
  const good = await forge.token({ sub: 'u' });
  return grouped('authentication', [
    ...attempts.flatMap(({ name, authorization }) => [
      overHttp(name, [`Authorization: ${authorization}`]),
      upgrade(name, [`Authorization: ${authorization}`]),
    ]),
    overHttp('nothing', []),
    upgrade('nothing', []),
    overHttp('two headers, a bad one and a good one', [
      'Authorization: Bearer bad',
      `Authorization: Bearer ${good}`,
    ]),
    upgrade('a token in the query', [], `&token=${good}`),
    upgrade('a token as a user', [], `&authorization=Bearer%20${good}`),
    upgrade('a ticket that nobody was given', [], '&ticket=0123456789abcdef0123456789abcdef'),
    upgrade('an empty ticket', [], '&ticket='),
    upgrade('a ticket of 4 kB', [], `&ticket=${'x'.repeat(4_000)}`),
    upgrade("somebody else's session, with a good token", [`Authorization: Bearer ${good}`], '', 'somebody'),
    replayedTicket(good),
  ]);
}

const REFUSED = /^(401|403|400) closed$/;

function overHttp(name: string, fields: readonly string[]): AbuseInput {
  return {
    name: `${name}, for a list of sessions`,
    allowed: REFUSED,
    run: ({ target }) =>
      answers(target.url, ['GET /apps/demo/users/u/sessions HTTP/1.1', ...fields, 'Connection: close']),
  };
}

function upgrade(name: string, fields: readonly string[], query = '', user = 'u'): AbuseInput {
  return {
    name: `${name}, for a WebSocket`,
    allowed: REFUSED,
    run: ({ target, address }) => answers(target.url, upgradeLines(user, query, address, fields)),
  };
}

function upgradeLines(user: string, query: string, address: string, fields: readonly string[]): string[] {
  return [
    `GET /run_live?app_name=demo&user_id=${user}&session_id=s${query} HTTP/1.1`,
    ...fields,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `X-Forwarded-For: ${address}`,
  ];
}

/** A ticket is good once: who has read it over somebody's shoulder comes too late. */
function replayedTicket(token: string): AbuseInput {
  return {
    name: 'a ticket that was used already, for a WebSocket',
    allowed: /^101 open, then 40[13] closed$/,
    run: async ({ target, address }) => {
      const headers = { authorization: `Bearer ${token}` };
      await fetch(`${target.url}/apps/demo/users/u/sessions`, {
        method: 'POST',
        headers,
        body: '{"sessionId":"s"}',
      });
      const response = await fetch(`${target.url}/tickets`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ appName: 'demo', userId: 'u', sessionId: 's' }),
      });
      const { ticket } = (await response.json()) as { ticket: string };
      const lines = upgradeLines('u', `&ticket=${ticket}`, address, []);
      using first = new RawConnection(target.url);
      first.write(requestOf(lines));
      await first.until(() => first.received.includes('\r\n\r\n'));
      return `${answersOf(first)}, then ${await answers(target.url, lines)}`;
    },
  };
}

async function answers(url: string, lines: readonly string[]): Promise<string> {
  using connection = new RawConnection(url);
  connection.write(requestOf(lines));
  await connection.ended();
  return answersOf(connection);
}

function requestOf([line = '', ...fields]: readonly string[]): string {
  return [line, 'Host: localhost', ...fields, '', ''].join('\r\n');
}
