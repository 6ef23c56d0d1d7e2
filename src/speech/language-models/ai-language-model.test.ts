import type { LanguageModelV2, LanguageModelV3, LanguageModelV4 } from '@ai-sdk/provider';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import { textContent } from '../../protocol/index.ts';
import type { FunctionCall, Usage } from '../../protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError } from '../../session/errors.ts';
import type { FinishReason, GenerationRequest } from '../language-model.ts';
import { LANGUAGE_MODEL_STALL_TIMEOUT_MS, aiLanguageModel } from './ai-language-model.ts';
import type { AiCallOptions, AiModel, AiStreamPart } from './ai-model.ts';
import { STREAM_END_WAIT_MS } from './ai-generation.ts';

type Streamed = AiStreamPart & Record<string, unknown>;

const REQUEST: GenerationRequest = {
  instructions: undefined,
  history: [textContent('user', 'Hello')],
  tools: [],
};
const text = (delta: string): Streamed => ({ type: 'text-delta', id: '0', delta });
const call = (toolCallId: string, input: string, more = {}): Streamed => {
  return { type: 'tool-call', toolCallId, toolName: 'look', input, ...more };
};
const FINISH: Streamed = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: {} };

/** One request, with the provider's side of it in the test's hand. */
class Asked {
  readonly clock = new VirtualClock();
  readonly scope = Lifetime.root({ name: 'turn', clock: this.clock });
  readonly heard: (string | FunctionCall | Usage)[] = [];
  options: AiCallOptions | undefined;
  cancelled: unknown;
  outcome: FinishReason | Error | undefined;
  #stream: ReadableStreamDefaultController<AiStreamPart> | undefined;

  constructor(doStream?: (asked: Asked) => ReturnType<AiModel['doStream']>, request = REQUEST) {
    const model: AiModel = {
      specificationVersion: 'v4',
      provider: 'fake.chat',
      modelId: 'one',
      doStream: (options: never) => {
        this.options = options;
        return doStream?.(this) ?? Promise.resolve({ stream: this.stream() });
      },
    };
    const sink = {
      text: (piece: string): void => void this.heard.push(piece),
      toolCall: (made: FunctionCall): void => void this.heard.push(made),
      usage: (usage: Usage): void => void this.heard.push(usage),
    };
    aiLanguageModel({ model, settings: { temperature: 0.5 } })
      .generate(request, sink, this.scope)
      .then(
        (reason) => (this.outcome = reason),
        (error: Error) => (this.outcome = error),
      );
  }

