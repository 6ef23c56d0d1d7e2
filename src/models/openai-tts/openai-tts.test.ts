import { describe, expect, it } from 'vitest';
import { InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError } from '../../session/errors.ts';
import type { ConnectionEnd, StreamConnection } from '../../session/stream-port.ts';
import type { TtsInput, TtsOutput } from '../../speech/index.ts';
import { SPEECH_SILENCE_TIMEOUT_MS, openaiTts } from './openai-tts.ts';
import type { OpenAiTtsOptions } from './openai-tts.ts';
import type { SpeechFetch } from './speech-request.ts';

/** A request as the service sees it, and what it answers. */
class Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  isCancelled = false;
  readonly #answer = Promise.withResolvers<Response>();
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(url: string, { headers, body, signal }: Parameters<SpeechFetch>[1]) {
    this.url = url;
    this.headers = headers;
    this.body = JSON.parse(body) as Readonly<Record<string, unknown>>;
    this.signal = signal;
  }

  get answer(): Promise<Response> {
    return this.#answer.promise;
  }

  begin(status = 200, headers: Readonly<Record<string, string>> = { 'content-type': 'audio/pcm' }): void {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#body = controller),
      cancel: () => void (this.isCancelled = true),
    });
    this.#answer.resolve(new Response(stream, { status, headers }));
  }

  send(...bytes: readonly number[]): void {
    this.#body?.enqueue(Uint8Array.from(bytes));
  }

  end(): void {
    this.#body?.close();
  }

  fail(error: Error): void {
    this.#answer.reject(error);
    this.#body?.error(error);
  }

  refuse(status: number, body: string, headers: Readonly<Record<string, string>> = {}): void {
    this.#answer.resolve(new Response(body, { status, headers }));
  }
}

class Voice {
  readonly clock = new VirtualClock();
  readonly scope = Lifetime.root({ name: 'leg', clock: this.clock });
  readonly requests: Request[] = [];
  readonly outputs: TtsOutput[] = [];
  readonly ends: ConnectionEnd[] = [];
  connection: StreamConnection<TtsInput> | undefined;

  static async open(options: Partial<OpenAiTtsOptions> = {}): Promise<Voice> {
    const voice = new Voice();
    const port = openaiTts({
      model: 'tts-1',
      voice: 'alloy',
      apiKey: 'sk-secret',
      baseUrl: 'http://tts.test/v1/',
      fetch: (url, init) => {
        const request = new Request(url, init);
        voice.requests.push(request);
        return request.answer;
      },
      ...options,
    });
    const sink = {
      output: (output: TtsOutput) => void voice.outputs.push(output),
      alive: () => undefined,
      ended: (end: ConnectionEnd) => void voice.ends.push(end),
    };
    voice.connection = await port.connect({}, sink, voice.scope);
    return voice;
  }

  async say(utterance: string, text: string): Promise<Request> {
    this.connection?.send({ type: 'text', utterance, text });
    this.connection?.send({ type: 'end', utterance });
    await this.clock.settle();
    return this.requests.at(-1) ?? expect.unreachable('nothing was asked');
  }

  get error(): ProviderError | undefined {
    return this.ends[0]?.error as ProviderError | undefined;
  }

  /** What came, audio as its samples. */
  get told(): readonly unknown[] {
    return this.outputs.map((output) =>
      output.type === 'audio' ? [output.utterance, ...output.audio.samples] : output.type,
    );
  }

  async closed(): Promise<void> {
    await this.scope.close();
    expect(this.scope.resources()).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
  }
}

