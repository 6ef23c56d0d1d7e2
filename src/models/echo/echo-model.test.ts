import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { historyOf } from '../../../test/support/live-rig.ts';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import type { LiveEvent, LiveEventType } from '../../protocol/index.ts';
import { Agent, AgentSession } from '../../session/index.ts';
import type { RunConfig } from '../../session/index.ts';
import { ANSWER_RATE_HZ, parseWav, resample } from '../../speech/index.ts';
import { compareAudio } from '../../testing/compare-audio.ts';
import { echo } from './echo-model.ts';
import type { EchoOptions } from './echo-model.ts';

const RATE_HZ = 16_000;
const FRAME_SAMPLES = RATE_HZ / 50;
const spoken = parseWav(
  new Uint8Array(readFileSync(new URL('../../../test/fixtures/hello.wav', import.meta.url))),
).samples;
const silence = (ms: number): Int16Array => new Int16Array((ms * RATE_HZ) / 1_000);

/** A live session on the echo model, spoken to in real time, which is virtual. */
class Call {
  readonly clock = new VirtualClock();
  readonly events: LiveEvent[] = [];
  readonly session: AgentSession;

  constructor(runConfig: RunConfig = {}, options: EchoOptions = {}) {
    const agent = new Agent({ name: 'echo' });
    this.session = new AgentSession({ agent, model: echo(options), clock: this.clock, runConfig });
    this.session.on('event', (event) => void this.events.push(event));
  }

  static async live(runConfig?: RunConfig, options?: EchoOptions): Promise<Call> {
    const call = new Call(runConfig, options);
    await call.session.start();
    return call;
  }

  async speak(samples: Int16Array): Promise<void> {
    for (let at = 0; at < samples.length; at += FRAME_SAMPLES) {
      this.session.queue.sendAudio(AudioChunk.fromSamples(samples.slice(at, at + FRAME_SAMPLES), RATE_HZ));
      await this.clock.advance(20);
    }
  }

  /** What was heard, by turn, at the rate it was sent at. */
  answers(): Int16Array[] {
    const turns = new Map<number, number[]>();
    for (const event of this.events) {
      if (event.type !== 'audio') continue;
      const samples = turns.get(event.turn) ?? [];
      samples.push(...event.audio.samples);
      turns.set(event.turn, samples);
    }
    return [...turns.values()].map((samples) => resample(Int16Array.from(samples), ANSWER_RATE_HZ, RATE_HZ));
  }

  count(type: LiveEventType): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async end(): Promise<void> {
    void this.session.close();
    await this.clock.advance(5_000);
    await this.session.closed;
    expect(this.clock.pendingTimers).toBe(0);
  }
}

