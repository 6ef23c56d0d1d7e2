import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator } from '../../src/testing/index.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { GEMINI_PATH, GeminiWire, burst } from '../support/gemini-wire.ts';

let gemini: GeminiEmulator;
let options: GeminiEmulatorOptions = {};

async function restart(changed: GeminiEmulatorOptions): Promise<void> {
  await gemini.close();
  options = changed;
  gemini = await GeminiEmulator.start({ playbackSpeed: 50, generationSpeed: 50, ...options });
}

beforeEach(async () => {
  gemini = await GeminiEmulator.start({ playbackSpeed: 50, generationSpeed: 50 });
});

afterEach(async () => {
  await gemini.close();
});

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };
const VERTEX_PATH = '/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent';

describe('Gemini emulator: addresses and credentials', () => {
  it.each([
    ['the path of the Gemini API', `${GEMINI_PATH}?key=k`],
    ['a doubled slash before it', `/${GEMINI_PATH}?key=k`],
    ['a gateway in front of it', `/gw/${GEMINI_PATH}?key=k`],
    ['v1alpha', `${GEMINI_PATH.replace('v1beta', 'v1alpha')}?key=k`],
    [
      'an ephemeral token',
      `${GEMINI_PATH.replace('v1beta', 'v1alpha')}Constrained?access_token=auth_tokens/abc`,
    ],
  ])('accepts %s', async (_, target) => {
    using wire = await GeminiWire.ready(gemini.url, {}, target);
    expect(wire.messages[0]).toHaveProperty('setupComplete.sessionId');
  });

  it.each([VERTEX_PATH, VERTEX_PATH.replace('v1beta1', 'v1')])(
    'accepts a bearer token on %s',
    async (target) => {
      using wire = new GeminiWire(gemini.url, target, { headers: { Authorization: 'Bearer ya29' } });
      await wire.opened();
      wire.send({ setup: { model: 'projects/p/locations/l/publishers/google/models/gemini-2.5-flash' } });
      await wire.message('setupComplete');
      expect(gemini.connections.last).toMatchObject({ api: 'vertex', credential: 'ya29' });
    },
  );

  it('answers a path nobody serves with 404 and Vertex without a token with 401', async () => {
    using lost = new GeminiWire(gemini.url, '/ws/elsewhere');
    using nameless = new GeminiWire(gemini.url, VERTEX_PATH);
    await Promise.all([lost.ended(), nameless.ended()]);
    expect([lost.httpStatus, nameless.httpStatus]).toEqual([404, 401]);
  });

  it('accepts the WebSocket of a key that is not valid and closes it with 1007', async () => {
    await restart({ keys: ['good'] });
    using bad = new GeminiWire(gemini.url, `${GEMINI_PATH}?key=bad`);
    expect(await bad.ended()).toEqual(GEMINI_CLOSES.keyNotValid);
    using good = await GeminiWire.ready(gemini.url, {}, `${GEMINI_PATH}?key=good`);
    expect(good.closed).toBeUndefined();
  });

  it('takes a plain HTTP request for no connection', async () => {
    const response = await fetch(`${gemini.url}/v1beta/models`);
    expect(response.status).toBe(404);
    expect(gemini.connections.count).toBe(0);
  });
});

