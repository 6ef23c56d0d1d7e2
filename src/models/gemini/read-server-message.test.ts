import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelOutput } from '../../session/live-model.ts';
import { parseServerMessage, readServerMessage } from './read-server-message.ts';
import { scanAudio } from './scan-audio.ts';

type Seen = ModelOutput | { readonly type: 'setupComplete' };

function listen(
  read: (reader: { setupComplete(): void; output(message: ModelOutput): void }) => void,
): Seen[] {
  const seen: Seen[] = [];
  read({
    setupComplete: () => seen.push({ type: 'setupComplete' }),
    output: (message) => seen.push(message),
  });
  return seen;
}

/** Audio by what it holds, so that outputs can be compared. */
function plain(outputs: readonly Seen[]): unknown[] {
  return outputs.map((output) =>
    output.type === 'audio'
      ? {
          type: 'audio',
          rateHz: output.audio.rateHz,
          base64: output.audio.base64,
          pcm: Buffer.from(output.audio.pcm).toString('hex'),
        }
      : output,
  );
}

function bytesOf(message: unknown): Buffer {
  return Buffer.isBuffer(message)
    ? message
    : Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
}

function read(message: unknown): unknown[] {
  return plain(listen((reader) => readServerMessage(bytesOf(message), reader)));
}

function parse(message: unknown): unknown[] {
  return plain(listen((reader) => parseServerMessage(bytesOf(message), reader)));
}

function audioMessage(data: string, mimeType = 'audio/pcm;rate=24000'): Record<string, unknown> {
  return { serverContent: { modelTurn: { role: 'model', parts: [{ inlineData: { mimeType, data } }] } } };
}

const PCM = Buffer.from([1, 0, 254, 255, 128, 7]);
const AUDIO = {
  type: 'audio',
  rateHz: 24_000,
  base64: PCM.toString('base64'),
  pcm: PCM.toString('hex'),
};

