import { describe, expect, it } from 'vitest';
import { Agent, AgentSession, tool } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/index.ts';
import { MemoryArtifactStore } from '../../src/store/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const ARTIFACTS = '/apps/demo/users/u/sessions/s1/artifacts';
const PNG = Uint8Array.of(0xfb, 0xff, 0xbf, 0x3e);

const parsed = (text: string): unknown => JSON.parse(text);

async function get(test: TestServer, path: string): Promise<unknown> {
  const { status, text } = await test.request(path);
  return status === 200 ? parsed(text) : status;
}

const save = (test: TestServer, filename: string, artifact: unknown, more: object = {}) =>
  test.request(ARTIFACTS, { filename, artifact, ...more });

describe('the routes of artifacts', () => {
  it('delete what is named, and not all versions of it where one of them was meant', async () => {
    await using test = await startServer();
    await test.createSession();
    const remove = (path: string): Promise<Response> => fetch(test.url + path, { method: 'DELETE' });
    await save(test, 'a', { text: 'zero' });
    await save(test, 'a', { text: 'one' });
    await save(test, 'a/versions/0', { text: 'of its own' });
    expect((await remove(`${ARTIFACTS}/a/versions/0`)).status).toBe(200);
    expect((await remove(`${ARTIFACTS}/a/versions`)).status).toBe(200);
    expect(await get(test, ARTIFACTS)).toEqual(['a']);
    expect(await get(test, `${ARTIFACTS}/a/versions`)).toEqual([0, 1]);
  });

  it('read a name behind users and sessions of any name', async () => {
    await using test = await startServer();
    const session = '/apps/demo/users/sessions/sessions/artifacts';
    await test.request(session, {});
    await test.request(`${session}/artifacts`, { filename: 'x', artifact: { text: 'words' } });
    expect(await get(test, `${session}/artifacts/x`)).toEqual({ text: 'words' });
  });

  it('save, list, load, tell the versions and what is known of them, and delete, as those of the ADK', async () => {
    await using test = await startServer();
    await test.createSession();
    const inlineData = { mime_type: 'image/png', data: Buffer.from(PNG).toString('base64') };
    const first = await save(
      test,
      'plans/first draft.png',
      { inline_data: inlineData },
      { custom_metadata: { by: 'u' } },
    );
    expect(first.status).toBe(200);
    expect(parsed(first.text)).toEqual({
      version: 0,
      canonicalUri: 'artifact://demo/u/s1/plans/first%20draft.png#0',
      customMetadata: { by: 'u' },
      createTime: expect.closeTo(Date.now() / 1_000, -2) as number,
      mimeType: 'image/png',
    });
    expect(parsed((await save(test, 'plans/first draft.png', { text: 'words' })).text)).toMatchObject({
      version: 1,
      mimeType: 'text/plain',
      customMetadata: {},
    });
    await save(test, 'user:me', { text: 'me' });

    expect(await get(test, ARTIFACTS)).toEqual(['plans/first draft.png', 'user:me']);
    expect(await get(test, `${ARTIFACTS}/user:me`)).toEqual({ text: 'me' });
    const named = `${ARTIFACTS}/plans/first%20draft.png`;
    const png = { inlineData: { mimeType: 'image/png', data: '-_-_Pg==' } };
    expect(await get(test, named)).toEqual({ text: 'words' });
    expect(await get(test, `${named}?version=0`)).toEqual(png);
    expect(await get(test, `${named}/versions/0`)).toEqual(png);
    expect(await get(test, `${named}/versions/latest`)).toEqual({ text: 'words' });
    expect(await get(test, `${named}/versions`)).toEqual([0, 1]);
    expect(await get(test, `${named}/versions/metadata`)).toMatchObject([{ version: 0 }, { version: 1 }]);
    expect(await get(test, `${named}/versions/0/metadata`)).toMatchObject({
      version: 0,
      mimeType: 'image/png',
    });
    expect(await get(test, `${named}/versions/latest/metadata`)).toMatchObject({ version: 1 });
    // A name may hold an encoded slash as well as a plain one.
    expect(await get(test, `${ARTIFACTS}/plans%2Ffirst%20draft.png/versions`)).toEqual([0, 1]);

    const remove = await fetch(test.url + named, { method: 'DELETE' });
    expect([remove.status, await remove.text()]).toEqual([200, 'null']);
    expect(await get(test, named)).toBe(404);
    expect(await get(test, `${named}/versions`)).toEqual([]);
    expect(await get(test, ARTIFACTS)).toEqual(['user:me']);
  });

  it.each([
    ['a version that is none', '/a/versions/x', 400],
    ['a version that is not there', '/a/versions/7', 404],
    ['what is known of a version that is not there', '/a/versions/7/metadata', 404],
    ['an artifact that is not there', '/b', 404],
    ['a way out', '/..%2f..%2fsecret', 400],
    ['a way out in a version', '/..%2fa/versions/0', 400],
    ['an encoding that is none', '/%ff', 400],
  ])('answer %s with words', async (_what, path, status) => {
    await using test = await startServer();
    await test.createSession();
    await save(test, 'a', { text: 'a' });
    const answer = await test.request(ARTIFACTS + path);
    expect([answer.status, parsed(answer.text)]).toEqual([
      status,
      expect.objectContaining({ detail: expect.stringMatching(/.{10}/) as string }),
    ]);
  });

  it.each([
    ['no name', { artifact: { text: 'a' } }, 400],
    ['a name that is a way out', { filename: '../a', artifact: { text: 'a' } }, 400],
    ['no artifact', { filename: 'a' }, 400],
    ['an artifact of nothing', { filename: 'a', artifact: {} }, 400],
    [
      'bytes that are no base64',
      { filename: 'a', artifact: { inlineData: { mimeType: 'a/b', data: '%' } } },
      400,
    ],
    ['more than is taken', { filename: 'a', artifact: { text: 'x'.repeat(200) } }, 400],
    ['more than the body may be', { filename: 'a', artifact: { text: 'x'.repeat(20_000) } }, 413],
  ])('refuse to save %s', async (_what, body, status) => {
    const artifacts = new MemoryArtifactStore({ maxArtifactBytes: 100 });
    await using test = await startServer({ artifacts, maxBodyBytes: 10_000 });
    await test.createSession();
    expect((await test.request(ARTIFACTS, body)).status).toBe(status);
    expect(await get(test, ARTIFACTS)).toEqual([]);
  });

  it('know of no session that is not there, and forget those of one that is deleted', async () => {
    await using test = await startServer();
    expect((await save(test, 'a', { text: 'a' })).status).toBe(404);
    expect(await get(test, ARTIFACTS)).toBe(404);
    await test.createSession();
    await save(test, 'a', { text: 'a' });
    await save(test, 'user:b', { text: 'b' });
    await fetch(`${test.url}/apps/demo/users/u/sessions/s1`, { method: 'DELETE' });
    await test.createSession();
    expect(await get(test, ARTIFACTS)).toEqual(['user:b']);
  });
});