describe('Gemini emulator: setup', () => {
  it('closes with 1007 on anything before the setup, and on a second setup', async () => {
    using early = new GeminiWire(gemini.url);
    await early.opened();
    early.sendText('hello');
    expect((await early.ended()).code).toBe(1007);
    using twice = await GeminiWire.ready(gemini.url);
    twice.send({ setup: { model: 'models/m' } });
    expect((await twice.ended()).code).toBe(1007);
  });

  it('accepts everything there is to set', async () => {
    const setup = {
      generationConfig: {
        responseModalities: ['AUDIO'],
        temperature: 0.5,
        speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } }, languageCode: 'de-CH' },
        mediaResolution: 'MEDIA_RESOLUTION_LOW',
        thinkingConfig: { thinkingBudget: 0 },
        enableAffectiveDialog: true,
      },
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      tools: [{ functionDeclarations: [{ name: 'f', behavior: 'NON_BLOCKING' }] }, { googleSearch: {} }],
      realtimeInputConfig: {
        automaticActivityDetection: {
          startOfSpeechSensitivity: 'START_SENSITIVITY_LOW',
          endOfSpeechSensitivity: 'END_SENSITIVITY_HIGH',
          prefixPaddingMs: 20,
          silenceDurationMs: 300,
        },
        activityHandling: 'ACTIVITY_HANDLING_UNSPECIFIED',
        turnCoverage: 'TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO',
      },
      sessionResumption: {},
      contextWindowCompression: { triggerTokens: '25600', slidingWindow: { targetTokens: '12800' } },
      inputAudioTranscription: { languageCodes: ['de'] },
      outputAudioTranscription: {},
      proactivity: { proactiveAudio: true },
      historyConfig: { initialHistoryInClientContent: true },
    };
    using wire = await GeminiWire.ready(gemini.url, setup);
    expect(gemini.connections.last?.setup).toEqual({ model: 'models/gemini-2.5-flash', ...setup });
    expect(wire.closed).toBeUndefined();
  });

  it('counts what it was instructed with', async () => {
    const systemInstruction = { parts: [{ text: 'x'.repeat(400) }] };
    using wire = await GeminiWire.ready(gemini.url, { ...TEXT, systemInstruction });
    wire.sendText('hey!');
    expect((await wire.message('turnComplete')).usageMetadata.promptTokenCount).toBe(101);
  });

  it('understands snake_case', async () => {
    using wire = await GeminiWire.ready(gemini.url, {
      generation_config: { response_modalities: ['TEXT'] },
      session_resumption: {},
    });
    wire.send({ client_content: { turns: [{ parts: [{ text: 'hi' }] }], turn_complete: true } });
    await wire.message('sessionResumptionUpdate', 2);
    expect(wire.text).toBe('hi');
  });

  it.each([
    ['an unknown field', { somethingElse: {} }, 'Unknown name "somethingElse"'],
    ['a model without its prefix', { model: 'gemini' }, 'invalid argument'],
    ['two modalities', { generationConfig: { responseModalities: ['TEXT', 'AUDIO'] } }, 'invalid argument'],
    [
      'text from a model that speaks',
      { ...TEXT, model: 'models/gemini-2.5-flash-native-audio' },
      'TEXT is not',
    ],
    [
      'a name of an enum that does not exist',
      { realtimeInputConfig: { turnCoverage: 'TURN_INCLUDES_NOTHING' } },
      'TURN_INCLUDES_NOTHING',
    ],
    ['transparent resumption', { sessionResumption: { transparent: true } }, 'invalid argument'],
    [
      'a null handle on 3.x',
      { model: 'models/gemini-3.1-live', sessionResumption: { handle: null } },
      'invalid',
    ],
  ])('closes with 1007 on %s', async (_, setup, reason) => {
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/m', ...setup } });
    const end = await wire.ended();
    expect(end.code).toBe(1007);
    expect(end.reason).toContain(reason);
  });

  it.each(['{', '[]', '{}', '{"nonsense":{}}', '{"setup":{"model":"models/m"},"clientContent":{}}'])(
    'closes with 1007 on %s',
    async (text) => {
      using wire = new GeminiWire(gemini.url);
      await wire.opened();
      wire.socket.send(text);
      expect((await wire.ended()).code).toBe(1007);
    },
  );

  it('closes with 1008 on a model that is not there', async () => {
    await restart({ models: ['gemini-2.5-flash'] });
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/gemini-9' } });
    expect(await wire.ended()).toMatchObject({ code: 1008, reason: expect.stringContaining('gemini-9') });
  });
});

describe('Gemini emulator: frames', () => {
  it.each([
    ['binary', [true, true]],
    ['text', [false, false]],
    ['mixed', [true, false]],
  ] as const)('sends %s frames', async (frames, expected) => {
    await restart({ frames });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.frames.slice(0, 2).map(({ binary }) => binary)).toEqual(expected);
  });
});

