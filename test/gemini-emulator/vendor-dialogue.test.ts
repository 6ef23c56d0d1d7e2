import { GoogleGenAI, Modality } from '@google/genai';
import type { LiveConnectConfig } from '@google/genai';
import { afterEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator, parseDialogue } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';
import { VendorCaller } from '../support/vendor-caller.ts';

const DIALOGUE = parseDialogue(
  `
turns:
  - transcript: good morning
    say: Good morning. Which city?
  - hear: /bern|basel/i
    call: { name: get_weather, args: { city: Bern } }
    say: It is {{result}} in Bern.
`,
  'dialogue',
);

const CONFIG: LiveConnectConfig = {
  responseModalities: [Modality.AUDIO],
  inputAudioTranscription: {},
  outputAudioTranscription: {},
  tools: [{ functionDeclarations: [{ name: 'get_weather', description: 'The weather of a city.' }] }],
};

let gemini: GeminiEmulator;

function client(): GoogleGenAI {
  return new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: gemini.url } });
}

afterEach(async () => {
  await gemini.close();
});

describe('Gemini emulator: a dialogue with the vendor’s own client', () => {
  it.each([
    ['gemini-2.5-flash-native-audio-latest', 'binary', 1],
    ['gemini-2.5-flash-native-audio-latest', 'text', 1],
    ['gemini-3.1-flash-live-preview', 'binary', 2],
    ['gemini-3.1-flash-live-preview', 'text', 2],
  ] as const)('is held by %s in %s frames', async (model, frames, parts) => {
    gemini = await GeminiEmulator.start({
      dialogue: DIALOGUE,
      frames,
      generationSpeed: 50,
      playbackSpeed: 50,
      record: true,
    });
    const caller = await new VendorCaller().connect(client(), model, CONFIG);

    // Spoken, and claimed to have been understood.
    caller.speak(burst(500));
    await caller.turns(1);
    expect(caller.said('inputTranscription')).toBe('good morning');
    expect(caller.said('outputTranscription')).toBe('Good morning. Which city?');

    // Written, with a tool.
    caller.session.sendRealtimeInput({ text: 'Bern, please' });
    await caller.until(() => caller.messages.some(({ toolCall }) => toolCall !== undefined));
    const [call] = caller.messages.flatMap(({ toolCall }) => toolCall?.functionCalls ?? []);
    expect(call).toMatchObject({ name: 'get_weather', args: { city: 'Bern' } });
    caller.session.sendToolResponse({
      functionResponses: [{ id: call!.id!, name: 'get_weather', response: { output: 'sunny' } }],
    });
    await caller.turns(2);
    expect(caller.said('outputTranscription')).toBe('Good morning. Which city?It is sunny in Bern.');

    const audio = caller.messages.flatMap(({ serverContent }) => serverContent?.modelTurn ?? []);
    expect(audio[0]?.parts).toHaveLength(parts);
    expect(caller.messages.filter(({ usageMetadata }) => usageMetadata !== undefined)).toHaveLength(2);
    expect(gemini.recorded.filter(({ event }) => event === 'out')).toHaveLength(caller.messages.length);
    caller.session.close();
    await caller.until(() => caller.closed !== undefined);
  });

  it('sees a connection of ten minutes go by in one second', async () => {
    gemini = await GeminiEmulator.start({ timeScale: 600 });
    const caller = await new VendorCaller().connect(client(), 'gemini-2.5-flash', CONFIG);
    await caller.until(() => caller.closed !== undefined);
    expect(caller.messages.at(-1)?.goAway).toEqual({ timeLeft: '0.1s' });
    expect(caller.closed).toEqual(GEMINI_CLOSES.deadline);
  });
});