describe('echo', () => {
  it('gives back every sample once and in order', async () => {
    const call = await Call.live();
    const sent = Int16Array.from([...silence(300), ...spoken, ...silence(1_000)]);
    await call.speak(sent);
    await call.clock.advance(10_000);
    const heard = call.answers();
    expect(heard.length).toBeGreaterThan(0);
    expect(compareAudio(sent, heard, RATE_HZ).problems).toEqual([]);
    expect(call.count('turnComplete')).toBe(heard.length);
    expect(historyOf(call.session.session)).toEqual([
      expect.stringMatching(/^user: \(.* of speech\)$/),
      expect.stringMatching(/^model: \(echo of/),
    ]);
    await call.end();
  });

  it('is interrupted by speech, and answers the interruption', async () => {
    const call = await Call.live({}, { speed: 1 });
    await call.speak(Int16Array.from([...spoken, ...silence(900)]));
    await call.clock.advance(200);
    expect(call.count('audio')).toBeGreaterThan(0);
    await call.speak(Int16Array.from([...spoken, ...silence(900)]));
    const audioBefore = call.events.findLastIndex(({ type }) => type === 'interrupted');
    expect(audioBefore).toBeGreaterThan(0);
    expect(call.events[audioBefore + 1]).toMatchObject({ type: 'turnComplete', interrupted: true });
    await call.clock.advance(10_000);
    expect(call.count('turnComplete')).toBe(2);
    expect(historyOf(call.session.session).map((turn) => turn.split(':')[0])).toEqual([
      'user',
      'model',
      'user',
      'model',
    ]);
    await call.end();
  });

  it('answers text with text, and what was given before without asking with it', async () => {
    const call = await Call.live();
    call.session.queue.sendContent(textContent('user', 'One, '), { turnComplete: false });
    expect(call.count('text')).toBe(0);
    call.session.queue.sendContent(textContent('user', 'two.'));
    call.session.queue.sendContent(textContent('user', 'Three.'));
    expect(historyOf(call.session.session)).toEqual([
      'user: One, ',
      'user: two.',
      'model: One, two.',
      'user: Three.',
      'model: Three.',
    ]);
    await call.end();
  });

  it('repeats of turns it is told of what was said after the last answer', async () => {
    const clock = new VirtualClock();
    const scope = Lifetime.root({ name: 'leg', clock });
    const said: string[] = [];
    const connection = await echo().connect(
      {
        instructions: undefined,
        tools: [],
        history: [],
        inputTranscription: false,
        outputTranscription: false,
      },
      {
        output: (message) => void (message.type === 'text' && said.push(message.text)),
        alive: () => undefined,
        ended: () => undefined,
      },
      scope,
    );
    const turns = [textContent('user', 'One'), textContent('model', 'One'), textContent('user', 'Two, ')];
    expect(connection.send({ type: 'history', turns, turnComplete: false })).toBe(true);
    expect(said).toEqual([]);
    connection.send({ type: 'history', turns: [textContent('user', 'three.')], turnComplete: true });
    expect(said).toEqual(['Two, three.']);
    await scope.close();
  });

  it('is interrupted by text that a listener sends in the middle of an answer, and completes no turn twice', async () => {
    const call = await Call.live();
    let sent = false;
    call.session.on('event', ({ type }) => {
      if (type !== 'audio' || sent) return;
      sent = true;
      call.session.queue.sendContent(textContent('user', 'Stop'));
    });
    await call.speak(Int16Array.from([...spoken, ...silence(900)]));
    await call.clock.advance(10_000);
    expect(call.count('interrupted')).toBe(1);
    expect(call.count('turnComplete')).toBe(2);
    expect(historyOf(call.session.session).slice(-2)).toEqual(['user: Stop', 'model: Stop']);
    await call.end();
  });

  it('with manual turns answers what lies between the marks, and nothing else', async () => {
    const call = await Call.live({ turnDetection: 'manual' });
    await call.speak(Int16Array.from([...spoken, ...silence(900)]));
    expect(call.count('audio')).toBe(0);
    call.session.queue.sendActivityStart();
    await call.speak(spoken);
    expect(call.count('audio')).toBe(0);
    call.session.queue.sendActivityEnd();
    await call.clock.advance(10_000);
    expect(compareAudio(spoken, call.answers(), RATE_HZ).problems).toEqual([]);
    expect(call.count('turnComplete')).toBe(1);
    await call.end();
  });

  it('answers at once when the microphone pauses', async () => {
    const call = await Call.live();
    await call.speak(spoken.subarray(0, RATE_HZ));
    expect(call.count('audio')).toBe(0);
    call.session.queue.sendAudioStreamEnd();
    expect(call.count('audio')).toBeGreaterThan(0);
    await call.end();
  });

  it('answers speech with text where text was asked for', async () => {
    const call = await Call.live({ responseModalities: ['TEXT'] });
    await call.speak(Int16Array.from([...spoken, ...silence(900)]));
    expect(call.count('audio')).toBe(0);
    expect(call.events).toContainEqual(expect.objectContaining({ type: 'text', partial: false }));
    await call.end();
  });

  it('C6 echo: closed in the middle of an answer it leaves no timer and says nothing more', async () => {
    for (const verb of ['close', 'abort'] as const) {
      const call = await Call.live({}, { speed: 1 });
      await call.speak(Int16Array.from([...spoken, ...silence(900)]));
      expect(call.count('audio')).toBeGreaterThan(0);
      expect(call.count('turnComplete')).toBe(0);
      void call.session[verb]();
      const audio = call.count('audio');
      await call.end();
      expect(call.count('audio')).toBe(audio);
    }
  });

  it('C3 echo: drained in the middle of an answer it is heard to its end', async () => {
    const call = await Call.live({}, { speed: 1 });
    const sent = Int16Array.from([...spoken, ...silence(900)]);
    await call.speak(sent);
    void call.session.drain();
    await call.clock.advance(15_000);
    expect(await call.session.closed).toMatchObject({ reason: 'drained' });
    expect(compareAudio(sent, call.answers(), RATE_HZ).problems).toEqual([]);
  });

  it('refuses audio of an impossible rate without ending', async () => {
    const call = await Call.live();
    call.session.queue.sendAudio(AudioChunk.fromPcm(new Uint8Array(2), 1));
    expect(call.count('warning')).toBe(1);
    expect(call.session.state).toBe('live');
    await call.end();
  });

  it('refuses a speed it could not keep', () => {
    expect(() => echo({ speed: 0 })).toThrow(/speed/);
  });
});