describe('Gemini emulator: turns', () => {
  it('keeps the order modelTurn, generationComplete, turnComplete, and counts the growing context', async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('a question of some length that comes back in more than one piece');
    const first = await wire.message('turnComplete');
    wire.sendText('another');
    const second = await wire.message('turnComplete', 2);
    const turn = ['modelTurn', 'generationComplete', 'turnComplete'];
    expect(wire.story).toEqual(['setupComplete', ...turn, ...turn]);
    expect(wire.text).toBe('a question of some length that comes back in more than one pieceanother');
    expect(second.usageMetadata.promptTokenCount).toBeGreaterThan(first.usageMetadata.totalTokenCount);
  });

  it('answers speech with itself: as many samples, at 24 kHz, between its transcripts', async () => {
    using wire = await GeminiWire.ready(gemini.url, {
      inputAudioTranscription: {},
      outputAudioTranscription: {},
    });
    wire.sendAudio(burst(800));
    await wire.message('turnComplete');
    expect(wire.story).toEqual([
      'setupComplete',
      'inputTranscription',
      'outputTranscription',
      'modelTurn',
      'generationComplete',
      'turnComplete',
    ]);
    expect(wire.audioSamples).toBeGreaterThan(0.8 * 24_000);
    expect(gemini.connections.last?.inputSamples).toBe(burst(800).length);
  });

  it('lets a barge-in end the turn with interrupted and without generationComplete', async () => {
    await restart({ generationSpeed: 1, playbackSpeed: 1 });
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendAudio(burst(2_000));
    await wire.message('modelTurn', 3);
    wire.sendAudio(burst(300, 0));
    await wire.message('turnComplete');
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'interrupted', 'turnComplete']);
  });

  it('lets content interrupt the answer under way, and answers it', async () => {
    await restart({ generationSpeed: 1, playbackSpeed: 1 });
    using wire = await GeminiWire.ready(gemini.url, { outputAudioTranscription: {} });
    wire.sendText('a rather long sentence that takes its time to be spoken aloud');
    await wire.message('modelTurn', 2);
    wire.sendText('stop');
    await wire.message('turnComplete', 2);
    const turn = ['outputTranscription', 'modelTurn'];
    expect(wire.story).toEqual([
      'setupComplete',
      ...turn,
      'interrupted',
      'turnComplete',
      ...turn,
      'generationComplete',
      'turnComplete',
    ]);
  });

  it('waits for turnComplete: true, and takes it alone', async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.send({ clientContent: { turns: [{ role: 'user', parts: [{ text: 'one' }] }] } });
    wire.send({ clientContent: { turns: [{ role: 'user', parts: [{ text: 'two' }] }] } });
    wire.send({ clientContent: { turnComplete: true } });
    await wire.message('turnComplete');
    expect(wire.text).toBe('one\ntwo');
  });

  it('takes text on the realtime path, and video without a word', async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.send({ realtimeInput: { video: { data: 'AAAA', mimeType: 'image/jpeg' } } });
    wire.send({ realtimeInput: {} });
    wire.send({ realtimeInput: { text: 'typed' } });
    await wire.message('turnComplete');
    expect(wire.text).toBe('typed');
    expect(gemini.connections.last?.inputs).toMatchObject({ video: 1, text: 1 });
  });

  it('makes turns of activityStart and activityEnd, and only where detection is off', async () => {
    const detection = { realtimeInputConfig: { automaticActivityDetection: { disabled: true } } };
    using manual = await GeminiWire.ready(gemini.url, detection);
    manual.send({ realtimeInput: { activityStart: {} } });
    manual.sendAudio(burst(400, 0));
    manual.send({ realtimeInput: { activityEnd: {} } });
    await manual.message('turnComplete');
    expect(manual.audioSamples).toBe(0.4 * 24_000);
    manual.send({ realtimeInput: { audioStreamEnd: true } });
    expect((await manual.ended()).code).toBe(1007);
    using automatic = await GeminiWire.ready(gemini.url);
    automatic.send({ realtimeInput: { activityStart: {} } });
    expect((await automatic.ended()).code).toBe(1007);
  });

  it('takes the end of the audio stream for the end of the turn', async () => {
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendAudio(burst(500, 0));
    wire.send({ realtimeInput: { audioStreamEnd: true } });
    await wire.message('turnComplete');
    expect(wire.audioSamples).toBeGreaterThanOrEqual(0.5 * 24_000);
  });
});