  stream(): ReadableStream<AiStreamPart> {
    return new ReadableStream({
      start: (controller) => void (this.#stream = controller),
      cancel: (reason) => void (this.cancelled = reason),
    });
  }

  async sends(...parts: Streamed[]): Promise<this> {
    await this.clock.settle();
    if (this.cancelled === undefined) for (const part of parts) this.#stream?.enqueue(part);
    await this.clock.settle();
    return this;
  }

  async ends(): Promise<this> {
    this.#stream?.close();
    await this.clock.settle();
    return this;
  }

  async breaks(error: unknown): Promise<this> {
    this.#stream?.error(error);
    await this.clock.settle();
    return this;
  }
}

describe('aiLanguageModel', () => {
  it('takes the models of every version of the AI SDK’s interface', () => {
    expectTypeOf<LanguageModelV2>().toExtend<AiModel>();
    expectTypeOf<LanguageModelV3>().toExtend<AiModel>();
    expectTypeOf<LanguageModelV4>().toExtend<AiModel>();
  });

  it('refuses what is no model, and a bound that is none', () => {
    const model = { doStream: () => undefined } as never;
    expect(() => aiLanguageModel({ model: 'openai/gpt-4.1-mini' as never })).toThrow(InvalidOptionError);
    expect(() => aiLanguageModel({ model, stallTimeoutMs: 0 })).toThrow(InvalidOptionError);
  });

  it('hands the text on piece by piece, and says why it ended', async () => {
    const asked = await new Asked().sends({ type: 'stream-start' }, text('Hel'), text(''), text('lo'));
    expect(asked.heard).toEqual(['Hel', 'lo']);
    expect(asked.outcome).toBeUndefined();
    await (await asked.sends(FINISH)).ends();
    expect(asked.outcome).toBe('stop');
    expect(asked.scope.resources()).toEqual([]);
    expect(asked.options).toMatchObject({ temperature: 0.5, prompt: [{ role: 'user' }] });
    expect(asked.options).not.toHaveProperty('tools');
  });

  it('hands calls on whole and together, when the answer is', async () => {
    const asked = await new Asked().sends(text('One moment.'), call('a', '{"city":"Bern"}'), call('b', ''));
    expect(asked.heard).toEqual(['One moment.']);
    await asked.sends(call('c', '{}', { providerExecuted: true }), FINISH);
    expect(asked.heard.slice(1)).toEqual([
      { id: 'a', name: 'look', args: { city: 'Bern' } },
      { id: 'b', name: 'look', args: {} },
    ]);
    await asked.ends();
    // A server that said `stop`.
    expect(asked.outcome).toBe('tools');
  });

  it('gives back with a call what the provider gave along with it', async () => {
    const given = { google: { thoughtSignature: 'abc' } };
    const seen: AiCallOptions[] = [];
    const model: AiModel = {
      ...{ specificationVersion: 'v4', provider: 'fake', modelId: 'one' },
      doStream: (options: never) => {
        seen.push(options);
        const parts = [call('a', '{"n":1}', { providerMetadata: given }), FINISH];
        return Promise.resolve({ stream: ReadableStream.from(parts) });
      },
    };
    const made: FunctionCall[] = [];
    const sink = {
      text: () => undefined,
      toolCall: (it: FunctionCall) => void made.push(it),
      usage: () => undefined,
    };
    const subject = aiLanguageModel({ model });
    await using scope = Lifetime.root({ name: 'turn' });
    await subject.generate(REQUEST, sink, scope);
    const [functionCall] = made;
    const history = [{ role: 'model' as const, parts: [{ functionCall: functionCall as FunctionCall }] }];
    await subject.generate({ ...REQUEST, history }, sink, scope);
    expect(seen[1]?.prompt[0]).toMatchObject({ content: [{ providerOptions: given }] });
  });

  it.each([
    ['stop', 'stop'],
    ['tool-calls', 'tools'],
    ['length', 'length'],
    ['content-filter', 'filter'],
    ['other', 'other'],
  ])('reads the reason %s as %s, of the older and the newer interfaces', async (told, reason) => {
    for (const finishReason of [told, { unified: told, raw: told }]) {
      const asked = await (await new Asked().sends({ type: 'finish', finishReason })).ends();
      expect(asked.outcome).toBe(reason);
    }
  });

  it('reads usage of the older and the newer interfaces', async () => {
    const usage = { promptTokens: 10, responseTokens: 5, totalTokens: 15, cachedTokens: 4, thoughtTokens: 2 };
    const older = {
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      cachedInputTokens: 4,
      reasoningTokens: 2,
    };
    const newer = {
      inputTokens: { total: 10, cacheRead: 4, noCache: 6 },
      outputTokens: { total: 5, reasoning: 2, text: 3 },
    };
    for (const told of [older, newer]) {
      expect((await new Asked().sends({ ...FINISH, usage: told })).heard).toEqual([usage]);
    }
    const nothing = { inputTokens: { total: undefined }, outputTokens: { total: undefined } };
    expect((await new Asked().sends({ ...FINISH, usage: nothing })).heard).toEqual([]);
  });

  it('waits for the end of the stream behind a whole answer, and not for long', async () => {
    const asked = await new Asked().sends(text('Hi'), FINISH);
    expect(asked.outcome).toBeUndefined();
    await asked.clock.advance(STREAM_END_WAIT_MS);
    expect(asked.outcome).toBe('stop');
    expect(asked.cancelled).toBeDefined();
    const broken = await (await new Asked().sends(text('Hi'), FINISH)).breaks(new Error('reset'));
    expect(broken.outcome).toBe('stop');
  });

  it('is a lost connection when the stream ends, or a call ends, before the answer does', async () => {
    const cut = await (await new Asked().sends(text('Hi'), call('a', '{}'))).ends();
    const halfCall = await new Asked().sends(call('a', '{"city":"Be'));
    const list = await new Asked().sends(call('a', '[]'));
    const unknown = await new Asked().sends({ type: 'finish', finishReason: 'unknown' });
    for (const asked of [cut, halfCall, list, unknown]) {
      expect(asked.outcome).toBeInstanceOf(ConnectionLostError);
      expect(asked.heard.filter((it) => typeof it !== 'string')).toEqual([]);
      expect(asked.scope.resources()).toEqual([]);
    }
  });

  it('ends an answer of which nothing comes for too long, and counts anew with every part', async () => {
    const asked = await new Asked().sends(text('Hi'));
    await asked.clock.advance(LANGUAGE_MODEL_STALL_TIMEOUT_MS - 1);
    await asked.sends({ type: 'reasoning-delta' });
    await asked.clock.advance(LANGUAGE_MODEL_STALL_TIMEOUT_MS - 1);
    expect(asked.outcome).toBeUndefined();
    await asked.clock.advance(1);
    expect(asked.outcome).toBeInstanceOf(ConnectionLostError);
    expect(asked.cancelled).toBeDefined();
    expect(asked.options?.abortSignal.aborted).toBe(true);
  });
});

describe('aiLanguageModel: closing', () => {
  it('C10 language model: a close ends an answer at once, and nothing of it comes later', async () => {
    const asked = await new Asked().sends(text('Hi'));
    const late = asked.sends(text('late'), call('a', '{}'), FINISH);
    void asked.scope.close();
    await late;
    expect(asked.outcome).toBeInstanceOf(ClosedError);
    expect(asked.heard).toEqual(['Hi']);
    expect(asked.options?.abortSignal.aborted).toBe(true);
    expect(asked.cancelled).toBeDefined();
    expect(asked.scope.state.tag).toBe('closed');
  });

  it('C10 language model: a close before there is a stream cancels the stream that comes too late', async () => {
    const late = Promise.withResolvers<{ readonly stream: ReadableStream<AiStreamPart> }>();
    const asked = new Asked(() => late.promise);
    await asked.clock.settle();
    void asked.scope.close();
    await asked.clock.settle();
    expect(asked.outcome).toBeInstanceOf(ClosedError);
    late.resolve({ stream: asked.stream() });
    await asked.sends(text('late'));
    expect(asked.heard).toEqual([]);
    expect(asked.cancelled).toBeDefined();
  });

  it('C1 language model: a provider that heeds nothing goes on, and reaches nobody', async () => {
    const reads: PromiseWithResolvers<unknown>[] = [];
    const read = (): Promise<unknown> => {
      const next = Promise.withResolvers<unknown>();
      reads.push(next);
      return next.promise;
    };
    const cancel = (): Promise<never> => Promise.reject(new Error('no'));
    const asked = new Asked(() =>
      Promise.resolve({ stream: { getReader: () => ({ read, cancel }) } as never }),
    );
    await asked.clock.settle();
    void asked.scope.close();
    reads[0]?.resolve({ done: false, value: text('late') });
    await asked.clock.settle();
    expect(asked.heard).toEqual([]);
    expect(asked.outcome).toBeInstanceOf(ClosedError);
    expect(reads).toHaveLength(1);
  });

  it('C1 language model: a scope that is closed already is not asked with', async () => {
    const asked = new Asked();
    const { scope } = asked;
    void scope.close();
    await asked.clock.settle();
    expect(asked.outcome).toBeInstanceOf(ClosedError);
    const model = {
      specificationVersion: 'v4',
      provider: 'x',
      modelId: 'y',
      doStream: expect.unreachable,
    } as const;
    const sink = { text: () => undefined, toolCall: () => undefined, usage: () => undefined };
    await expect(aiLanguageModel({ model }).generate(REQUEST, sink, scope)).rejects.toThrow(ClosedError);
  });

  it('a drain of the owner lets the answer end', async () => {
    const asked = await new Asked().sends(text('Hel'));
    void asked.scope.drain();
    await (await asked.sends(text('lo'), FINISH)).ends();
    expect(asked.heard).toEqual(['Hel', 'lo']);
    expect([asked.outcome, asked.scope.state.tag]).toEqual(['stop', 'closed']);
  });

  it('a close within a piece stops the rest of the answer', async () => {
    const asked = await new Asked().sends(call('a', '{}'), call('b', '{}'));
    const push = asked.heard.push.bind(asked.heard);
    asked.heard.push = (...items) => {
      void asked.scope.close();
      return push(...items);
    };
    await asked.sends({ ...FINISH, usage: { inputTokens: 1 } });
    expect(asked.heard).toHaveLength(1);
    expect(asked.outcome).toBeInstanceOf(ClosedError);
  });
});

const KEY = 'sk-proj-abcdefghijklmnop';

/** As the AI SDK throws it. */
function refusal(statusCode: number, more: Record<string, unknown> = {}): Error {
  const message = `Refused ${KEY}`;
  return Object.assign(new Error(message), {
    ...{ name: 'AI_APICallError', statusCode, responseBody: message, requestBodyValues: { messages: [KEY] } },
    ...more,
  });
}

describe('aiLanguageModel: failures', () => {
  it.each([
    [400, InvalidRequestError],
    [401, AuthenticationError],
    [402, QuotaError],
    [403, AuthenticationError],
    [404, InvalidRequestError],
    [408, ConnectionLostError],
    [413, InvalidRequestError],
    [422, InvalidRequestError],
    [429, QuotaError],
    [500, ConnectionLostError],
    [502, ConnectionLostError],
    [503, OverloadedError],
    [529, OverloadedError],
    [200, ConnectionLostError],
  ])('types a refusal with %i, and keeps the key out of it', async (status, type) => {
    const headers = { 'retry-after': '3' };
    const asked = new Asked(() => Promise.reject(refusal(status, { responseHeaders: headers })));
    await asked.clock.settle();
    expect(asked.outcome).toBeInstanceOf(type);
    const error = asked.outcome as ProviderError;
    expect(error.failure).toMatchObject({ provider: 'fake:one', httpStatus: status, retryAfterMs: 3_000 });
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(KEY);
    expect(error.cause).toBeUndefined();
    expect(asked.scope.resources()).toEqual([]);
  });

  it.each([
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'retry-after': '1.5' }, 1_500],
    [{ 'retry-after': 'soon' }, undefined],
    [undefined, undefined],
  ])('reads when to come again from %j', async (responseHeaders, ms) => {
    const asked = new Asked(() => Promise.reject(refusal(429, { responseHeaders })));
    await asked.clock.settle();
    expect((asked.outcome as ProviderError).failure.retryAfterMs).toBe(ms);
  });