describe('scan or parse', () => {
  const base64 = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  const payload = fc.oneof(
    { weight: 3, arbitrary: base64 },
    base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    base64.map((text) => text.replace(/=+$/, '')),
    fc.string(),
    fc.constantFrom(
      '',
      '=',
      '==',
      '====',
      'A',
      'AA==',
      'AB=A',
      'A===',
      'AAAA\\"}',
      'AA AA',
      'AA\u00e9A',
      '"},"x":"',
    ),
  );
  const mimeType = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('audio/pcm;rate=24000', 'audio/pcm;rate=16000') },
    fc.constantFrom(
      'audio/pcm',
      'audio/pcm;rate=0',
      'audio/pcm;rate=',
      'audio/pcm;rate=1234567',
      'audio/pcm;rate=007',
      'audio/PCM; rate=24000',
      'audio/l16;rate=8000',
      'image/png',
      'audio/pcm;rate=24000;x=1',
      'audio/pcm;rate=24e3',
      '',
    ),
    fc.string(),
  );
  /** Members in any order, some left out, some that nobody knows. */
  const shuffled = (members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
    fc
      .record(members, { requiredKeys: [] })
      .chain((object) =>
        fc
          .shuffledSubarray(Object.entries(object), { minLength: Object.keys(object).length })
          .map((entries) => Object.fromEntries(entries)),
      );
  const blob = fc.oneof(
    { weight: 5, arbitrary: fc.record({ mimeType, data: payload }) },
    { weight: 2, arbitrary: fc.record({ data: payload, mimeType }) },
    shuffled({ mimeType, data: payload, displayName: fc.string() }),
    fc.record({ mime_type: mimeType, data: payload }),
    fc.jsonValue(),
  );
  const part = fc.oneof(
    { weight: 6, arbitrary: fc.record({ inlineData: blob }) },
    shuffled({
      inlineData: blob,
      text: fc.string(),
      thought: fc.boolean(),
      thoughtSignature: fc.string(),
      executableCode: fc.jsonValue(),
      videoMetadata: fc.jsonValue(),
    }),
    fc.record({ inline_data: blob }),
    fc.jsonValue(),
  );
  const parts = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(part) },
    fc.array(part, { maxLength: 3 }),
    fc.jsonValue(),
  );
  const role = fc.oneof({ weight: 5, arbitrary: fc.constant('model') }, fc.constantFrom('user', '', null, 1));
  const modelTurn = fc.oneof(
    { weight: 4, arbitrary: fc.record({ parts }) },
    { weight: 2, arbitrary: fc.record({ role, parts }) },
    { weight: 2, arbitrary: fc.record({ parts, role }) },
    shuffled({ role, parts, other: fc.jsonValue() }),
    fc.jsonValue(),
  );
  const serverContent = fc.oneof(
    { weight: 6, arbitrary: fc.record({ modelTurn }) },
    shuffled({
      modelTurn,
      turnComplete: fc.boolean(),
      interrupted: fc.boolean(),
      generationComplete: fc.boolean(),
      turnCompleteReason: fc.string(),
      inputTranscription: fc.record({ text: fc.string() }),
      outputTranscription: fc.jsonValue(),
      groundingMetadata: fc.jsonValue(),
    }),
    fc.jsonValue(),
  );
  const message = fc.oneof(
    { weight: 8, arbitrary: fc.record({ serverContent }) },
    { weight: 1, arbitrary: fc.record({ server_content: serverContent }) },
    shuffled({
      serverContent,
      setupComplete: fc.jsonValue(),
      toolCall: fc.jsonValue(),
      toolCallCancellation: fc.jsonValue(),
      goAway: fc.jsonValue(),
      sessionResumptionUpdate: fc.jsonValue(),
      usageMetadata: fc.jsonValue(),
      voiceActivity: fc.jsonValue(),
      unheardOf: fc.jsonValue(),
    }),
    fc.jsonValue(),
  );
  const layout = fc.constantFrom<(value: unknown) => string>(
    (value) => JSON.stringify(value),
    (value) => JSON.stringify(value, null, 2),
    (value) => `\r\n\t ${JSON.stringify(value, null, '\t')}\n`,
    (value) => JSON.stringify(value).replaceAll('/', '\\/'),
    (value) => JSON.stringify(value).replace('serverContent', 'server\\u0043ontent'),
    (value) => JSON.stringify(value).replace('"data":"', '"data":"\\u0041'),
  );

  it('says the same of any message, however it is laid out', () => {
    fc.assert(
      fc.property(message, layout, (value, write) => {
        const bytes = Buffer.from(write(value) ?? 'null');
        expect(read(bytes)).toEqual(parse(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it('says the same of an audio message with anything done to its bytes', () => {
    const damage = fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 }));
    fc.assert(
      fc.property(base64, layout, fc.array(damage, { maxLength: 3 }), (data, write, damages) => {
        let bytes = Buffer.from(write(audioMessage(data)));
        for (const [place, removed, added] of damages) {
          const at = place % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(added), bytes.subarray(at + removed)]);
        }
        expect(read(bytes)).toEqual(parse(bytes));
      }),
      { numRuns: 3_000 },
    );
  });

  it('says the same of every change of one byte in a message like the one before it', () => {
    const data = PCM.toString('base64');
    const mimeFirst = { mimeType: 'audio/pcm;rate=16000', data };
    const shapes = [
      JSON.stringify({ serverContent: { modelTurn: { role: 'model', parts: [{ inlineData: mimeFirst }] } } }),
      JSON.stringify({
        serverContent: { modelTurn: { parts: [{ inlineData: { data, mimeType: mimeFirst.mimeType } }] } },
      }),
      JSON.stringify(
        { serverContent: { modelTurn: { parts: [{ inlineData: mimeFirst }], role: 'model' } } },
        null,
        1,
      ),
    ];
    const bytesToTry = ['"', '\\', '}', '{', ',', ':', ' ', 'A', '=', '_', 'é', '\0'].map((character) =>
      Buffer.from(character),
    );
    for (const shape of shapes) {
      const intact = Buffer.from(shape);
      const changed: Buffer[] = [];
      for (let at = 0; at <= intact.length; at += 1) {
        const [before, after] = [intact.subarray(0, at), intact.subarray(at)];
        changed.push(Buffer.concat([before, after.subarray(1)]), before);
        for (const byte of bytesToTry) {
          changed.push(
            Buffer.concat([before, byte, after]),
            Buffer.concat([before, byte, after.subarray(1)]),
          );
        }
      }
      const wrong = changed.filter((bytes) => {
        // The intact message comes first every time, so that the short cut for messages alike is tried too.
        expect(scanAudio(intact)?.rateHz).toBe(16_000);
        return JSON.stringify(read(bytes)) !== JSON.stringify(parse(bytes));
      });
      expect(wrong.map((bytes) => bytes.toString())).toEqual([]);
    }
  });

  it('says the same of any bytes at all, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(read(Buffer.from(bytes))).toEqual(parse(Buffer.from(bytes)));
      }),
    );
  });

  it('takes every layout a provider writes without parsing it', () => {
    const data = PCM.toString('base64');
    const inlineData = { mimeType: 'audio/pcm;rate=24000', data };
    const layouts = [
      { serverContent: { modelTurn: { parts: [{ inlineData }] } } },
      { serverContent: { modelTurn: { role: 'model', parts: [{ inlineData }] } } },
      { serverContent: { modelTurn: { parts: [{ inlineData }], role: 'model' } } },
      { serverContent: { modelTurn: { parts: [{ inlineData: { data, mimeType: inlineData.mimeType } }] } } },
    ];
    for (const value of layouts) {
      for (const text of [
        JSON.stringify(value),
        JSON.stringify(value, null, 2),
        `${JSON.stringify(value)}\n`,
      ]) {
        expect(scanAudio(Buffer.from(text))?.base64).toBe(data);
        expect(read(text)).toEqual([AUDIO]);
      }
    }
  });

  it.each([
    ['usage alongside', { ...audioMessage('AAAA'), usageMetadata: {} }],
    ['two parts', { serverContent: { modelTurn: { parts: [{ text: 'a' }, { text: 'b' }] } } }],
    ['an end of the turn alongside', { serverContent: { turnComplete: true } }],
    ['an empty payload', audioMessage('')],
    ['a payload that is no base64', audioMessage('AA!A')],
    ['no rate', audioMessage('AAAA', 'audio/pcm')],
  ])('leaves a message with %s to the parser', (_what, value) => {
    expect(scanAudio(Buffer.from(JSON.stringify(value)))).toBeUndefined();
  });

  it('does not keep the frame it was read from', () => {
    const bytes = Buffer.from(JSON.stringify(audioMessage(PCM.toString('base64'))));
    const outputs = listen((reader) => readServerMessage(bytes, reader));
    bytes.fill(0);
    expect(plain(outputs)).toEqual([AUDIO]);
  });
});

