import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import type { Content } from '../../protocol/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/errors.ts';
import type { LiveSetup, ModelInput, ModelOutput } from '../../session/live-model.ts';
import type { ConnectionEnd } from '../../session/stream-port.ts';
import { MemoryTransport } from '../../testing/memory-transport.ts';
import type { MemoryDial, MemoryPeer } from '../../testing/memory-transport.ts';
import { gemini } from './gemini-model.ts';
import type { GeminiOptions } from './options.ts';

const SETUP: LiveSetup = {
  instructions: undefined,
  tools: [],
  history: [],
  inputTranscription: false,
  outputTranscription: false,
};
const HISTORY: Content[] = [textContent('user', 'My name is Ada.'), textContent('model', 'Hello Ada.')];
const CLASSIC = 'gemini-2.5-flash-native-audio-latest';
const STRICT = 'gemini-3.1-flash-live-preview';

beforeEach(() => {
  for (const name of [
    'GEMINI_API_KEY',
    'GOOGLE_API_KEY',
    'GOOGLE_GEMINI_BASE_URL',
    'GOOGLE_VERTEX_BASE_URL',
  ]) {
    vi.stubEnv(name, '');
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

interface Stage {
  readonly clock: VirtualClock;
  readonly scope: Lifetime;
  readonly transport: MemoryTransport;
  readonly dials: MemoryDial[];
  readonly peers: MemoryPeer[];
  readonly outputs: ModelOutput[];
  readonly ends: ConnectionEnd[];
  readonly sink: { output(message: ModelOutput): void; alive(): void; ended(end: ConnectionEnd): void };
  frames(): unknown[];
}

/** A provider that answers the setup, unless it is told not to. */
function stage(answersSetup = true): Stage {
  const clock = new VirtualClock();
  const dials: MemoryDial[] = [];
  const peers: MemoryPeer[] = [];
  const outputs: ModelOutput[] = [];
  const ends: ConnectionEnd[] = [];
  const transport = new MemoryTransport({
    clock,
    serve: (dial) => {
      dials.push(dial);
      const message = (data: string | Uint8Array, peer: MemoryPeer): void => {
        if (answersSetup && String(data).startsWith('{"setup"')) peer.send('{"setupComplete":{}}');
      };
      peers.push(dial.accept({ message }));
    },
  });
  return {
    clock,
    scope: Lifetime.root({ name: 'leg', clock }),
    transport,
    dials,
    peers,
    outputs,
    ends,
    sink: {
      output: (message) => void outputs.push(message),
      alive: () => undefined,
      ended: (end) => void ends.push(end),
    },
    frames: () =>
      peers.flatMap(({ received }) => received.map((frame): unknown => JSON.parse(String(frame)))),
  };
}

async function connect(
  given: Stage,
  options: Partial<GeminiOptions> = {},
  setup: Partial<LiveSetup> = {},
): Promise<{ send(input: ModelInput): boolean; readonly bufferedBytes: number }> {
  const model = gemini({ model: CLASSIC, apiKey: 'k', transport: given.transport, ...options });
  const connecting = model.connect({ ...SETUP, ...setup }, given.sink, given.scope);
  connecting.catch(() => undefined);
  await given.clock.advance(100);
  return connecting;
}

async function setupFrameOf(
  options: Partial<GeminiOptions> = {},
  setup: Partial<LiveSetup> = {},
): Promise<Record<string, unknown>> {
  const given = stage();
  await connect(given, options, setup);
  return (given.frames()[0] as { setup: Record<string, unknown> }).setup;
}

async function framesSent(
  inputs: readonly ModelInput[],
  options: Partial<GeminiOptions> = {},
  setup: Partial<LiveSetup> = {},
): Promise<unknown[]> {
  const given = stage();
  const connection = await connect(given, options, setup);
  for (const input of inputs) expect(connection.send(input)).toBe(true);
  await given.clock.advance(100);
  return given.frames().slice(1);
}

describe('gemini: address and credentials', () => {
  const urlOf = async (options: Partial<GeminiOptions>): Promise<string> => {
    const given = stage();
    await connect(given, options);
    return given.dials[0]?.url ?? '';
  };

  it.each<[string, Partial<GeminiOptions>, string]>([
    [
      'a key',
      { apiKey: 'a+b/c' },
      'wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=a%2Bb/c',
    ],
    [
      'an ephemeral token',
      { apiKey: 'auth_tokens/abc' },
      'wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained?access_token=auth_tokens/abc',
    ],
    [
      'another version at another address',
      { baseUrl: 'http://127.0.0.1:8123/gw/', apiVersion: 'v1alpha' },
      'ws://127.0.0.1:8123/gw/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent?key=k',
    ],
    [
      'Vertex in a region',
      {
        apiKey: undefined as never,
        accessToken: () => 't',
        vertex: { project: 'p', location: 'us-central1' },
      },
      'wss://us-central1-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent',
    ],
    [
      'Vertex everywhere',
      {
        apiKey: undefined as never,
        accessToken: () => 't',
        vertex: { project: 'p', location: 'global' },
        apiVersion: 'v1',
      },
      'wss://aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent',
    ],
    [
      'Vertex in a multi-region',
      { apiKey: undefined as never, accessToken: () => 't', vertex: { project: 'p', location: 'eu' } },
      'wss://aiplatform.eu.rep.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent',
    ],
  ])('dials %s', async (_what, options, url) => {
    expect(await urlOf(options)).toBe(url);
  });

  it('sends the token of Vertex, and the key of its express mode, as headers', async () => {
    const bearer = stage();
    await connect(bearer, {
      apiKey: undefined as never,
      accessToken: async () => 'token',
      vertex: { project: 'p', location: 'us-central1' },
      headers: { 'x-goog-user-project': 'q' },
    });
    expect(bearer.dials[0]?.headers).toEqual({ authorization: 'Bearer token', 'x-goog-user-project': 'q' });
    expect(bearer.frames()[0]).toMatchObject({
      setup: { model: `projects/p/locations/us-central1/publishers/google/models/${CLASSIC}` },
    });
    const express = stage();
    await connect(express, { vertex: {} });
    expect(express.dials[0]?.headers).toEqual({ 'x-goog-api-key': 'k' });
    expect(express.frames()[0]).toMatchObject({ setup: { model: `publishers/google/models/${CLASSIC}` } });
  });

  it('reads key and address from the environment, at every dial', async () => {
    const given = stage();
    const options: GeminiOptions = { model: CLASSIC, transport: given.transport };
    const model = gemini(options);
    vi.stubEnv('GOOGLE_API_KEY', 'second');
    void model.connect(SETUP, given.sink, given.scope);
    await given.clock.advance(100);
    vi.stubEnv('GEMINI_API_KEY', 'first');
    vi.stubEnv('GOOGLE_GEMINI_BASE_URL', 'https://gateway.test/');
    void model.connect(SETUP, given.sink, given.scope);
    await given.clock.advance(100);
    expect(given.dials.map(({ url }) => url.replace(/ws\/.*\?/, ''))).toEqual([
      'wss://generativelanguage.googleapis.com/key=second',
      'wss://gateway.test/key=first',
    ]);
  });

  it('asks for credentials once for every dial', async () => {
    let asked = 0;
    const credentials = async (): Promise<{ apiKey: string }> => ({ apiKey: `key-${(asked += 1)}` });
    const given = stage();
    await connect(given, { apiKey: undefined as never, credentials });
    const again = stage();
    await connect(again, { apiKey: undefined as never, credentials });
    expect([given.dials[0]?.url.slice(-5), again.dials[0]?.url.slice(-5)]).toEqual(['key-1', 'key-2']);
  });

  it('says what to set when there is no key, and dials nothing', async () => {
    const given = stage();
    const failed = await connect(given, { apiKey: undefined as never }).catch((error: Error) => error);
    expect(failed).toBeInstanceOf(AuthenticationError);
    expect((failed as Error).message).toContain('GEMINI_API_KEY');
    expect(given.transport.dials).toBe(0);
    expect(given.scope.resources()).toEqual([]);
  });

  it('tells a failure of the credentials function as it is where it is typed, else as one that may pass', async () => {
    const cause = new Error('metadata server down');
    const failWith = async (error: Error): Promise<unknown> => {
      const given = stage();
      const credentials = (): never => {
        throw error;
      };
      const failed = await connect(given, { apiKey: undefined as never, credentials }).catch(
        (thrown: unknown) => thrown,
      );
      expect(given.scope.resources()).toEqual([]);
      return failed;
    };
    const lost = await failWith(cause);
    expect(lost).toBeInstanceOf(ConnectionLostError);
    expect((lost as Error).cause).toBe(cause);
    const typed = new InvalidOptionError('wrong');
    expect(await failWith(typed)).toBe(typed);
  });

  it('C10 gemini: a close while credentials never come ends the attempt at once, without a dial', async () => {
    const given = stage();
    const never = (): Promise<never> => new Promise(() => undefined);
    const model = gemini({ model: CLASSIC, credentials: never, transport: given.transport });
    const failed = model.connect(SETUP, given.sink, given.scope).catch((error: unknown) => error);
    await given.clock.advance(50);
    const report = await given.scope.close('hung up');
    expect(await failed).toBeInstanceOf(ClosedError);
    expect(report.durationMs).toBe(0);
    expect(given.transport.dials).toBe(0);
  });

  it.each<[string, Partial<GeminiOptions>]>([
    ['no model', { model: ' ' }],
    ['an empty key', { apiKey: '' }],
    ['two ways to identify', { apiKey: 'k', credentials: () => ({ apiKey: 'k' }) }],
    ['an access token without Vertex', { accessToken: () => 't' }],
    ['Vertex with half a place', { apiKey: 'k', vertex: { project: 'p' } }],
    ['Vertex with a token and no place', { accessToken: () => 't', vertex: {} }],
    ['Vertex with an ephemeral token', { apiKey: 'auth_tokens/x', vertex: {} }],
    ['a location that is no host name', { apiKey: 'k', vertex: { project: 'p', location: 'x.evil.test/' } }],
    ['transparent resumption off Vertex', { setup: { sessionResumption: { transparent: true } } }],
    ['a detection signal off Vertex', { setup: { explicitVadSignal: true } }],
    ['an unknown generation', { generation: 'modern' as never }],
    ['an age of nothing', { maxConnectionAgeMs: 0 }],
  ])('refuses %s', (_what, options) => {
    expect(() => gemini({ model: CLASSIC, ...options })).toThrow(InvalidOptionError);
  });

  it.each([
    [{ baseUrl: 'ftp://x' }, {}],
    [{}, { explicitVadSignal: true }],
  ])('rejects a connection that cannot be asked for: %j %j', async (options, setup) => {
    const given = stage();
    await expect(connect(given, options, setup)).rejects.toBeInstanceOf(InvalidOptionError);
    expect(given.transport.dials).toBe(0);
  });
});

describe('gemini: the first frame', () => {
  it('is as small as the session is', async () => {
    expect(await setupFrameOf()).toEqual({
      model: `models/${CLASSIC}`,
      generationConfig: { responseModalities: ['AUDIO'] },
      sessionResumption: {},
    });
  });

  it('holds what the session asks for', async () => {
    const frame = await setupFrameOf(
      {},
      {
        instructions: 'Be brief.',
        tools: [{ name: 'f', description: 'd', parameters: { type: 'object' } }],
        responseModalities: ['TEXT'],
        inputTranscription: true,
        outputTranscription: true,
        turnDetection: 'manual',
        proactiveAudio: true,
        affectiveDialog: true,
      },
    );
    expect(frame).toEqual({
      model: `models/${CLASSIC}`,
      generationConfig: { responseModalities: ['TEXT'], enableAffectiveDialog: true },
      systemInstruction: { role: 'user', parts: [{ text: 'Be brief.' }] },
      tools: [
        { functionDeclarations: [{ name: 'f', description: 'd', parametersJsonSchema: { type: 'object' } }] },
      ],
      realtimeInputConfig: { automaticActivityDetection: { disabled: true } },
      sessionResumption: {},
      inputAudioTranscription: {},
      outputAudioTranscription: {},
      proactivity: { proactiveAudio: true },
    });
  });

  it('holds every field that can be given, the session winning', async () => {
    const frame = await setupFrameOf(
      {
        setup: {
          generationConfig: {
            temperature: 0.5,
            responseModalities: ['TEXT'],
            speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Puck' } } },
          },
          tools: [{ googleSearch: {} }],
          realtimeInputConfig: {
            automaticActivityDetection: { silenceDurationMs: 500 },
            activityHandling: 'NO_INTERRUPTION',
          },
          contextWindowCompression: { triggerTokens: 25_600, slidingWindow: { targetTokens: '12800' } },
          inputAudioTranscription: { languageCodes: ['en'] },
          safetySettings: [{ category: 'c' }],
          avatarConfig: { name: 'a' },
          extra: { brandNew: 1 },
        },
      },
      { inputTranscription: true, responseModalities: ['AUDIO'], turnDetection: 'manual' },
    );
    expect(frame).toEqual({
      model: `models/${CLASSIC}`,
      generationConfig: {
        temperature: 0.5,
        responseModalities: ['AUDIO'],
        speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Puck' } } },
      },
      tools: [{ googleSearch: {} }],
      realtimeInputConfig: {
        automaticActivityDetection: { silenceDurationMs: 500, disabled: true },
        activityHandling: 'NO_INTERRUPTION',
      },
      sessionResumption: {},
      contextWindowCompression: { triggerTokens: '25600', slidingWindow: { targetTokens: '12800' } },
      inputAudioTranscription: { languageCodes: ['en'] },
      safetySettings: [{ category: 'c' }],
      avatarConfig: { name: 'a' },
      brandNew: 1,
    });
  });

  it('asks Vertex for transparent resumption and detection signals', async () => {
    const frame = await setupFrameOf(
      { vertex: {}, setup: { sessionResumption: { transparent: true } } },
      { explicitVadSignal: true, resumptionHandle: 'h' },
    );
    expect(frame).toMatchObject({
      sessionResumption: { handle: 'h', transparent: true },
      explicitVadSignal: true,
    });
  });

  it('asks for no handles where resumption is switched off', async () => {
    expect(await setupFrameOf({ setup: { sessionResumption: false } })).not.toHaveProperty(
      'sessionResumption',
    );
    expect(gemini({ model: CLASSIC, setup: { sessionResumption: false } }).capabilities.resumption).toBe(
      false,
    );
  });

  it.each([
    ['gemini-2.5-flash-native-audio-preview-12-2025', 600_000],
    ['gemini-3.8-live', 3_480_000],
    ['models/gemini-flash-live-latest', 600_000],
  ])('knows how long a connection of %s lasts', (model, maxConnectionAgeMs) => {
    expect(gemini({ model }).capabilities).toMatchObject({
      resumption: true,
      maxConnectionAgeMs,
      inputRateHz: 16_000,
      outputRateHz: 24_000,
    });
  });
});

describe('gemini: history', () => {
  it('R2 gemini: an earlier generation is given the history once, without being asked for an answer', async () => {
    const given = stage();
    await connect(given, {}, { history: HISTORY });
    expect(given.frames()[0]).not.toHaveProperty('setup.historyConfig');
    expect(given.frames().slice(1)).toEqual([{ clientContent: { turns: HISTORY, turnComplete: false } }]);
  });

  it.each([STRICT, 'gemini-flash-live-latest'])(
    'R2 gemini: %s is told that a history comes, and where it ends',
    async (model) => {
      const given = stage();
      await connect(given, { model }, { history: HISTORY });
      expect(given.frames()[0]).toHaveProperty('setup.historyConfig', {
        initialHistoryInClientContent: true,
      });
      expect(given.frames().slice(1)).toEqual([{ clientContent: { turns: HISTORY, turnComplete: true } }]);
    },
  );

  it('announces nothing where there is no history', async () => {
    const given = stage();
    await connect(given, { model: STRICT });
    expect(given.frames()).toHaveLength(1);
    expect(given.frames()[0]).not.toHaveProperty('setup.historyConfig');
  });

  it('ends an announced history even when it is empty', async () => {
    const given = stage();
    await connect(given, { setup: { historyConfig: { initialHistoryInClientContent: true } } });
    expect(given.frames().slice(1)).toEqual([{ clientContent: { turns: [], turnComplete: true } }]);
  });

  it('can be told that a model is of the other generation', async () => {
    const given = stage();
    await connect(given, { model: STRICT, generation: 'classic' }, { history: HISTORY });
    expect(given.frames().slice(1)).toEqual([{ clientContent: { turns: HISTORY, turnComplete: false } }]);
  });

  it.each([CLASSIC, STRICT])('R2 gemini: %s gets no history with a handle', async (model) => {
    const given = stage();
    await connect(given, { model }, { history: HISTORY, resumptionHandle: 'h' });
    expect(given.frames()).toHaveLength(1);
    expect(given.frames()[0]).toMatchObject({ setup: { sessionResumption: { handle: 'h' } } });
    expect(given.frames()[0]).not.toHaveProperty('setup.historyConfig');
  });

  it('leaves reasoning and empty turns out', async () => {
    const given = stage();
    const history: Content[] = [
      { role: 'model', parts: [{ text: 'hm', thought: true }] },
      { role: 'user', parts: [] },
      { role: 'model', parts: [{ text: '' }, { functionCall: { id: '1', name: 'f', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { id: '1', name: 'f', response: { output: 1 } } }] },
    ];
    await connect(given, {}, { history });
    expect(given.frames()[1]).toEqual({
      clientContent: {
        turns: [
          { role: 'model', parts: [{ functionCall: { id: '1', name: 'f', args: {} } }] },
          { role: 'user', parts: [{ functionResponse: { id: '1', name: 'f', response: { output: 1 } } }] },
        ],
        turnComplete: false,
      },
    });
  });

  it('does not take input before the setup is complete', async () => {
    const given = stage(false);
    const model = gemini({ model: CLASSIC, apiKey: 'k', transport: given.transport });
    const states: string[] = [];
    void model
      .connect({ ...SETUP, history: HISTORY }, given.sink, given.scope)
      .then(() => states.push('ready'));
    await given.clock.advance(5_000);
    expect(states).toEqual([]);
    expect(given.frames()).toHaveLength(1);
    given.peers[0]?.send('{"sessionResumptionUpdate":{"newHandle":"early","resumable":true}}');
    given.peers[0]?.send('{"setupComplete":{}}');
    await given.clock.advance(10);
    expect(states).toEqual(['ready']);
    expect(given.outputs).toEqual([{ type: 'resumption', handle: 'early' }]);
    expect(given.frames()).toHaveLength(2);
  });
});

describe('gemini: input', () => {
  const picture: ModelInput = { type: 'image', mimeType: 'image/jpeg', data: 'AAAA' };
  const audio = AudioChunk.fromBase64('AAECAw==', 16_000);

  it('sends audio as it came, with its rate', async () => {
    const frames = await framesSent([
      { type: 'audio', audio },
      { type: 'audio', audio: AudioChunk.fromPcm(new Uint8Array([1, 2]), 48_000) },
      { type: 'audio', audio: AudioChunk.fromPcm(new Uint8Array(0), 16_000) },
      picture,
      { type: 'audioStreamEnd' },
    ]);
    expect(frames).toEqual([
      { realtimeInput: { audio: { mimeType: 'audio/pcm;rate=16000', data: 'AAECAw==' } } },
      { realtimeInput: { audio: { mimeType: 'audio/pcm;rate=48000', data: 'AQI=' } } },
      { realtimeInput: { video: { mimeType: 'image/jpeg', data: 'AAAA' } } },
      { realtimeInput: { audioStreamEnd: true } },
    ]);
  });

  it('sends marks of turns only where the client marks them', async () => {
    const marks: ModelInput[] = [
      { type: 'activityStart' },
      { type: 'activityEnd' },
      { type: 'audioStreamEnd' },
    ];
    expect(await framesSent(marks, {}, { turnDetection: 'manual' })).toEqual([
      { realtimeInput: { activityStart: {} } },
      { realtimeInput: { activityEnd: {} } },
    ]);
    expect(await framesSent(marks)).toEqual([{ realtimeInput: { audioStreamEnd: true } }]);
  });

  it('sends content as content to an earlier generation', async () => {
    expect(
      await framesSent([
        { type: 'content', content: textContent('user', 'hi') },
        { type: 'content', content: textContent('user', 'and'), turnComplete: false },
        { type: 'content', content: { role: 'user', parts: [] } },
      ]),
    ).toEqual([
      { clientContent: { turns: [textContent('user', 'hi')], turnComplete: true } },
      { clientContent: { turns: [textContent('user', 'and')], turnComplete: false } },
      { clientContent: { turns: [], turnComplete: true } },
    ]);
  });

  it('sends content as realtime input to a newer generation', async () => {
    const content: Content = {
      role: 'user',
      parts: [
        { text: 'look ' },
        { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
        { text: 'here' },
        { text: 'a thought', thought: true },
      ],
    };
    expect(
      await framesSent(
        [
          { type: 'content', content },
          { type: 'content', content: textContent('model', 'x') },
        ],
        {
          model: STRICT,
        },
      ),
    ).toEqual([
      { realtimeInput: { video: { mimeType: 'image/png', data: 'AAAA' } } },
      { realtimeInput: { text: 'look here' } },
    ]);
  });

  it.each([CLASSIC, STRICT])('sends results of functions their own way to %s', async (model) => {
    const functionResponse = { id: '1', name: 'f', response: { output: 1 } };
    expect(
      await framesSent(
        [
          { type: 'content', content: { role: 'user', parts: [{ functionResponse }] } },
          { type: 'toolResponse', responses: [functionResponse, { id: '', name: 'g', response: {} }] },
        ],
        { model },
      ),
    ).toEqual([
      { toolResponse: { functionResponses: [functionResponse] } },
      { toolResponse: { functionResponses: [functionResponse, { name: 'g', response: {} }] } },
    ]);
  });

  it('R8 gemini: tells turns it does not know yet as content, calls and results in them too', async () => {
    const functionCall = { id: '1', name: 'f', args: { a: 1 } };
    const functionResponse = { id: '1', name: 'f', response: { output: 1 } };
    const turns: Content[] = [
      textContent('user', 'how many?'),
      { role: 'model', parts: [{ text: 'hm', thought: true }, { functionCall }] },
      { role: 'user', parts: [{ functionResponse }] },
      textContent('model', ''),
    ];
    const inputs: ModelInput[] = [
      { type: 'history', turns, turnComplete: false },
      { type: 'history', turns: [], turnComplete: true },
      { type: 'history', turns: [], turnComplete: false },
    ];
    expect(await framesSent(inputs)).toEqual([
      {
        clientContent: {
          turns: [
            textContent('user', 'how many?'),
            { role: 'model', parts: [{ functionCall }] },
            { role: 'user', parts: [{ functionResponse }] },
          ],
          turnComplete: false,
        },
      },
      { clientContent: { turns: [], turnComplete: true } },
    ]);
    expect(await framesSent(inputs, { model: STRICT })).toEqual([]);
  });

  it('takes what is flushed after the close began, and nothing after the goodbye', async () => {
    const given = stage();
    const connection = await connect(given);
    given.scope.own(
      'flush',
      {},
      { phase: 'flush', close: () => void connection.send({ type: 'audio', audio }) },
    );
    const closing = given.scope.close();
    await given.clock.advance(2_000);
    await closing;
    expect(given.frames()).toHaveLength(2);
    expect(connection.send({ type: 'audio', audio })).toBe(false);
    expect(connection.bufferedBytes).toBe(0);
    expect(given.ends).toEqual([]);
  });
});
