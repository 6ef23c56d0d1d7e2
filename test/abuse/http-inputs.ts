import { grouped } from './abuse-input.ts';
import type { AbuseInput } from './abuse-input.ts';
import { RawConnection, answersOf } from './raw-connection.ts';

// What is no HTTP, almost HTTP, or HTTP that two servers in a row read differently.

/** Bytes over a connection; what comes back is `400 closed`, and so on. */
export function bytes(name: string, allowed: RegExp, ...sent: readonly (string | Uint8Array)[]): AbuseInput {
  return {
    name,
    allowed,
    run: async ({ target }) => {
      using connection = new RawConnection(target.url);
      for (const each of sent) connection.write(each);
      await connection.ended();
      return answersOf(connection);
    },
  };
}

const REFUSED = /^400 closed$/;
const NOT_FOUND = /^404 closed$/;

/** The head of a request that asks for its connection to be closed. */
function head(line: string, ...fields: readonly string[]): string {
  return [line, 'Host: localhost', 'Connection: close', ...fields, '', ''].join('\r\n');
}

const get = (path: string, ...fields: readonly string[]): string => head(`GET ${path} HTTP/1.1`, ...fields);

const LINES: readonly AbuseInput[] = [
  bytes('a line of nothing but noise', REFUSED, '\u0001\u0002\u0003\u0004\r\n\r\n'),
  bytes('the greeting of TLS', REFUSED, Buffer.from('16030100050100000100', 'hex')),
  bytes('the greeting of HTTP/2', REFUSED, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  bytes('another protocol: SSH', REFUSED, 'SSH-2.0-OpenSSH_9.6\r\n'),
  bytes('another protocol: SMTP', REFUSED, 'EHLO example.com\r\n'),
  bytes('another protocol: Redis', REFUSED, '*1\r\n$4\r\nPING\r\n'),
  bytes('a method that is none', REFUSED, head('FETCH /health HTTP/1.1')),
  bytes('a method in small letters', REFUSED, head('get /health HTTP/1.1')),
  bytes('a line without a version', /^(200|400) closed$/, 'GET /health\r\nHost: localhost\r\n\r\n'),
  bytes('a version from the future', REFUSED, head('GET /health HTTP/9.9')),
  bytes('a version that is none', REFUSED, head('GET /health HTTP/x.y')),
  bytes('spaces before the line', REFUSED, `  ${get('/health')}`),
  bytes('a path with a space in it', REFUSED, get('/hea lth')),
  bytes('a path with a NUL in it', REFUSED, get('/health\u0000')),
  bytes('a path with a line break in it', REFUSED, 'GET /health\n HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  bytes('lines that end with CR alone', REFUSED, 'GET /health HTTP/1.1\rHost: localhost\r\r'),
  bytes(
    'an address with a user in it',
    /^(200|400|403|404) closed$/,
    get('http://admin:secret@localhost/version'),
  ),
  bytes(
    "somebody else's address",
    /^40[03] closed$/,
    'GET http://example.com/version HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n',
  ),
  bytes(
    'an address in full, of another host than the header',
    /^(200|400|403) closed$/,
    get('http://example.com/version'),
  ),
  bytes('an asterisk for a path', /^(400|404) closed$/, head('OPTIONS * HTTP/1.1')),
  bytes('CONNECT, as to a proxy', /^(400 |404 |)closed$/, head('CONNECT example.com:443 HTTP/1.1')),
  bytes('TRACE, which echoes', NOT_FOUND, head('TRACE / HTTP/1.1')),
  bytes('a path longer than is taken', REFUSED, get(`/${'a'.repeat(9_000)}`)),
  bytes('a path longer than a head may be', /^431 closed$/, get(`/${'a'.repeat(30_000)}`)),
  bytes('a thousand parameters', REFUSED, get(`/version?${'a=1&'.repeat(1_000)}`)),
  bytes('ten thousand slashes in a path', /^(400|404) closed$/, get('/'.repeat(8_000))),
];

const FIELDS: readonly AbuseInput[] = [
  bytes('no Host', REFUSED, 'GET /version HTTP/1.1\r\nConnection: close\r\n\r\n'),
  bytes('two Hosts', /^(400|403) closed$/, get('/version', 'Host: example.com')),
  bytes(
    'two Hosts, the wrong one first',
    /^(400|403) closed$/,
    'GET /version HTTP/1.1\r\nHost: example.com\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ),
  bytes(
    "somebody else's Host",
    /^403 closed$/,
    'GET /version HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n',
  ),
  bytes(
    'a Host that begins like ours',
    /^403 closed$/,
    'GET /version HTTP/1.1\r\nHost: localhost.example.com\r\nConnection: close\r\n\r\n',
  ),
  bytes(
    'a Host with a user in it',
    /^40[03] closed$/,
    'GET /version HTTP/1.1\r\nHost: localhost@example.com\r\nConnection: close\r\n\r\n',
  ),
  bytes('an empty Host', /^40[03] closed$/, 'GET /version HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'),
  bytes('an Origin that is not ours', /^403 closed$/, get('/version', 'Origin: https://evil.example')),
  bytes('an Origin of null', /^403 closed$/, get('/version', 'Origin: null')),
  bytes('a field without a colon', REFUSED, get('/version', 'X-Nothing')),
  bytes('a field without a name', REFUSED, get('/version', ': value')),
  bytes('a space before the colon', REFUSED, get('/version', 'X-Space : value')),
  bytes('a space in a name', REFUSED, get('/version', 'X Space: value')),
  bytes('a NUL in a value', REFUSED, get('/version', 'X-Nul: a\u0000b')),
  bytes('a bare CR in a value', REFUSED, get('/version', 'X-Cr: a\rX-Injected: b')),
  bytes('a value folded over two lines', REFUSED, get('/version', 'X-Fold: a', ' b')),
  bytes('control characters in a value', REFUSED, get('/version', 'X-Control: \u0001\u0002')),
  bytes('a delete character in a name', REFUSED, get('/version', 'X-\u007f: a')),
  bytes('a value of 20 kB', /^431 closed$/, get('/version', `X-Large: ${'x'.repeat(20_000)}`)),
  bytes('a name of 20 kB', /^431 closed$/, get('/version', `${'x'.repeat(20_000)}: a`)),
  bytes(
    'five hundred fields',
    REFUSED,
    get('/version', ...Array.from({ length: 500 }, (_, index) => `X-${index}: a`)),
  ),
  bytes(
    'ten thousand fields',
    /^431 closed$/,
    get('/version', ...Array.from({ length: 10_000 }, (_, index) => `X-${index}: a`)),
  ),
  bytes('an Expect that nobody knows', /^417 closed$/, get('/version', 'Expect: a miracle')),
  bytes(
    'a Range of a million pieces',
    /^(200|416|404|431) closed$/,
    get('/version', `Range: bytes=${'0-1,'.repeat(3_000)}0-1`),
  ),
  bytes(
    'an X-Forwarded-For of three thousand addresses',
    /^200 closed$/,
    get('/version', `X-Forwarded-For: ${Array<string>(1_500).fill('1.2.3.4').join(',')}`),
  ),
  bytes(
    'an X-Forwarded-For that is no address',
    /^200 closed$/,
    get('/version', 'X-Forwarded-For: <script>, ;, ,,,'),
  ),
];

/** What a proxy takes for one request, and the server behind it for two, or the other way round. */
const SMUGGLED = get('/smuggled');
const post = (...fields: readonly string[]): string =>
  head('POST /run HTTP/1.1', 'Content-Type: application/json', ...fields);
const SMUGGLING: readonly AbuseInput[] = [
  bytes(
    'two Content-Lengths that differ',
    REFUSED,
    post('Content-Length: 2', `Content-Length: ${SMUGGLED.length + 2}`),
    '{}',
    SMUGGLED,
  ),
  bytes(
    'two Content-Lengths that are the same',
    REFUSED,
    post('Content-Length: 2', 'Content-Length: 2'),
    '{}',
  ),
  bytes('a list of Content-Lengths', REFUSED, post('Content-Length: 2, 2'), '{}'),
  bytes('a Content-Length below zero', REFUSED, post('Content-Length: -1'), '{}'),
  bytes('a Content-Length with a plus', REFUSED, post('Content-Length: +2'), '{}'),
  bytes('a Content-Length in hexadecimal', REFUSED, post('Content-Length: 0x2'), '{}'),
  bytes('a Content-Length of 2^64', REFUSED, post('Content-Length: 18446744073709551616'), '{}'),
  bytes('a Content-Length that is no number', REFUSED, post('Content-Length: many'), '{}'),
  bytes('an empty Content-Length', REFUSED, post('Content-Length:'), '{}'),
  bytes(
    'a Content-Length of a terabyte',
    /^(413|400|408) closed$/,
    post('Content-Length: 1000000000000'),
    '{}',
  ),
  bytes(
    'Transfer-Encoding and Content-Length',
    REFUSED,
    post('Content-Length: 5', 'Transfer-Encoding: chunked'),
    '0\r\n\r\n',
    SMUGGLED,
  ),
  bytes(
    'Content-Length and Transfer-Encoding',
    REFUSED,
    post('Transfer-Encoding: chunked', 'Content-Length: 5'),
    '0\r\n\r\n',
    SMUGGLED,
  ),
  bytes('a Transfer-Encoding that is not chunked', REFUSED, post('Transfer-Encoding: identity'), '{}'),
  bytes(
    'a Transfer-Encoding with something behind it',
    REFUSED,
    post('Transfer-Encoding: chunked, identity'),
    '0\r\n\r\n',
  ),
  bytes(
    'a Transfer-Encoding with a tab',
    /^400 closed$/,
    post('Transfer-Encoding:\tchunked\u000b'),
    '0\r\n\r\n',
  ),
  bytes(
    'two Transfer-Encodings',
    /^400 closed$/,
    post('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
    '0\r\n\r\n',
  ),
  bytes(
    'Transfer-Encoding in HTTP/1.0',
    /^400 closed$/,
    'POST /run HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
  ),
  bytes(
    'a chunk without a size',
    /^(400 )+closed$/,
    post('Transfer-Encoding: chunked'),
    '\r\n{}\r\n0\r\n\r\n',
  ),
  bytes(
    'a chunk of a size that is no number',
    /^(400 )+closed$/,
    post('Transfer-Encoding: chunked'),
    'xyz\r\n{}\r\n0\r\n\r\n',
  ),
  bytes(
    'a chunk of a size of 2^64',
    /^(400 |413 )+closed$/,
    post('Transfer-Encoding: chunked'),
    'ffffffffffffffffff\r\n{}\r\n',
  ),
  bytes('a chunk below zero', /^(400 )+closed$/, post('Transfer-Encoding: chunked'), '-1\r\n{}\r\n'),
  bytes(
    'a chunk that is longer than it says',
    /^(400 )+closed$/,
    post('Transfer-Encoding: chunked'),
    '1\r\n{}\r\n0\r\n\r\n',
  ),
  bytes(
    'a chunk with an extension of 100 kB',
    /^(400 |413 )+closed$/,
    post('Transfer-Encoding: chunked'),
    `2;${'x'.repeat(100_000)}\r\n{}\r\n0\r\n\r\n`,
  ),
  bytes(
    'trailers of 100 kB',
    /^(400 |431 )+closed$/,
    post('Transfer-Encoding: chunked'),
    `2\r\n{}\r\n0\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
  ),
  bytes(
    'a GET with a body that is a request',
    /^404 (404 )?closed$/,
    head('GET /nothing HTTP/1.1', `Content-Length: ${SMUGGLED.length}`),
    SMUGGLED,
  ),
  bytes('a request behind one that closes', /^(404|400) closed$/, get('/nothing'), SMUGGLED),
];

const PATHS: readonly AbuseInput[] = [
  '/../../etc/passwd',
  '/..%2f..%2fetc%2fpasswd',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/..%5c..%5cetc%5cpasswd',
  '/..\\..\\etc\\passwd',
  '/%c0%ae%c0%ae/etc/passwd',
  '/%252e%252e/etc/passwd',
  '//etc/passwd',
  '/etc/passwd%00.html',
  '/.env',
  '/.git/config',
  '/apps/..%2f..%2fetc/users/u/sessions',
  '/apps/__proto__/users/u/sessions',
  '/apps/constructor/users/u/sessions',
  '/apps/hasOwnProperty/users/u/sessions',
  '/apps/demo/users/u/sessions/%00',
  '/apps/demo/users/u/sessions/%ff',
  '/apps/demo/users/u/sessions/%ed%a0%80',
  `/apps/demo/users/u/sessions/${'x'.repeat(2_000)}`,
  '/apps/demo/users/u/sessions/..',
  '/apps//users//sessions/',
  "/apps/demo/users/u/sessions/' OR 1=1 --",
  '/apps/demo/users/u/sessions/%27%20OR%201%3D1%20--',
  '/admin/calls',
  '/debug/pprof',
].map((path) => bytes(`the path ${path.slice(0, 60)}`, /^(40[0134]) closed$/, get(path)));

const UPGRADE = 'GET /run_live?app_name=demo&user_id=u&session_id=none HTTP/1.1';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
function upgrade(name: string, allowed: RegExp, line: string, ...fields: readonly string[]): AbuseInput {
  return bytes(name, allowed, [line, 'Host: localhost', ...fields, '', ''].join('\r\n'));
}
const WS = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
const live = (query: string): string => `GET /run_live?${query} HTTP/1.1`;
const UPGRADES: readonly AbuseInput[] = [
  upgrade('an upgrade without a key', REFUSED, UPGRADE, ...WS),
  upgrade('an upgrade with an empty key', REFUSED, UPGRADE, ...WS, 'Sec-WebSocket-Key:'),
  upgrade('an upgrade with a short key', REFUSED, UPGRADE, ...WS, 'Sec-WebSocket-Key: c2hvcnQ='),
  upgrade(
    'an upgrade with a key that is no base64',
    REFUSED,
    UPGRADE,
    ...WS,
    'Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==',
  ),
  upgrade('an upgrade with two keys', REFUSED, UPGRADE, ...WS, KEY, KEY),
  upgrade(
    'an upgrade with a key of 8 kB',
    REFUSED,
    UPGRADE,
    ...WS,
    `Sec-WebSocket-Key: ${'a'.repeat(8_000)}`,
  ),
  upgrade(
    'an upgrade to version 99',
    /^(400|426) closed$/,
    UPGRADE,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 99',
    KEY,
  ),
  upgrade(
    'an upgrade without a version',
    /^(400|426) closed$/,
    UPGRADE,
    'Connection: Upgrade',
    'Upgrade: websocket',
    KEY,
  ),
  upgrade(
    'an upgrade to something else',
    REFUSED,
    UPGRADE,
    'Connection: Upgrade',
    'Upgrade: h2c',
    'Sec-WebSocket-Version: 13',
    KEY,
  ),
  upgrade('an upgrade by POST', /^(400|405) closed$/, UPGRADE.replace('GET', 'POST'), ...WS, KEY),
  upgrade(
    'an upgrade with a subprotocol nobody knows',
    REFUSED,
    UPGRADE,
    ...WS,
    KEY,
    'Sec-WebSocket-Protocol: evil.v1',
  ),
  upgrade(
    'an upgrade with a subprotocol of 8 kB',
    REFUSED,
    UPGRADE,
    ...WS,
    KEY,
    `Sec-WebSocket-Protocol: ${'x'.repeat(8_000)}`,
  ),
  upgrade(
    'an upgrade with a subprotocol that is none',
    REFUSED,
    UPGRADE,
    ...WS,
    KEY,
    'Sec-WebSocket-Protocol: holdfast.v1, holdfast.v1',
  ),
  upgrade('an upgrade of a path that is none', NOT_FOUND, 'GET /elsewhere HTTP/1.1', ...WS, KEY),
  upgrade('an upgrade of the root', NOT_FOUND, 'GET / HTTP/1.1', ...WS, KEY),
  upgrade('an upgrade of a path out of the folder', NOT_FOUND, 'GET /../run_live HTTP/1.1', ...WS, KEY),
  upgrade('an upgrade of another host', /^403 closed$/, UPGRADE, ...WS, KEY, 'Origin: https://evil.example'),
  upgrade('an upgrade without an app', REFUSED, live('user_id=u&session_id=s'), ...WS, KEY),
  upgrade('an upgrade without a user', REFUSED, live('app_name=demo&session_id=s'), ...WS, KEY),
  upgrade('an upgrade without a session', REFUSED, live('app_name=demo&user_id=u'), ...WS, KEY),
  upgrade(
    'an upgrade with an endless user',
    REFUSED,
    live(`app_name=demo&user_id=${'u'.repeat(1_000)}&session_id=s`),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with a line break in its user',
    REFUSED,
    live('app_name=demo&user_id=a%0d%0ab&session_id=s'),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with a NUL in its session',
    REFUSED,
    live('app_name=demo&user_id=u&session_id=%00'),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with modalities that are none',
    REFUSED,
    live('app_name=demo&user_id=u&session_id=s&modalities=SMELL'),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with a flag that is none',
    REFUSED,
    live('app_name=demo&user_id=u&session_id=s&proactive_audio=maybe'),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with a hundred parameters',
    REFUSED,
    live(`app_name=demo&user_id=u&session_id=s${'&a=1'.repeat(100)}`),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade with a percent sign that means nothing',
    /^(400|101) closed$/,
    live('app_name=%&user_id=%zz&session_id=s'),
    ...WS,
    KEY,
  ),
  upgrade(
    'an upgrade to an app of the name __proto__',
    /^101 closed$/,
    live('app_name=__proto__&user_id=u&session_id=s'),
    ...WS,
    KEY,
  ),
];

export const HTTP_INPUTS: readonly AbuseInput[] = [
  ...grouped('HTTP', [...LINES, ...FIELDS, ...PATHS]),
  ...grouped('smuggling', SMUGGLING),
  ...grouped('upgrade', UPGRADES),
];
