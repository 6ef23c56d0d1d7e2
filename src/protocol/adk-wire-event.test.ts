import { describe, expect, it } from 'vitest';
import { encodeAdkError, encodeAdkEvent } from './adk-wire-event.ts';
import { AudioChunk } from './audio-chunk.ts';
import type { LiveEventBody } from './live-event.ts';

const CONTEXT = { invocationId: 'e-"1"' };
const STAMP = { seq: 3, atMs: 1_900_000_000_125, author: 'the "agent"', turn: 1 };
const ACTIONS = {
  stateDelta: {},
  artifactDelta: {},
  requestedAuthConfigs: {},
  requestedToolConfirmations: {},
};
const COMMON = {
  id: 'e-"1"-3',
  invocationId: 'e-"1"',
  author: 'the "agent"',
  timestamp: 1_900_000_000.125,
  actions: ACTIONS,
};

function encode(body: LiveEventBody): unknown {
  const text = encodeAdkEvent({ ...STAMP, ...body }, CONTEXT);
  return text === undefined ? undefined : JSON.parse(text);
}

const USAGE = { promptTokens: 1, responseTokens: 2, totalTokens: 3 };

describe('events of the ADK wire', () => {
  it('P37 audio is inline data in URL-safe base64 with padding, whatever it came as', () => {
    const bytes = Uint8Array.of(0xfb, 0xff, 0xbf, 0x3e);
    for (const audio of [
      AudioChunk.fromPcm(bytes, 24_000),
      AudioChunk.fromBase64('+/+/Pg==', 24_000),
      AudioChunk.fromBase64('-_-_Pg', 24_000),
    ]) {
      expect(encode({ type: 'audio', audio, positionSamples: 0 })).toEqual({
        ...COMMON,
        content: {
          role: 'model',
          parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data: '-_-_Pg==' } }],
        },
      });
    }
  });

  const cases: readonly [string, LiveEventBody, Record<string, unknown>][] = [
    [
      'partial text',
      { type: 'text', text: 'Hi', partial: true },
      { content: { role: 'model', parts: [{ text: 'Hi' }] }, partial: true },
    ],
    [
      'a thought',
      { type: 'text', text: 'Hm', partial: false, thought: true },
      { content: { role: 'model', parts: [{ text: 'Hm', thought: true }] }, partial: false },
    ],
    [
      'what the user said',
      { type: 'transcript', speaker: 'user', text: 'Hi', partial: false },
      { inputTranscription: { text: 'Hi', finished: true }, partial: false },
    ],
    [
      'what the agent says',
      { type: 'transcript', speaker: 'agent', text: 'Hi', partial: true },
      { outputTranscription: { text: 'Hi', finished: false }, partial: true },
    ],
    [
      'a tool call',
      { type: 'toolCall', calls: [{ id: '1', name: 'f', args: { a_b: 1 } }] },
      { content: { role: 'model', parts: [{ functionCall: { id: '1', name: 'f', args: { a_b: 1 } } }] } },
    ],
    [
      'a tool result',
      { type: 'toolResult', result: { id: '1', name: 'f', response: { output: 1 } } },
      {
        content: {
          role: 'user',
          parts: [{ functionResponse: { id: '1', name: 'f', response: { output: 1 } } }],
        },
      },
    ],
    ['an interruption', { type: 'interrupted', positionSamples: 5 }, { interrupted: true }],
    [
      'a pause',
      { type: 'interrupted', positionSamples: 5, provisional: true },
      {
        interrupted: true,
        customMetadata: { holdfast: { type: 'interrupted', provisional: true } },
      },
    ],
    ['the end of a turn', { type: 'turnComplete', interrupted: false }, { turnComplete: true }],
    [
      'voice activity',
      { type: 'voiceActivity', activity: 'start', offsetMs: 1_500 },
      { voiceActivity: { voiceActivityType: 'ACTIVITY_START', audioOffset: '1.5s' } },
    ],
    [
      'usage',
      { type: 'usage', usage: { ...USAGE, promptTokensByModality: { AUDIO: 1 } }, total: USAGE },
      {
        usageMetadata: {
          promptTokenCount: 1,
          candidatesTokenCount: 2,
          totalTokenCount: 3,
          promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 1 }],
        },
      },
    ],
  ];

  it.each(cases)('P36 %s has the fields of the ADK, nulls left out', (_name, body, fields) => {
    expect(encode(body)).toEqual({ ...COMMON, ...fields });
  });

  it('P43 what came of an event beside the conversation stands in its actions', () => {
    const result = { id: '1', name: 'f', response: {} };
    const stateDelta = { mood: 'good', old: null };
    const artifactDelta = { 'plan.png': 2 };
    expect(encode({ type: 'toolResult', result, stateDelta, artifactDelta })).toMatchObject({
      actions: { ...ACTIONS, stateDelta, artifactDelta },
    });
    expect(encode({ type: 'stateChanged', stateDelta })).toEqual({
      ...COMMON,
      actions: { ...ACTIONS, stateDelta },
    });
    expect(
      encode({ type: 'agentChanged', agent: 'biller', previous: 'clerk', why: 'handoff' }),
    ).toMatchObject({ actions: { ...ACTIONS, transferToAgent: 'biller' } });
  });

  it('P38 what only Holdfast knows stands in customMetadata.holdfast', () => {
    const bodies: readonly LiveEventBody[] = [
      { type: 'goAway', timeLeftMs: 5_000 },
      { type: 'connection', state: 'connected', resumed: false, historyTurns: 0, afterMs: 12 },
      { type: 'userState', state: 'away' },
      { type: 'resumed', positionSamples: 480 },
      { type: 'limit', limit: 'idle', afterMs: 60_000 },
      { type: 'warning', code: 'HOLDFAST_X', message: 'x' },
      { type: 'toolCallCancellation', ids: ['1'] },
    ];
    for (const body of bodies) {
      expect(encode(body)).toEqual({ ...COMMON, customMetadata: { holdfast: body } });
    }
  });

  it('P39 a message of the provider that is passed on in process does not reach the wire', () => {
    const message = { sessionResumptionUpdate: { newHandle: 'secret' } };
    expect(encode({ type: 'unknown', message })).toBeUndefined();
    expect(encode({ type: 'generationComplete' })).toBeUndefined();
  });

  it('P35 an error is an event with errorCode and errorMessage', () => {
    const error = { code: 'HOLDFAST_X', message: 'It broke.' };
    const text = encodeAdkError(error, { id: 'x', atMs: STAMP.atMs, author: 'a' }, CONTEXT);
    expect(JSON.parse(text)).toEqual({
      ...COMMON,
      id: 'x',
      author: 'a',
      errorCode: 'HOLDFAST_X',
      errorMessage: 'It broke.',
    });
  });
});
