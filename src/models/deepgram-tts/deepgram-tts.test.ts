import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import type { DialRefusal } from '../../kernel/index.ts';
import type { ConnectionEnd, StreamConnection } from '../../session/stream-port.ts';
import type { TtsInput, TtsOutput } from '../../speech/index.ts';
import { MemoryTransport } from '../../testing/memory-transport.ts';
import type { MemoryDial, MemoryPeer, MemoryPeerHandlers } from '../../testing/memory-transport.ts';
import { LAST_WORDS_TIMEOUT_MS } from '../streaming/service-connection.ts';
import { DEEPGRAM_TTS_MAX_AGE_MS, deepgramTts } from './deepgram-tts.ts';
import type { DeepgramTtsOptions } from './deepgram-tts.ts';
import {
  FLUSHES_FOR_BEGINNINGS,
  FLUSHES_FOR_MORE,
  FLUSHES_PER_WINDOW,
  FLUSH_WINDOW_MS,
} from './flush-budget.ts';
import { MAX_SPEAK_CHARACTERS, speakPieces } from './speak-pieces.ts';
import { CLEARED_TIMEOUT_MS } from './speak-wire.ts';

const LATENCY_MS = 20;
const SECRET = 'sk-very-secret';

interface Given {
  readonly options?: Partial<DeepgramTtsOptions>;
  readonly handlers?: MemoryPeerHandlers;
  readonly refusal?: DialRefusal;
}

/** A port over a simulated network, with what was told by its connection. */
class Line {
  readonly clock = new VirtualClock();
  readonly scope = Lifetime.root({ name: 'leg', clock: this.clock });
  readonly outputs: TtsOutput[] = [];
  readonly ends: ConnectionEnd[] = [];
  readonly closes: number[] = [];
  alive = 0;
  /** What the service was told: the text of a Speak, the type of all else. */
  readonly said: string[] = [];
  dial: MemoryDial | undefined;
  peer!: MemoryPeer;
  connection!: StreamConnection<TtsInput>;
  readonly transport: MemoryTransport;
  readonly #options: Partial<DeepgramTtsOptions>;

  constructor({ options = {}, handlers = {}, refusal }: Given = {}) {
    this.#options = options;
    this.transport = new MemoryTransport({
      clock: this.clock,
      latencyMs: LATENCY_MS,
      serve: (dial) => {
        this.dial = dial;
        if (refusal !== undefined) {
          dial.refuse(refusal, `refused ${SECRET}`);
          return;
        }
        this.peer = dial.accept({
          message: (data) => {
            const { type, text } = JSON.parse(String(data)) as { type: string; text?: string };
            this.said.push(type === 'Speak' ? `“${text ?? ''}”` : type);
          },
          closed: (code) => void this.closes.push(code),
          ...handlers,
        });
      },
    });
  }

