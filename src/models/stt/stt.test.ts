import { describe, expect, it } from 'vitest';
import { SttPeer, results, silence, voice, welcome } from '../../../test/support/stt-rig.ts';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ConnectionEnd, StreamConnection } from '../../session/index.ts';
import type { SpeechToText, SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import { MemoryTransport } from '../../testing/memory-transport.ts';
import { DEEPGRAM_KEEP_ALIVE_MS, LAST_WORDS_TIMEOUT_MS, deepgram, livekitStt } from './index.ts';
import type { DeepgramOptions, LivekitSttOptions } from './index.ts';

const SETUP: SttSetup = { rateHz: 16_000 };
const SECRET = 'sk-very-secret';

/** One connection, and what it tells. */
class Line {
  readonly clock = new VirtualClock();
  readonly scope = Lifetime.root({ name: 'leg', clock: this.clock });
  readonly told: string[] = [];
  readonly outputs: SttOutput[] = [];
  readonly ends: ConnectionEnd[] = [];
  readonly transport: MemoryTransport;
  peer: SttPeer | undefined;
  connection: StreamConnection<SttInput> | undefined;

  constructor(serve: (peer: SttPeer) => void) {
    this.transport = new MemoryTransport({
      clock: this.clock,
      serve: (dial) => {
        this.peer = new SttPeer(dial);
        serve(this.peer);
      },
    });
  }

  /** Resolves with what became of the attempt. */
  async connect(stt: SpeechToText, setup = SETUP): Promise<unknown> {
    const sink = {
      output: (output: SttOutput) => {
        this.told.push(output.type);
        this.outputs.push(output);
      },
      alive: () => void this.told.push('alive'),
      ended: (end: ConnectionEnd) => {
        this.told.push('ended');
        this.ends.push(end);
      },
    };
    const connecting = stt.connect(setup, sink, this.scope).then(
      (connection) => {
        this.connection = connection;
        return 'connected';
      },
      (error: unknown) => error,
    );
    await this.clock.settle();
    return connecting;
  }

  async say(...messages: object[]): Promise<void> {
    this.peer?.say(...messages);
    await this.clock.settle();
  }
}

async function onDeepgram(options: DeepgramOptions = {}, serve = welcome): Promise<Line> {
  const line = new Line(serve);
  await line.connect(deepgram({ apiKey: SECRET, transport: line.transport, ...options }));
  return line;
}

async function onGateway(options: Partial<LivekitSttOptions> = {}, serve = welcome): Promise<Line> {
  const line = new Line(serve);
  await line.connect(livekitStt({ token: () => SECRET, transport: line.transport, ...options }));
  return line;
}

/** Waits for an attempt that fails, and gives what it failed with. */
async function failure(
  make: (transport: MemoryTransport) => SpeechToText,
  serve: (peer: SttPeer) => void,
  afterMs = 0,
): Promise<{ error: unknown; line: Line }> {
  const line = new Line(serve);
  const attempt = line.connect(make(line.transport));
  await line.clock.advance(afterMs);
  const error = await attempt;
  expect(line.transport.openSockets).toBe(0);
  return { error, line };
}

const withKey = (transport: MemoryTransport): SpeechToText => deepgram({ apiKey: SECRET, transport });
const withToken = (transport: MemoryTransport): SpeechToText =>
  livekitStt({ token: () => SECRET, transport });

describe('deepgram(): the dial', () => {
  it('asks for what it was told, with the key in a header and not in the address', async () => {
    const line = await onDeepgram({
      language: 'de',
      smartFormat: true,
      query: { keyterm: 'Holdfast', model: 'x' },
    });
    const { url, headers } = line.peer!.dial;
    const query = new URL(url).searchParams;
    expect(url.startsWith('wss://api.deepgram.com/v1/listen?')).toBe(true);
    expect(url).not.toContain(SECRET);
    expect(headers).toEqual({ authorization: `Token ${SECRET}` });
    expect(Object.fromEntries(query)).toEqual({
      keyterm: 'Holdfast',
      model: 'nova-3',
      encoding: 'linear16',
      sample_rate: '16000',
      channels: '1',
      interim_results: 'true',
      punctuate: 'true',
      smart_format: 'true',
      vad_events: 'true',
      endpointing: '300',
      utterance_end_ms: '1000',
      language: 'de',
    });
  });

  it('takes a token for each dial, and another address', async () => {
    let number = 0;
    const options = { accessToken: () => `jwt-${(number += 1)}`, baseUrl: 'http://127.0.0.1:9/' };
    const line = new Line(welcome);
    const stt = deepgram({ ...options, transport: line.transport });
    await line.connect(stt);
    expect(line.peer!.dial.headers).toEqual({ authorization: 'Bearer jwt-1' });
    expect(line.peer!.dial.url.startsWith('ws://127.0.0.1:9/v1/listen?')).toBe(true);
    await line.connect(stt);
    expect(line.peer!.dial.headers).toEqual({ authorization: 'Bearer jwt-2' });
  });

  it('refuses options that cannot work, by name', () => {
    for (const [options, says] of [
      [{ model: ' ' }, /model/],
      [{ apiKey: 'a', accessToken: () => 'b' }, /one of apiKey and accessToken/],
      [{ baseUrl: 'ftp://x' }, /baseUrl/],
      [{ endpointingMs: 0 }, /endpointingMs/],
      [{ utteranceEndMs: 999 }, /utteranceEndMs/],
      [{ maxMessageBytes: 0 }, /maxMessageBytes/],
      [{ colour: 'red' }, /colour/],
      [{ ends: { closes: [{ kind: 'idle' }] } }, /closes\[0\]/],
      [{ ends: { refusals: [{ code: 429, kind: 'fine' }] } }, /refusals\[0\]\.kind/],
      [{ ends: { errors: [{ said: /x/g, kind: 'idle' }] } }, /errors\[0\]\.said/],
      [{ ends: { errors: [{ code: 1.5, kind: 'idle' }] } }, /errors\[0\]\.code/],
    ] as const) {
      expect(() => deepgram(options as unknown as DeepgramOptions)).toThrow(says);
    }
    expect(() => livekitStt({} as LivekitSttOptions)).toThrow(/token/);
  });

  it('R11 tells a refused dial by its status, without the key, wherever the service repeats it', async () => {
    for (const [httpStatus, body, code] of [
      [401, 'INVALID_AUTH', 'HOLDFAST_AUTHENTICATION'],
      [403, '', 'HOLDFAST_AUTHENTICATION'],
      [402, 'ASR_PAYMENT_REQUIRED', 'HOLDFAST_QUOTA'],
      [429, 'TOO_MANY_REQUESTS', 'HOLDFAST_OVERLOADED'],
      [429, 'quota exceeded', 'HOLDFAST_QUOTA'],
      [400, 'Bad Request', 'HOLDFAST_INVALID_REQUEST'],
      [404, '', 'HOLDFAST_INVALID_REQUEST'],
      [500, '', 'HOLDFAST_CONNECTION_LOST'],
      [503, '', 'HOLDFAST_OVERLOADED'],
      [undefined, '', 'HOLDFAST_CONNECTION_LOST'],
    ] as const) {
      const refusal = { httpStatus, body: `${body} for ${SECRET}`, retryAfterMs: 3_000 };
      for (const make of [withKey, withToken]) {
        const { error } = await failure(make, (peer) => peer.dial.refuse(refusal, `refused ${SECRET}`));
        expect(error).toMatchObject({ code, failure: { httpStatus, retryAfterMs: 3_000 } });
        const { message, cause } = error as Error & { cause: { message: string; refusal: { body: string } } };
        expect(message + cause.message + cause.refusal.body).not.toContain(SECRET);
      }
    }
  });

  it('says what is missing where there are no credentials', async () => {
    const { error } = await failure((transport) => deepgram({ accessToken: () => ' ', transport }), welcome);
    expect(error).toMatchObject({ code: 'HOLDFAST_AUTHENTICATION' });
    const thrown = await failure(
      (transport) => livekitStt({ token: () => Promise.reject(new Error('vault is down')), transport }),
      welcome,
    );
    expect(thrown.error).toMatchObject({
      code: 'HOLDFAST_CONNECTION_LOST',
      cause: { message: 'vault is down' },
    });
  });

  it('R11 C10 ends with its scope while credentials, dial or setup are awaited', async () => {
    const never = new Promise<string>(() => undefined);
    for (const [make, serve] of [
      [(transport: MemoryTransport) => livekitStt({ token: () => never, transport }), welcome],
      [withToken, () => undefined],
      [withToken, (peer: SttPeer) => peer.accept()],
    ] as const) {
      const line = new Line(serve);
      const attempt = line.connect(make(line.transport));
      await line.clock.settle();
      const closed = line.scope.close();
      await line.clock.advance(2_000);
      await closed;
      expect(await attempt).toMatchObject({ code: 'HOLDFAST_CLOSED' });
      expect(line.transport.openSockets).toBe(0);
      expect(line.clock.pendingTimers).toBe(0);
    }
  });
});

describe('deepgram(): what is sent', () => {
  it('sends audio as bytes, never an empty frame, and control as text', async () => {
    const { connection, peer, clock } = await onDeepgram();
    expect(connection!.send({ type: 'audio', audio: voice(7) })).toBe(true);
    expect(connection!.send({ type: 'audio', audio: silence(0) })).toBe(true);
    expect(connection!.send({ type: 'audio', audio: AudioChunk.fromPcm(new Uint8Array([1]), 16_000) })).toBe(
      true,
    );
    expect(connection!.send({ type: 'finalize' })).toBe(true);
    await clock.settle();
    expect(peer!.samples).toHaveLength(320);
    expect(peer!.said).toEqual(['Finalize']);
  });

  it('says every four seconds without audio that somebody is there, and only then', async () => {
    const { connection, peer, clock } = await onDeepgram();
    await clock.advance(3 * DEEPGRAM_KEEP_ALIVE_MS);
    expect(peer!.said).toEqual(['KeepAlive', 'KeepAlive', 'KeepAlive']);
    for (let ms = 0; ms < 20_000; ms += 100) {
      connection!.send({ type: 'audio', audio: silence(100) });
      await clock.advance(100);
    }
    expect(peer!.said).toHaveLength(3);
    await clock.advance(DEEPGRAM_KEEP_ALIVE_MS - 100);
    expect(peer!.said).toHaveLength(4);
  });

  it('finishes: the last words come, then the end, and nothing is sent any more', async () => {
    const line = await onDeepgram();
    line.connection!.finish?.();
    expect(line.connection!.send({ type: 'audio', audio: voice() })).toBe(false);
    await line.clock.settle();
    expect(line.peer!.said).toEqual(['CloseStream']);
    await line.say(results('Bye.', 0, 1, { end: true }), { type: 'Metadata', duration: 1.5 });
    expect(line.told).toEqual(['transcript', 'speechEnded', 'usage', 'ended']);
    expect(line.outputs.at(-1)).toEqual({ type: 'usage', audioMs: 1_500 });
    await line.clock.advance(60_000);
    expect(line.peer!.said).toEqual(['CloseStream']);
  });

  it('C10 hangs up on a service that does not end what it was told to end', async () => {
    for (const answersClose of [true, false]) {
      const line = await onDeepgram({}, (peer) => peer.accept({ answersClose }));
      line.connection!.finish?.();
      await line.clock.advance(LAST_WORDS_TIMEOUT_MS + 1_000);
      expect(line.told).toEqual(['ended']);
      expect(line.transport.openSockets).toBe(0);
    }
  });
});

describe('deepgram(): what is heard', () => {
  it('tells transcripts with their times, and leaves empty ones out', async () => {
    const line = await onDeepgram({ language: 'en' });
    await line.say(
      results('', 0, 1, { final: true, end: true }),
      results('two rye', 1, 2, { final: false }),
      results('Two rye.', 1, 2.5),
    );
    expect(line.told).toEqual(['alive', 'transcript', 'transcript']);
    expect(line.outputs[1]).toEqual({
      type: 'transcript',
      text: 'Two rye.',
      isFinal: true,
      languageCode: 'en',
      confidence: 0.9,
      startMs: 1_000,
      endMs: 2_500,
      words: [
        { text: 'Two', startMs: 1_000, endMs: 1_750, confidence: 0.9 },
        { text: 'rye.', startMs: 1_750, endMs: 2_500, confidence: 0.9 },
      ],
    });
  });

  it('tells the end of an utterance once, whichever way it comes', async () => {
    const line = await onDeepgram();
    const end = { type: 'UtteranceEnd', last_word_end: 2.5 };
    await line.say(end, results('one', 0, 1, { end: true }), end, results('two', 2, 3), end, end);
    expect(line.told).toEqual([
      'alive',
      'transcript',
      'speechEnded',
      'alive',
      'transcript',
      'speechEnded',
      'alive',
    ]);
    expect(line.outputs.at(-1)).toEqual({ type: 'speechEnded', atMs: 2_500 });
  });

  it('tells starts, what was finalised, and what it does not know, as it comes', async () => {
    const line = await onDeepgram();
    await line.say(
      { type: 'SpeechStarted', timestamp: 1.25 },
      { type: 'SpeechStarted' },
      results('', 0, 1, { finalized: true }),
      { type: 'Surprise', n: 1 },
      { type: 'Metadata', request_id: 'r' },
    );
    expect(line.outputs).toEqual([
      { type: 'speechStarted', atMs: 1_250 },
      { type: 'speechStarted', atMs: undefined },
      { type: 'finalized' },
      { type: 'unknown', message: { type: 'Surprise', n: 1 } },
    ]);
  });

  it('reads through garbage: what cannot be read is told, and ends nothing', async () => {
    const line = await onDeepgram();
    for (const text of [
      '{',
      '[]',
      'null',
      '',
      '{"type":"Results"}',
      '{"type":"Results","channel":7,"start":-1}',
    ])
      line.peer!.sayText(text);
    await line.say(results('Fine.', 0, 1, { words: false }));
    expect(line.told).toEqual(['unknown', 'unknown', 'unknown', 'alive', 'alive', 'alive', 'transcript']);
    expect(line.outputs.at(-1)).toMatchObject({ text: 'Fine.', words: undefined });
  });

  it('R12 answers a probe', async () => {
    const line = await onDeepgram();
    line.connection!.probe?.();
    await line.clock.settle();
    expect(line.told).toEqual(['alive']);
  });
});

describe('How a connection to a recogniser ends', () => {
  it('R1 deepgram: each close means what the service says of it', async () => {
    for (const [code, reason, isIdle, error] of [
      [1011, 'NET-0001', true, undefined],
      [1011, 'NET-0000', undefined, undefined],
      [1001, 'Idle timeout', true, undefined],
      [1000, '', undefined, undefined],
      [1006, '', undefined, undefined],
      [1012, 'restart', undefined, undefined],
      [1002, 'the peer broke the protocol', undefined, undefined],
      [1008, 'DATA-0000', undefined, 'HOLDFAST_INVALID_REQUEST'],
      [1002, 'could not decode audio', undefined, 'HOLDFAST_INVALID_REQUEST'],
      [1008, 'invalid credentials', undefined, 'HOLDFAST_AUTHENTICATION'],
      [1013, '', undefined, 'HOLDFAST_OVERLOADED'],
    ] as const) {
      const line = await onDeepgram();
      line.peer!.close(code, reason);
      await line.clock.settle();
      expect(line.ends).toHaveLength(1);
      expect(line.ends[0]).toMatchObject({ code, reason });
      expect(line.ends[0]!.isIdle).toBe(isIdle);
      expect((line.ends[0]!.error as { code?: string } | undefined)?.code).toBe(error);
    }
  });

  it('R1 gateway: each error message means what its number says, and 2007 is no close code', async () => {
    for (const [code, isIdle, error] of [
      [2007, true, undefined],
      ['2007', true, undefined],
      [401, undefined, 'HOLDFAST_AUTHENTICATION'],
      [402, undefined, 'HOLDFAST_QUOTA'],
      [429, undefined, 'HOLDFAST_OVERLOADED'],
      [400, undefined, 'HOLDFAST_INVALID_REQUEST'],
      [500, undefined, undefined],
      [1234, undefined, undefined],
      [undefined, undefined, undefined],
    ] as const) {
      const line = await onGateway();
      await line.say({ type: 'error', code, message: `about ${SECRET}` }, { type: 'start_of_speech' });
      expect(line.told).toEqual(['ended']);
      expect(line.ends[0]!.isIdle).toBe(isIdle);
      expect(line.ends[0]!.reason).not.toContain(SECRET);
      expect((line.ends[0]!.error as { code?: string } | undefined)?.code).toBe(error);
      // The service that says so and does not close is hung up on.
      await line.clock.advance(1_000);
      expect(line.transport.openSockets).toBe(0);
    }
    const line = await onGateway();
    line.peer!.close(2007, '');
    await line.clock.settle();
    expect(line.ends[0]!.isIdle).toBeUndefined();
  });

  it('R1 a row of one’s own counts before the service’s', async () => {
    const ends = {
      closes: [{ code: 4_000, said: /recycled/, kind: 'idle' }],
      errors: [{ code: 500, kind: 'overloaded' }],
    } as const;
    const recycled = await onGateway({ ends });
    recycled.peer!.close(4_000, 'recycled');
    await recycled.clock.settle();
    expect(recycled.ends[0]).toMatchObject({ isIdle: true });
    const busy = await onGateway({ ends });
    await busy.say({ type: 'error', code: 500, message: 'busy' });
    expect(busy.ends[0]!.error).toMatchObject({ code: 'HOLDFAST_OVERLOADED' });
  });

  it('deepgram: an error message ends the connection, whether the service closes it or not', async () => {
    const line = await onDeepgram();
    await line.say({ type: 'Error', description: 'could not decode', message: 'DATA-0000' });
    expect(line.told).toEqual(['ended']);
    expect(line.ends[0]!.error).toMatchObject({ code: 'HOLDFAST_INVALID_REQUEST' });
    await line.clock.advance(1_000);
    expect(line.transport.openSockets).toBe(0);
  });

  it('R11 before it is set up the attempt fails, typed, and nothing stays open', async () => {
    const told = await failure(
      withToken,
      (peer) => {
        peer.accept();
        peer.say({ type: 'error', code: 401, message: 'bad token' });
      },
      2_000,
    );
    expect(told.error).toMatchObject({ code: 'HOLDFAST_AUTHENTICATION' });
    const closed = await failure(withToken, (peer) => {
      peer.accept();
      peer.close(1011, 'no');
    });
    expect(closed.error).toMatchObject({ code: 'HOLDFAST_CONNECTION_LOST', failure: { closeCode: 1011 } });
    expect(closed.line.told).toEqual([]);
  });
});

describe('livekitStt()', () => {
  it('creates a session, and is ready when the gateway says so', async () => {
    const line = new Line((peer) => peer.accept());
    const options = { model: 'deepgram/nova-3', language: 'en', extra: { keyterms: ['Holdfast'] } };
    const attempt = line.connect(
      livekitStt({
        ...options,
        token: () => SECRET,
        headers: { 'x-livekit-job-id': 'j' },
        transport: line.transport,
      }),
    );
    await line.clock.advance(5_000);
    expect(line.connection).toBeUndefined();
    expect(line.peer!.dial.url).toBe('wss://agent-gateway.livekit.cloud/v1/stt?model=deepgram%2Fnova-3');
    expect(line.peer!.dial.headers).toEqual({ 'x-livekit-job-id': 'j', authorization: `Bearer ${SECRET}` });
    expect(line.peer!.texts).toEqual([
      {
        type: 'session.create',
        model: 'deepgram/nova-3',
        settings: {
          sample_rate: '16000',
          encoding: 'pcm_s16le',
          language: 'en',
          extra: { keyterms: ['Holdfast'] },
        },
      },
    ]);
    await line.say({ type: 'session.created', session_id: 's' });
    expect(await attempt).toBe('connected');
  });

  it('sends audio in pieces of 50 ms, the rest of it before it asks for anything', async () => {
    const { connection, peer, clock } = await onGateway();
    for (let frame = 0; frame < 6; frame += 1) connection!.send({ type: 'audio', audio: voice(frame + 1) });
    await clock.settle();
    expect(peer!.said).toEqual(['session.create', 'input_audio', 'input_audio']);
    expect(peer!.audioMs).toBe(100);
    connection!.send({ type: 'finalize' });
    connection!.send({ type: 'audio', audio: voice(1, 250) });
    connection!.finish?.();
    await clock.settle();
    expect(peer!.said.slice(3)).toEqual([
      'input_audio',
      'session.finalize',
      ...Array.from({ length: 5 }, () => 'input_audio'),
      'session.close',
    ]);
    expect(peer!.audioMs).toBe(370);
  });

  it('tells what the gateway says', async () => {
    const line = await onGateway();
    const word = { word: 'rye', start: 1, end: 1.5, confidence: 0.8, speaker_id: null };
    await line.say(
      { type: 'start_of_speech', start: 0.5 },
      { type: 'interim_transcript', transcript: 'ry', start: 0, duration: 0, words: null },
      { type: 'preflight_transcript', transcript: 'rye', start: 1, duration: 0.5 },
      {
        type: 'final_transcript',
        transcript: 'Rye.',
        language: 'en',
        start: 1,
        duration: 0.5,
        confidence: 0.8,
        words: [word],
      },
      { type: 'final_transcript', transcript: ' ' },
      { type: 'session.finalized' },
    );
    expect(line.told).toEqual([
      'speechStarted',
      'transcript',
      'transcript',
      'transcript',
      'alive',
      'finalized',
    ]);
    expect(line.outputs[1]).toMatchObject({ text: 'ry', isFinal: false, words: undefined });
    expect(line.outputs[1]).not.toHaveProperty('endMs');
    expect(line.outputs[3]).toEqual({
      type: 'transcript',
      text: 'Rye.',
      isFinal: true,
      languageCode: 'en',
      confidence: 0.8,
      startMs: 1_000,
      endMs: 1_500,
      words: [{ text: 'rye', startMs: 1_000, endMs: 1_500, confidence: 0.8 }],
    });
  });

  it('finishes when the gateway says that it has closed; one that closes unasked is lost', async () => {
    const line = await onGateway();
    line.connection!.finish?.();
    await line.say({ type: 'final_transcript', transcript: 'Bye.' }, { type: 'session.closed' });
    expect(line.told).toEqual(['transcript', 'ended']);
    const other = await onGateway();
    await other.say({ type: 'session.closed' });
    expect(other.ends).toEqual([{ reason: 'the service ended the session' }]);
  });
});
