import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../src/kernel/index.ts';
import { cascade } from '../src/models/cascade/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { deepgram } from '../src/models/stt/index.ts';
import { AudioChunk } from '../src/protocol/index.ts';
import type { LiveEvent, LiveEventOf } from '../src/protocol/index.ts';
import { Agent, AgentSession, AgentTask, handoff, tool } from '../src/session/index.ts';
import type { Tool, ToolContext } from '../src/session/index.ts';
import type { TextToSpeech } from '../src/speech/index.ts';
import {
  ScriptedLanguageModel,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  findTones,
  isWord,
  speakWords,
} from '../src/testing/index.ts';
import { historyOf } from './support/live-rig.ts';

const RATE_HZ = 16_000;
const FRAME = 320;

let caller: Lifetime;
let stt: SpeechToTextEmulator;
let voices: readonly TextToSpeechEmulator[];

beforeEach(async () => {
  caller = Lifetime.root({ name: 'caller' });
  stt = await SpeechToTextEmulator.start({
    transcripts: ['My invoice is lost.', 'The last one.', 'Number seventeen.'],
  });
  voices = await Promise.all([
    TextToSpeechEmulator.start({ pace: 20 }),
    TextToSpeechEmulator.start({ pace: 20 }),
  ]);
});

afterEach(async () => {
  await caller.close();
  for (const emulator of [stt, ...voices]) await emulator.waitFor(({ sockets }) => sockets === 0);
  await Promise.all([stt, ...voices].map((emulator) => emulator.close()));
});

const voiceOf = (emulator: TextToSpeechEmulator): TextToSpeech =>
  gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${emulator.url}/v1` });

const plain = (name: string, execute: (context: ToolContext) => unknown): Tool =>
  tool({ name, description: '', execute: (_args, context) => execute(context) });

describe('a cascaded call of several agents, over real sockets', () => {
  it('S1 S4 R10: one hands over to another, with a voice of its own, who runs a task, over one recogniser', async () => {
    const ear = deepgram({ apiKey: 'any', baseUrl: stt.url });
    const clerkWords = new ScriptedLanguageModel({
      turns: [{ say: 'One moment, please.', calls: [{ id: '1', name: 'billing', args: {} }] }],
    });
    const billerWords = new ScriptedLanguageModel({
      turns: [
        { say: 'Which invoice is it?' },
        { calls: [{ id: '2', name: 'find_invoice', args: {} }] },
        { say: 'What is its number?' },
        { calls: [{ id: '3', name: 'record', args: {} }] },
        { say: 'I have sent it.' },
      ],
    });
    const number = (): AgentTask<number> =>
      new AgentTask<number>({
        name: 'invoice_number',
        instructions: 'Ask for the number.',
        tools: (task) => [plain('record', () => task.complete(17))],
      });
    const biller = new Agent({
      name: 'biller',
      instructions: 'Help with invoices.',
      model: cascade({ stt: ear, llm: billerWords, tts: voiceOf(voices[1]!) }),
      tools: [plain('find_invoice', async ({ runTask }) => `found ${await runTask(number())}`)],
    });
    const clerk = new Agent({
      name: 'clerk',
      instructions: 'Find out what it is about.',
      model: cascade({ stt: ear, llm: clerkWords, tts: voiceOf(voices[0]!) }),
      tools: [plain('billing', () => handoff(biller))],
    });
    const session = new AgentSession({ agent: clerk });
    const events: LiveEvent[] = [];
    session.on('event', (event) => void events.push(event));
    await session.start();

    const wholes = (): LiveEventOf<'transcript'>[] =>
      events.filter(
        (event): event is LiveEventOf<'transcript'> =>
          event.type === 'transcript' && event.speaker === 'agent' && !event.partial,
      );
    const speak = async (words: string, isAnswered: () => boolean): Promise<void> => {
      const speech = speakWords(words, RATE_HZ);
      for (let at = 0; !isAnswered() && at < 60 * RATE_HZ; at += FRAME) {
        const frame = new Int16Array(FRAME);
        frame.set(speech.subarray(Math.min(at, speech.length), at + FRAME));
        session.queue.sendAudio(AudioChunk.fromSamples(frame, RATE_HZ));
        await caller.sleep(20);
      }
      expect(isAnswered()).toBe(true);
    };
    const saidBy = (author: string, count: number) => (): boolean =>
      wholes().filter((event) => event.author === author).length === count &&
      session.currentSpeech === undefined;
    await speak('my invoice is lost', saidBy('biller', 1));
    await speak('the last one', saidBy('invoice_number', 1));
    await speak('number seventeen', saidBy('biller', 2));
    const report = await session.drain();
    expect(report.reason).toBe('drained');

    expect(
      events.flatMap((event) => (event.type === 'agentChanged' ? [`${event.agent}: ${event.why}`] : [])),
    ).toEqual(['biller: handoff', 'invoice_number: task', 'biller: taskDone']);
    expect(wholes().map(({ author, text }) => `${author}: ${text}`)).toEqual([
      'clerk: One moment, please.',
      'biller: Which invoice is it?',
      'invoice_number: What is its number?',
      'biller: I have sent it.',
    ]);
    expect(historyOf(session.session)).toEqual([
      'user: My invoice is lost.',
      'model: One moment, please.',
      'model: call billing(1)',
      'user: result billing(1)',
      'model: Which invoice is it?',
      'user: The last one.',
      'model: call find_invoice(2)',
      'model: What is its number?',
      'user: Number seventeen.',
      'model: call record(3)',
      'user: result record(3)',
      'user: result find_invoice(2)',
      'model: I have sent it.',
    ]);
    // Each was told who it is, and what had been said.
    expect(billerWords.requests.map(({ instructions }) => instructions)).toEqual([
      'Help with invoices.',
      'Help with invoices.',
      'Ask for the number.',
      'Ask for the number.',
      'Help with invoices.',
    ]);
    expect(
      billerWords.requests[0]?.history.map(({ parts }) =>
        parts.map((part) => part.text ?? Object.keys(part)[0]),
      ),
    ).toEqual([['My invoice is lost.'], ['One moment, please.'], ['functionCall'], ['functionResponse']]);
    expect(JSON.stringify(billerWords.requests[4]?.history)).toContain('found 17');
    // One ear for all of them, and a voice for each cascade.
    expect([...stt.connections]).toHaveLength(1);
    for (const voice of voices) expect([...voice.connections]).toHaveLength(1);
    // And what was said was heard, in order.
    const pieces = events.flatMap((event) => (event.type === 'audio' ? [...event.audio.samples] : []));
    const tones = findTones(Int16Array.from(pieces), 24_000);
    const words = 'One moment, please. Which invoice is it? What is its number? I have sent it.'.split(' ');
    expect(words.map((word, index) => tones[index] !== undefined && isWord(tones[index], word))).toEqual(
      words.map(() => true),
    );
  }, 90_000);
});
