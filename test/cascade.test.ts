import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../src/kernel/index.ts';
import { cascade } from '../src/models/cascade/index.ts';
import { deepgramTts } from '../src/models/deepgram-tts/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { deepgram } from '../src/models/stt/index.ts';
import { AudioChunk, textContent } from '../src/protocol/index.ts';
import type { LiveEvent, LiveEventOf, LiveEventType } from '../src/protocol/index.ts';
import { Agent, AgentSession, tool } from '../src/session/index.ts';
import type { AgentSessionOptions, Tool } from '../src/session/index.ts';
import type { TextToSpeech } from '../src/speech/index.ts';
import {
  ScriptedLanguageModel,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  findTones,
  isWord,
  speakWords,
} from '../src/testing/index.ts';
import type {
  ScriptedTurn,
  SpeechToTextEmulatorOptions,
  TextToSpeechEmulatorOptions,
} from '../src/testing/index.ts';
import { historyOf } from './support/live-rig.ts';

const RATE_HZ = 16_000;
const FRAME = 320;

let stt: SpeechToTextEmulator;
let tts: TextToSpeechEmulator;
let caller: Lifetime;
let session: AgentSession | undefined;
let events: LiveEvent[];

beforeEach(() => {
  events = [];
  caller = Lifetime.root({ name: 'caller' });
});

afterEach(async () => {
  const report = await session?.close();
  expect(report?.durationMs ?? 0).toBeLessThan(5_000);
  expect(session?.resources() ?? []).toEqual([]);
  session = undefined;
  await caller.close();
  await stt.waitFor(({ sockets }) => sockets === 0);
  await tts.waitFor(({ sockets }) => sockets === 0);
  await Promise.all([stt.close(), tts.close()]);
});

interface Stage {
  /** Default: that of the gateway. */
  readonly voice?: (url: string) => TextToSpeech;
  readonly turns: readonly ScriptedTurn[];
  readonly transcripts?: readonly string[];
  readonly tools?: readonly Tool[];
  readonly stt?: SpeechToTextEmulatorOptions;
  readonly tts?: TextToSpeechEmulatorOptions;
  readonly options?: Partial<AgentSessionOptions>;
}

