import { grouped } from './abuse-input.ts';
import type { AbuseInput, AbusePlace } from './abuse-input.ts';

// Bodies of requests.

interface Sent {
  readonly path: string;
  readonly body: string | Uint8Array;
  readonly method?: string;
  readonly type?: string;
}

function body(name: string, allowed: RegExp, make: (place: AbusePlace) => Sent): AbuseInput {
  return {
    name,
    allowed,
    run: async (place) => {
      const { path, body: sent, method = 'POST', type = 'application/json' } = make(place);
      const response = await fetch(place.target.url + path, {
        method,
        body: sent,
        headers: { 'content-type': type, 'x-forwarded-for': place.address },
      });
      const text = await response.text();
      const isOurs = response.ok || /"code":"HOLDFAST_[A-Z_]+"/.test(text);
      return `${response.status}${isOurs ? '' : ' without a code'}`;
    },
  };
}

const BAD = /^400$/;
const MADE = /^200$/;

const SESSIONS = '/apps/demo/users/u/sessions';

/** A body for the creation of a session. */
const session = (name: string, allowed: RegExp, text: string | Uint8Array): AbuseInput =>
  body(`a session: ${name}`, allowed, () => ({ path: SESSIONS, body: text }));

/** A text turn with these fields in the place of the right ones. */
const turn = (name: string, allowed: RegExp, fields: Readonly<Record<string, unknown>>): AbuseInput =>
  body(`a turn: ${name}`, allowed, ({ sessionId }) => ({
    path: '/run',
    body: JSON.stringify({
      appName: 'demo',
      userId: 'u',
      sessionId,
      newMessage: { role: 'user', parts: [{ text: 'hello' }] },
      ...fields,
    }),
  }));

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const CREATIONS: readonly AbuseInput[] = [
  session('no JSON', BAD, 'hello'),
  session('half of JSON', BAD, '{"state":{'),
  session('a list', BAD, '[1]'),
  session('a number', BAD, '7'),
  session('bytes that are no text', BAD, Buffer.from([0xff, 0xfe, 0x00, 0x80])),
  session('a state that is a list', BAD, '{"state":[1]}'),
  session('a state that is a text', BAD, '{"state":"x"}'),
  session('a state of a hundred levels', BAD, `{"state":{"a":${nested(100)}}}`),
  session('a state of thirty thousand levels', BAD, `{"state":{"a":${nested(30_000)}}}`),
  session('a state of thirty thousand values', MADE, `{"state":{"a":[${'0,'.repeat(30_000)}0]}}`),
  session('a state larger than is taken', /^413$/, `{"state":{"a":"${'x'.repeat(70_000)}"}}`),
  session('a state with the prototype', BAD, '{"state":{"__proto__":{"admin":true}}}'),
  session('a state with the prototype in a list', BAD, '{"state":{"a":[{"__proto__":{"admin":true}}]}}'),
  session(
    'a state with the prototype in escapes',
    BAD,
    String.raw`{"state":{"\u005f_proto__":{"admin":true}}}`,
  ),
  session(
    'a state with the prototype of the constructor',
    BAD,
    '{"state":{"constructor":{"prototype":{"admin":true}}}}',
  ),
  session('a state of names of methods', MADE, '{"state":{"toString":1,"hasOwnProperty":2,"valueOf":3}}'),
  session('a state with numbers beyond all numbers', MADE, '{"state":{"a":1e999,"b":-1e999}}'),
  session('an id that is a number', BAD, '{"sessionId":7}'),
  session('an id that is an object', BAD, '{"sessionId":{"$ne":null}}'),
  session('an id with a line break', BAD, String.raw`{"sessionId":"a\nb"}`),
  session('an id with a NUL', BAD, String.raw`{"sessionId":"\u0000"}`),
  session('an id of half a surrogate pair', BAD, String.raw`{"sessionId":"\ud800"}`),
  session('an id of a thousand characters', BAD, JSON.stringify({ sessionId: 'x'.repeat(1_000) })),
  session(
    'an id that climbs out of a folder',
    MADE,
    JSON.stringify({ sessionId: `../../etc/${Math.floor(performance.now())}` }),
  ),
  session('the same key a thousand times', BAD, `{${Array<string>(1_000).fill('"state":7').join(',')}}`),
  body('a session: an app of the name __proto__', /^404$/, () => ({
    path: '/apps/__proto__/users/u/sessions',
    body: '{}',
  })),
  body('a session: a user of the name __proto__', MADE, () => ({
    path: '/apps/demo/users/__proto__/sessions',
    body: '{}',
  })),
  body('a session: a user of a thousand characters', BAD, () => ({
    path: `/apps/demo/users/${'x'.repeat(1_000)}/sessions`,
    body: '{}',
  })),
  body('a session: one that is there', /^409$/, ({ sessionId }) => ({
    path: SESSIONS,
    body: JSON.stringify({ sessionId }),
  })),
  body('a session: by a method that is none of its', /^(404|405)$/, () => ({
    path: SESSIONS,
    body: '{}',
    method: 'PUT',
  })),
  body('a session: one that is not there is deleted', /^404$/, () => ({
    path: `${SESSIONS}/never`,
    body: '',
    method: 'DELETE',
  })),
  body('a session: form fields', BAD, () => ({
    path: SESSIONS,
    body: 'state=1&admin=true',
    type: 'application/x-www-form-urlencoded',
  })),
  body('a session: a form in parts', BAD, () => ({
    path: SESSIONS,
    body: '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    type: 'multipart/form-data; boundary=x',
  })),
  body('a session: XML', BAD, () => ({
    path: SESSIONS,
    body: '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    type: 'application/xml',
  })),
];