describe('what a server message says', () => {
  it.each([
    ['setupComplete', { setupComplete: { sessionId: 's' } }, [{ type: 'setupComplete' }]],
    ['text', { serverContent: { modelTurn: { parts: [{ text: 'hi' }] } } }, [{ type: 'text', text: 'hi' }]],
    [
      'a thought with its signature',
      { serverContent: { modelTurn: { parts: [{ text: 'hm', thought: true, thoughtSignature: 'x' }] } } },
      [{ type: 'text', text: 'hm', thought: true }],
    ],
    [
      'several parts of several kinds, in order',
      {
        serverContent: {
          modelTurn: {
            role: 'model',
            parts: [
              { text: 'a' },
              { inlineData: { mimeType: 'audio/pcm;rate=24000', data: AUDIO.base64 } },
              { executableCode: { language: 'PYTHON', code: '1' } },
              { codeExecutionResult: { outcome: 'OUTCOME_OK' } },
              { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
            ],
          },
        },
      },
      [
        { type: 'text', text: 'a' },
        AUDIO,
        {
          type: 'content',
          content: { role: 'model', parts: [{ executableCode: { language: 'PYTHON', code: '1' } }] },
        },
        {
          type: 'content',
          content: { role: 'model', parts: [{ codeExecutionResult: { outcome: 'OUTCOME_OK' } }] },
        },
        {
          type: 'content',
          content: { role: 'model', parts: [{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
        },
      ],
    ],
    ['generationComplete', { serverContent: { generationComplete: true } }, [{ type: 'generationComplete' }]],
    [
      'the end of a turn with its reason and its cost, the cost first',
      {
        usageMetadata: { promptTokenCount: 2, responseTokenCount: 3, totalTokenCount: 5 },
        serverContent: { turnComplete: true, turnCompleteReason: 'NEED_MORE_INPUT' },
      },
      [
        { type: 'usage', usage: { promptTokens: 2, responseTokens: 3, totalTokens: 5 } },
        { type: 'turnComplete', reason: 'NEED_MORE_INPUT' },
      ],
    ],
    [
      'an interruption after the audio it interrupts',
      {
        serverContent: {
          interrupted: true,
          modelTurn: { parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data: AUDIO.base64 } }] },
        },
      },
      [AUDIO, { type: 'interrupted' }],
    ],
    [
      'transcripts of both sides',
      {
        serverContent: {
          inputTranscription: { text: 'hello', languageCode: 'en' },
          outputTranscription: { text: 'hi', finished: true },
        },
      },
      [
        { type: 'transcript', speaker: 'user', text: 'hello', finished: false, languageCode: 'en' },
        { type: 'transcript', speaker: 'agent', text: 'hi', finished: true },
      ],
    ],
    [
      'an interim transcript, as it came',
      { serverContent: { interimInputTranscription: { text: 'hel' } } },
      [
        {
          type: 'unknown',
          message: { serverContent: { interimInputTranscription: { text: 'hel' } } },
        },
      ],
    ],
    [
      'the words of a transcript',
      { serverContent: { inputTranscription: { text: 'a', words: [{ word: 'a' }] } } },
      [
        { type: 'transcript', speaker: 'user', text: 'a', finished: false },
        { type: 'unknown', message: { serverContent: { inputTranscription: { words: [{ word: 'a' }] } } } },
      ],
    ],
    [
      'grounding and states, as they came',
      { serverContent: { groundingMetadata: { a: 1 }, interactionStatus: 'IDLE', turnComplete: true } },
      [
        {
          type: 'unknown',
          message: { serverContent: { groundingMetadata: { a: 1 }, interactionStatus: 'IDLE' } },
        },
        { type: 'turnComplete' },
      ],
    ],
    [
      'tool calls',
      { toolCall: { functionCalls: [{ id: '1', name: 'f', args: { a: 1 } }, { name: 'g' }] } },
      [
        {
          type: 'toolCall',
          calls: [
            { id: '1', name: 'f', args: { a: 1 } },
            { id: '', name: 'g', args: {} },
          ],
        },
      ],
    ],
    [
      'a piece of a tool call',
      { toolCall: { functionCalls: [{ id: '1', name: 'f', partialArgs: [], willContinue: true }] } },
      [
        {
          type: 'unknown',
          message: {
            toolCall: { functionCalls: [{ id: '1', name: 'f', partialArgs: [], willContinue: true }] },
          },
        },
      ],
    ],
    [
      'a cancellation',
      { toolCallCancellation: { ids: ['1', '2'] } },
      [{ type: 'toolCallCancellation', ids: ['1', '2'] }],
    ],
    ['goAway', { goAway: { timeLeft: '57s' } }, [{ type: 'goAway', timeLeftMs: 57_000 }]],
    ['goAway in fractions', { goAway: { timeLeft: '1.5s' } }, [{ type: 'goAway', timeLeftMs: 1_500 }]],
    ['goAway without a time', { goAway: {} }, [{ type: 'goAway', timeLeftMs: undefined }]],
    [
      'goAway with a broken time',
      { goAway: { timeLeft: '-1m' } },
      [{ type: 'goAway', timeLeftMs: undefined }],
    ],
    [
      'a handle',
      { sessionResumptionUpdate: { newHandle: 'h', resumable: true, lastConsumedClientMessageIndex: '12' } },
      [{ type: 'resumption', handle: 'h', lastConsumedIndex: 12 }],
    ],
    [
      'no handle at this moment',
      { sessionResumptionUpdate: { newHandle: 'h', resumable: false } },
      [{ type: 'resumption', handle: undefined }],
    ],
    [
      'an empty handle',
      { sessionResumptionUpdate: { newHandle: '', resumable: true } },
      [{ type: 'resumption', handle: undefined }],
    ],
    [
      'usage as Vertex spells it',
      {
        usageMetadata: {
          promptTokenCount: 10,
          candidatesTokenCount: 4,
          totalTokenCount: 15,
          cachedContentTokenCount: 2,
          thoughtsTokenCount: 1,
          toolUsePromptTokenCount: 3,
          promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 8 }],
          candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 4 }],
        },
      },
      [
        {
          type: 'usage',
          usage: {
            promptTokens: 10,
            responseTokens: 4,
            totalTokens: 15,
            cachedTokens: 2,
            thoughtTokens: 1,
            toolPromptTokens: 3,
            promptTokensByModality: { AUDIO: 8 },
            responseTokensByModality: { AUDIO: 4 },
          },
        },
      ],
    ],
    [
      'voice activity as Vertex spells it',
      { voiceActivity: { type: 'ACTIVITY_START', audioOffset: '1.5s' } },
      [{ type: 'voiceActivity', activity: 'start', offsetMs: 1_500 }],
    ],
    [
      'voice activity as the Gemini API spells it',
      { voiceActivity: { voiceActivityType: 'ACTIVITY_END' } },
      [{ type: 'voiceActivity', activity: 'end' }],
    ],
    [
      'a detection signal',
      { voiceActivityDetectionSignal: { vadSignalType: 'VAD_SIGNAL_TYPE_EOS' } },
      [{ type: 'voiceActivity', activity: 'end' }],
    ],
    [
      'a voice activity of a name nobody knows',
      { voiceActivity: { type: 'constructor' } },
      [{ type: 'unknown', message: { voiceActivity: { type: 'constructor' } } }],
    ],
    [
      'a message in snake case',
      {
        server_content: {
          model_turn: { parts: [{ inline_data: { mime_type: 'audio/pcm;rate=24000', data: AUDIO.base64 } }] },
          turn_complete: true,
        },
      },
      [AUDIO, { type: 'turnComplete' }],
    ],
    [
      'arguments in snake case, which stay so',
      { tool_call: { function_calls: [{ id: '1', name: 'f', args: { a_b: { c_d: 1 } } }] } },
      [{ type: 'toolCall', calls: [{ id: '1', name: 'f', args: { a_b: { c_d: 1 } } }] }],
    ],
    ['nothing, where the content is empty', { serverContent: {} }, []],
    ['a kind nobody knows', { brandNew: { a: 1 } }, [{ type: 'unknown', message: { brandNew: { a: 1 } } }]],
    ['nothing, where the frame is empty', '', []],
    ['nothing, where the frame is white space', ' \n', []],
    [
      'invalid JSON',
      '{"serverContent":',
      [
        {
          type: 'unknown',
          message: { problem: 'not JSON', frameBytes: 17, excerpt: '{"serverContent":' },
        },
      ],
    ],
    [
      'a list',
      '[1]',
      [{ type: 'unknown', message: { problem: 'not an object', frameBytes: 3, excerpt: '[1]' } }],
    ],
  ])('%s', (_what, message, outputs) => {
    expect(read(message)).toEqual(outputs);
  });

  it('shows a bounded piece of what is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.alloc(5_000, 0xff), Buffer.from('"}')]);
    const [output] = read(bytes) as { message: { problem: string; excerpt: string } }[];
    expect(output?.message.problem).toBe('not UTF-8');
    expect(output?.message.excerpt.length).toBeLessThanOrEqual(200);
  });

  it('survives a message nested deeper than any stack', () => {
    const deep = `{"a_b":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    expect(read(deep)).toHaveLength(1);
  });
});