/** A tool that keeps what it is told, and what it finds. */
const keep = tool({
  name: 'keep',
  description: 'Keeps it.',
  execute: async ({ words }, { artifacts, state }) => {
    state['kept'] = Number(state['kept'] ?? 0) + 1;
    const before = await artifacts.load('words.txt');
    const version = await artifacts.save('words.txt', { text: String(words) }, { from: 'keep' });
    return { before: before?.content.text ?? null, version, names: await artifacts.list() };
  },
});

const calling = (words: string) => ({
  type: 'toolCall' as const,
  calls: [{ id: words, name: 'keep', args: { words } }],
});

describe('a tool with artifacts', () => {
  it('P43 saves and loads, and its event tells clients of both wires the version, and what it did to the state', async () => {
    const agents = { demo: new Agent({ name: 'helper', tools: [keep] }) };
    await using test = await startServer({ agents });
    await test.createSession();
    const client = await test.adk('s1').opened();
    await until('it is live', () => test.model.openConnections === 1);
    test.model.last.output(calling('one'), calling('two'));
    const results = () =>
      client.messages.filter(({ content }) => JSON.stringify(content ?? '').includes('functionResponse'));
    await until('both are told', () => results().length === 2);
    expect(results()).toMatchObject([
      {
        content: {
          parts: [{ functionResponse: { response: { before: null, version: 0, names: ['words.txt'] } } }],
        },
        actions: { artifactDelta: { 'words.txt': 0 }, stateDelta: { kept: 2 } },
      },
      { actions: { artifactDelta: { 'words.txt': 1 } } },
    ]);
    expect(await get(test, `${ARTIFACTS}/words.txt/versions/metadata`)).toMatchObject([
      { customMetadata: { from: 'keep' } },
      { customMetadata: { from: 'keep' } },
    ]);

    // Who opens the session later is told as well.
    const stored = parsed((await test.request('/apps/demo/users/u/sessions/s1')).text);
    expect(stored).toMatchObject({
      events: [
        {},
        {},
        { author: 'helper', actions: { artifactDelta: { 'words.txt': 0 } } },
        { author: 'helper', actions: { artifactDelta: { 'words.txt': 1 } } },
      ],
    });

    const second = await test.welcomed('s1');
    await until('it is live again', () => test.model.openConnections === 1);
    test.model.last.output(calling('three'));
    const told = () =>
      second.messages.filter(({ event }) => (event as { type?: string })?.type === 'toolResult');
    await until('it is told', () => told().length === 1);
    expect(told()).toMatchObject([{ event: { artifactDelta: { 'words.txt': 2 }, stateDelta: { kept: 3 } } }]);
  });

  it('is told so where the live session has no store for them', async () => {
    const model = new ScriptedModel();
    await using session = new AgentSession({ agent: new Agent({ name: 'helper', tools: [keep] }), model });
    const results: unknown[] = [];
    session.on('event', (event) => {
      if (event.type === 'toolResult') results.push(event.result.response);
    });
    await session.start();
    model.connection.output(calling('one'));
    await until('it is told', () => results.length === 1);
    expect(results).toEqual([{ error: expect.stringContaining('no store for artifacts') as string }]);
  });
});