const TURNS: readonly AbuseInput[] = [
  turn('no app', BAD, { appName: undefined }),
  turn('an app that is a number', BAD, { appName: 7 }),
  turn('an app that is not there', /^404$/, { appName: 'nobody' }),
  turn('an app of the name __proto__', /^404$/, { appName: '__proto__' }),
  turn('an app of the name constructor', /^404$/, { appName: 'constructor' }),
  turn('no user', BAD, { userId: undefined }),
  turn('a user that is a list', BAD, { userId: ['u'] }),
  turn('a user with a NUL', BAD, { userId: '\u0000' }),
  turn('no session', BAD, { sessionId: undefined }),
  turn('a session that is not there', /^404$/, { sessionId: 'never' }),
  turn("somebody else's session", /^404$/, { userId: 'v' }),
  turn('no message', BAD, { newMessage: undefined }),
  turn('a message that is a text', BAD, { newMessage: 'hello' }),
  turn('a message without parts', BAD, { newMessage: { role: 'user' } }),
  turn('parts that are numbers', BAD, { newMessage: { parts: [1] } }),
  turn('a part that is a file of the server', BAD, {
    newMessage: { parts: [{ inlineData: { mimeType: 'image/png', data: 'file:///etc/passwd' } }] },
  }),
  turn('a stateDelta that is a list', BAD, { stateDelta: [1] }),
  turn('streaming that is a text', BAD, { streaming: 'yes' }),
  body('a turn: a stateDelta with the prototype', BAD, ({ sessionId }) => ({
    path: '/run',
    body: `{"appName":"demo","userId":"u","sessionId":"${sessionId}","newMessage":{"parts":[{"text":"x"}]},"stateDelta":{"__proto__":{"admin":true}}}`,
  })),
  turn('a stateDelta with the prototype of the constructor', BAD, {
    stateDelta: { constructor: { prototype: { admin: true } } },
  }),
  turn('a stateDelta of names of methods', MADE, { stateDelta: { toString: 1, constructor: 'x' } }),
  turn('a message of half a surrogate pair', MADE, { newMessage: { parts: [{ text: '\ud800' }] } }),
  turn('a message larger than is taken', /^413$/, { newMessage: { parts: [{ text: 'x'.repeat(70_000) }] } }),
  turn('a thousand parts', MADE, {
    newMessage: { parts: Array.from({ length: 1_000 }, () => ({ text: 'x' })) },
  }),
  turn('a tool result that nobody asked for', /^(200|400)$/, {
    newMessage: { parts: [{ functionResponse: { id: 'x', name: 'y', response: { a: 1 } } }] },
  }),
  body('a turn over SSE: no JSON', BAD, () => ({ path: '/run_sse', body: 'hello' })),
  body('a turn over SSE: a session that is not there', /^404$/, () => ({
    path: '/run_sse',
    body: '{"appName":"demo","userId":"u","sessionId":"never","newMessage":{"parts":[{"text":"x"}]}}',
  })),
];

export const BODY_INPUTS: readonly AbuseInput[] = grouped('bodies', [...CREATIONS, ...TURNS]);
