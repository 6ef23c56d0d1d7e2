import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HandleRejectedError, OverloadedError, ReconnectExhaustedError } from '../../src/session/errors.ts';
import { startServer, until } from '../support/live-server.ts';

const SESSIONS = '/apps/demo/users/u/sessions';
const TURN = { appName: 'demo', userId: 'u', sessionId: 's1', newMessage: { parts: [{ text: 'hi' }] } };

const USED = { attempts: 10, outageMs: 150_000, redials: 10 };

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

/** A path as it stands: `fetch` would tidy it up first. */
function rawGet(url: string, path: string): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = get({ hostname, port, path }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
  });
}

describe('the routes', () => {
  it('list the apps, tell the version, and answer probes', async () => {
    await using test = await startServer();
    expect(json((await test.request('/list-apps?relative_path=./')).text)).toEqual(['demo']);
    expect(json((await test.request('/list-apps?detailed=true')).text)).toMatchObject({
      apps: [{ name: 'demo', rootAgentName: 'helper' }],
    });
    expect(json((await test.request('/version')).text)).toMatchObject({ language: 'javascript' });
    expect(json((await test.request('/health')).text)).toEqual({ status: 'ok' });
    expect(json((await test.request('/ready')).text)).toEqual({ status: 'ready' });
    expect((await test.request('/nothing')).status).toBe(404);
  });

  it('create, get, list and delete sessions', async () => {
    await using test = await startServer();
    for (const body of ['', 'null', '{}']) expect((await test.request(SESSIONS, body)).status).toBe(200);
    const created = await test.request(SESSIONS, { sessionId: 's1', state: { mood: 'good' } });
    expect(json(created.text)).toMatchObject({
      id: 's1',
      appName: 'demo',
      userId: 'u',
      state: { mood: 'good' },
      events: [],
    });
    expect(json(created.text)['lastUpdateTime']).toBeCloseTo(Date.now() / 1_000, -2);
    expect((await test.request(SESSIONS, { sessionId: 's1' })).status).toBe(409);
    expect(json((await test.request(`${SESSIONS}/s1`)).text)).toMatchObject({ id: 's1' });
    expect((await test.request(SESSIONS)).text).toContain('"id":"s1"');
    expect((JSON.parse((await test.request(SESSIONS)).text) as unknown[]).length).toBe(4);
    const remove = () => fetch(`${test.url}${SESSIONS}/s1`, { method: 'DELETE' });
    expect((await remove()).status).toBe(200);
    expect((await remove()).status).toBe(404);
    expect((await test.request(`${SESSIONS}/s1`)).status).toBe(404);
  });

  it('end a live session that is deleted', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    await fetch(`${test.url}${SESSIONS}/s1`, { method: 'DELETE' });
    expect(await client.closed).toMatchObject({ code: 1000 });
    expect((await test.request(`${SESSIONS}/s1`)).status).toBe(404);
  });

  it.each([
    ['malformed JSON', SESSIONS, '{"a', 400],
    ['an array', SESSIONS, '[]', 400],
    ['a wrong type', SESSIONS, '{"sessionId":7}', 400],
    ['a state that is none', SESSIONS, '{"state":[1]}', 400],
    ['a control character in an id', SESSIONS, '{"sessionId":"a\\u0000b"}', 400],
    ['a reach for the prototype', SESSIONS, '{"state":{"__proto__":{"admin":true}}}', 400],
    ['deep nesting', SESSIONS, `{"state":${'{"a":'.repeat(1_000)}1${'}'.repeat(1_001)}`, 400],
    ['too large a body', SESSIONS, `{"state":{"a":"${'x'.repeat(2_000)}"}}`, 413],
    ['an unknown app', '/apps/other/users/u/sessions', '{}', 404],
    ['a turn without a message', '/run', JSON.stringify({ ...TURN, newMessage: undefined }), 400],
    ['a message without parts', '/run', JSON.stringify({ ...TURN, newMessage: { parts: [] } }), 400],
    ['a turn of no app', '/run_sse', JSON.stringify({ ...TURN, appName: undefined }), 400],
    ['a turn of an unknown session', '/run_sse', JSON.stringify({ ...TURN, sessionId: 'x' }), 404],
    ['a turn of an unknown app', '/run', JSON.stringify({ ...TURN, appName: 'x' }), 404],
  ])('answer %s with words', async (_name, path, body, status) => {
    await using test = await startServer({
      maxBodyBytes: 1_000_000 / 500 + 6_500 * (status === 413 ? 0 : 1),
    });
    const answer = await test.request(path, body);
    expect(answer.status).toBe(status);
    expect(json(answer.text)).toMatchObject({ error: expect.stringMatching(/.{10}/) as string });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    expect((await test.request('/health')).status).toBe(200);
  });

  it.each([
    ['a rebound name', { host: 'evil.example' }],
    ['a page of somebody else', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
  ])('refuse %s', async (_name, headers) => {
    await using test = await startServer();
    const { default: http } = await import('node:http');
    const status = await new Promise((resolve) => {
      http.get(`${test.url}/list-apps`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    expect(status).toBe(403);
  });
});

describe('the page', () => {
  it('is served beside the routes, and nothing outside its folder is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
    try {
      mkdirSync(join(folder, 'ui', 'assets'), { recursive: true });
      writeFileSync(join(folder, 'ui', 'index.html'), '<title>page</title>');
      writeFileSync(join(folder, 'ui', 'assets', 'a.js'), '1');
      writeFileSync(join(folder, 'secret'), 'secret');
      await using test = await startServer({ pageDir: join(folder, 'ui') });
      const page = await test.request('/');
      expect([page.status, page.text]).toEqual([200, '<title>page</title>']);
      expect(page.headers.get('content-type')).toContain('text/html');
      expect((await test.request('/assets/a.js')).headers.get('content-type')).toContain('javascript');
      expect(json((await test.request('/list-apps')).text)).toEqual(['demo']);
      for (const path of [
        '/../secret',
        '/%2e%2e/secret',
        '/..%2fsecret',
        '/assets/..%5c..%5csecret',
        '//etc/passwd',
      ]) {
        const { status, text } = await rawGet(test.url, path);
        expect([path, status, text.includes('secret') || text.includes('root:')]).toEqual([path, 404, false]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('run and run_sse', () => {
  it('give the events of one turn, and keep the session', async () => {
    await using test = await startServer();
    await test.createSession();
    const answer = test.request('/run', TURN);
    await until('asked', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output(
      { type: 'text', text: 'he' },
      { type: 'text', text: 'llo' },
      { type: 'turnComplete' },
    );
    const events = JSON.parse((await answer).text) as Record<string, unknown>[];
    const texts = events.filter((event) => event['content'] !== undefined);
    expect(texts).toMatchObject([{ content: { parts: [{ text: 'hello' }] }, partial: false }]);
    expect(events.at(-1)).toMatchObject({ turnComplete: true });
    expect(test.model.openConnections).toBe(0);
    const stored = json((await test.request(`${SESSIONS}/s1`)).text);
    expect(stored['events']).toMatchObject([
      { author: 'user', content: { parts: [{ text: 'hi' }] } },
      { author: 'helper', content: { parts: [{ text: 'hello' }] } },
    ]);
  });

  it('stream one data line for each event, pieces too where they are asked for', async () => {
    await using test = await startServer();
    await test.createSession();
    const answer = test.request('/run_sse', { ...TURN, streaming: true });
    await until('asked', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output(
      { type: 'text', text: 'he' },
      { type: 'text', text: 'llo' },
      { type: 'turnComplete' },
    );
    const { headers, text } = await answer;
    expect(headers.get('content-type')).toContain('text/event-stream');
    const blocks = text.trimEnd().split('\n\n');
    expect(blocks.every((block) => /^data: \{.*\}$/.test(block))).toBe(true);
    expect(text).toContain('"partial":true');
  });

  it('tell an error of the model as the last event', async () => {
    await using test = await startServer();
    await test.createSession();
    test.model.beforeConnect = async () => {
      throw new Error('no such model');
    };
    const last = (await test.request('/run_sse', TURN)).text.trimEnd().split('\n\n').at(-1);
    expect(last).toMatch(/^data: \{"error":/);
    expect((await test.request('/run', TURN)).status).toBe(500);
  });

  it.each([
    [502, new HandleRejectedError('Unknown handle.', { provider: 'scripted' })],
    [502, new ReconnectExhaustedError('Given up.', 'attempts', USED, undefined)],
    [503, new OverloadedError('Too much to do.', { provider: 'scripted' })],
  ])('answer %i for what the provider is the cause of: %s', async (status, error) => {
    await using test = await startServer();
    await test.createSession();
    test.model.beforeConnect = () => Promise.reject(error);
    const answer = await test.request('/run', TURN);
    expect(answer.status).toBe(status);
    expect(json(answer.text)).toMatchObject({ code: error.code });
  });

  it('C7 a client that leaves ends the turn', async () => {
    await using test = await startServer();
    await test.createSession();
    for (const path of ['/run', '/run_sse']) {
      const leaving = new AbortController();
      const answer = fetch(test.url + path, {
        method: 'POST',
        body: JSON.stringify(TURN),
        signal: leaving.signal,
      });
      const read = answer.then((response) => response.text());
      await until('asked', () => test.model.openConnections === 1);
      leaving.abort();
      await expect(read).rejects.toThrow(/abort/);
      await until('nothing is held', () => test.server.liveSessions === 0);
      expect(test.model.openConnections).toBe(0);
    }
  });

  it('end with an error when there is no answer in time', async () => {
    await using test = await startServer({ runTimeoutMs: 30 });
    await test.createSession();
    expect((await test.request('/run', TURN)).status).toBe(504);
    expect(test.server.liveSessions).toBe(0);
  });

  it('say it in the live session where there is one, which goes on', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    const answer = test.request('/run', TURN);
    await until('asked', () => test.model.last.received.length === 1);
    test.model.last.output({ type: 'text', text: 'both hear' }, { type: 'turnComplete' });
    expect((await answer).text).toContain('both hear');
    await until('the client hears it', () => client.texts.some((text) => text.includes('both hear')));
    expect(test.model.connections).toHaveLength(1);
    expect(test.server.liveSessions).toBe(1);
  });

  it('wait for a turn of the same session that is under way', async () => {
    await using test = await startServer();
    await test.createSession();
    const first = test.request('/run', TURN);
    await until('asked', () => test.model.connections[0]?.received.length === 1);
    const second = test.request('/run', TURN);
    await until('accepted', () => test.server.liveSessions === 2);
    test.model.last.output({ type: 'text', text: 'one' }, { type: 'turnComplete' });
    expect((await first).text).toContain('one');
    await until('asked again', () => test.model.connections[1]?.received.length === 1);
    expect(JSON.stringify(test.model.last.setup.history)).toContain('one');
    test.model.last.output({ type: 'text', text: 'two' }, { type: 'turnComplete' });
    expect((await second).text).toContain('two');
  });
});
