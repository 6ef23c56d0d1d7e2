import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../src/kernel/index.ts';
import { cascade } from '../src/models/cascade/index.ts';
import type { CascadeOptions } from '../src/models/cascade/index.ts';
import { deepgramTts } from '../src/models/deepgram-tts/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { openaiTts } from '../src/models/openai-tts/index.ts';
import { deepgram, livekitStt } from '../src/models/stt/index.ts';
import { AudioChunk, textContent } from '../src/protocol/index.ts';
import type { LiveEvent, LiveEventOf, LiveEventType } from '../src/protocol/index.ts';
import { Agent, AgentSession } from '../src/session/index.ts';
import { fallbackSpeechToText, fallbackTextToSpeech, resample } from '../src/speech/index.ts';
import type { SpeechToText, TextToSpeech } from '../src/speech/index.ts';
import {
  GATEWAY_INACTIVITY_CODE,
  ScriptedLanguageModel,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  speakWords,
} from '../src/testing/index.ts';
import type { ScriptedTurn, SttFaultRule, TtsFaultRule } from '../src/testing/index.ts';
import { LogBook, historyOf } from './support/live-rig.ts';

const RATE_HZ = 16_000;
const VOICE_RATE_HZ = 24_000;
const FRAME = 320;
const WORDS = 'two rye please';
const WRITTEN = 'Two rye, please.';
const ANSWER = 'The first leaves at noon. The second leaves at two.';

let ears: SpeechToTextEmulator[];
let voices: TextToSpeechEmulator[];
let caller: Lifetime;
let session: AgentSession;
let events: LiveEvent[];
let book: LogBook;

beforeEach(() => {
  events = [];
  ears = [];
  voices = [];
  book = new LogBook();
  caller = Lifetime.root({ name: 'caller' });
});

afterEach(async () => {
  const report = await session.close();
  expect(report.durationMs).toBeLessThan(5_000);
  expect(session.resources()).toEqual([]);
  await caller.close();
  for (const emulator of [...ears, ...voices]) {
    // Idle sockets that the platform's fetch keeps for later carry nothing.
    await emulator.waitFor(({ connections }) => [...connections].every(({ stage }) => stage === 'closed'));
    await emulator.close();
  }
});

async function ear(faults: readonly SttFaultRule[] = []): Promise<SpeechToTextEmulator> {
  const emulator = await SpeechToTextEmulator.start({ transcripts: [WRITTEN], faults });
  ears.push(emulator);
  return emulator;
}

async function voice(faults: readonly TtsFaultRule[] = [], pace = 20): Promise<TextToSpeechEmulator> {
  const emulator = await TextToSpeechEmulator.start({ pace, faults });
  voices.push(emulator);
  return emulator;
}

const STT = {
  deepgram: ({ url }: SpeechToTextEmulator) => deepgram({ apiKey: 'any', baseUrl: url }),
  livekit: ({ url }: SpeechToTextEmulator) => livekitStt({ token: () => 'any', baseUrl: `${url}/v1` }),
} as const satisfies Record<string, (emulator: SpeechToTextEmulator) => SpeechToText>;