describe('Gemini emulator: turns without interruptions', () => {
  it('answers what is said into an answer when that is over', async () => {
    await restart({ generationSpeed: 4, playbackSpeed: 4 });
    const realtimeInputConfig = {
      activityHandling: 'NO_INTERRUPTION',
      turnCoverage: 'TURN_INCLUDES_ALL_INPUT',
    };
    using wire = await GeminiWire.ready(gemini.url, { realtimeInputConfig });
    wire.sendAudio(burst(800));
    await wire.message('modelTurn');
    wire.sendAudio(burst(400));
    await wire.message('turnComplete', 2);
    const turn = ['modelTurn', 'generationComplete', 'turnComplete'];
    expect(wire.story).toEqual(['setupComplete', ...turn, ...turn]);
  });
});

describe('Gemini emulator: input it cannot take', () => {
  it.each([
    ['audio at an impossible rate', { audio: { data: 'AAAA', mimeType: 'audio/pcm;rate=1' } }],
    ['audio that is no PCM', { audio: { data: 'AAAA', mimeType: 'audio/mp3' } }],
    ['audio that is no base64', { audio: { data: '§', mimeType: 'audio/pcm' } }],
    ['audio that is no blob', { audio: 'AAAA' }],
  ])('closes with 1007 on %s', async (_, realtimeInput) => {
    using wire = await GeminiWire.ready(gemini.url);
    wire.send({ realtimeInput });
    expect((await wire.ended()).code).toBe(1007);
  });

  it('takes the older form of media, and says nothing to silence', async () => {
    using wire = await GeminiWire.ready(gemini.url);
    wire.send({ realtimeInput: { mediaChunks: [{ data: 'AAAA', mimeType: 'audio/pcm;rate=16000' }] } });
    await gemini.waitFor(() => gemini.connections.last?.inputSamples === 1);
    expect(wire.story).toEqual(['setupComplete']);
  });
});

describe('Gemini emulator: models of 3.x', () => {
  const setup = { model: 'models/gemini-3.1-flash-live-preview', ...TEXT };

  it('refuse content without historyConfig', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.sendText('hello');
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
  });

  it('put several parts into a message, and usage into one of its own', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.send({ realtimeInput: { text: 'a text of some length that comes back in more than one piece' } });
    await wire.message('turnComplete');
    const [, turn, , usage, end] = wire.messages;
    expect(turn?.serverContent.modelTurn.parts).toHaveLength(2);
    expect(usage).toEqual({ serverContent: {}, usageMetadata: expect.anything() });
    expect(end).toEqual({ serverContent: { turnComplete: true, interactionStatus: 'IDLE' } });
    const audio = { responseModalities: ['AUDIO'] };
    using spoken = await GeminiWire.ready(gemini.url, { ...setup, generationConfig: audio });
    spoken.send({ realtimeInput: { text: 'aloud' } });
    expect((await spoken.message('modelTurn')).serverContent.modelTurn.parts).toHaveLength(2);
    await spoken.message('turnComplete');
    expect(spoken.audioSamples).toBe(0.4 * 24_000);
  });

  it('take content as initial history, without an answer, and refuse it afterwards', async () => {
    const historyConfig = { initialHistoryInClientContent: true };
    using wire = await GeminiWire.ready(gemini.url, { ...setup, historyConfig });
    const turns = ['user', 'model'].map((role) => ({ role, parts: [{ text: 'before' }] }));
    wire.send({ clientContent: { turns, turnComplete: true } });
    wire.send({ realtimeInput: { text: 'now' } });
    await wire.message('turnComplete');
    expect(wire.text).toBe('now');
    wire.sendText('more');
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
  });
});

