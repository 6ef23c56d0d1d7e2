import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime } from '../../kernel/index.ts';
import { textContent } from '../../protocol/index.ts';
import type { Content, FunctionCall, Usage } from '../../protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError } from '../../session/errors.ts';
import { LanguageModelEmulator } from '../../testing/index.ts';
import type { LanguageModelEmulatorOptions, LanguageModelFault } from '../../testing/index.ts';
import type { FinishReason, GenerationRequest } from '../language-model.ts';
import { openaiCompatible } from './openai-compatible.ts';
import type { OpenAiCompatibleOptions } from './openai-compatible.ts';

const KEY = 'a-secret-of-no-known-form';
const REQUEST: GenerationRequest = {
  instructions: 'Be brief.',
  history: [textContent('user', 'Hello there, friend')],
  tools: [],
};
const WEATHER = {
  name: 'weather',
  description: 'The weather.',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const step of undo.splice(0).reverse()) await step();
});

async function emulator(options: LanguageModelEmulatorOptions = {}): Promise<LanguageModelEmulator> {
  const server = await LanguageModelEmulator.start(options);
  undo.push(() => server.abort());
  return server;
}

interface Asked {
  readonly scope: Lifetime;
  readonly heard: (string | FunctionCall)[];
  readonly usage: Usage[];
  readonly outcome: Promise<FinishReason | Error>;
}

function ask(options: Partial<OpenAiCompatibleOptions>, request: Partial<GenerationRequest> = {}): Asked {
  const scope = Lifetime.root({ name: 'turn' });
  undo.push(() => scope.abort());
  const heard: Asked['heard'] = [];
  const usage: Usage[] = [];
  const sink = {
    text: (piece: string): void => void heard.push(piece),
    toolCall: (call: FunctionCall): void => void heard.push(call),
    usage: (told: Usage): void => void usage.push(told),
  };
  const outcome = openaiCompatible({ model: 'echo', apiKey: KEY, ...options })
    .generate({ ...REQUEST, ...request }, sink, scope)
    .catch((error: Error) => error);
  return { scope, heard, usage, outcome };
}

describe('openaiCompatible', () => {
  it('streams the answer of a server, and its usage', async () => {
    const server = await emulator();
    const { outcome, heard, usage, scope } = ask({ baseUrl: server.url });
    expect(await outcome).toBe('stop');
    expect(heard).toEqual(['Hello ', 'there, ', 'friend']);
    expect(usage).toMatchObject([{ promptTokens: 5, responseTokens: 3, totalTokens: 8 }]);
    expect(scope.resources()).toEqual([]);
    expect(server.requests.last).toMatchObject({ ending: 'answered', pieces: 3, hasKey: true });
    expect(server.requests.last?.body).toMatchObject({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello there, friend' },
      ],
    });
  });

  it('calls tools, and goes on with their results', async () => {
    const server = await emulator();
    const said = textContent('user', 'call weather {"city":"Bern"}');
    const first = ask({ baseUrl: server.url }, { history: [said], tools: [WEATHER] });
    expect(await first.outcome).toBe('tools');
    const [call] = first.heard as FunctionCall[];
    expect(call).toMatchObject({ name: 'weather', args: { city: 'Bern' } });
    const id = call?.id ?? '';
    const history: Content[] = [
      said,
      { role: 'model', parts: [{ functionCall: { id, name: 'weather', args: { city: 'Bern' } } }] },
      // Said while the tool ran: it comes behind the result all the same.
      textContent('user', 'Well?'),
      { role: 'user', parts: [{ functionResponse: { id, name: 'weather', response: { output: 'sunny' } } }] },
    ];
    const second = ask({ baseUrl: server.url }, { history, tools: [WEATHER] });
    expect([await second.outcome, ...second.heard]).toEqual(['stop', 'Well?']);
    const third = ask({ baseUrl: server.url }, { history: history.toSpliced(2, 1), tools: [WEATHER] });
    expect([await third.outcome, ...third.heard]).toEqual(['stop', 'It ', 'is ', '{"output":"sunny"}.']);
  });

  it('tells an answer that was cut for its length', async () => {
    const server = await emulator({ answers: [{ say: 'Once upon', finishReason: 'length' }] });
    expect(await ask({ baseUrl: server.url }).outcome).toBe('length');
  });

  it('keeps connections for the next answer', async () => {
    const server = await emulator();
    for (let turn = 0; turn < 5; turn += 1) expect(await ask({ baseUrl: server.url }).outcome).toBe('stop');
    expect(server.sockets).toBeLessThan(5);
  });
});