const TTS = {
  gateway: ({ url }: TextToSpeechEmulator) =>
    gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${url}/v1` }),
  deepgram: ({ url }: TextToSpeechEmulator) => deepgramTts({ apiKey: 'any', baseUrl: url }),
  http: ({ url }: TextToSpeechEmulator) =>
    openaiTts({ model: 'tts-1', voice: 'alloy', apiKey: 'any', baseUrl: `${url}/v1` }),
} as const satisfies Record<string, (emulator: TextToSpeechEmulator) => TextToSpeech>;

const QUICK = { delaysMs: [5], jitterMs: 0, maxAttempts: 4 };

async function call(
  parts: Pick<CascadeOptions, 'stt' | 'tts'> & Partial<CascadeOptions>,
  turns: readonly ScriptedTurn[] = [{ say: ANSWER }],
): Promise<void> {
  session = new AgentSession({
    agent: new Agent({ name: 'clerk' }),
    model: cascade({ llm: new ScriptedLanguageModel({ turns }), reconnect: QUICK, ...parts }),
    log: book.log,
  });
  session.on('event', (event) => void events.push(event));
  await session.start();
}

const of = <Type extends LiveEventType>(type: Type): LiveEventOf<Type>[] =>
  events.filter((event): event is LiveEventOf<Type> => event.type === type);

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 15_000, interval: 10 }).toBe(true);
}

/** Speaks in real time, and is then silent until `isOver`. */
async function speak(isOver: () => boolean): Promise<void> {
  const speech = speakWords(WORDS, RATE_HZ);
  for (let at = 0; !isOver() && at < 20 * RATE_HZ; at += FRAME) {
    const frame = new Int16Array(FRAME);
    frame.set(speech.subarray(Math.min(at, speech.length), at + FRAME));
    session.queue.sendAudio(AudioChunk.fromSamples(frame, RATE_HZ));
    await caller.sleep(20);
  }
  expect(isOver()).toBe(true);
}

/** All of the agent's audio. */
function heard(): Int16Array {
  return Int16Array.from(of('audio').flatMap(({ audio }) => [...audio.samples]));
}

const sameSamples = (a: Int16Array, b: Int16Array): boolean =>
  Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const isOver = (): boolean => of('turnComplete').length === 1;
const isEnded = (): boolean => session.state === 'closed';
const replaced = (what: string): unknown[] =>
  book.lines.flatMap(({ message, fields }) =>
    message === `${what} replaced by the next one` ? [fields] : [],
  );

/** It loses the connection when the speech is over and nothing is told of it, and takes no other one. */
const CUT_AT_UTTERANCE: readonly SttFaultRule[] = [
  { when: { on: 'utterance', nth: 1 }, what: { type: 'reset' } },
  { when: { connection: 2 }, what: { type: 'httpStatus', status: 502 } },
];

describe('A call whose recogniser dies, over real sockets', () => {
  it.each(['deepgram', 'livekit'] as const)(
    'S2 R5 E ends with a typed error when the attempts are used up: %s',
    async (wire) => {
      const [only, speaker] = [await ear(), await voice()];
      await call({ stt: STT[wire](only), tts: TTS.gateway(speaker) });
      only.stopListening();
      only.inject({ type: 'reset' });
      await until(isEnded);
      expect(await session.closed).toMatchObject({
        reason: 'error',
        error: { code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' },
      });
    },
  );

  it.each([
    ['deepgram', 'deepgram'],
    ['livekit', 'deepgram'],
    ['deepgram', 'livekit'],
  ] as const)(
    'S1 R8 failover: %s to %s in mid-utterance, and the words are written down once',
    async (from, to) => {
      const [first, second, speaker] = [await ear(CUT_AT_UTTERANCE), await ear(), await voice()];
      const stt = fallbackSpeechToText([STT[from](first), STT[to](second)]);
      await call({ stt, tts: TTS.gateway(speaker) });
      await speak(isOver);
      expect(historyOf(session.session)).toEqual([`user: ${WRITTEN}`, `model: ${ANSWER}`]);
      expect(first.connections.nth(1)?.finals).toEqual([]);
      // What the second one heard begins with the first word.
      expect(second.connections.nth(1)?.audioMs).toBeGreaterThan(
        (speakWords(WORDS, RATE_HZ).length * 1_000) / RATE_HZ,
      );
      expect(replaced('recogniser')).toHaveLength(1);
      expect(session.connections.losses).toBe(0);
    },
  );

  it('S2 R4 E failover: gateways that take every connection and say 2007 to the first sound are no loop', async () => {
    const inactive: SttFaultRule = {
      when: { on: 'audio', nth: 1 },
      what: { type: 'error', code: GATEWAY_INACTIVITY_CODE },
    };
    const [first, second, speaker] = [await ear([inactive]), await ear([inactive]), await voice()];
    const stt = fallbackSpeechToText([STT.livekit(first), STT.livekit(second)]);
    await call({ stt, tts: TTS.gateway(speaker) });
    await speak(isEnded);
    expect(await session.closed).toMatchObject({
      reason: 'error',
      error: { code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' },
    });
    expect(first.connections.count + second.connections.count).toBe(1 + QUICK.maxAttempts);
  });

  it('S2 lives through fifty idle recycles, and hears the next word', { timeout: 60_000 }, async () => {
    const [only, speaker] = [await ear(), await voice()];
    await call({
      stt: STT.livekit(only),
      tts: TTS.gateway(speaker),
      reconnect: { ...QUICK, stableAfterMs: 1 },
    });
    for (let time = 1; time <= 50; time += 1) {
      await only.waitFor(
        ({ connections }) => connections.count === time && connections.last?.stage === 'ready',
      );
      only.inject({ type: 'error', code: GATEWAY_INACTIVITY_CODE });
      // The microphone is on: with the first frame after it there is another one.
      while (only.connections.count === time) {
        session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(FRAME), RATE_HZ));
        await caller.sleep(5);
      }
    }
    await speak(isOver);
    expect(only.connections.count).toBe(51);
    expect(historyOf(session.session)[0]).toBe(`user: ${WRITTEN}`);
  });
});

describe('A call whose voice dies, over real sockets', () => {
  it.each(['gateway', 'deepgram', 'http'] as const)(
    'S2 R5 E ends with a typed error when the attempts are used up: %s',
    async (wire) => {
      const [listener, only] = [
        await ear(),
        await voice([{ when: { on: 'audio', nth: 5 }, what: { type: 'reset' } }]),
      ];
      await call({ stt: STT.deepgram(listener), tts: TTS[wire](only) });
      session.queue.sendContent(textContent('user', 'When?'));
      await until(() => of('audio').length > 0);
      only.stopListening();
      await until(isEnded);
      expect(await session.closed).toMatchObject({
        reason: 'error',
        error: { code: 'HOLDFAST_RECONNECT_EXHAUSTED' },
      });
    },
  );

  it.each([
    ['gateway', 'gateway'],
    ['gateway', 'http'],
    ['http', 'gateway'],
    ['http', 'http'],
    ['deepgram', 'deepgram'],
    ['deepgram', 'gateway'],
    ['gateway', 'deepgram'],
    ['http', 'deepgram'],
  ] as const)(
    'S1 failover: %s to %s in mid-utterance, without a sample twice or missing',
    async (from, to) => {
      // In the second sentence, which by HTTP is the second request, and for good.
      const at = from === 'http' ? { connection: 2, nth: 20 } : { nth: 50 };
      const dies: readonly TtsFaultRule[] = [
        { when: { on: 'audio', ...at, times: 1 }, what: { type: 'stopListening' } },
        { when: { on: 'audio', ...at, times: 1 }, what: { type: 'reset' } },
      ];
      const [listener, first, second] = [await ear(), await voice(dies), await voice()];
      const tts = fallbackTextToSpeech([TTS[from](first), TTS[to](second)]);
      await call({ stt: STT.deepgram(listener), tts });
      session.queue.sendContent(textContent('user', 'When?'));
      await until(isOver);
      expect(sameSamples(heard(), speakWords(ANSWER, VOICE_RATE_HZ))).toBe(true);
      expect(replaced('voice')).toHaveLength(1);
      expect(second.connections.count).toBeGreaterThan(0);
      expect(historyOf(session.session)).toEqual(['user: When?', `model: ${ANSWER}`]);
    },
  );

  it('S1 failover: a voice of another rate says the words at the rate of the first', async () => {
    const [listener, first, second] = [await ear(), await voice(), await voice()];
    first.stopListening();
    const slow = gatewayTts({ model: 'm', token: () => 'any', baseUrl: `${second.url}/v1`, rateHz: 16_000 });
    await call({ stt: STT.deepgram(listener), tts: fallbackTextToSpeech([TTS.gateway(first), slow]) });
    session.queue.sendContent(textContent('user', 'When?'));
    await until(isOver);
    const spoken = resample(speakWords(ANSWER, 16_000), 16_000, VOICE_RATE_HZ);
    expect(sameSamples(heard(), spoken)).toBe(true);
  });
});

describe('The goodbye to a service, over real sockets', () => {
  const told = (emulators: readonly (SpeechToTextEmulator | TextToSpeechEmulator)[]): number[] =>
    emulators.flatMap(({ connections }) => [...connections].map(({ endRequests }) => endRequests));

  it.each([
    ['close', 'livekit', 'gateway'],
    ['drain', 'livekit', 'gateway'],
    ['abort', 'livekit', 'gateway'],
    ['close', 'deepgram', 'deepgram'],
    ['drain', 'deepgram', 'deepgram'],
    ['abort', 'deepgram', 'deepgram'],
  ] as const)('C5 is said on %s to recogniser and voice: %s, %s', async (verb, heardBy, spokenBy) => {
    const [listener, speaker] = [await ear(), await voice([], 2)];
    await call({ stt: STT[heardBy](listener), tts: TTS[spokenBy](speaker) });
    session.queue.sendContent(textContent('user', 'When?'));
    await until(() => of('audio').length > 0);
    await session[verb]();
    for (const emulator of [listener, speaker]) {
      await emulator.waitFor(({ connections }) => connections.last?.stage === 'closed');
    }
    expect(told([listener, speaker])).toEqual([1, 1]);
  });

  it('is said when a connection is given up for the next utterance, or for the next provider', async () => {
    const mute: TtsFaultRule = { when: { on: 'flush', nth: 2 }, what: { type: 'silence' } };
    const [listener, first, second] = [await ear(), await voice([mute], 2), await voice()];
    const tts = fallbackTextToSpeech([TTS.gateway(first), TTS.gateway(second)], { silenceTimeoutMs: 300 });
    await call({ stt: STT.livekit(listener), tts }, [{ say: ANSWER }, { say: 'Noon.' }, { say: 'At two.' }]);
    session.queue.sendContent(textContent('user', 'When?'));
    await until(() => of('audio').length > 0);
    // Cut: there is no word for it on this wire.
    session.queue.sendContent(textContent('user', 'No, when?'));
    await until(() => of('turnComplete').length === 2);
    session.queue.sendContent(textContent('user', 'And?'));
    await until(() => of('turnComplete').length === 3);
    expect(replaced('voice')).toHaveLength(1);
    expect(first.connections.count).toBe(2);
    await session.close();
    for (const emulator of [first, second]) {
      await emulator.waitFor(({ connections }) => connections.last?.stage === 'closed');
    }
    expect(told([first, second])).toEqual([1, 1, 1]);
  });

  it('is said to a recogniser that is given up because it does not answer', async () => {
    const deaf: SttFaultRule = { when: { on: 'ready' }, what: { type: 'mute' } };
    const [first, second, speaker] = [await ear([deaf]), await ear(), await voice()];
    const stt = fallbackSpeechToText([STT.livekit(first), STT.livekit(second)]);
    await call({ stt, tts: TTS.gateway(speaker) });
    const speech = speakWords(WORDS, RATE_HZ);
    session.queue.sendAudio(AudioChunk.fromSamples(speech, RATE_HZ));
    session.queue.sendAudioStreamEnd();
    await until(() => replaced('recogniser').length === 1);
    await second.waitFor(({ connections }) => connections.last?.stage === 'ready');
    await first.waitFor(({ connections }) => connections.last?.stage === 'closed');
    expect(told([first])).toEqual([1]);
  });
});