  it('reads when to come again from a date', async () => {
    const asked = new Asked(({ clock }) => {
      const date = new Date(clock.wallTime() + 5_000).toUTCString();
      return Promise.reject(refusal(429, { responseHeaders: { 'retry-after': date } }));
    });
    await asked.clock.settle();
    const { retryAfterMs = 0 } = (asked.outcome as ProviderError).failure;
    expect(Math.abs(retryAfterMs - 5_000)).toBeLessThanOrEqual(1_000);
  });

  it.each([
    [refusal(400, { responseBody: 'API key not valid. Please pass a valid API key.' }), AuthenticationError],
    [Object.assign(new Error('no key'), { name: 'AI_LoadAPIKeyError' }), AuthenticationError],
    [Object.assign(new Error('no model'), { name: 'AI_NoSuchModelError' }), InvalidRequestError],
    [new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }), ConnectionLostError],
    ['a text', ConnectionLostError],
    [undefined, ConnectionLostError],
    [new OverloadedError('as it is', { provider: 'x' }), OverloadedError],
  ])('types what is thrown before there is a stream: %s', async (error, type) => {
    const asked = new Asked(() => Promise.reject(error));
    await asked.clock.settle();
    expect(asked.outcome).toBeInstanceOf(type);
  });

  it('types what is thrown at once', async () => {
    const asked = new Asked(() => {
      throw new TypeError('oops');
    });
    await asked.clock.settle();
    expect(asked.outcome).toBeInstanceOf(ConnectionLostError);
  });

  it.each([
    [{ type: 'overloaded_error', message: 'Overloaded' }, OverloadedError],
    [{ error: { type: 'overloaded_error', message: 'Overloaded' } }, OverloadedError],
    [{ code: 429, message: 'slow down' }, QuotaError],
    [{ type: 'insufficient_quota', message: 'pay' }, QuotaError],
    [{ code: 'context_length_exceeded', message: 'too long' }, InvalidRequestError],
    [{ type: 'invalid_request_error', message: 'no' }, InvalidRequestError],
    [{ type: 'server_error', message: 'oops' }, ConnectionLostError],
    ['oops', ConnectionLostError],
  ])('types what is said in mid-stream: %j', async (error, type) => {
    const asked = await new Asked().sends(text('Hi'), { type: 'error', error });
    expect(asked.outcome).toBeInstanceOf(type);
    expect(asked.cancelled).toBeDefined();
  });

  it('says the network’s own word', async () => {
    const asked = await (
      await new Asked().sends(text('Hi'))
    ).breaks(
      new TypeError('terminated', { cause: Object.assign(new Error('closed'), { code: 'UND_ERR_SOCKET' }) }),
    );
    expect((asked.outcome as Error).message).toContain("'fake:one' failed: terminated (UND_ERR_SOCKET)");
  });
});