describe('Gemini emulator: tools', () => {
  const setup = { ...TEXT, tools: [{ functionDeclarations: [{ name: 'weather' }] }], sessionResumption: {} };

  it('calls a declared function, cannot be resumed meanwhile, and answers with the result', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.sendText('call weather {"city":"Bern"}');
    const { toolCall } = await wire.message('toolCall');
    expect(toolCall.functionCalls).toMatchObject([{ name: 'weather', args: { city: 'Bern' } }]);
    expect(wire.messages[1]).toEqual({ sessionResumptionUpdate: { resumable: false } });
    const [{ id, name }] = toolCall.functionCalls;
    wire.send({ toolResponse: { functionResponses: [{ id, name, response: { output: 'sunny' } }] } });
    await wire.message('sessionResumptionUpdate', 2);
    expect(wire.text).toBe('sunny');
  });

  it('echoes a call of a function that was not declared', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.sendText('call home {}');
    await wire.message('turnComplete');
    expect(wire.text).toBe('call home {}');
  });

  it('cancels the call when it is interrupted, and does not mind the late result', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    wire.sendText('never mind');
    const { toolCallCancellation } = await wire.message('toolCallCancellation');
    expect(toolCallCancellation.ids).toEqual([id]);
    wire.send({ toolResponse: { functionResponses: [{ id, name: 'weather', response: {} }] } });
    wire.sendText('still there?');
    await wire.message('turnComplete', 3);
    expect(wire.text).toBe('never mindstill there?');
  });

  it('asks for the id of a result on the Gemini API, and takes the name on Vertex', async () => {
    const result = { name: 'weather', response: { output: 'sunny' } };
    using named = await GeminiWire.ready(gemini.url, setup);
    named.sendText('call weather');
    await named.message('toolCall');
    named.send({ toolResponse: { functionResponses: [result] } });
    expect(await named.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
    using vertex = new GeminiWire(gemini.url, VERTEX_PATH, { headers: { 'x-goog-api-key': 'express' } });
    await vertex.opened();
    vertex.send({ setup: { ...setup, model: 'publishers/google/models/gemini-2.5-flash' } });
    await vertex.message('setupComplete');
    vertex.sendText('call weather');
    await vertex.message('toolCall');
    vertex.send({ toolResponse: { functionResponses: [result] } });
    const { usageMetadata } = await vertex.message('turnComplete');
    expect(vertex.text).toBe('sunny');
    expect(usageMetadata).toHaveProperty('candidatesTokenCount');
    expect(usageMetadata).not.toHaveProperty('responseTokenCount');
  });

  it('tells the index of the last message as a text where resumption is transparent', async () => {
    using wire = new GeminiWire(gemini.url, VERTEX_PATH, { headers: { Authorization: 'Bearer ya29' } });
    await wire.opened();
    const model = 'projects/p/locations/l/publishers/google/models/gemini-2.5-flash';
    wire.send({ setup: { ...setup, model, sessionResumption: { transparent: true } } });
    wire.sendText('one');
    const update = await wire.message('sessionResumptionUpdate', 2);
    expect(update.sessionResumptionUpdate.lastConsumedClientMessageIndex).toBe('0');
  });

  it('closes with 1008 on the result of a call it never made', async () => {
    using wire = await GeminiWire.ready(gemini.url, setup);
    wire.send({ toolResponse: { functionResponses: [{ id: 'x', name: 'weather', response: {} }] } });
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.entityNotFound);
  });
});

