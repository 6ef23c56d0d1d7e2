import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../src/kernel/index.ts';
import { cascade } from '../src/models/cascade/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { deepgram } from '../src/models/stt/index.ts';
import { AudioChunk } from '../src/protocol/index.ts';
import type { LiveEvent } from '../src/protocol/index.ts';
import { Agent, AgentSession, tool } from '../src/session/index.ts';
import { Recorder, formatWav, openaiCompatible, parseWav } from '../src/speech/index.ts';
import type { GenerationRequest, LanguageModel } from '../src/speech/index.ts';
import {
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  findTones,
  speakWords,
  wordPitchHz,
} from '../src/testing/index.ts';
import { historyOf } from './support/live-rig.ts';
import { RunningCommand } from './support/running-command.ts';
import { readStereoWav } from './support/stereo-wav.ts';

const RATE_HZ = 16_000;
const FRAME = 320;
const COUNTED =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen';

let folder: string;
let caller: Lifetime;
let llmProcess: RunningCommand;
let stt: SpeechToTextEmulator;
let tts: TextToSpeechEmulator;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cascade-call-'));
  caller = Lifetime.root({ name: 'caller' });
  const script = join(folder, 'script.json');
  const answers = [
    { say: 'One moment.', calls: [{ name: 'look_up', args: { what: 'rye' } }] },
    { say: `There are ${COUNTED}.` },
    { say: 'Sorry, I will stop.' },
  ];
  await writeFile(script, JSON.stringify({ answers }));
  llmProcess = new RunningCommand('emulate', 'llm', '--port', '0', '--piece-ms', '5', '--script', script);
  stt = await SpeechToTextEmulator.start({ transcripts: ['How many rye?', 'Stop that, please.'] });
  tts = await TextToSpeechEmulator.start({ pace: 3 });
});

afterEach(async () => {
  await caller.close();
  await Promise.all([stt.close(), tts.close()]);
  llmProcess.process.kill('SIGTERM');
  await llmProcess.exited;
  await rm(folder, { recursive: true });
});

/** A language model, and all that it was asked. */
function listened(to: LanguageModel): LanguageModel & { readonly requests: GenerationRequest[] } {
  const requests: GenerationRequest[] = [];
  return {
    id: to.id,
    requests,
    generate(request, sink, scope) {
      requests.push(request);
      return to.generate(request, sink, scope);
    },
  };
}

