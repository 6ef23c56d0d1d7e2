import { describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import type { DialRefusal } from '../../kernel/index.ts';
import { encodeBase64 } from '../../protocol/index.ts';
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
import { MemoryTransport } from '../../testing/memory-transport.ts';
import type { MemoryDial, MemoryPeer, MemoryPeerHandlers } from '../../testing/memory-transport.ts';
import { SESSION_CLOSE_TIMEOUT_MS } from './gateway-tts-connection.ts';
import { gatewayTts } from './gateway-tts.ts';
import type { GatewayTtsOptions } from './gateway-tts.ts';

const LATENCY_MS = 20;

function bytesOf(...samples: readonly number[]): Uint8Array {
  return new Uint8Array(Int16Array.from(samples).buffer);
}

/** A port over a simulated network, with what was told by its connection. */
class Line {
  readonly clock = new VirtualClock();
  readonly scope = Lifetime.root({ name: 'leg', clock: this.clock });
  readonly outputs: TtsOutput[] = [];
  readonly ends: ConnectionEnd[] = [];
  readonly said: Record<string, unknown>[] = [];
  readonly closes: number[] = [];
  alive = 0;
  dial: MemoryDial | undefined;
  peer!: MemoryPeer;
  connection!: StreamConnection<TtsInput>;
  readonly transport: MemoryTransport;
  readonly #options: Partial<GatewayTtsOptions>;

  constructor(
    given: {
      readonly options?: Partial<GatewayTtsOptions>;
      readonly handlers?: MemoryPeerHandlers;
      readonly refusal?: DialRefusal;
      readonly creates?: boolean;
    } = {},
  ) {
    this.#options = given.options ?? {};
    this.transport = new MemoryTransport({
      clock: this.clock,
      latencyMs: LATENCY_MS,
      serve: (dial) => {
        this.dial = dial;
        if (given.refusal !== undefined) {
          dial.refuse(given.refusal);
          return;
        }
        this.peer = dial.accept({
          message: (data, from) => {
            const message = JSON.parse(String(data)) as Record<string, unknown>;
            this.said.push(message);
            if (message.type === 'session.create' && given.creates !== false) {
              from.send('{"type":"session.created","session_id":"s"}');
            }
          },
          closed: (code) => void this.closes.push(code),
          ...given.handlers,
        });
      },
    });
  }

  async connect(): Promise<void> {
    const port = gatewayTts({
      model: 'cartesia/sonic',
      token: () => 'jwt',
      baseUrl: 'https://gateway.test/v1/',
      transport: this.transport,
      ...this.#options,
    });
    const sink = {
      output: (output: TtsOutput) => void this.outputs.push(output),
      alive: () => void (this.alive += 1),
      ended: (end: ConnectionEnd) => void this.ends.push(end),
    };
    const connecting = port.connect({ languageCode: 'en' }, sink, this.scope);
    connecting.catch(() => undefined);
    await this.clock.advance(4 * LATENCY_MS);
    this.connection = await connecting;
  }

  static async open(given?: ConstructorParameters<typeof Line>[0]): Promise<Line> {
    const line = new Line(given);
    await line.connect();
    return line;
  }

  say(utterance: string, text: string): void {
    this.connection.send({ type: 'text', utterance, text });
    this.connection.send({ type: 'end', utterance });
  }

  /** The gateway says. */
  async answer(...messages: readonly (object | string)[]): Promise<void> {
    // Said behind what it was told.
    await this.clock.advance(LATENCY_MS);
    for (const message of messages) {
      this.peer.send(typeof message === 'string' ? message : JSON.stringify(message));
    }
    await this.clock.advance(LATENCY_MS);
  }

  get told(): readonly unknown[] {
    return this.outputs.map((output) =>
      output.type === 'audio'
        ? [output.utterance, ...output.audio.samples]
        : output.type === 'done'
          ? `done ${output.utterance}`
          : output.type,
    );
  }

  get types(): readonly unknown[] {
    return this.said.map(({ type }) => type);
  }

  async closed(): Promise<void> {
    const closing = this.scope.close();
    await this.clock.advance(1_000);
    await closing;
    expect(this.transport.openSockets).toBe(0);
    expect(this.scope.resources()).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
  }
}

const audio = (...samples: readonly number[]): object => ({
  type: 'output_audio',
  audio: encodeBase64(bytesOf(...samples)),
});
const DONE = { type: 'done' };

describe('the gateway’s voice, set up', () => {
  it('asks for a token for every dial, and creates a session', async () => {
    let tokens = 0;
    const options = { token: () => `jwt-${(tokens += 1)}`, voice: 'v', extra: { emotion: 'calm' } };
    const line = await Line.open({ options });
    expect(line.dial?.url).toBe('wss://gateway.test/v1/tts');
    expect(line.dial?.headers.authorization).toBe('Bearer jwt-1');
    expect(line.said).toEqual([
      {
        type: 'session.create',
        sample_rate: '24000',
        encoding: 'pcm_s16le',
        model: 'cartesia/sonic',
        voice: 'v',
        language: 'en',
        extra: { emotion: 'calm' },
      },
    ]);
    await line.connect();
    expect(line.dial?.headers.authorization).toBe('Bearer jwt-2');
    await line.closed();
  });

  it.each<[DialRefusal, new (...given: never[]) => Error]>([
    [{ httpStatus: 401 }, AuthenticationError],
    [{ httpStatus: 402 }, QuotaError],
    [{ httpStatus: 403 }, AuthenticationError],
    [{ httpStatus: 429, retryAfterMs: 5_000 }, QuotaError],
    [{ httpStatus: 429, body: 'too many concurrent sessions' }, OverloadedError],
    [{ httpStatus: 400 }, InvalidRequestError],
    [{ httpStatus: 503 }, OverloadedError],
    [{ httpStatus: 500 }, ConnectionLostError],
    [{}, ConnectionLostError],
  ])('a dial refused with %o is a %o', async (refusal, kind) => {
    const line = new Line({ refusal });
    const error: unknown = await line.connect().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    const { httpStatus, retryAfterMs } = refusal;
    const { failure } = error as ProviderError;
    expect(failure).toMatchObject({ provider: 'gateway-tts:cartesia/sonic' });
    expect([failure.httpStatus, failure.retryAfterMs]).toEqual([httpStatus, retryAfterMs]);
    await line.closed();
  });

  it('created never sent: waits until its scope closes, and says goodbye', async () => {
    const line = new Line({ creates: false });
    const connecting = line.connect();
    connecting.catch(() => undefined);
    await line.clock.advance(60_000);
    await line.closed();
    await expect(connecting).rejects.toThrow(ClosedError);
    expect(line.types).toEqual(['session.create', 'session.close']);
  });

  it.each<[string, (line: Line) => void, new (...given: never[]) => Error]>([
    [
      'an error',
      (line) => line.peer.send('{"type":"error","code":400,"message":"no such model"}'),
      InvalidRequestError,
    ],
    ['a close', (line) => line.peer.close(1_011, 'internal'), ConnectionLostError],
    ['a close for having too much to do', (line) => line.peer.close(1_013, 'later'), OverloadedError],
    ['nothing but the end', (line) => line.peer.destroy(), ConnectionLostError],
  ])('answered with %s it is not set up', async (_name, answer, kind) => {
    const line = new Line({ creates: false });
    const connecting = line.connect();
    connecting.catch(() => undefined);
    await line.clock.advance(2 * LATENCY_MS);
    answer(line);
    await line.clock.advance(4 * LATENCY_MS);
    await expect(connecting).rejects.toThrow(kind);
    await line.closed();
  });

  it('tells a token that cannot be had from one that is none, and refuses options that cannot work', async () => {
    const failing = (token: () => string): Promise<void> => new Line({ options: { token } }).connect();
    await expect(
      failing(() => {
        throw new Error('no vault');
      }),
    ).rejects.toThrow(ConnectionLostError);
    await expect(failing(() => '')).rejects.toThrow(AuthenticationError);
    await expect(new Line({ options: { baseUrl: 'ftp://x' } }).connect()).rejects.toThrow(InvalidOptionError);
    expect(() => gatewayTts({ model: '', token: () => '' })).toThrow(InvalidOptionError);
    expect(() => gatewayTts({ model: 'm', token: () => '', rateHz: 0 })).toThrow(InvalidOptionError);
  });
});

describe('the gateway’s voice, speaking', () => {
  it('speaks one utterance after the other over one connection', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.say('2', 'Two.');
    await line.answer(
      audio(1, 2),
      { type: 'output_alignment', words: [{ word: 'One.', start: 0.1, end: 0.25 }] },
      DONE,
    );
    await line.answer(audio(3), DONE);
    expect(line.told).toEqual([['1', 1, 2], 'words', 'usage', 'done 1', ['2', 3], 'usage', 'done 2']);
    expect(line.outputs[1]).toMatchObject({
      utterance: '1',
      words: [{ text: 'One.', startMs: 100, endMs: 250 }],
    });
    expect(line.outputs[2]).toEqual({ type: 'usage', characters: 4 });
    expect(line.types.slice(1)).toEqual([
      'input_transcript',
      'session.flush',
      'input_transcript',
      'session.flush',
    ]);
    expect(line.transport.dials).toBe(1);
    await line.closed();
  });

  it('tells nothing of an utterance that was cancelled', async () => {
    const line = await Line.open();
    line.connection.send({ type: 'text', utterance: '1', text: 'One.' });
    await line.answer(audio(1));
    line.connection.send({ type: 'cancel', utterance: '1' });
    line.say('2', 'Two.');
    await line.answer(
      audio(2),
      { type: 'output_alignment', words: [{ word: 'One.', start: 0, end: 1 }] },
      DONE,
      audio(3),
      DONE,
    );
    expect(line.told).toEqual([['1', 1], 'usage', ['2', 3], 'usage', 'done 2']);
    await line.closed();
  });

  it('done of an utterance without a text comes by itself', async () => {
    const line = await Line.open();
    line.connection.send({ type: 'end', utterance: '1' });
    line.connection.send({ type: 'cancel', utterance: '0' });
    expect(line.told).toEqual(['done 1']);
    expect(line.types).toEqual(['session.create']);
    await line.closed();
  });

  it('audio after done, and a done that was not asked for, belong to nothing', async () => {
    const line = await Line.open();
    await line.answer(DONE, audio(9));
    line.say('1', 'One.');
    await line.answer(audio(1), DONE, audio(9), DONE);
    expect(line.told).toEqual([['1', 1], 'usage', 'done 1']);
    expect(line.alive).toBe(4);
    await line.closed();
  });

  it('partial PCM frame: a sample that two messages share is put together', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    const bytes = bytesOf(...Array.from({ length: 200 }, (_, i) => Math.round(8_000 * Math.sin(i / 10))));
    const cut = (from: number, to: number): object => ({
      type: 'output_audio',
      audio: encodeBase64(bytes.subarray(from, to)),
    });
    await line.answer(cut(0, 101), cut(101, 201), cut(201, 202), cut(202, 400), DONE);
    const samples = line.outputs.flatMap((output) =>
      output.type === 'audio' ? [...output.audio.samples] : [],
    );
    expect(samples).toEqual([...new Int16Array(bytes.buffer)]);
    await line.closed();
  });

  it('partial PCM frame: a byte that is lost makes no noise of what follows', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    const bytes = bytesOf(...Array.from({ length: 200 }, (_, i) => Math.round(8_000 * Math.sin(i / 10))));
    const cut = (from: number, to: number): object => ({
      type: 'output_audio',
      audio: encodeBase64(bytes.subarray(from, to)),
    });
    await line.answer(cut(0, 199), cut(200, 400), DONE);
    const samples = line.outputs.flatMap((output) =>
      output.type === 'audio' ? [...output.audio.samples] : [],
    );
    expect(samples).toEqual([...new Int16Array(bytes.buffer)].toSpliced(99, 1));
    await line.closed();
  });

  it('unknown event, invalid JSON, words: null and what is no base64 are told or read over, and it goes on', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    await line.answer(
      '{',
      '',
      { type: 'novelty' },
      { type: 'output_audio', audio: '***' },
      { type: 'output_audio' },
    );
    await line.answer(
      { type: 'output_alignment', words: null },
      { type: 'output_alignment', words: [null, { word: 'x' }] },
    );
    await line.answer({ ...audio(1), more: true }, DONE);
    expect(line.told).toEqual(['unknown', 'unknown', 'unknown', 'unknown', ['1', 1], 'usage', 'done 1']);
    expect(line.ends).toEqual([]);
    await line.closed();
  });
});

