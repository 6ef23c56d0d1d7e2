import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bearerTokens } from '../../src/server/index.ts';
import { Agent, tool } from '../../src/session/index.ts';
import { MemorySessionStore, SqliteSessionStore } from '../../src/store/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-adk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SESSIONS = '/apps/demo/users/u/sessions';
const SESSION = `${SESSIONS}/s1`;

const mood = tool({
  name: 'mood',
  description: 'Tells the mood.',
  parameters: { type: 'object', properties: { of: { type: 'string' } } },
  execute: (_args, { state }) => {
    state['asked'] = true;
    return { mood: state['mood'] ?? 'unknown' };
  },
});

const biller = new Agent({ name: 'biller', description: 'Bills.', instructions: () => 'Bill.' });
const agents = {
  demo: new Agent({
    name: 'helper',
    description: 'Helps.',
    instructions: 'Be "brief".',
    tools: [mood],
    subAgents: [biller],
  }),
};

const json = async (test: TestServer, path: string): Promise<unknown> =>
  JSON.parse((await test.request(path)).text) as unknown;

async function patch(
  test: TestServer,
  path: string,
  body: unknown,
): Promise<{ status: number; json: unknown }> {
  const response = await fetch(test.url + path, { method: 'PATCH', body: JSON.stringify(body) });
  return { status: response.status, json: await response.json() };
}

const stores = [
  ['in memory', () => new MemorySessionStore()],
  [
    'in a file',
    () => new SqliteSessionStore({ path: join(folder, `${Math.floor(performance.now() * 1e6)}.sqlite`) }),
  ],
] as const;