  async connect(): Promise<void> {
    const options: DeepgramTtsOptions = this.#options;
    const key = options.accessToken === undefined ? { apiKey: SECRET } : {};
    const port = deepgramTts({ ...key, transport: this.transport, ...options });
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

  static async open(given?: Given): Promise<Line> {
    const line = new Line(given);
    await line.connect();
    return line;
  }

  text(utterance: string, text: string): boolean {
    return this.connection.send({ type: 'text', utterance, text });
  }

  end(utterance: string): boolean {
    return this.connection.send({ type: 'end', utterance });
  }

  cancel(utterance: string): boolean {
    return this.connection.send({ type: 'cancel', utterance });
  }

  say(utterance: string, text: string): void {
    this.text(utterance, text);
    this.end(utterance);
  }

  /** The service says. */
  async answer(...messages: readonly (object | string | Uint8Array)[]): Promise<void> {
    // Said behind what it was told.
    await this.clock.advance(LATENCY_MS);
    for (const message of messages) {
      const isFrame = typeof message === 'string' || message instanceof Uint8Array;
      this.peer.send(isFrame ? message : JSON.stringify(message));
    }
    await this.clock.advance(LATENCY_MS);
  }

  get told(): readonly unknown[] {
    return this.outputs.map((output) =>
      output.type === 'audio'
        ? [output.utterance, ...output.audio.samples]
        : output.type === 'done'
          ? `done ${output.utterance}`
          : output.type === 'usage'
            ? output.characters
            : output.type,
    );
  }

  get samples(): readonly number[] {
    return this.outputs.flatMap((output) => (output.type === 'audio' ? [...output.audio.samples] : []));
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

function audio(...samples: readonly number[]): Uint8Array {
  return new Uint8Array(Int16Array.from(samples).buffer);
}

const FLUSHED = { type: 'Flushed', sequence_id: 0 };
const CLEARED = { type: 'Cleared', sequence_id: 0 };
const SINE = Array.from({ length: 200 }, (_, index) => Math.round(8_000 * Math.sin(index / 10)));

describe('deepgramTts(), set up', () => {
  it('asks for what it was told, with the key in a header and not in the address', async () => {
    const line = await Line.open({
      options: { model: 'aura-2-luna-en', rateHz: 16_000, query: { speed: 1.1, encoding: 'mp3' } },
    });
    const { url, headers } = line.dial!;
    expect(url.startsWith('wss://api.deepgram.com/v1/speak?')).toBe(true);
    expect(url).not.toContain(SECRET);
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      speed: '1.1',
      model: 'aura-2-luna-en',
      encoding: 'linear16',
      sample_rate: '16000',
    });
    expect(headers).toEqual({ authorization: `Token ${SECRET}` });
    await line.closed();
  });

  it('asks for a token for every dial, and takes another address', async () => {
    let tokens = 0;
    const line = await Line.open({
      options: { accessToken: () => `jwt-${(tokens += 1)}`, baseUrl: 'http://127.0.0.1:9/' },
    });
    expect(line.dial!.url.startsWith('ws://127.0.0.1:9/v1/speak?')).toBe(true);
    expect(line.dial!.headers).toEqual({ authorization: 'Bearer jwt-1' });
    await line.connect();
    expect(line.dial!.headers).toEqual({ authorization: 'Bearer jwt-2' });
    await line.closed();
  });

  it('says what it is like', () => {
    const { id, capabilities } = deepgramTts();
    expect(id).toBe('deepgram-tts:aura-2-thalia-en');
    expect(capabilities).toEqual({
      resumption: false,
      maxConnectionAgeMs: DEEPGRAM_TTS_MAX_AGE_MS,
      outputRateHz: 24_000,
      words: false,
      streamsText: true,
      cancels: true,
    });
  });

  it('refuses options that cannot work, by name', () => {
    for (const [options, says] of [
      [{ model: ' ' }, /model/],
      [{ apiKey: 'a', accessToken: () => 'b' }, /deepgramTts\(\) one of apiKey and accessToken/],
      [{ baseUrl: 'ftp://x' }, /baseUrl/],
      [{ rateHz: 0.5 }, /rateHz/],
      [{ colour: 'red' }, /colour/],
      [{ ends: { closes: [{ kind: 'idle' }] } }, /closes\[0\]/],
    ] as const) {
      expect(() => deepgramTts(options as unknown as DeepgramTtsOptions)).toThrow(says);
    }
  });

  it.each([
    [401, 'INVALID_AUTH', 'HOLDFAST_AUTHENTICATION'],
    [402, 'PAYMENT_REQUIRED', 'HOLDFAST_QUOTA'],
    [403, '', 'HOLDFAST_AUTHENTICATION'],
    [429, 'TOO_MANY_REQUESTS', 'HOLDFAST_OVERLOADED'],
    [429, 'quota exceeded', 'HOLDFAST_QUOTA'],
    [400, 'Bad Request', 'HOLDFAST_INVALID_REQUEST'],
    [503, '', 'HOLDFAST_OVERLOADED'],
    [500, '', 'HOLDFAST_CONNECTION_LOST'],
    [undefined, '', 'HOLDFAST_CONNECTION_LOST'],
  ])('R11 a dial refused with %s %s is a %s, without the key', async (httpStatus, body, code) => {
    const line = new Line({ refusal: { httpStatus, body: `${body} for ${SECRET}`, retryAfterMs: 3_000 } });
    const error = (await line.connect().catch((thrown: unknown) => thrown)) as Error & {
      readonly cause: { message: string; refusal: { body: string } };
    };
    expect(error).toMatchObject({
      code,
      failure: { provider: 'deepgram-tts:aura-2-thalia-en', httpStatus, retryAfterMs: 3_000 },
    });
    expect(error.message + error.cause.message + error.cause.refusal.body).not.toContain(SECRET);
    await line.closed();
  });

  it('says what is missing where there are no credentials', async () => {
    const line = new Line({ options: { accessToken: () => ' ' } });
    await expect(line.connect()).rejects.toMatchObject({ code: 'HOLDFAST_AUTHENTICATION' });
    await line.closed();
  });
});

describe('deepgramTts(), speaking', () => {
  it('speaks utterances one after the other, and tells when each is done', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.say('2', 'Two.');
    await line.answer({ type: 'Metadata', request_id: 'r' }, audio(1, 2), audio(3), FLUSHED);
    expect(line.told).toEqual([['1', 1, 2], ['1', 3], 4, 'done 1']);
    await line.answer(audio(4), FLUSHED);
    expect(line.told.slice(4)).toEqual([['2', 4], 4, 'done 2']);
    // The second is not given before the first is done: nothing on the wire has a name.
    expect(line.said).toEqual(['“One.”', 'Flush', '“Two.”', 'Flush']);
    // Metadata and the two confirmations say nothing but that somebody is there; those of flushes tell.
    expect(line.alive).toBe(1);
    await line.closed();
  });

  it('has the first sentence spoken at once, and what came meanwhile when that is done', async () => {
    const line = await Line.open();
    line.text('1', 'One. ');
    line.text('1', 'Two. ');
    line.text('1', 'Three. ');
    await line.clock.advance(LATENCY_MS);
    expect(line.said).toEqual(['“One. ”', 'Flush', '“Two. ”', '“Three. ”']);
    await line.answer(audio(1), FLUSHED);
    await line.clock.advance(LATENCY_MS);
    expect(line.said.slice(4)).toEqual(['Flush']);
    await line.answer(audio(2), FLUSHED);
    expect(line.told).toEqual([
      ['1', 1],
      ['1', 2],
    ]);
    // All of it is spoken: there is nothing to flush.
    line.end('1');
    expect(line.told.slice(2)).toEqual([17, 'done 1']);
    await line.clock.advance(LATENCY_MS);
    expect(line.said).toHaveLength(5);
    await line.closed();
  });

  it('is done when the last of two flushes is answered', async () => {
    const line = await Line.open();
    line.text('1', 'One. ');
    line.say('1', 'Two.');
    await line.answer(audio(1), FLUSHED, audio(2));
    expect(line.told).toEqual([
      ['1', 1],
      ['1', 2],
    ]);
    await line.answer(FLUSHED);
    expect(line.told.slice(2)).toEqual([9, 'done 1']);
    expect(line.said).toEqual(['“One. ”', 'Flush', '“Two.”', 'Flush']);
    await line.closed();
  });

  it('keeps flushes for the ends of utterances', async () => {
    const line = await Line.open();
    const flushes = (): number => line.said.filter((type) => type === 'Flush').length;
    for (let sentence = 1; sentence <= FLUSHES_FOR_MORE + 3; sentence += 1) {
      line.text('1', `${sentence}. `);
      await line.answer(audio(1), FLUSHED);
    }
    expect(flushes()).toBe(FLUSHES_FOR_MORE);
    line.end('1');
    await line.answer(audio(1), FLUSHED);
    for (let name = 2; flushes() < FLUSHES_FOR_BEGINNINGS; name += 1) {
      line.say(String(name), 'Well.');
      await line.answer(audio(1), FLUSHED);
    }
    line.text('x', 'Well. ');
    await line.clock.advance(LATENCY_MS);
    expect([flushes(), FLUSHES_FOR_BEGINNINGS < FLUSHES_PER_WINDOW]).toEqual([FLUSHES_FOR_BEGINNINGS, true]);
    line.end('x');
    await line.answer(audio(1), FLUSHED);
    expect(line.told.at(-1)).toBe('done x');
    // A minute later it has as many as at the beginning.
    await line.clock.advance(FLUSH_WINDOW_MS);
    line.text('y', 'Well. ');
    await line.clock.advance(LATENCY_MS);
    expect(line.said.at(-1)).toBe('Flush');
    await line.closed();
  });

  it('gives no more at once than the service takes', async () => {
    const line = await Line.open();
    const text = `${'word '.repeat(900)}end`;
    line.say('1', text);
    await line.answer(audio(1), FLUSHED);
    const pieces = line.said.filter((said) => said.startsWith('“')).map((said) => said.slice(1, -1));
    expect(pieces.join('')).toBe(text);
    expect(pieces.map(({ length }) => length)).toEqual([2_000, 2_000, 503]);
    expect(line.told).toEqual([['1', 1], text.length, 'done 1']);
    await line.closed();
  });

  it.each([
    ['a'.repeat(4_001), [2_000, 2_000, 1]],
    [`${'a'.repeat(1_999)}😀`, [1_999, 2]],
    [`${'a'.repeat(1_990)} ${'b'.repeat(20)}`, [1_991, 20]],
    ['', []],
    [' \n', []],
  ])('cuts a text that is too long behind a word, or between characters', (text, lengths) => {
    const pieces = [...speakPieces(text)];
    expect(pieces.map(({ length }) => length)).toEqual(lengths);
    expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(MAX_SPEAK_CHARACTERS);
    if (lengths.length > 0) expect(pieces.join('')).toBe(text);
  });

  it('done of an utterance without a text comes by itself', async () => {
    const line = await Line.open();
    line.say('1', ' ');
    line.end('2');
    line.cancel('3');
    expect(line.told).toEqual(['done 1', 'done 2']);
    await line.closed();
    expect(line.said).toEqual(['Close']);
  });

  it('audio after the end, and a confirmation of nothing, belong to nothing', async () => {
    const line = await Line.open();
    await line.answer(FLUSHED, audio(9), CLEARED);
    line.say('1', 'One.');
    await line.answer(audio(1), FLUSHED, audio(9), FLUSHED, CLEARED);
    expect(line.told).toEqual([['1', 1], 4, 'done 1']);
    expect(line.alive).toBe(6);
    await line.closed();
  });

  it('partial PCM frame: a sample that two frames share is put together', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    const bytes = audio(...SINE);
    const cuts = [0, 101, 201, 202, 400];
    await line.answer(...cuts.slice(1).map((to, index) => bytes.subarray(cuts[index], to)), FLUSHED);
    expect(line.samples).toEqual(SINE);
    await line.closed();
  });