describe('openaiCompatible: failures', () => {
  const status = (of: number, retryAfter?: string): LanguageModelFault => {
    return { type: 'status', status: of, retryAfter, message: `No, ${KEY}` };
  };

  it.each([
    [status(400), InvalidRequestError],
    [status(401), AuthenticationError],
    [status(403), AuthenticationError],
    [status(404), InvalidRequestError],
    [status(429, '7'), QuotaError],
    [status(500), ConnectionLostError],
    [status(502), ConnectionLostError],
    [status(503, '7'), OverloadedError],
    [status(529), OverloadedError],
    [{ type: 'reset' } as const, ConnectionLostError],
    [{ type: 'reset', afterPieces: 2 } as const, ConnectionLostError],
    [{ type: 'cut' } as const, ConnectionLostError],
    [{ type: 'cut', afterPieces: 2 } as const, ConnectionLostError],
    [{ type: 'malformed', afterPieces: 1 } as const, ConnectionLostError],
    [{ type: 'error', afterPieces: 1 } as const, ConnectionLostError],
    [{ type: 'error', kind: 'overloaded_error', message: KEY } as const, OverloadedError],
  ])('types %j, asks once, keeps the key to itself, and leaves nothing open', async (what, type) => {
    const server = await emulator({ faults: [{ what }] });
    const { outcome, heard, scope } = ask({ baseUrl: server.url });
    const error = (await outcome) as ProviderError;
    expect(error).toBeInstanceOf(type);
    expect(error.failure).toMatchObject({
      provider: 'openai:echo',
      ...(what.type === 'status' ? { httpStatus: what.status } : {}),
      ...(what.type === 'status' && what.retryAfter !== undefined ? { retryAfterMs: 7_000 } : {}),
    });
    expect(heard).toHaveLength(('afterPieces' in what ? what.afterPieces : undefined) ?? 0);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(KEY);
    expect(scope.resources()).toEqual([]);
    expect(server.requests.count).toBe(1);
  });

  it('is an AuthenticationError when the key is not good', async () => {
    const server = await emulator({ keys: ['another'] });
    const error = (await ask({ baseUrl: server.url }).outcome) as Error;
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error.message).not.toContain(KEY);
  });

  it('is a ConnectionLostError that says why when the server is down', async () => {
    const socket = createServer();
    await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
    const { port } = socket.address() as AddressInfo;
    await new Promise((resolve) => socket.close(resolve));
    const error = await ask({ baseUrl: `http://127.0.0.1:${port}/v1` }).outcome;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect((error as Error).message).toContain('ECONNREFUSED');
  });

  it('gives up a server that sends nothing more', async () => {
    const server = await emulator({ faults: [{ what: { type: 'stall', afterPieces: 1 } }] });
    const { outcome, heard } = ask({ baseUrl: server.url, stallTimeoutMs: 50 });
    expect(await outcome).toBeInstanceOf(ConnectionLostError);
    expect(heard).toEqual(['Hello ']);
    await server.waitFor((it) => it.requests.last?.ending === 'left' && it.sockets === 0);
  });

  it.each([
    ['before the first byte', { type: 'slowFirstByte', ms: 60_000 } as const, 0],
    ['in mid-answer', { type: 'stall', afterPieces: 2 } as const, 2],
  ])(
    'C10 language model: a close %s ends the request, and the server sees it',
    async (_when, what, pieces) => {
      const server = await emulator({ faults: [{ what }] });
      const { outcome, heard, scope } = ask({ baseUrl: server.url });
      await server.waitFor((it) => it.requests.last?.pieces === pieces);
      await expect.poll(() => heard.length).toBe(pieces);
      const report = await scope.close();
      expect(await outcome).toBeInstanceOf(ClosedError);
      expect(report.steps.filter((step) => step.outcome !== 'done')).toEqual([]);
      await server.waitFor((it) => it.requests.last?.ending === 'left' && it.sockets === 0);
    },
  );
});

