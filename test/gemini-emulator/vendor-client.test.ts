import { readFileSync } from 'node:fs';
import { GoogleGenAI, Modality } from '@google/genai';
import type { LiveConnectConfig } from '@google/genai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator, compareAudio } from '../../src/testing/index.ts';
import { parseWav, resample } from '../../src/speech/index.ts';
import { VendorCaller } from '../support/vendor-caller.ts';

const MODEL = 'gemini-2.5-flash-native-audio-latest';
const RATE_HZ = 16_000;

const CONFIG: LiveConnectConfig = {
  responseModalities: [Modality.AUDIO],
  systemInstruction: 'Repeat what you hear.',
  inputAudioTranscription: {},
  outputAudioTranscription: {},
  tools: [{ functionDeclarations: [{ name: 'weather', description: 'The weather of a city.' }] }],
};

function fixture(name: string): Int16Array {
  return parseWav(readFileSync(new URL(`../fixtures/${name}`, import.meta.url))).samples;
}

let gemini: GeminiEmulator;
let ai: GoogleGenAI;

beforeEach(async () => {
  gemini = await GeminiEmulator.start({ generationSpeed: 8, playbackSpeed: 8 });
  ai = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: gemini.url } });
});

afterEach(async () => {
  await gemini.close();
});

describe('Gemini emulator: a conversation of the vendor’s own client', () => {
  it(
    'goes from speech over text, tools and barge-in to goAway and a resumed connection',
    { timeout: 30_000 },
    async () => {
      const question = fixture('hello.wav');
      const silence = new Int16Array(RATE_HZ);
      const first = await new VendorCaller().connect(ai, MODEL, { ...CONFIG, sessionResumption: {} });
      expect(gemini.connections.last).toMatchObject({
        api: 'gemini',
        setup: {
          model: `models/${MODEL}`,
          systemInstruction: { parts: [{ text: 'Repeat what you hear.' }] },
        },
      });

      // Spoken: what comes back is what was said.
      first.speak(question);
      first.speak(silence);
      await first.until(() => first.handles.length === 1);
      expect(first.said('inputTranscription')).toMatch(/of speech/);
      expect(first.said('outputTranscription')).toMatch(/echo/);
      const back = resample(first.audio, 24_000, RATE_HZ);
      expect(compareAudio(question, [back], RATE_HZ).problems).toEqual([]);

      // Written.
      first.clear();
      first.session.sendClientContent({ turns: 'good evening', turnComplete: true });
      await first.until(() => first.turnIsComplete());
      expect(first.said('outputTranscription')).toBe('good evening');
      const usage = first.messages.find(({ usageMetadata }) => usageMetadata !== undefined)?.usageMetadata;
      expect(usage?.totalTokenCount).toBe((usage?.promptTokenCount ?? 0) + (usage?.responseTokenCount ?? 0));

      // A function, there and back.
      first.clear();
      first.session.sendClientContent({ turns: 'call weather {"city":"Bern"}', turnComplete: true });
      await first.until(() => first.messages.some(({ toolCall }) => toolCall !== undefined));
      const [call] = first.messages.flatMap(({ toolCall }) => toolCall?.functionCalls ?? []);
      expect(call).toMatchObject({ name: 'weather', args: { city: 'Bern' } });
      first.session.sendToolResponse({
        functionResponses: [{ id: call!.id!, name: 'weather', response: { output: 'sun' } }],
      });
      await first.until(() => first.turnIsComplete());
      expect(first.said('outputTranscription')).toBe('sun');

      // Interrupted in the middle of an answer.
      first.clear();
      first.session.sendRealtimeInput({
        text: 'a long sentence, long enough that one can speak into the middle of it',
      });
      await first.until(() => first.audio.length > 0);
      first.speak(question);
      await first.until(() =>
        first.messages.some(({ serverContent }) => serverContent?.interrupted === true),
      );
      expect(first.messages.some(({ serverContent }) => serverContent?.generationComplete === true)).toBe(
        false,
      );
      first.speak(silence);
      await first.until(() => first.handles.length === 2);

      // Told to go, gone, and back again with everything remembered.
      gemini.inject({ type: 'goAway', timeLeft: '50s' });
      await first.until(() => first.messages.some(({ goAway }) => goAway?.timeLeft === '50s'));
      const handle = first.handles.at(-1)!;
      const heard = gemini.connections.last!.inputSamples;
      first.session.close();
      await first.until(() => first.closed !== undefined);
      await gemini.waitFor(() => gemini.sockets === 0);
      const second = await new VendorCaller().connect(ai, MODEL, {
        ...CONFIG,
        sessionResumption: { handle },
      });
      expect(gemini.connections.last).toMatchObject({
        number: 2,
        resumedFrom: handle,
        rememberedAtSetup: { turns: 10, inputSamples: heard },
      });
      second.session.sendClientContent({ turns: 'still there?', turnComplete: true });
      await second.until(() => second.turnIsComplete());
      expect(second.said('outputTranscription')).toBe('still there?');
      second.session.close();
      await gemini.waitFor(() => gemini.sockets === 0);
    },
  );

  it('takes an ephemeral token on v1alpha', async () => {
    const httpOptions = { baseUrl: gemini.url, apiVersion: 'v1alpha' };
    const constrained = new GoogleGenAI({ apiKey: 'auth_tokens/abc', httpOptions });
    const caller = await new VendorCaller().connect(constrained, MODEL, CONFIG);
    expect(gemini.connections.last).toMatchObject({ api: 'constrained', credential: 'auth_tokens/abc' });
    caller.session.close();
  });

  it('makes an ephemeral token that opens one session, locked as it was asked for', async () => {
    const httpOptions = { baseUrl: gemini.url, apiVersion: 'v1alpha' };
    const { name: token = '' } = await new GoogleGenAI({ apiKey: 'any', httpOptions }).authTokens.create({
      config: { uses: 1, liveConnectConstraints: { model: MODEL, config: CONFIG } },
    });
    const constrained = new GoogleGenAI({ apiKey: token, httpOptions });
    const caller = await new VendorCaller().connect(constrained, MODEL, {
      responseModalities: [Modality.AUDIO],
    });
    caller.session.sendClientContent({ turns: 'call weather {}', turnComplete: true });
    // The function is the token's: the client has declared none.
    await caller.until(() => caller.messages.some(({ toolCall }) => toolCall !== undefined));
    const second = new VendorCaller();
    // The vendor's client waits for ever for a setup that is refused.
    second.connect(constrained, MODEL, {}).catch(() => undefined);
    await second.until(() => second.closed !== undefined);
    expect(second.closed).toEqual(GEMINI_CLOSES.tokenSpent);
    caller.session.close();
  });

  it('speaks Vertex to the client in its Vertex form', async () => {
    const vertex = new GoogleGenAI({
      vertexai: true,
      apiKey: 'express',
      httpOptions: { baseUrl: gemini.url },
    });
    const caller = await new VendorCaller().connect(vertex, MODEL, { ...CONFIG, explicitVadSignal: true });
    caller.session.sendClientContent({ turns: 'hello', turnComplete: true });
    await caller.until(() => caller.turnIsComplete());
    caller.speak(fixture('hello.wav'));
    await caller.until(() => caller.messages.some(({ voiceActivity }) => voiceActivity !== undefined));
    const usage = caller.messages.find(({ usageMetadata }) => usageMetadata !== undefined)?.usageMetadata;
    expect(usage?.responseTokenCount).toBeGreaterThan(0);
    expect(gemini.connections.last).toMatchObject({ api: 'vertex', credential: 'express' });
    caller.session.close();
  });

  it('refuses a key, and the client is told why', async () => {
    gemini.addFaults([{ when: { on: 'open' }, what: { type: 'close', ...GEMINI_CLOSES.keyNotValid } }]);
    const caller = new VendorCaller();
    await expect(caller.connect(ai, MODEL, CONFIG)).rejects.toThrow('API key not valid');
    expect(caller.closed).toEqual(GEMINI_CLOSES.keyNotValid);
  });
});
