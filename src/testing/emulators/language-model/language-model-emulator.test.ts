import { afterEach, describe, expect, it } from 'vitest';
import { InvalidOptionError, Lifetime, VirtualClock } from '../../../kernel/index.ts';
import { LanguageModelEmulator } from './language-model-emulator.ts';
import type { LanguageModelEmulatorOptions } from './language-model-emulator.ts';

let server: LanguageModelEmulator | undefined;
afterEach(() => server?.abort());

async function start(options: LanguageModelEmulatorOptions = {}): Promise<LanguageModelEmulator> {
  server = await LanguageModelEmulator.start(options);
  return server;
}

const user = (content: unknown): object => ({ role: 'user', content });

async function post(url: string, body: unknown, key = 'any'): Promise<Response> {
  return fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: typeof body === 'string' ? body : JSON.stringify({ model: 'echo', ...(body as object) }),
  });
}

/** The chunks of a stream. */
async function chunks(response: Response): Promise<unknown[]> {
  const lines = (await response.text()).split('\n\n').filter((line) => line.startsWith('data: '));
  expect(lines.at(-1)).toBe('data: [DONE]');
  return lines.slice(0, -1).map((line) => JSON.parse(line.slice('data: '.length)) as unknown);
}

describe('LanguageModelEmulator', () => {
  it('echoes a text in words, with usage where it is asked for', async () => {
    const { url } = await start();
    const body = { messages: [user('Hello there')], stream: true };
    const plain = await chunks(await post(url, body));
    expect(plain).toMatchObject([
      { object: 'chat.completion.chunk', choices: [{ delta: { role: 'assistant' } }] },
      { choices: [{ delta: { content: 'Hello ' }, finish_reason: null }] },
      { choices: [{ delta: { content: 'there' } }] },
      { choices: [{ delta: {}, finish_reason: 'stop' }] },
    ]);
    const counted = await chunks(await post(url, { ...body, stream_options: { include_usage: true } }));
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 2 } });
  });

  it('answers in one message who asks for no stream', async () => {
    const { url } = await start({ answers: [{ say: 'Hi', calls: [{ name: 'look', id: 'x' }] }] });
    const response = await post(url, { messages: [user([{ type: 'text', text: 'Hello' }])] });
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: { content: 'Hi', tool_calls: [{ id: 'x', function: { name: 'look', arguments: '{}' } }] },
          finish_reason: 'tool_calls',
        },
      ],
    });
  });

  it('plays its answers in order, and echoes from then on; or asks a function', async () => {
    const say = async (url: string): Promise<unknown> =>
      ((await (await post(url, { messages: [user('Hello')] })).json()) as { choices: [{ message: unknown }] })
        .choices[0].message;
    const { url } = await start({ answers: [{ say: 'One' }, { say: ['T', 'wo'] }] });
    expect([await say(url), await say(url), await say(url)]).toMatchObject([
      { content: 'One' },
      { content: 'Two' },
      { content: 'Hello' },
    ]);
    await server?.abort();
    const asked = await start({ answers: ({ messages }) => ({ say: `${messages.length} messages` }) });
    expect(await say(asked.url)).toMatchObject({ content: '1 messages' });
  });

  it('sends a call as the service does: its name, and its arguments in parts', async () => {
    const { url } = await start();
    const tools = [{ type: 'function', function: { name: 'look', parameters: {} } }];
    const body = { messages: [user('call look {"at":"it"}')], tools, stream: true };
    const calls = (await chunks(await post(url, body))).slice(1, -1);
    expect(calls).toMatchObject([
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { name: 'look', arguments: '' } }] } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"at":' } }] } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '"it"}' } }] } }] },
    ]);
  });

  const CALLS = { role: 'assistant', tool_calls: [{ id: 'a' }, { id: 'b' }] };
  const result = (id: string): object => ({ role: 'tool', tool_call_id: id, content: 'x' });

  it.each([
    ['no JSON', 'nothing', /parse the JSON body/],
    ['no model', { model: undefined, messages: [user('x')] }, /model parameter/],
    ['no messages', { messages: [] }, /'messages'/],
    ['a call without a result', { messages: [CALLS, result('a'), user('x')] }, /must be followed by.*: b\./],
    ['a call without a result at the end', { messages: [CALLS, result('a')] }, /must be followed by.*: b\./],
    ['a result without a call', { messages: [user('x'), result('a')] }, /must be a response to/],
    ['a result given twice', { messages: [CALLS, result('a'), result('a')] }, /must be a response to/],
  ])('refuses %s as the service does', async (_what, body, message) => {
    const { url } = await start();
    const response = await post(url, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringMatching(message) as string },
    });
    expect(server?.requests.last?.ending).toBe('refused');
  });

  it('takes results in any order behind their calls', async () => {
    const { url } = await start();
    expect((await post(url, { messages: [CALLS, result('b'), result('a')] })).status).toBe(200);
  });

  it('refuses keys that are not good, and keeps none', async () => {
    const { url } = await start({ keys: ['good'] });
    expect((await post(url, { messages: [user('x')] }, 'bad')).status).toBe(401);
    expect((await post(url, { messages: [user('x')] }, 'good')).status).toBe(200);
    expect(JSON.stringify([...(server?.requests ?? [])])).not.toContain('good');
  });

  it('lists a model, and knows no other path', async () => {
    const { url } = await start();
    expect(await (await fetch(`${url}/models`)).json()).toMatchObject({ data: [{ id: 'echo' }] });
    expect((await fetch(`${url}/embeddings`)).status).toBe(404);
  });

  it('has a rule count for its request, and as often as it says', async () => {
    const fault = { type: 'status', status: 503, retryAfter: '2' } as const;
    const { url } = await start({ faults: [{ request: 2, what: fault }] });
    const ask = async (): Promise<number> => (await post(url, { messages: [user('x')] })).status;
    expect([await ask(), await ask(), await ask()]).toEqual([200, 503, 200]);
    server?.addFaults([{ times: 1, what: { ...fault, status: 429 } }]);
    expect([await ask(), await ask()]).toEqual([429, 200]);
    server?.addFaults([{ what: fault }]);
    const response = await post(url, { messages: [user('x')] });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    server?.clearFaults();
    expect(await ask()).toBe(200);
  });

  it('waits before each piece', async () => {
    const clock = new VirtualClock();
    const { url, requests } = await start({ clock, pieceMs: 5 });
    // By its first bytes the first wait has begun.
    const response = await post(url, { messages: [user('Hello there')], stream: true });
    for (const pieces of [0, 1, 2]) {
      expect(requests.last?.pieces).toBe(pieces);
      await clock.advance(5);
    }
    expect(await chunks(response)).toHaveLength(4);
  });

  it('C6 emulator: ends with an answer under way, with its owner, and leaves nothing', async () => {
    const owner = Lifetime.root({ name: 'test' });
    const { url } = await start({ owner, faults: [{ what: { type: 'stall', afterPieces: 1 } }] });
    const response = await post(url, { messages: [user('Hello there')], stream: true });
    const body = response.text().catch((error: Error) => error);
    await server?.waitFor(({ requests }) => requests.last?.pieces === 1);
    await owner.close();
    expect(await body).toBeInstanceOf(Error);
    expect(server?.requests.last?.ending).toBe('left');
    expect(owner.resources()).toEqual([]);
    await expect.poll(() => server?.sockets).toBe(0);
  });

  it('refuses options that cannot work', async () => {
    const wrong: unknown[] = [
      { faults: [{ what: { type: 'explode' } }] },
      { faults: [{ request: 0, what: { type: 'cut' } }] },
      { answers: [{ shout: 'hi' }] },
      { pieceMs: -1 },
    ];
    for (const options of wrong) {
      await expect(LanguageModelEmulator.start(options as never)).rejects.toThrow(InvalidOptionError);
    }
    const { port } = await start();
    await expect(LanguageModelEmulator.start({ port })).rejects.toThrow(/Give another port/);
  });
});