describe('openaiCompatible: where and with which key', () => {
  it('reads both from the environment for each answer', async () => {
    const [one, other] = [await emulator({ keys: ['first'] }), await emulator({ keys: ['second'] })];
    const model = openaiCompatible({ model: 'echo' });
    await using scope = Lifetime.root({ name: 'turns' });
    const sink = { text: () => undefined, toolCall: () => undefined, usage: () => undefined };
    vi.stubEnv('OPENAI_API_KEY', ' first ').stubEnv('OPENAI_BASE_URL', one.url);
    expect(await model.generate(REQUEST, sink, scope)).toBe('stop');
    vi.stubEnv('OPENAI_API_KEY', 'second').stubEnv('OPENAI_BASE_URL', other.url);
    expect(await model.generate(REQUEST, sink, scope)).toBe('stop');
    expect([one.requests.count, other.requests.count]).toEqual([1, 1]);
  });

  it('tells the key of the environment to no other server', async () => {
    const server = await emulator();
    vi.stubEnv('OPENAI_API_KEY', KEY).stubEnv('OPENAI_BASE_URL', '');
    await using scope = Lifetime.root({ name: 'turn' });
    const model = openaiCompatible({ model: 'echo', baseUrl: server.url });
    const sink = { text: () => undefined, toolCall: () => undefined, usage: () => undefined };
    expect(await model.generate(REQUEST, sink, scope)).toBe('stop');
    expect(server.requests.last?.hasKey).toBe(false);
  });

  it('asks a function for the key each time, and types what it throws', async () => {
    const server = await emulator({ keys: ['1', '2'] });
    let asked = 0;
    const apiKey = (): Promise<string> => Promise.resolve(String((asked += 1)));
    expect(await ask({ baseUrl: server.url, apiKey }).outcome).toBe('stop');
    expect(await ask({ baseUrl: server.url, apiKey }).outcome).toBe('stop');
    const refused = new AuthenticationError('gone', { provider: 'vault' });
    expect(await ask({ apiKey: () => Promise.reject(refused) }).outcome).toBe(refused);
    expect(await ask({ apiKey: () => Promise.reject(new Error('later')) }).outcome).toBeInstanceOf(
      ConnectionLostError,
    );
  });

  it('C10 language model: a close does not wait for the key', async () => {
    const { scope, outcome } = ask({ apiKey: () => new Promise(() => undefined) });
    await scope.close();
    expect(await outcome).toBeInstanceOf(ClosedError);
  });

  it('is an AuthenticationError when OpenAI is to be asked without a key', async () => {
    vi.stubEnv('OPENAI_API_KEY', '').stubEnv('OPENAI_BASE_URL', '');
    const error = await ask({ apiKey: '' }).outcome;
    expect(error).toBeInstanceOf(AuthenticationError);
    expect((error as Error).message).toContain('OPENAI_API_KEY');
  });

  it('refuses a base URL that is none, from the program at once and from the environment when it is used', async () => {
    expect(() => openaiCompatible({ model: 'echo', baseUrl: 'localhost:8080' })).toThrow(InvalidOptionError);
    vi.stubEnv('OPENAI_BASE_URL', 'ftp://somewhere');
    expect(await ask({}).outcome).toBeInstanceOf(InvalidOptionError);
  });
});