describe('a whole cascaded call, over real sockets', () => {
  it('S1 S4 R10 is heard, answered with a tool, interrupted, recorded, and over in time', async () => {
    const [, baseUrl = ''] = await llmProcess.said(/OPENAI_BASE_URL=(\S+)/);
    const llm = listened(openaiCompatible({ model: 'any', baseUrl, apiKey: 'any' }));
    const looked: unknown[] = [];
    const session = new AgentSession({
      agent: new Agent({
        name: 'clerk',
        instructions: 'Be brief.',
        tools: [
          tool({
            name: 'look_up',
            description: 'How many there are.',
            execute: (args) => {
              looked.push(args);
              return { count: 18 };
            },
          }),
        ],
      }),
      model: cascade({
        stt: deepgram({ apiKey: 'any', baseUrl: stt.url }),
        llm,
        tts: gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${tts.url}/v1` }),
        preemptiveGeneration: true,
      }),
    });
    const recording = join(folder, 'call.wav');
    const recorder = new Recorder({ owner: caller, to: recording });
    const events: LiveEvent[] = [];
    session.on('event', (event) => {
      events.push(event);
      if (event.type === 'audio') recorder.agent(event.audio.samples, event.audio.rateHz);
      if (event.type === 'interrupted') recorder.cutAgent();
    });
    const count = (type: LiveEvent['type']): number =>
      events.reduce((sum, event) => sum + (event.type === type ? 1 : 0), 0);
    await session.start();

    // The caller is a recording, and speaks at the pace of speech.
    const said = ['how many rye', 'stop that please'];
    const lines: Int16Array[] = [];
    for (const [index, words] of said.entries()) {
      const file = join(folder, `line-${index}.wav`);
      await writeFile(file, formatWav(speakWords(words, RATE_HZ), RATE_HZ));
      lines.push(parseWav(await readFile(file)).samples);
    }
    let line: { readonly samples: Int16Array; at: number } | undefined;
    const startedAtMs = caller.clock.now();
    const isOver = (): boolean => count('turnComplete') === 2;
    for (let frames = 0; !isOver() && frames < 1_500; frames += 1) {
      if (frames === 10) line = { samples: lines[0]!, at: 0 };
      // In the middle of the counting.
      if (lines.length === 2 && session.playout.heardSamples > 24_000 * 4)
        line = { samples: lines.pop()!, at: 0 };
      const frame = new Int16Array(FRAME);
      if (line !== undefined) {
        frame.set(line.samples.subarray(line.at, line.at + FRAME));
        line.at = Math.min(line.samples.length, line.at + FRAME);
      }
      recorder.user(frame, RATE_HZ, frames * FRAME);
      session.queue.sendAudio(AudioChunk.fromSamples(frame, RATE_HZ));
      // A microphone does not wait for a busy machine.
      const aheadMs = (frames + 1) * 20 - (caller.clock.now() - startedAtMs);
      if (aheadMs > 0) await caller.sleep(aheadMs);
    }
    expect(isOver()).toBe(true);
    const drained = await session.drain();
    expect(drained.durationMs).toBeLessThan(5_000);
    expect(session.resources()).toEqual([]);
    await recorder.close();

    // What was heard of the counting stands in the history, and nothing else of it.
    const history = historyOf(session.session);
    const counted = history[4]?.replace(/^model: /, '') ?? '';
    expect(history).toEqual([
      'user: How many rye?',
      'model: One moment.',
      `model: call look_up(${callId(session)})`,
      `user: result look_up(${callId(session)})`,
      `model: ${counted}`,
      'user: Stop that, please.',
      'model: Sorry, I will stop.',
    ]);
    const whole = `There are ${COUNTED}.`;
    expect(whole.startsWith(counted)).toBe(true);
    expect(counted.length).toBeGreaterThan('There are one'.length);
    expect(counted.length).toBeLessThan(whole.length - 20);
    expect(looked).toEqual([{ what: 'rye' }]);
    // The language model was asked with the same words.
    expect(textsOf(llm.requests.at(-1)?.history ?? [])).toEqual(textsOf(session.session.history.slice(0, 6)));

    // The recording has both sides: all that the user said, and of the agent what was heard.
    const { left, right, rateHz } = readStereoWav(await readFile(recording));
    expect(missing(left, rateHz, said.join(' '))).toEqual([]);
    expect(missing(right, rateHz, `One moment. ${counted} Sorry, I will stop.`)).toEqual([]);
    // What was sent and not heard is not on it: of the word that was cut a piece may be.
    const unheard = whole.slice(counted.length).trim().split(' ').slice(2).join(' ');
    expect(missing(right, rateHz, unheard)).toEqual(unheard.split(' '));
  }, 60_000);
});

function callId({ session }: AgentSession): string {
  return (
    session.history.flatMap(({ parts }) => parts.flatMap(({ functionCall }) => functionCall?.id ?? []))[0] ??
    ''
  );
}

function textsOf(history: readonly { readonly parts: readonly { readonly text?: string }[] }[]): string[] {
  return history.flatMap(({ parts }) => parts.map((part) => part.text ?? Object.keys(part).join()));
}

/** The words that cannot be heard, in their order. A resampler and a busy machine leave pitches a little off. */
function missing(samples: Int16Array, rateHz: number, words: string): string[] {
  const tones = findTones(samples, rateHz);
  return words.split(' ').filter((word) => {
    const at = tones.findIndex(({ pitchHz }) => Math.abs(pitchHz - wordPitchHz(word)) <= 4);
    if (at !== -1) tones.splice(0, at + 1);
    return at === -1;
  });
}
