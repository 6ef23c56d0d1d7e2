import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Lifetime, silentLogger, systemClock } from '../../src/kernel/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { TlsError, createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { secureSettings } from '../../src/server/http/tls.ts';
import { Agent } from '../../src/session/index.ts';
import { TestClient, until } from '../support/live-server.ts';
import { ScriptedModel } from '../support/scripted-model.ts';
import { FIRST, RENEWED } from '../support/tls-fixture.ts';

let server: HoldfastServer;
let url: string;
let port: number;

beforeEach(async () => {
  server = createServer({ agents: { demo: new Agent({ name: 'helper' }) }, model: new ScriptedModel() });
  ({ url, port } = await server.listen(0, '127.0.0.1', { tls: FIRST }));
});

afterEach(async () => {
  await server.abort();
  expect(server.resources()).toEqual([]);
});

function ask(path: string, ca: string = FIRST.cert): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url + path, { ca, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
  });
}

/** Whose certificate is shown, and with which version of the protocol. */
function handshake(options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      resolve(`${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a server with a certificate', () => {
  it('speaks https and wss, and says so in its address', async () => {
    expect(url).toBe(`https://127.0.0.1:${port}`);
    expect(await ask('/list-apps')).toEqual({ status: 200, text: '["demo"]' });
    const address = `${url.replace('https', 'wss')}/run_live?app_name=demo&user_id=u&session_id=s`;
    const client = await new TestClient(address, [HOLDFAST_SUBPROTOCOL], {}, { ca: FIRST.cert }).opened();
    client.send({ type: 'ping', id: 1 });
    expect((await client.closed).code).toBe(4011);
  });

  it('takes TLS from 1.2 on', async () => {
    expect(await handshake()).toBe('holdfast tests TLSv1.3');
    expect(await handshake({ maxVersion: 'TLSv1.2' })).toBe('holdfast tests TLSv1.2');
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' };
    await expect(handshake(old)).rejects.toThrow(/version|alert|disconnected/i);
  });

  it('goes on after who speaks no TLS, or stops in the middle of a handshake', async () => {
    const closed = (say: (port: number) => ReturnType<typeof connectTcp>): Promise<void> =>
      new Promise((resolve) => {
        const socket = say(port);
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.resume();
      });
    await closed((at) => {
      const socket = connectTcp(at, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      );
      return socket;
    });
    await closed((at) => {
      const socket = connectTcp(at, '127.0.0.1', () => {
        socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
        socket.destroy();
      });
      return socket;
    });
    await expect(ask('/list-apps', RENEWED.cert)).rejects.toThrow(/self-signed|certificate/i);
    expect((await ask('/health')).status).toBe(200);
  });

  it('shows another one when it is renewed, and connections go on', async () => {
    const address = `${url.replace('https', 'wss')}/run_live?app_name=demo&user_id=u&session_id=s`;
    const client = await new TestClient(address, [HOLDFAST_SUBPROTOCOL], {}, { ca: FIRST.cert }).opened();
    server.renewTls(RENEWED);
    expect(await handshake()).toBe('holdfast tests, renewed TLSv1.3');
    expect((await ask('/health', RENEWED.cert)).status).toBe(200);
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(() => server.renewTls({ cert: FIRST.cert, key: RENEWED.key })).toThrow(TlsError);
    expect(await handshake()).toBe('holdfast tests, renewed TLSv1.3');
  });

  it('counts its connections no longer when they are WebSockets', async () => {
    const few = createServer({
      agents: { demo: new Agent({ name: 'helper' }) },
      model: new ScriptedModel(),
      maxConnections: 1,
    });
    const listening = await few.listen(0, '127.0.0.1', { tls: FIRST });
    const address = `${listening.url.replace('https', 'wss')}/run_live?app_name=demo&user_id=u&session_id=s`;
    for (let index = 0; index < 3; index += 1) {
      await new TestClient(address, [HOLDFAST_SUBPROTOCOL], {}, { ca: FIRST.cert }).opened();
    }
    await until('all are there', () => few.liveSessions === 3);
    await few.abort();
  });
});

describe('a certificate that cannot be used', () => {
  const scope = Lifetime.root({ name: 'server' });

  it.each([
    ['no pair', { cert: FIRST.cert, key: RENEWED.key }, /no pair/],
    ['no certificate', { cert: 'nonsense', key: FIRST.key }, /not PEM/],
    ['no key', { cert: FIRST.cert, key: 'a secret thing' }, /cannot be used/],
    ['an empty file', { cert: '', key: '' }, /cannot be used/],
    ['the two mixed up', { cert: FIRST.key, key: FIRST.cert }, /cannot be used/],
  ])('%s is refused with a typed error, and nothing listens', async (_name, tls, words) => {
    expect(() => secureSettings(tls, scope)).toThrow(TlsError);
    const failure = await server.listen(0, '127.0.0.1', { tls }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TlsError);
    expect(String(failure)).toMatch(words);
    for (const secret of ['a secret thing', FIRST.key.split('\n')[1] ?? '']) {
      expect(String(failure)).not.toContain(secret);
    }
  });

  it.each([
    ['2020-01-01', 1],
    ['2030-01-01', 0],
    ['2999-01-01', 1],
  ])('that is not valid in %s is taken and told of', (date, lines) => {
    const warn = vi.fn();
    const clock = { ...systemClock, wallTime: () => Date.parse(date) };
    secureSettings(FIRST, Lifetime.root({ name: 'server', clock, log: { ...silentLogger, warn } }));
    expect(warn).toHaveBeenCalledTimes(lines);
  });
});