  it('partial PCM frame: a byte that is lost makes no noise of what follows', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    const bytes = audio(...SINE);
    await line.answer(bytes.subarray(0, 199), bytes.subarray(200), FLUSHED);
    expect(line.samples).toEqual(SINE.toSpliced(99, 1));
    await line.closed();
  });

  it('reads through garbage: what cannot be read is told, and ends nothing', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    await line.answer(
      '{',
      '',
      '[]',
      { type: 'Novelty' },
      { type: 'Warning', warn_code: 'SLOW' },
      new Uint8Array(0),
    );
    await line.answer(audio(1), { type: 'Flushed', sequence_id: 'x', more: true });
    expect(line.told).toEqual(['unknown', 'unknown', 'unknown', 'unknown', ['1', 1], 4, 'done 1']);
    expect(line.ends).toEqual([]);
    await line.closed();
  });
});

describe('deepgramTts(), cancelled', () => {
  it('S4 drops what was under way until Cleared, and the next text waits for that', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    await line.answer(audio(1));
    line.cancel('1');
    line.say('2', 'Two.');
    await line.answer(audio(1), FLUSHED, audio(1));
    expect(line.said).toEqual(['“One.”', 'Flush', 'Clear']);
    await line.answer(CLEARED);
    await line.answer(audio(2), FLUSHED);
    expect(line.said).toEqual(['“One.”', 'Flush', 'Clear', '“Two.”', 'Flush']);
    expect(line.told).toEqual([['1', 1], 4, ['2', 2], 4, 'done 2']);
    // What was confirmed is not waited for any more.
    await line.clock.advance(2 * CLEARED_TIMEOUT_MS);
    expect(line.ends).toEqual([]);
    await line.closed();
  });

  it('S4 a flush that was taken back and is answered late is not the end of the next utterance', async () => {
    const line = await Line.open();
    line.text('1', 'One. ');
    line.say('1', 'Two.');
    line.cancel('1');
    line.say('2', 'Three.');
    await line.answer(CLEARED, FLUSHED);
    await line.answer(FLUSHED, audio(3), FLUSHED);
    expect(line.told).toEqual([9, ['2', 3], 6, 'done 2']);
    await line.closed();
  });

  it('S4 a flush that was answered before Cleared is not waited for behind it', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.cancel('1');
    line.say('2', '…');
    await line.answer(audio(1), FLUSHED, CLEARED);
    await line.answer(FLUSHED);
    expect(line.told).toEqual([4, 1, 'done 2']);
    await line.closed();
  });

  it('S4 a half of a sample that was cut off is not put before the next utterance', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    await line.answer(new Uint8Array([1, 2, 3]));
    line.cancel('1');
    line.say('2', 'Two.');
    await line.answer(CLEARED);
    await line.answer(audio(7), FLUSHED);
    expect(line.samples).toEqual([513, 7]);
    await line.closed();
  });

  it('takes back what waits without a word on the wire', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.say('2', 'Two.');
    line.say('3', 'Three.');
    line.cancel('2');
    await line.answer(audio(1), FLUSHED);
    await line.answer(audio(3), FLUSHED);
    expect(line.said).toEqual(['“One.”', 'Flush', '“Three.”', 'Flush']);
    expect(line.told).toEqual([['1', 1], 4, 'done 1', ['3', 3], 6, 'done 3']);
    await line.closed();
  });

  it('S4 a service that confirms nothing is left', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.cancel('1');
    line.cancel('1');
    expect(line.text('2', 'Two.')).toBe(true);
    await line.clock.advance(CLEARED_TIMEOUT_MS + LATENCY_MS);
    expect(line.ends).toEqual([{ reason: 'Clear was not answered' }]);
    expect(line.said).toEqual(['“One.”', 'Flush', 'Clear']);
    expect(line.text('2', 'Two.')).toBe(false);
    await line.clock.advance(1_000);
    expect(line.transport.openSockets).toBe(0);
    await line.closed();
  });
});