const gatewayVoice = (url: string): TextToSpeech =>
  gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${url}/v1` });

async function call(
  stage: Stage,
): Promise<{ readonly session: AgentSession; readonly llm: ScriptedLanguageModel }> {
  stt = await SpeechToTextEmulator.start({ transcripts: stage.transcripts ?? [], ...stage.stt });
  tts = await TextToSpeechEmulator.start({ pace: 20, ...stage.tts });
  const llm = new ScriptedLanguageModel({ turns: stage.turns });
  session = new AgentSession({
    agent: new Agent({ name: 'clerk', instructions: 'Be brief.', tools: [...(stage.tools ?? [])] }),
    model: cascade({
      stt: deepgram({ apiKey: 'any', baseUrl: stt.url }),
      llm,
      tts: (stage.voice ?? gatewayVoice)(tts.url),
      reconnect: { delaysMs: [10], jitterMs: 0 },
    }),
    ...stage.options,
  });
  session.on('event', (event) => void events.push(event));
  await session.start();
  return { session, llm };
}

const of = <Type extends LiveEventType>(type: Type): LiveEventOf<Type>[] =>
  events.filter((event): event is LiveEventOf<Type> => event.type === type);

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 10_000, interval: 10 }).toBe(true);
}

/** Speaks in real time, and is then silent until `isOver`. */
async function speak(words: string, isOver: () => boolean): Promise<void> {
  const speech = speakWords(words, RATE_HZ);
  for (let at = 0; !isOver(); at += FRAME) {
    const frame = new Int16Array(FRAME);
    frame.set(speech.subarray(Math.min(at, speech.length), at + FRAME));
    session?.queue.sendAudio(AudioChunk.fromSamples(frame, RATE_HZ));
    await caller.sleep(20);
  }
}

/** The words of the tones that came back, in one array for all of the agent's audio. */
function heard(words: string): readonly boolean[] {
  const pieces = of('audio').map(({ audio }) => audio.samples);
  const all = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  const tones = findTones(all, 24_000);
  return words.split(' ').map((word, index) => {
    const tone = tones[index];
    return tone !== undefined && isWord(tone, word);
  });
}

const turnsDone = (): number => of('turnComplete').length;

describe('a cascade, over real sockets', () => {
  it('S1 hears, writes down, answers and speaks, and both sides stand in the history', async () => {
    const { session: live, llm } = await call({
      transcripts: ['Two rye, please.'],
      turns: [{ say: ['Two rye ', 'it is.'] }],
    });
    await speak('two rye please', () => turnsDone() === 1);
    expect(historyOf(live.session)).toEqual(['user: Two rye, please.', 'model: Two rye it is.']);
    expect(llm.requests[0]).toMatchObject({
      instructions: 'Be brief.',
      history: [{ role: 'user', parts: [{ text: 'Two rye, please.' }] }],
    });
    expect(heard('Two rye it is.')).toEqual([true, true, true, true]);
    expect(of('generationComplete')).toHaveLength(1);
  });

  it('R10 calls tools between what it says, and goes on with their results', async () => {
    const bake = tool({ name: 'bake', description: '', execute: () => ({ loaves: 2 }) });
    const { session: live, llm } = await call({
      turns: [{ say: 'One moment.', calls: [{ id: '1', name: 'bake', args: {} }] }, { say: 'They are in.' }],
      tools: [bake],
    });
    live.queue.sendContent(textContent('user', 'Bake two'));
    await until(() => turnsDone() === 1);
    expect(historyOf(live.session)).toEqual([
      'user: Bake two',
      'model: One moment.',
      'model: call bake(1)',
      'user: result bake(1)',
      'model: They are in.',
    ]);
    expect(llm.requests[1]?.history.at(-1)).toMatchObject({
      parts: [{ functionResponse: { id: '1', response: { loaves: 2 } } }],
    });
  });

  it('S4 who speaks into an answer interrupts it, and the history says what was heard of it', async () => {
    const long =
      'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen';
    const { session: live, llm } = await call({
      transcripts: ['Stop that.'],
      turns: [{ say: `${long}.` }, { say: 'Sorry.' }],
    });
    live.queue.sendContent(textContent('user', 'Count'));
    await until(() => of('audio').length > 0);
    await speak('stop that now', () => turnsDone() === 2);
    // It paused when somebody spoke, and was over with the first word.
    expect(of('interrupted').map(({ provisional }) => provisional)).toEqual([true, undefined]);
    const [, counted = '', , sorry] = historyOf(live.session);
    expect(long.startsWith(counted.replace('model: ', ''))).toBe(true);
    expect(counted.length).toBeLessThan(long.length);
    expect(sorry).toBe('model: Sorry.');
    // The language model is told what was heard, and not what was not.
    const before = llm.requests[1]?.history[1]?.parts[0]?.text ?? '';
    expect(long.startsWith(before)).toBe(true);
    expect(before.length).toBeLessThan(long.length);
  });

  it('S1 a recogniser and a voice that are lost in the middle are had again', async () => {
    const { session: live } = await call({
      transcripts: ['Two rye, please.'],
      turns: [{ say: 'The first leaves at noon. The second one leaves at two.' }],
      stt: { faults: [{ when: { on: 'utterance', nth: 1, times: 1 }, what: { type: 'reset' } }] },
      tts: { faults: [{ when: { on: 'audio', nth: 3, times: 1 }, what: { type: 'reset' } }] },
    });
    await speak('two rye please', () => turnsDone() === 1);
    expect(historyOf(live.session)).toEqual([
      'user: Two rye, please.',
      'model: The first leaves at noon. The second one leaves at two.',
    ]);
    expect(heard('The first leaves at noon.')).toEqual([true, true, true, true, true]);
    expect(live.connections.losses).toBe(0);
  });

  it('S1 S4 R10 a whole call with the voice of Deepgram: tools, a lost connection, an interruption', async () => {
    const long =
      'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen';
    const bake = tool({ name: 'bake', description: '', execute: () => ({ loaves: 2 }) });
    const { session: live } = await call({
      voice: (url) => deepgramTts({ apiKey: 'any', baseUrl: url }),
      transcripts: ['Two rye, please.', 'Stop that.'],
      tools: [bake],
      turns: [
        { say: 'One moment.', calls: [{ id: '1', name: 'bake', args: {} }] },
        { say: 'They are in.' },
        { say: `${long}.` },
        { say: 'Sorry.' },
      ],
      // Slow enough that the answer is still being spoken when somebody speaks into it.
      tts: { pace: 2, faults: [{ when: { on: 'audio', nth: 5, times: 1 }, what: { type: 'reset' } }] },
    });
    await speak('two rye please', () => turnsDone() === 1);
    expect(heard('One moment. They are in.')).toEqual([true, true, true, true, true]);
    expect(historyOf(live.session).at(-1)).toBe('model: They are in.');
    const before = of('audio').length;
    live.queue.sendContent(textContent('user', 'Count'));
    await until(() => of('audio').length > before);
    await speak('stop that now', () => turnsDone() === 3);
    const [, counted = '', , sorry] = historyOf(live.session).slice(-4);
    expect(long.startsWith(counted.replace('model: ', ''))).toBe(true);
    expect(counted.length).toBeLessThan(long.length);
    expect(sorry).toBe('model: Sorry.');
    expect(live.connections.losses).toBe(0);
    // Cut off once, and taken back over the connection that there was.
    expect([...tts.connections].map(({ clears }) => clears)).toEqual([0, 1]);
  });

  it('C3 S3 a language model that never settles holds up no close', async () => {
    const { session: live, llm } = await call({ turns: [{ say: 'Well', hang: true, hearsNoClose: true }] });
    live.queue.sendContent(textContent('user', 'Hello'));
    await until(() => llm.openAnswers === 1);
    const report = await live.close();
    expect(report.durationMs).toBeLessThan(2_500);
  });

  it('E a recogniser that refuses the key ends the session with the typed error', async () => {
    stt = await SpeechToTextEmulator.start({ faults: [{ what: { type: 'httpStatus', status: 401 } }] });
    tts = await TextToSpeechEmulator.start();
    session = new AgentSession({
      agent: new Agent({ name: 'clerk' }),
      model: cascade({
        stt: deepgram({ apiKey: 'any', baseUrl: stt.url }),
        llm: new ScriptedLanguageModel({ turns: [] }),
        tts: gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${tts.url}/v1` }),
      }),
    });
    await expect(session.start()).rejects.toMatchObject({ code: 'HOLDFAST_AUTHENTICATION' });
  });
});