describe('the gateway’s voice, ending', () => {
  it.each<[number | undefined, new (...given: never[]) => Error]>([
    [2_007, ConnectionLostError],
    [401, AuthenticationError],
    [429, QuotaError],
    [422, InvalidRequestError],
    [503, OverloadedError],
    [500, ConnectionLostError],
    [undefined, ConnectionLostError],
  ])('error %s in mid-utterance ends it, whether a close follows or not', async (code, kind) => {
    for (const closes of [true, false]) {
      const line = await Line.open();
      line.say('1', 'One.');
      await line.answer(audio(1), { type: 'error', message: 'it broke', code }, audio(2), DONE);
      if (closes) line.peer.close(1_000);
      await line.clock.advance(1_000);
      expect(line.told).toEqual([['1', 1]]);
      expect(line.ends).toHaveLength(1);
      expect(line.ends[0]).toMatchObject({ reason: 'it broke' });
      expect(line.ends[0]?.error).toBeInstanceOf(kind);
      expect(line.types.at(-1)).toBe('session.close');
      expect(line.connection.send({ type: 'end', utterance: '2' })).toBe(false);
      expect(line.transport.openSockets).toBe(0);
      await line.closed();
    }
  });

  it.each([
    [1_001, 'Idle timeout'],
    [1_011, 'NET-0001'],
    [1_006, ''],
    [1_000, ''],
  ])('a close without an error, %i %s, is told as it is', async (code, reason) => {
    const line = await Line.open();
    if (code === 1_006) line.peer.destroy();
    else line.peer.close(code, reason);
    await line.clock.advance(LATENCY_MS);
    expect(line.ends).toEqual([{ code, reason }]);
    await line.closed();
  });

  it('too much to do is told as that', async () => {
    const line = await Line.open();
    line.peer.close(1_013, 'later');
    await line.clock.advance(LATENCY_MS);
    expect(line.ends[0]?.error).toBeInstanceOf(OverloadedError);
    await line.closed();
  });

  it('C10 says session.close when its scope closes, and waits for nobody', async () => {
    for (const answersClose of [true, false]) {
      const line = await Line.open({ handlers: { answersClose } });
      line.say('1', 'One.');
      await line.closed();
      expect(line.types.at(-1)).toBe('session.close');
      expect(line.closes).toEqual([1_000]);
      line.peer.send(JSON.stringify(DONE));
      await line.clock.advance(1_000);
      expect([line.outputs, line.ends]).toEqual([[], []]);
    }
  });

  it('finishes with session.close, and tells what comes before the answer', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.connection.finish?.();
    expect(line.connection.send({ type: 'end', utterance: '2' })).toBe(false);
    await line.answer(audio(1), DONE, { type: 'session.closed' });
    await line.clock.advance(4 * LATENCY_MS);
    expect(line.told).toEqual([['1', 1], 'usage', 'done 1']);
    expect(line.ends).toEqual([{ code: 1_000, reason: 'session closed' }]);
    await line.closed();
  });

  it('hang after session.close: is closed all the same', async () => {
    const line = await Line.open();
    line.connection.finish?.();
    await line.clock.advance(SESSION_CLOSE_TIMEOUT_MS + 4 * LATENCY_MS);
    expect(line.ends).toHaveLength(1);
    await line.closed();
  });

  it('is asked whether it is there', async () => {
    const line = await Line.open();
    line.connection.probe?.();
    await line.clock.advance(2 * LATENCY_MS);
    expect(line.alive).toBe(1);
    expect([line.connection.bufferedBytes, (line.connection.flushedBytes ?? 0) > 0]).toEqual([0, true]);
    await line.closed();
  });
});