describe('Gemini emulator: resumption', () => {
  const setup = { ...TEXT, sessionResumption: {} };

  async function handleAfterTurn(wire: GeminiWire): Promise<string> {
    wire.sendText('remember');
    return (await wire.message('sessionResumptionUpdate', 2)).sessionResumptionUpdate.newHandle as string;
  }

  it('gives handles only to those who ask', async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.story).not.toContain('sessionResumptionUpdate');
  });

  it('restores what the handle knew, and gives a new one', async () => {
    const first = await GeminiWire.ready(gemini.url, setup);
    const handle = await handleAfterTurn(first);
    first.sendText('too late to be remembered');
    await first.message('turnComplete', 2);
    first.socket.close();
    await gemini.waitFor(() => gemini.connections.open === 0);
    using second = await GeminiWire.ready(gemini.url, { ...TEXT, sessionResumption: { handle } });
    const update = await second.message('sessionResumptionUpdate');
    expect(update.sessionResumptionUpdate).toMatchObject({ resumable: true });
    expect(update.sessionResumptionUpdate.newHandle).not.toBe(handle);
    expect(gemini.connections.last).toMatchObject({ resumedFrom: handle, rememberedAtSetup: { turns: 2 } });
  });

  it('refuses to resume while the old socket is open, and does once it is not', async () => {
    const first = await GeminiWire.ready(gemini.url, setup);
    const handle = await handleAfterTurn(first);
    using early = new GeminiWire(gemini.url);
    await early.opened();
    early.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect((await early.ended()).code).toBe(1011);
    first.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    using later = await GeminiWire.ready(gemini.url, { sessionResumption: { handle } });
    expect(later.closed).toBeUndefined();
  });

  it.each([
    ['malformed', 'no handle at all', GEMINI_CLOSES.invalidHandle],
    ['never issued', '0'.repeat(32), GEMINI_CLOSES.sessionNotFound],
  ])('refuses a handle that is %s', async (_, handle, close) => {
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/m', sessionResumption: { handle } } });
    expect(await wire.ended()).toEqual(close);
    expect(wire.messages).toEqual([]);
  });

  it('accepts the handle of another model and then closes with 1011, as measured', async () => {
    const first = await GeminiWire.ready(gemini.url, setup);
    const handle = await handleAfterTurn(first);
    first.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    using wire = await GeminiWire.ready(gemini.url, { model: 'models/other', sessionResumption: { handle } });
    expect((await wire.ended()).code).toBe(1011);
  });

  it('forgets handles on request', async () => {
    const first = await GeminiWire.ready(gemini.url, setup);
    const handle = await handleAfterTurn(first);
    first.socket.terminate();
    gemini.forgetHandles();
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });
});

describe('Gemini emulator: limits', () => {
  it('says goAway before the lifetime of a connection ends, goes on, and ends it', async () => {
    await restart({ connectionLifetimeMs: 1_500, goAwayLeadMs: 500 });
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    expect(await wire.message('goAway')).toEqual({ goAway: { timeLeft: '0.5s' } });
    wire.sendText('still there?');
    await wire.message('turnComplete');
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
  });

  it('closes with 1007 when the context is full, unless the window slides', async () => {
    await restart({ contextTokens: 20 });
    const long = 'x'.repeat(60);
    using full = await GeminiWire.ready(gemini.url, TEXT);
    full.sendText(long);
    await full.message('turnComplete');
    full.sendText(long);
    expect(await full.ended()).toEqual(GEMINI_CLOSES.invalidArgument);
    const contextWindowCompression = { triggerTokens: '20', slidingWindow: { targetTokens: '16' } };
    using sliding = await GeminiWire.ready(gemini.url, { ...TEXT, contextWindowCompression });
    sliding.sendText(long);
    await sliding.message('turnComplete');
    sliding.sendText(long);
    await sliding.message('turnComplete', 2);
    expect(sliding.closed).toBeUndefined();
  });
});

describe('Gemini emulator: its own end', () => {
  it.each(['close', 'abort'] as const)('says in its records that it was the one, on %s', async (verb) => {
    using polite = await GeminiWire.ready(gemini.url, TEXT);
    using deaf = await GeminiWire.ready(gemini.url, TEXT);
    gemini.inject({ type: 'halfOpen' }, 2);
    await gemini[verb]();
    await Promise.all([polite.ended(), deaf.ended()]);
    const code = verb === 'close' ? 1001 : 1006;
    expect(gemini.connections.nth(1)?.ending).toMatchObject({ by: 'emulator', code });
    expect(gemini.connections.nth(2)?.ending).toMatchObject({ by: 'emulator', code: 1006 });
  });
});
