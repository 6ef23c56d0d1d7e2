import { readFileSync } from 'node:fs';
import { GoogleGenAI, Modality } from '@google/genai';
import type { LiveConnectConfig, LiveServerMessage, Session } from '@google/genai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator, compareAudio } from '../../src/testing/index.ts';
import { parseWav, resample } from '../../src/speech/index.ts';

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

/** One connection of the vendor's client, and what it was told. */
class Caller {
  readonly messages: LiveServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  session!: Session;
  #waits: { readonly check: () => boolean; readonly resolve: () => void }[] = [];

  async connect(ai: GoogleGenAI, config: LiveConnectConfig): Promise<this> {
    this.session = await ai.live.connect({
      model: MODEL,
      config,
      callbacks: {
        onmessage: (message) => {
          this.messages.push(message);
          this.#look();
        },
        onclose: ({ code, reason }) => {
          this.closed = { code, reason };
          this.#look();
        },
      },
    });
    return this;
  }

  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ check, resolve }));
  }

  /** Forgets what came so far, so that a turn can be looked at alone. */
  clear(): void {
    this.messages.length = 0;
  }

  /** Frames of 20 ms as fast as they go: the emulator's ear counts samples, not time. */
  speak(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += RATE_HZ / 50) {
      const frame = samples.slice(at, at + RATE_HZ / 50);
      const data = Buffer.from(frame.buffer).toString('base64');
      this.session.sendRealtimeInput({ audio: { data, mimeType: `audio/pcm;rate=${RATE_HZ}` } });
    }
  }

  turnIsComplete(): boolean {
    return this.messages.some(({ serverContent }) => serverContent?.turnComplete === true);
  }

  get handles(): string[] {
    return this.messages.flatMap(({ sessionResumptionUpdate: update }) =>
      update?.resumable === true && update.newHandle !== undefined ? [update.newHandle] : [],
    );
  }

  get audio(): Int16Array {
    const chunks = this.messages
      .flatMap(({ serverContent }) => serverContent?.modelTurn?.parts ?? [])
      .map(({ inlineData }) => Buffer.from(inlineData?.data ?? '', 'base64'));
    const bytes = new Uint8Array(Buffer.concat(chunks));
    return new Int16Array(bytes.buffer, 0, bytes.byteLength / 2);
  }

  said(kind: 'inputTranscription' | 'outputTranscription'): string {
    return this.messages.map(({ serverContent }) => serverContent?.[kind]?.text ?? '').join('');
  }

  #look(): void {
    const due = this.#waits.filter(({ check }) => check());
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { resolve } of due) resolve();
  }
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
      const first = await new Caller().connect(ai, { ...CONFIG, sessionResumption: {} });
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
      const second = await new Caller().connect(ai, { ...CONFIG, sessionResumption: { handle } });
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
    const caller = await new Caller().connect(constrained, CONFIG);
    expect(gemini.connections.last).toMatchObject({ api: 'constrained', credential: 'auth_tokens/abc' });
    caller.session.close();
  });

  it('makes an ephemeral token that opens one session, locked as it was asked for', async () => {
    const httpOptions = { baseUrl: gemini.url, apiVersion: 'v1alpha' };
    const { name: token = '' } = await new GoogleGenAI({ apiKey: 'any', httpOptions }).authTokens.create({
      config: { uses: 1, liveConnectConstraints: { model: MODEL, config: CONFIG } },
    });
    const constrained = new GoogleGenAI({ apiKey: token, httpOptions });
    const caller = await new Caller().connect(constrained, { responseModalities: [Modality.AUDIO] });
    caller.session.sendClientContent({ turns: 'call weather {}', turnComplete: true });
    // The function is the token's: the client has declared none.
    await caller.until(() => caller.messages.some(({ toolCall }) => toolCall !== undefined));
    const second = new Caller();
    // The vendor's client waits for ever for a setup that is refused.
    second.connect(constrained, {}).catch(() => undefined);
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
    const caller = await new Caller().connect(vertex, { ...CONFIG, explicitVadSignal: true });
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
    const caller = new Caller();
    await expect(caller.connect(ai, CONFIG)).rejects.toThrow('API key not valid');
    expect(caller.closed).toEqual(GEMINI_CLOSES.keyNotValid);
  });
});