describe('an app', () => {
  it('is told with all its agents, and tools as they are declared', async () => {
    await using test = await startServer({ agents });
    expect(await json(test, '/apps/demo/app-info')).toEqual({
      name: 'demo',
      rootAgentName: 'helper',
      description: 'Helps.',
      language: 'javascript',
      isComputerUse: false,
      agents: {
        helper: {
          name: 'helper',
          description: 'Helps.',
          instruction: 'Be "brief".',
          tools: [
            {
              functionDeclarations: [
                {
                  name: 'mood',
                  description: 'Tells the mood.',
                  parametersJsonSchema: { type: 'object', properties: { of: { type: 'string' } } },
                },
              ],
            },
          ],
          sub_agents: ['biller'],
        },
        biller: {
          name: 'biller',
          description: 'Bills.',
          instruction: '<function instructions>',
          tools: [],
          sub_agents: [],
        },
      },
    });
    expect((await test.request('/apps/other/app-info')).status).toBe(404);
  });

  it('is drawn as a graph of agents and tools, by day and by night, from wherever one looks', async () => {
    await using test = await startServer({ agents });
    expect(await json(test, '/dev/apps/demo/build_graph')).toMatchObject({
      name: 'demo',
      root_agent: {
        name: 'helper',
        tools: [{ name: 'mood', type: 'tool' }],
        sub_agents: [{ name: 'biller', sub_agents: [] }],
      },
    });
    const image = (query: string) =>
      json(test, `/dev/apps/demo/build_graph_image?${query}`) as Promise<Record<string, unknown>>;
    const light = await image('dark_mode=false');
    expect(light['']).toEqual({ dotSrc: light['dotSrc'] });
    expect(light['dotSrc']).toMatch(/^digraph "helper" \{\n/);
    expect(light['dotSrc']).toContain('"helper" -> "helper/mood"');
    expect(light['dotSrc']).toContain('"helper" -> "biller"');
    expect((await image('dark_mode=true'))['dotSrc']).not.toBe(light['dotSrc']);
    expect(await image('dark_mode=false&node=biller')).toMatchObject({
      biller: { dotSrc: expect.stringMatching(/^digraph "biller"/) as string },
    });
    expect((await test.request('/dev/apps/demo/build_graph_image?node=nobody')).status).toBe(404);
    expect((await test.request('/dev/apps/other/build_graph')).status).toBe(404);
  });

  it('has no memory, evaluations, tests and builder: each is answered in words', async () => {
    await using test = await startServer({ agents });
    const memory = await patch(test, '/apps/demo/users/u/memory', { session_id: 's1' });
    expect(memory).toMatchObject({ status: 501, json: { code: 'HOLDFAST_NOT_IMPLEMENTED' } });
    for (const path of ['eval_sets', 'eval-sets', 'eval_results', 'metrics-info', 'tests', 'builder']) {
      const response = await fetch(`${test.url}/dev/apps/demo/${path}`);
      expect([response.status, response.statusText]).toEqual([404, 'Not Found']);
      expect(await response.json()).toMatchObject({ detail: 'Not found' });
    }
  });
});

describe('the page of the ADK', () => {
  it('is served where the ADK serves it, and told that there is no telemetry', async () => {
    const pageDir = join(folder, 'page');
    mkdirSync(join(pageDir, 'assets', 'config'), { recursive: true });
    writeFileSync(join(pageDir, 'index.html'), '<title>page</title>');
    writeFileSync(join(pageDir, 'assets', 'a.js'), '1');
    writeFileSync(
      join(pageDir, 'assets', 'config', 'runtime-config.json'),
      '{"backendUrl":"http://elsewhere"}',
    );
    writeFileSync(join(folder, 'secret'), 'secret');
    await using test = await startServer({ agents, pageDir });
    for (const base of ['', '/dev-ui']) {
      expect((await test.request(`${base}/`)).text).toBe('<title>page</title>');
      expect((await test.request(`${base}/?app=demo`)).text).toBe('<title>page</title>');
      expect((await test.request(`${base}/assets/a.js`)).text).toBe('1');
      expect(await json(test, `${base}/assets/config/runtime-config.json`)).toEqual({
        backendUrl: '',
        telemetry: false,
      });
      expect((await test.request(`${base}/..%2fsecret`)).status).toBe(404);
    }
    const bare = await fetch(`${test.url}/dev-ui`);
    expect([bare.status, new URL(bare.url).pathname]).toEqual([200, '/dev-ui/']);
    expect(await json(test, '/config/telemetry')).toEqual({ telemetry: false });
    expect(JSON.parse((await test.request('/config/telemetry', { telemetry: true })).text)).toEqual({
      telemetry: false,
    });
  });
});

describe('a session', () => {
  it.each(stores)('begins with the events it is given, %s', async (_where, open) => {
    await using test = await startServer({ agents, store: open() });
    const events = [
      { author: 'user', content: { parts: [{ text: 'Hello' }] } },
      { author: 'helper', content: { role: 'model', parts: [{ text: 'He' }] }, partial: true },
      {
        author: 'helper',
        content: { role: 'model', parts: [{ functionCall: { id: '1', name: 'mood', args: {} } }] },
        actions: { stateDelta: {} },
      },
      {
        author: 'user',
        content: { parts: [{ function_response: { id: '1', name: 'mood', response: {} } }] },
      },
      { author: 'helper', outputTranscription: { text: 'Hi', finished: true } },
      { author: 'helper', turnComplete: true },
    ];
    const created = await test.request(SESSIONS, { sessionId: 's1', events, state: { a: 1 } });
    const expected = {
      id: 's1',
      state: { a: 1 },
      events: [
        { author: 'user', content: { role: 'user', parts: [{ text: 'Hello' }] } },
        { author: 'helper', content: { parts: [{ functionCall: { name: 'mood' } }] } },
        { author: 'helper', content: { role: 'user', parts: [{ functionResponse: { name: 'mood' } }] } },
        { author: 'helper', content: { role: 'model', parts: [{ text: 'Hi' }] } },
      ],
    };
    expect(JSON.parse(created.text)).toMatchObject(expected);
    const stored = (await json(test, SESSION)) as { events: unknown[] };
    expect(stored).toMatchObject(expected);
    // What it gave out is taken in again.
    const again = await test.request(SESSIONS, { sessionId: 's2', events: stored.events });
    expect(JSON.parse(again.text)).toMatchObject({ events: expected.events });
  });

  it.each([
    ['that are no list', { events: {} }],
    ['one of which is none', { events: [7] }],
    ['one of which has a content that is none', { events: [{ content: { parts: [] } }] }],
  ])('does not begin with events %s', async (_what, body) => {
    await using test = await startServer({ agents });
    expect((await test.request(SESSIONS, { sessionId: 's1', ...body })).status).toBe(400);
    expect((await test.request(SESSION)).status).toBe(404);
  });

  it.each(stores)('has its state changed while nobody speaks in it, %s', async (_where, open) => {
    await using test = await startServer({ agents, store: open() });
    await test.request(SESSIONS, { sessionId: 's1', state: { mood: 'bad', kept: 1 } });
    const changed = await patch(test, SESSION, { stateDelta: { mood: 'good' } });
    expect(changed).toMatchObject({ status: 200, json: { id: 's1', state: { mood: 'good', kept: 1 } } });
    expect((await patch(test, SESSION, { state_delta: { more: 1 } })).status).toBe(200);
    expect(await json(test, SESSION)).toMatchObject({ state: { mood: 'good', kept: 1, more: 1 } });
    const many = Array.from({ length: 20 }, (_, index) =>
      patch(test, SESSION, { stateDelta: { [`n${index}`]: index } }),
    );
    await Promise.all(many);
    const { state } = (await json(test, SESSION)) as { state: Record<string, unknown> };
    expect(Object.keys(state)).toHaveLength(23);
  });

  it.each(stores)(
    'has its state changed while it is live: its tools see it, and nothing is written over, %s',
    async (_where, open) => {
      await using test = await startServer({ agents, store: open() });
      await test.createSession();
      const client = await test.adk('s1').opened();
      await until('it is live', () => test.model.openConnections === 1);
      expect((await patch(test, SESSION, { stateDelta: { mood: 'good' } })).status).toBe(200);
      await until('it is told', () =>
        client.texts.some((text) => text.includes('"stateDelta":{"mood":"good"}')),
      );
      test.model.last.output({ type: 'toolCall', calls: [{ id: '1', name: 'mood', args: {} }] });
      await until('the tool has seen it', () =>
        client.texts.some((text) => text.includes('"response":{"mood":"good"}')),
      );
      client.socket.close();
      await until('it is over', () => test.server.liveSessions === 0);
      expect(await json(test, SESSION)).toMatchObject({ state: { mood: 'good', asked: true } });
    },
  );

  it.each(stores)(
    'takes the state that comes with something said in it while it is live, %s',
    async (_where, open) => {
      await using test = await startServer({ agents, store: open() });
      await test.createSession();
      const client = await test.adk('s1').opened();
      await until('it is live', () => test.model.openConnections === 1);
      const answer = test.request('/run', {
        ...{ appName: 'demo', userId: 'u', sessionId: 's1', stateDelta: { mood: 'good' } },
        newMessage: { parts: [{ text: 'hi' }] },
      });
      await until('it is said', () => test.model.last.received.length === 1);
      test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
      expect((await answer).status).toBe(200);
      client.socket.close();
      await until('it is over', () => test.server.liveSessions === 0);
      expect(await json(test, SESSION)).toMatchObject({ state: { mood: 'good' } });
    },
  );

  it.each([
    ['without a change', {}, 400],
    ['with a change that is none', { stateDelta: [1] }, 400],
    [
      'with a reach for the prototype',
      JSON.parse('{"stateDelta":{"__proto__":{"admin":true}}}') as object,
      400,
    ],
    ['with more than is taken', { stateDelta: { a: 'x'.repeat(5_000) } }, 413],
  ])('is not changed %s', async (_what, body, status) => {
    await using test = await startServer({ agents, maxBodyBytes: 4_000 });
    await test.createSession();
    expect((await patch(test, SESSION, body)).status).toBe(status);
    expect(await json(test, SESSION)).toMatchObject({ state: {} });
    expect((await patch(test, `${SESSIONS}/nobody`, { stateDelta: { a: 1 } })).status).toBe(404);
  });
});

describe('what is said in a live session from elsewhere', () => {
  it('is told to both clients under one name, and read where it is only spoken', async () => {
    await using test = await startServer({ agents });
    await test.createSession();
    const client = await test.adk('s1').opened();
    await until('it is live', () => test.model.openConnections === 1);
    const answer = test.request('/run_sse', {
      ...{ appName: 'demo', userId: 'u', sessionId: 's1', streaming: false },
      newMessage: { parts: [{ text: 'hi' }] },
    });
    await until('it is said', () => test.model.last.received.length === 1);
    test.model.last.output(
      { type: 'transcript', speaker: 'agent', text: 'Spoken words', finished: true },
      { type: 'turnComplete' },
    );
    const told = (await answer).text
      .trimEnd()
      .split('\n\n')
      .map((line) => JSON.parse(line.slice('data: '.length)) as Record<string, unknown>);
    expect(told).toMatchObject([
      { content: { role: 'model', parts: [{ text: 'Spoken words' }] }, partial: false },
      { turnComplete: true },
    ]);
    const spoken = () =>
      client.messages.filter(
        ({ outputTranscription }) => (outputTranscription as { finished?: boolean })?.finished === true,
      );
    await until('it is told', () => spoken().length === 1);
    expect(spoken().map(({ id }) => id)).toEqual([told[0]?.['id']]);
  });

  it('is not told twice where it is written and spoken', async () => {
    await using test = await startServer({ agents });
    await test.createSession();
    const answer = test.request('/run', {
      ...{ appName: 'demo', userId: 'u', sessionId: 's1' },
      newMessage: { parts: [{ text: 'hi' }] },
    });
    await until('it is said', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output(
      { type: 'text', text: 'Written' },
      { type: 'transcript', speaker: 'agent', text: 'Spoken', finished: true },
      { type: 'turnComplete' },
    );
    const events = JSON.parse((await answer).text) as { content?: { parts: unknown[] } }[];
    expect(events.flatMap(({ content }) => content?.parts ?? [])).toEqual([{ text: 'Written' }]);
    expect(events).toContainEqual(
      expect.objectContaining({ outputTranscription: { text: 'Spoken', finished: true } }),
    );
  });
});

describe('traces', () => {
  async function traced(test: TestServer): Promise<Record<string, unknown>[]> {
    await test.createSession();
    const answer = test.request('/run', {
      ...{ appName: 'demo', userId: 'u', sessionId: 's1' },
      newMessage: { parts: [{ text: 'How are you?' }] },
    });
    await until('it is said', () => test.model.connections[0]?.received.length === 1);
    const usage = { promptTokens: 3, responseTokens: 4, totalTokens: 7 };
    test.model.last.output({ type: 'toolCall', calls: [{ id: '1', name: 'mood', args: {} }] });
    await until('the tool has run', () => test.model.last.of('toolResponse').length === 1);
    test.model.last.output(
      { type: 'text', text: 'Fine' },
      { type: 'usage', usage },
      { type: 'turnComplete' },
    );
    return JSON.parse((await answer).text) as Record<string, unknown>[];
  }

  it('tell how long answers and tools took, by session and by event, at both paths', async () => {
    await using test = await startServer({ agents });
    const events = await traced(test);
    const spans = (await json(test, '/dev/apps/demo/debug/trace/session/s1')) as Record<string, unknown>[];
    expect(spans.map(({ name }) => name)).toEqual(['execute_tool mood', 'call_llm']);
    const [toolSpan, answerSpan] = spans;
    expect(toolSpan).toMatchObject({
      parent_span_id: answerSpan?.['span_id'],
      trace_id: answerSpan?.['trace_id'],
      attributes: {
        'gen_ai.tool.name': 'mood',
        'gcp.vertex.agent.tool_response': '{"mood":"unknown"}',
      },
    });
    expect(answerSpan).toMatchObject({
      parent_span_id: null,
      attributes: {
        'gen_ai.operation.name': 'generate_content',
        'gen_ai.agent.name': 'helper',
        'gen_ai.usage.input_tokens': 3,
        'gcp.vertex.agent.llm_request': expect.stringContaining('How are you?') as string,
        'gcp.vertex.agent.llm_response': expect.stringContaining('Fine') as string,
      },
    });
    for (const { start_time, end_time } of spans) {
      expect(Number(end_time)).toBeGreaterThanOrEqual(Number(start_time));
      expect(Number(start_time) / 1e9).toBeCloseTo(Date.now() / 1_000, -2);
    }

    const said = events.find(({ content }) => JSON.stringify(content ?? '').includes('Fine'));
    const told = `/debug/trace/${String(said?.['id'])}`;
    for (const base of ['/dev/apps/demo', '']) {
      expect(await json(test, base + told)).toMatchObject({
        span_id: answerSpan?.['span_id'],
        'gen_ai.operation.name': 'generate_content',
      });
      expect(await json(test, `${base}/debug/trace/session/s1`)).toEqual(spans);
      expect(await json(test, `${base}/debug/trace/session/other`)).toEqual([]);
      expect((await test.request(`${base}/debug/trace/none-1`)).status).toBe(404);
    }
    expect(await json(test, '/dev/apps/other/debug/trace/session/s1')).toEqual([]);
    await fetch(test.url + SESSION, { method: 'DELETE' });
    expect(await json(test, '/debug/trace/session/s1')).toEqual([]);
  });

  it('draw who said or did something, of live events and of stored ones', async () => {
    await using test = await startServer({ agents });
    const events = await traced(test);
    const result = events.find(({ content }) => JSON.stringify(content ?? '').includes('functionResponse'));
    const graph = async (id: unknown): Promise<string> => {
      const answer = (await json(test, `/dev${SESSION}/events/${String(id)}/graph`)) as { dotSrc: string };
      expect(await json(test, `${SESSION}/events/${String(id)}/graph`)).toEqual(answer);
      return answer.dotSrc;
    };
    const standsOut = (name: string) => new RegExp(`"${name}" \\[.*fillcolor="#ceead6"\\]`);
    expect(await graph(result?.['id'])).toMatch(standsOut('helper/mood'));
    expect(await graph('s1-1')).not.toMatch(standsOut('helper'));
    expect(await graph('s1-2')).toMatch(standsOut('helper/mood'));
    expect(await graph('s1-4')).toMatch(standsOut('helper'));
    expect(await graph('s1-4')).not.toMatch(standsOut('helper/mood'));
    for (const id of ['s1-99', 'none-1', 's1-']) {
      expect((await test.request(`/dev${SESSION}/events/${id}/graph`)).status).toBe(404);
    }
  });

  it('and what an app is made of, are for who may use the app, and read the session', async () => {
    const secret = (name: string): string => name.replaceAll(' ', '-').padEnd(16, '-');
    const auth = bearerTokens([
      { token: secret('program') },
      { token: secret('u of demo'), users: ['u'], apps: ['demo'] },
      { token: secret('v'), users: ['v'] },
      { token: secret('elsewhere'), apps: ['other'] },
    ]);
    await using test = await startServer({ agents, auth: [auth] });
    const ask = async (who: string, path: string, init: RequestInit = {}): Promise<[number, string]> => {
      const headers = { authorization: `Bearer ${secret(who)}` };
      const response = await fetch(test.url + path, { ...init, headers });
      return [response.status, await response.text()];
    };
    const post = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });
    await ask('program', SESSIONS, post({ sessionId: 's1' }));
    const turn = { appName: 'demo', userId: 'u', sessionId: 's1', newMessage: { parts: [{ text: 'hi' }] } };
    const answer = ask('program', '/run', post(turn));
    await until('it is said', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output({ type: 'text', text: 'Secret' }, { type: 'turnComplete' });
    const [, told] = await answer;
    const [{ id } = { id: '' }] = (JSON.parse(told) as { id: string; content?: unknown }[]).filter(
      ({ content }) => content !== undefined,
    );

    const trace = '/dev/apps/demo/debug/trace/session/s1';
    for (const who of ['program', 'u of demo']) {
      expect(await ask(who, trace)).toEqual([200, expect.stringContaining('Secret')]);
      expect(await ask(who, `/debug/trace/${id}`)).toEqual([200, expect.stringContaining('Secret')]);
      for (const path of [
        '/apps/demo/app-info',
        '/dev/apps/demo/build_graph',
        `/dev${SESSION}/events/s1-1/graph`,
      ]) {
        expect((await ask(who, path))[0]).toBe(200);
      }
    }
    for (const who of ['v', 'elsewhere']) {
      expect(await ask(who, trace)).toEqual([200, '[]']);
      expect((await ask(who, `/debug/trace/${id}`))[0]).toBe(404);
      for (const path of [
        `/dev${SESSION}/events/s1-1/graph`,
        `${SESSION}/events/s1-1/graph`,
        `${SESSION}/artifacts`,
      ]) {
        expect((await ask(who, path))[0]).toBe(403);
      }
      expect((await ask(who, SESSION, { method: 'PATCH', body: '{"stateDelta":{"a":1}}' }))[0]).toBe(403);
    }
    expect((await ask('elsewhere', '/apps/demo/app-info'))[0]).toBe(404);
    expect((await ask('elsewhere', '/dev/apps/demo/build_graph_image'))[0]).toBe(404);
    for (const path of [trace, '/apps/demo/app-info', '/config/telemetry', `${SESSION}/artifacts/a`]) {
      expect((await fetch(test.url + path)).status).toBe(401);
    }
  });
});