describe('a voice asked by HTTP', () => {
  it('opens nothing before there is a text, and asks with a key for each', async () => {
    let keys = 0;
    const voice = await Voice.open({
      apiKey: () => `key-${(keys += 1)}`,
      speed: 1.2,
      instructions: 'Softly.',
    });
    expect(voice.requests).toEqual([]);
    const first = await voice.say('1', 'Hello.');
    expect(first.url).toBe('http://tts.test/v1/audio/speech');
    expect(first.headers).toMatchObject({
      authorization: 'Bearer key-1',
      'content-type': 'application/json',
    });
    expect(first.body).toEqual({
      model: 'tts-1',
      voice: 'alloy',
      input: 'Hello.',
      response_format: 'pcm',
      speed: 1.2,
      instructions: 'Softly.',
    });
    first.begin();
    first.end();
    await voice.clock.settle();
    expect((await voice.say('2', 'More.')).headers.authorization).toBe('Bearer key-2');
    await voice.closed();
  });

  it('gives whole samples, however the bytes come, one text after the other', async () => {
    const voice = await Voice.open();
    const first = await voice.say('1', 'One.');
    await voice.say('2', 'Two.');
    expect(voice.requests).toHaveLength(1);
    first.begin();
    first.send(1);
    first.send(0, 2);
    first.send(0, 3, 0, 9);
    first.end();
    await voice.clock.settle();
    expect(voice.told).toEqual([['1', 1], ['1', 2, 3], 'usage', 'done']);
    expect(voice.requests).toHaveLength(2);
    expect(voice.outputs.find(({ type }) => type === 'usage')).toEqual({ type: 'usage', characters: 4 });
    await voice.closed();
  });

  it('says that a text without a word is done', async () => {
    const voice = await Voice.open();
    voice.connection?.send({ type: 'end', utterance: '1' });
    await voice.clock.settle();
    expect(voice.requests).toEqual([]);
    expect(voice.told).toEqual(['usage', 'done']);
    await voice.closed();
  });

  it('ends a request that is cancelled, tells nothing more of it, and asks for the next', async () => {
    const voice = await Voice.open();
    const first = await voice.say('1', 'One.');
    await voice.say('2', 'Two.');
    first.begin();
    first.send(1, 0);
    await voice.clock.settle();
    first.send(2, 0);
    voice.connection?.send({ type: 'cancel', utterance: '1' });
    await voice.clock.settle();
    expect(voice.told).toEqual([['1', 1]]);
    expect([first.signal.aborted, first.isCancelled, voice.requests.length]).toEqual([true, true, 2]);
    expect(voice.ends).toEqual([]);
    await voice.closed();
  });

  it('ends its request with its scope, and tells nothing after', async () => {
    const voice = await Voice.open();
    const first = await voice.say('1', 'One.');
    await voice.closed();
    expect(first.signal.aborted).toBe(true);
    first.begin();
    first.send(1, 0);
    first.end();
    await voice.clock.settle();
    expect([voice.outputs, voice.ends]).toEqual([[], []]);
    expect(voice.connection?.send({ type: 'end', utterance: '2' })).toBe(false);
  });

  it.each([
    [401, AuthenticationError],
    [403, AuthenticationError],
    [402, QuotaError],
    [429, QuotaError],
    [400, InvalidRequestError],
    [404, InvalidRequestError],
    [422, InvalidRequestError],
    [302, InvalidRequestError],
    [503, OverloadedError],
    [529, OverloadedError],
    [408, ConnectionLostError],
    [500, ConnectionLostError],
    [502, ConnectionLostError],
  ])('HTTP %i is a %o', async (status, kind) => {
    const voice = await Voice.open();
    const request = await voice.say('1', 'One.');
    request.refuse(status, '{"error":{"message":"no sk-secret here"}}', { 'retry-after': '7' });
    await voice.clock.settle();
    expect(voice.error).toBeInstanceOf(kind);
    expect(voice.error?.failure).toMatchObject({ httpStatus: status, retryAfterMs: 7_000 });
    expect(voice.error?.message).toContain('no … here.');
    expect(voice.ends).toHaveLength(1);
    expect(voice.connection?.send({ type: 'end', utterance: '2' })).toBe(false);
    await voice.closed();
  });

  it('reads a date in Retry-After', async () => {
    const voice = await Voice.open();
    const request = await voice.say('1', 'One.');
    const at = new Date(voice.clock.wallTime() + 30_000).toUTCString();
    request.refuse(429, '', { 'retry-after': at });
    await voice.clock.settle();
    expect(voice.error?.failure.retryAfterMs).toBe(30_000);
    await voice.closed();
  });

  it.each(['before the answer', 'in the middle'])('is lost when the network fails %s', async (when) => {
    const voice = await Voice.open();
    const request = await voice.say('1', 'One.');
    if (when === 'in the middle') {
      request.begin();
      request.send(1, 0);
      await voice.clock.settle();
    }
    request.fail(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }));
    await voice.clock.settle();
    expect(voice.error).toBeInstanceOf(ConnectionLostError);
    expect(voice.error?.message).toContain('fetch failed: connect ECONNREFUSED');
    expect(voice.told).not.toContain('done');
    await voice.closed();
  });

  it.each(['before the answer', 'in the middle', 'in an error'])(
    'is lost when nothing comes %s',
    async (when) => {
      const voice = await Voice.open();
      const request = await voice.say('1', 'One.');
      if (when === 'in the middle') request.begin();
      if (when === 'in an error') request.begin(500);
      await voice.clock.advance(SPEECH_SILENCE_TIMEOUT_MS - 1);
      expect(voice.ends).toEqual([]);
      if (when === 'in the middle') {
        request.send(1, 0);
        await voice.clock.advance(SPEECH_SILENCE_TIMEOUT_MS - 1);
        expect(voice.ends).toEqual([]);
      }
      await voice.clock.advance(1);
      expect(voice.error).toBeInstanceOf(ConnectionLostError);
      expect(request.signal.aborted).toBe(true);
      await voice.closed();
    },
  );

  it('leaves off a speech that never ends', async () => {
    const voice = await Voice.open({ maxAudioMs: 1 });
    const request = await voice.say('1', 'One.');
    request.begin();
    request.send(...new Uint8Array(48));
    request.send(1, 0);
    await voice.clock.settle();
    expect(voice.told.slice(-2)).toEqual(['usage', 'done']);
    expect(request.isCancelled).toBe(true);
    await voice.closed();
  });

  it.each(['audio/mpeg', 'application/json; charset=utf-8', 'audio/wav'])(
    'takes no %s for PCM',
    async (type) => {
      const voice = await Voice.open();
      const request = await voice.say('1', 'One.');
      request.begin(200, { 'content-type': type });
      request.send(1, 0);
      await voice.clock.settle();
      expect(voice.error).toBeInstanceOf(InvalidRequestError);
      expect(voice.outputs).toEqual([]);
      await voice.closed();
    },
  );

  it('tells keys that cannot be had from those that are none', async () => {
    const thrown = await Voice.open({ apiKey: () => Promise.reject(new Error('vault is down')) });
    thrown.connection?.send({ type: 'text', utterance: '1', text: 'One.' });
    thrown.connection?.send({ type: 'end', utterance: '1' });
    await thrown.clock.settle();
    expect(thrown.error).toBeInstanceOf(ConnectionLostError);
    const empty = await Voice.open({ apiKey: ' ' });
    empty.connection?.send({ type: 'text', utterance: '1', text: 'One.' });
    empty.connection?.send({ type: 'end', utterance: '1' });
    await empty.clock.settle();
    expect(empty.error).toBeInstanceOf(AuthenticationError);
    const hanging = await Voice.open({ apiKey: () => new Promise(() => undefined) });
    hanging.connection?.send({ type: 'text', utterance: '1', text: 'One.' });
    hanging.connection?.send({ type: 'end', utterance: '1' });
    await hanging.clock.advance(SPEECH_SILENCE_TIMEOUT_MS);
    expect(hanging.error).toBeInstanceOf(ConnectionLostError);
  });

  it('refuses options that cannot work', async () => {
    for (const options of [
      { model: '' },
      { voice: '' },
      { rateHz: 0.5 },
      { silenceTimeoutMs: 0 },
      { maxAudioMs: -1 },
    ]) {
      expect(() => openaiTts({ model: 'm', voice: 'v', ...options })).toThrow(InvalidOptionError);
    }
    await expect(Voice.open({ baseUrl: 'ftp://a' })).rejects.toThrow(InvalidOptionError);
  });
});