describe('deepgramTts(), ending', () => {
  it.each([
    [1_011, 'NET-0001', true, undefined],
    [1_001, 'Idle timeout', true, undefined],
    [1_011, 'NET-0000', undefined, undefined],
    [1_011, 'NET-0003', undefined, undefined],
    [1_000, '', undefined, undefined],
    [1_006, '', undefined, undefined],
    [1_008, 'DATA-0000', undefined, 'HOLDFAST_INVALID_REQUEST'],
    [1_008, 'DATA-0001', undefined, 'HOLDFAST_OVERLOADED'],
    [1_003, 'MESSAGE-0000', undefined, 'HOLDFAST_INVALID_REQUEST'],
    [1_009, 'BIG-0001', undefined, 'HOLDFAST_INVALID_REQUEST'],
    [1_008, 'invalid credentials', undefined, 'HOLDFAST_AUTHENTICATION'],
    [1_013, '', undefined, 'HOLDFAST_OVERLOADED'],
  ])('R1 close %i %s means what the service says of it', async (code, reason, isIdle, error) => {
    const line = await Line.open();
    if (code === 1_006) line.peer.destroy();
    else line.peer.close(code, reason);
    await line.clock.advance(LATENCY_MS);
    expect(line.ends).toHaveLength(1);
    expect(line.ends[0]).toMatchObject({ code, reason });
    expect(line.ends[0]!.isIdle).toBe(isIdle);
    expect((line.ends[0]!.error as { code?: string } | undefined)?.code).toBe(error);
    await line.closed();
  });

  it.each([
    [{ code: 'NET-0000', description: 'it broke' }, undefined],
    [{ err_code: 'INVALID_AUTH', err_msg: 'no' }, 'HOLDFAST_AUTHENTICATION'],
    [{ err_code: 'ASR_PAYMENT_REQUIRED' }, 'HOLDFAST_QUOTA'],
    [{ err_code: 'TOO_MANY_REQUESTS' }, 'HOLDFAST_OVERLOADED'],
    [{ description: 'DATA-0000' }, 'HOLDFAST_INVALID_REQUEST'],
    [{}, undefined],
  ])('an error in mid-utterance, %j, ends it, whether a close follows or not', async (fields, code) => {
    for (const closes of [true, false]) {
      const line = await Line.open();
      line.say('1', 'One.');
      await line.answer(audio(1), { type: 'Error', ...fields }, audio(2), FLUSHED);
      if (closes) line.peer.close(1_011);
      await line.clock.advance(1_000);
      expect(line.told).toEqual([['1', 1]]);
      expect(line.ends).toHaveLength(1);
      expect((line.ends[0]!.error as { code?: string } | undefined)?.code).toBe(code);
      expect(line.transport.openSockets).toBe(0);
      await line.closed();
    }
  });

  it('what the service says of its end holds no key', async () => {
    const line = await Line.open();
    await line.answer({ type: 'Error', err_code: 'INVALID_AUTH', err_msg: `no ${SECRET}` });
    const { reason, error } = line.ends[0]!;
    expect(`${reason} ${String(error)} ${JSON.stringify(error)}`).not.toContain(SECRET);
    await line.closed();
  });

  it.each([
    { warn_code: 'EXCESSIVE_FLUSH', warn_msg: 'Rate limit exceeded for flushes.' },
    { code: 'x', description: 'the limit of flushes is exceeded' },
  ])('a connection that takes no more flushes is left for another one: %j', async (warning) => {
    const line = await Line.open();
    line.say('1', 'One.');
    await line.answer({ type: 'Warning', ...warning });
    expect(line.ends).toHaveLength(1);
    expect(line.ends[0]!.error).toBeUndefined();
    await line.clock.advance(1_000);
    expect(line.transport.openSockets).toBe(0);
    await line.closed();
  });

  it('C10 says Close when its scope closes, and waits for nobody', async () => {
    for (const answersClose of [true, false]) {
      const line = await Line.open({ handlers: { answersClose } });
      line.say('1', 'One.');
      line.cancel('1');
      await line.closed();
      expect(line.said.at(-1)).toBe('Close');
      line.peer.send(JSON.stringify(CLEARED));
      await line.clock.advance(10_000);
      expect(line.ends).toEqual([]);
    }
  });

  it('finishes with Close, and tells what comes before the service closes', async () => {
    const line = await Line.open();
    line.say('1', 'One.');
    line.connection.finish?.();
    expect(line.end('2')).toBe(false);
    await line.answer(audio(1), FLUSHED);
    line.peer.close(1_000);
    await line.clock.advance(4 * LATENCY_MS);
    expect(line.told).toEqual([['1', 1], 4, 'done 1']);
    expect(line.ends).toEqual([{ code: 1_000, reason: '' }]);
    await line.closed();
  });

  it('a service that does not close is hung up on', async () => {
    const line = await Line.open();
    line.connection.finish?.();
    await line.clock.advance(LAST_WORDS_TIMEOUT_MS + 4 * LATENCY_MS);
    expect(line.ends).toHaveLength(1);
    await line.closed();
  });

  it('R12 is asked whether it is there', async () => {
    const line = await Line.open();
    line.connection.probe?.();
    await line.clock.advance(2 * LATENCY_MS);
    expect(line.alive).toBe(1);
    await line.closed();
  });
});
