import { request } from 'node:http';
import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator, MAX_CONTROL_BODY_BYTES } from '../../src/testing/index.ts';
import { GEMINI_PATH, GeminiWire } from '../support/gemini-wire.ts';

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };

let gemini: GeminiEmulator;

beforeEach(async () => {
  gemini = await GeminiEmulator.start({ record: true });
});

afterEach(async () => {
  await gemini.close();
  expect(gemini.sockets).toBe(0);
});

interface Answer {
  readonly status: number;
  // eslint-disable-next-line typescript/no-explicit-any -- any answer
  readonly json: any;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${gemini.url}/_emulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

describe('Gemini emulator: control over HTTP', () => {
  it('lists what there is, also at its root', async () => {
    const { status, json } = await call('GET', 'help');
    expect(status).toBe(200);
    expect(json.routes).toContainEqual({
      route: 'POST /_emulator/forget-handles',
      does: expect.stringContaining('unknown'),
    });
    expect((await call('GET', '')).json).toEqual(json);
  });

  it('tells how things stand, without credentials, and counts itself as no connection', async () => {
    await gemini.close();
    gemini = await GeminiEmulator.start({ keys: ['good-key'] });
    using wire = await GeminiWire.ready(gemini.url, TEXT, `${GEMINI_PATH}?key=good-key`);
    expect(wire.story).toEqual(['setupComplete']);
    const status = await call('GET', 'status');
    expect(status.json).toMatchObject({
      url: gemini.url,
      listening: true,
      connections: { dialled: 1, open: 1 },
      faults: 0,
      profile: { brain: 'echo', connectionLifetimeMs: 600_000, keys: 1, tokens: 'any' },
    });
    const { json } = await call('GET', 'connections');
    expect(json.connections).toMatchObject([
      { number: 1, stage: 'ready', api: 'gemini', messages: { setup: 1 }, setup: TEXT },
    ]);
    expect(JSON.stringify([status.json, json])).not.toContain('good-key');
    expect(gemini.connections.count).toBe(1);
  });

  it('adds faults and takes them away, whatever they are', async () => {
    expect((await call('POST', 'faults', [{ what: { type: 'refuseTcp' } }])).status).toBe(200);
    using refused = new GeminiWire(gemini.url);
    expect((await refused.ended()).code).toBe(1006);
    expect((await call('GET', 'status')).json.faults).toBe(1);
    expect((await call('DELETE', 'faults')).status).toBe(200);
    using accepted = await GeminiWire.ready(gemini.url);
    expect(accepted.closed).toBeUndefined();
    expect(gemini.connections.last?.number).toBe(2);
  });

  it('makes a fault happen now, on the connection it was told to', async () => {
    using first = await GeminiWire.ready(gemini.url);
    using second = await GeminiWire.ready(gemini.url);
    const fault = { type: 'close', ...GEMINI_CLOSES.internal };
    expect((await call('POST', 'inject', { fault, connection: 2 })).json).toEqual({ connections: 1 });
    expect(await second.ended()).toEqual(GEMINI_CLOSES.internal);
    expect(first.closed).toBeUndefined();
    expect((await call('POST', 'inject', { fault, connection: 7 })).json).toEqual({ connections: 0 });
  });

  it('closes all connections, with 1001 unless it is told another code', async () => {
    using first = await GeminiWire.ready(gemini.url);
    expect((await call('POST', 'close-connections')).json).toEqual({ connections: 1 });
    expect((await first.ended()).code).toBe(1001);
    await gemini.waitFor(({ sockets }) => sockets === 0);
    using second = await GeminiWire.ready(gemini.url);
    await call('POST', 'close-connections', { code: 1011, reason: 'enough' });
    expect(await second.ended()).toEqual({ code: 1011, reason: 'enough' });
  });

  it('forgets handles', async () => {
    const first = await GeminiWire.ready(gemini.url, { ...TEXT, sessionResumption: {} });
    first.sendText('remember');
    const { newHandle: handle } = (await first.message('sessionResumptionUpdate', 2)).sessionResumptionUpdate;
    first.socket.terminate();
    await gemini.waitFor(({ sockets }) => sockets === 0);
    await call('POST', 'forget-handles');
    using second = new GeminiWire(gemini.url);
    await second.opened();
    second.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect(await second.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });

  it('goes down for a while, and comes back by itself', async () => {
    using open = await GeminiWire.ready(gemini.url, TEXT);
    expect((await call('POST', 'stop-listening', { forMs: 100 })).status).toBe(200);
    using refused = new GeminiWire(gemini.url);
    await refused.ended();
    expect(refused.failure).toContain('ECONNREFUSED');
    open.sendText('still there?');
    await open.message('turnComplete');
    await gemini.waitFor(({ listening }) => listening);
    using back = await GeminiWire.ready(gemini.url);
    expect(back.closed).toBeUndefined();
  });
});

describe('Gemini emulator: control that is refused', () => {
  it.each([
    ['GET', 'nowhere', undefined, 404, 'help lists'],
    ['PUT', 'faults', [], 405, 'takes POST, DELETE'],
    ['POST', 'faults', '{', 400, 'not JSON'],
    ['POST', 'faults', [{ what: { type: 'explode' } }], 400, 'what.type'],
    ['POST', 'faults', undefined, 400, 'give a list of rules'],
    ['POST', 'inject', {}, 400, 'fault: '],
    ['POST', 'inject', { fault: { type: 'explode' } }, 400, 'The fault is wrong'],
    ['POST', 'inject', { fault: { type: 'reset' }, connection: 'all' }, 400, 'connection:'],
    ['POST', 'stop-listening', {}, 400, 'forMs:'],
    ['POST', 'close-connections', { code: 1006 }, 400, '1006'],
    ['POST', 'faults', ' '.repeat(8 * MAX_CONTROL_BODY_BYTES), 413, 'larger than'],
  ])('%s %s with what it does not take (%#)', async (method, path, body, status, message) => {
    const answer = await call(method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({
      code: expect.stringMatching(/^HOLDFAST_(EMULATOR_CONTROL|INVALID_OPTION)$/),
      error: expect.stringContaining(message),
    });
    expect(gemini.connections.count).toBe(0);
  });

  it.each([
    ['a page of another origin', { Origin: 'http://evil.example' }],
    ['a page that has no origin to tell', { Origin: 'null' }],
    ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a name that was bound to this machine', { Host: 'evil.example' }],
  ])('answers %s with 403', async (_, headers) => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(`${gemini.url}/_emulator/faults`, { method: 'DELETE', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('takes its own page for no stranger, and localhost for its name', async () => {
    const { port } = gemini;
    const response = await fetch(`http://localhost:${port}/_emulator/status`, {
      headers: { Origin: `http://localhost:${port}` },
    });
    expect(response.status).toBe(200);
  });

  it('is not there for a WebSocket', async () => {
    using wire = new GeminiWire(gemini.url, '/_emulator/record');
    expect((await wire.ended()).code).toBe(1006);
    expect(gemini.connections.count).toBe(0);
  });
});

describe('Gemini emulator: whose connection it is', () => {
  it('is told when the first bytes say so, however slowly they come', async () => {
    const tcp = createConnection(gemini.port, '127.0.0.1');
    tcp.setNoDelay(true);
    let text = '';
    tcp.on('data', (data) => (text += data.toString()));
    const ended = new Promise((resolve) => tcp.once('close', resolve));
    for (const piece of ['G', 'ET /_em', 'ulator/status HTTP/1.1\r\n', 'Host: localhost\r\n\r\n']) {
      await new Promise((resolve) => tcp.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(gemini.connections.count).toBe(0);
  });

  it('is one of the protocol, and gets no answer, when a fault ends it at the dial', async () => {
    gemini.addFaults([{ when: { on: 'dial' }, what: { type: 'endWithoutCloseFrame' } }]);
    using wire = new GeminiWire(gemini.url);
    await wire.ended();
    expect(wire.failure).toContain('hang up');
    await gemini.waitFor(({ sockets }) => sockets === 0);
    expect(gemini.connections.nth(1)?.ending).toMatchObject({ by: 'emulator', code: 1006 });
    expect((await call('GET', 'status')).status).toBe(200);
  });

  it('is nobody’s when it ends before that', async () => {
    const tcp = createConnection(gemini.port, '127.0.0.1', () => tcp.end('GE'));
    await new Promise((resolve) => tcp.once('close', resolve));
    await gemini.waitFor(({ sockets }) => sockets === 0);
    expect(gemini.connections.count).toBe(0);
  });

  it('holds nothing of a caller that is there when the emulator ends', async () => {
    const follow = await fetch(`${gemini.url}/_emulator/record?follow=1`);
    const silent = createConnection(gemini.port, '127.0.0.1');
    silent.on('error', () => undefined);
    await gemini.waitFor(({ sockets }) => sockets === 1);
    const report = await gemini.close();
    expect(report.steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    await expect(follow.text()).rejects.toThrow('terminated');
    silent.destroy();
  });
});
