import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Lifetime } from '../src/kernel/index.ts';
import { cascade } from '../src/models/cascade/index.ts';
import { echo } from '../src/models/echo/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { gemini } from '../src/models/gemini/index.ts';
import { deepgram } from '../src/models/stt/index.ts';
import { AudioChunk } from '../src/protocol/index.ts';
import type { LiveEvent } from '../src/protocol/index.ts';
import { Agent, AgentSession } from '../src/session/index.ts';
import type { LiveModel } from '../src/session/index.ts';
import {
  Sound,
  backgroundAudio,
  collectDigits,
  detectAnsweringMachine,
  dtmfTones,
  recordSession,
  resample,
} from '../src/speech/index.ts';
import {
  GeminiEmulator,
  ScriptedLanguageModel,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  findTones,
  speakWords,
} from '../src/testing/index.ts';
import { readStereoWav } from './support/stereo-wav.ts';

// The same parts around a call on every kind of model: one line each, over real sockets and in real time.

const INPUT_HZ = 16_000;
const FRAME = 320;
const QUESTION = 'red blue';
const BOUND_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-around-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model, and what has to be let go of after it. */
interface Staged extends AsyncDisposable {
  readonly model: LiveModel;
}

const MODELS: Readonly<Record<string, () => Promise<Staged>>> = {
  echo: () => Promise.resolve({ model: echo(), [Symbol.asyncDispose]: () => Promise.resolve() }),
  gemini: async () => {
    const emulator = await GeminiEmulator.start({ playbackSpeed: 20 });
    const model = gemini({ model: 'gemini-2.5-flash', apiKey: 'any', baseUrl: emulator.url });
    return { model, [Symbol.asyncDispose]: () => emulator.close().then(() => undefined) };
  },
  cascade: async () => {
    const stt = await SpeechToTextEmulator.start({ transcripts: ['Red, blue.', 'Four.'] });
    const tts = await TextToSpeechEmulator.start({ pace: 20 });
    const model = cascade({
      stt: deepgram({ apiKey: 'any', baseUrl: stt.url }),
      llm: new ScriptedLanguageModel({ turns: [{ say: ['It is purple.'] }, { say: ['Well.'] }] }),
      tts: gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${tts.url}/v1` }),
    });
    const close = async (): Promise<void> => void (await Promise.all([stt.close(), tts.close()]));
    return { model, [Symbol.asyncDispose]: close };
  },
};

describe.concurrent.each(Object.entries(MODELS))('around a call on %s', (name, stage) => {
  it(
    `C3 C6 S4 everything at once on ${name}: is heard, recorded, collected, and ends with the session`,
    { timeout: BOUND_MS },
    async () => {
      await using staged = await stage();
      const caller = Lifetime.root({ name: 'caller' });
      const session = new AgentSession({ agent: new Agent({ name: 'clerk' }), model: staged.model });
      const events: LiveEvent[] = [];
      session.on('event', (event) => void events.push(event));
      const file = join(folder, `${name}.wav`);
      const { rateHz } = session.output;
      const hum = (value: number): Sound =>
        new Sound({ samples: new Int16Array(rateHz).fill(value), rateHz }, { rateHz });

      const recorder = recordSession(session, { to: file });
      const background = {
        ambient: { sound: hum(300), gainDb: 0 },
        thinking: { sound: hum(100), gainDb: 0 },
      };
      backgroundAudio(session, background);
      // By the samples, however slow the machine is.
      const verdict = detectAnsweringMachine(session, { totalMs: BOUND_MS });
      await session.start();

      const say = async (samples: Int16Array): Promise<void> => {
        for (let at = 0; at < samples.length; at += FRAME) {
          const frame = new Int16Array(FRAME);
          frame.set(samples.subarray(at, at + FRAME));
          session.queue.sendAudio(AudioChunk.fromSamples(frame, INPUT_HZ));
          await caller.sleep(20);
        }
      };
      const silence = (ms: number): Int16Array => new Int16Array((ms * INPUT_HZ) / 1_000);

      await say(speakWords(QUESTION, INPUT_HZ));
      const isAnswered = (): boolean => events.some(({ type }) => type === 'turnComplete');
      while (!isAnswered()) await say(silence(100));
      await say(silence(1_500));
      expect((await verdict).why).not.toBe('ended');
      const collected = collectDigits(session, { maxKeys: 2 });
      await say(dtmfTones('42', { rateHz: INPUT_HZ }));
      expect(await collected).toEqual({ digits: '42', why: 'full' });
      const { steps, durationMs } = await session.close();
      await caller.close();

      expect(durationMs).toBeLessThan(5_000);
      expect(steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
      expect(steps.map(({ name: step }) => step)).toEqual(
        expect.arrayContaining(['recorder/recording', 'background audio']),
      );
      expect(session.resources()).toEqual([]);
      // One stream without a gap, whatever was voice and what was not.
      let position = 0;
      for (const event of events) {
        if (event.type !== 'audio') continue;
        expect(event.positionSamples).toBe(position);
        position += event.audio.sampleCount;
      }
      const { stats } = recorder;
      expect(stats).toMatchObject({ lostMs: 0, droppedUserMs: 0, droppedAgentMs: 0 });
      // What the clients were given lasts about as long as the call did; a machine that stands still leaves a hole.
      expect((position * 1_000) / rateHz / stats.durationMs).toBeGreaterThan(0.5);
      const wav = readStereoWav(readFileSync(file));
      const words = findTones(resample(wav.left, wav.rateHz, INPUT_HZ), INPUT_HZ);
      expect(words.length).toBeGreaterThanOrEqual(QUESTION.split(' ').length);
      const loudest = Math.max(...Array.from({ length: 50 }, (_, i) => Math.abs(wav.right[i * 20] ?? 0)));
      expect(loudest).toBeLessThan(400);
      expect(wav.right.some((sample) => Math.abs(sample) > 1_000)).toBe(true);
    },
  );
});
