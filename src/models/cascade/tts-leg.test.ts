import { describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock, seededRandom } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ConnectionEventBody } from '../../protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  QueueFullError,
  ReconnectExhaustedError,
} from '../../session/errors.ts';
import { resolveReconnect } from '../../session/reconnect-policy.ts';
import type { ReconnectOptions } from '../../session/reconnect-policy.ts';
import type { ConnectionEnd, StreamConnection, StreamSink } from '../../session/stream-port.ts';
import type {
  TextToSpeech,
  TimedWord,
  TtsCapabilities,
  TtsInput,
  TtsOutput,
  TtsSetup,
} from '../../speech/index.ts';
import { MAX_SENTENCE_CUTS, MAX_WAITING_UTTERANCES, TTS_STALL_TIMEOUT_MS, TtsLeg } from './tts-leg.ts';
import type { SpokenUtterance, TtsLegOptions } from './tts-leg.ts';
import { TtsStalledError } from './tts-stalled-error.ts';

/** One sample a millisecond: times and positions are the same numbers. */
const RATE_HZ = 1_000;

/** A voice that a test plays by hand. */
class ScriptedVoice implements TextToSpeech {
  readonly id = 'scripted-voice';
  readonly capabilities: TtsCapabilities;
  readonly dials: VoiceConnection[] = [];
  refusal: Error | undefined;

  constructor(capabilities: Partial<TtsCapabilities>) {
    this.capabilities = {
      resumption: false,
      outputRateHz: RATE_HZ,
      words: true,
      streamsText: true,
      cancels: false,
      ...capabilities,
    };
  }

  async connect(_setup: TtsSetup, sink: StreamSink<TtsOutput>, scope: Lifetime): Promise<VoiceConnection> {
    if (this.refusal !== undefined) throw this.refusal;
    const connection = new VoiceConnection(sink, scope);
    this.dials.push(connection);
    return Promise.resolve(connection);
  }
}

class VoiceConnection implements StreamConnection<TtsInput> {
  readonly bufferedBytes = 0;
  readonly inputs: TtsInput[] = [];
  isOpen = true;
  throws: Error | undefined;
  refuses: TtsInput['type'] | undefined;
  readonly #sink: StreamSink<TtsOutput>;

  constructor(sink: StreamSink<TtsOutput>, scope: Lifetime) {
    this.#sink = sink;
    scope.own('voice connection', this, { stop: (held) => void (held.isOpen = false) });
  }

  send(input: TtsInput): boolean {
    if (this.throws !== undefined) throw this.throws;
    if (this.refuses === input.type) throw new InvalidOptionError('cannot be taken');
    this.inputs.push(input);
    return true;
  }

  /** What it was given: texts as they are, ends and cancels by their names. */
  get given(): readonly string[] {
    return this.inputs.map((input) => (input.type === 'text' ? input.text : input.type));
  }

  /** The name of what was given last. */
  get name(): string {
    return this.inputs.at(-1)?.utterance ?? '';
  }

  audio(ms: number, mark = 1, utterance = this.name): void {
    const audio = AudioChunk.fromSamples(new Int16Array(ms).fill(mark), RATE_HZ);
    this.#sink.output({ type: 'audio', utterance, audio });
  }

  words(...words: readonly (readonly [string, number, number])[]): void {
    const timed = words.map(([text, startMs, endMs]) => ({ text, startMs, endMs }));
    this.#sink.output({ type: 'words', utterance: this.name, words: timed });
  }

  done(utterance = this.name): void {
    this.#sink.output({ type: 'done', utterance });
  }

  output(output: TtsOutput): void {
    this.#sink.output(output);
  }

  end(end: Partial<ConnectionEnd> = {}): void {
    this.isOpen = false;
    this.#sink.ended({ reason: 'gone', ...end });
  }
}

/** What became of one utterance. */
class Heard {
  ms = 0;
  readonly marks: number[] = [];
  readonly words: TimedWord[] = [];
  readonly ends: (Error | 'done')[] = [];
  speech!: SpokenUtterance;

  audio(audio: AudioChunk): void {
    this.ms += audio.sampleCount;
    const mark = audio.samples[0] ?? 0;
    if (this.marks.at(-1) !== mark) this.marks.push(mark);
  }
}

class Rig {
  readonly clock = new VirtualClock();
  readonly owner = Lifetime.root({ name: 'session', clock: this.clock });
  readonly voice: ScriptedVoice;
  readonly events: ConnectionEventBody[] = [];
  readonly lost: Error[] = [];
  characters = 0;
  readonly leg: TtsLeg;

  constructor(
    capabilities: Partial<TtsCapabilities> = {},
    options: Partial<TtsLegOptions> = {},
    reconnect: ReconnectOptions = {},
  ) {
    this.voice = new ScriptedVoice(capabilities);
    this.leg = new TtsLeg({
      port: this.voice,
      owner: this.owner,
      setup: { languageCode: 'en' },
      policy: resolveReconnect(reconnect, this.voice.capabilities),
      random: seededRandom(1),
      mayReconnect: () => this.owner.isOpen,
      connection: (event) => void this.events.push(event),
      usage: (characters) => void (this.characters += characters),
      lost: (error) => void this.lost.push(error),
      ...options,
    });
  }

  static async started(...given: ConstructorParameters<typeof Rig>): Promise<Rig> {
    const rig = new Rig(...given);
    await rig.leg.start();
    return rig;
  }

  get line(): VoiceConnection {
    return this.voice.dials.at(-1) ?? expect.unreachable('nothing was dialled');
  }

  say(...pieces: readonly string[]): Heard {
    const heard = this.begin();
    for (const piece of pieces) heard.speech.text(piece);
    heard.speech.end();
    return heard;
  }

  begin(): Heard {
    const heard = new Heard();
    heard.speech = this.leg.say({
      audio: (audio) => heard.audio(audio),
      words: (words) => void heard.words.push(...words),
      done: () => void heard.ends.push('done'),
      failed: (error) => void heard.ends.push(error),
    });
    return heard;
  }

  async closed(): Promise<void> {
    await this.owner.close();
    expect(this.owner.resources()).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
    expect(this.voice.dials.filter(({ isOpen }) => isOpen)).toEqual([]);
    const dials = this.voice.dials.length;
    await this.clock.advance(7_200_000);
    expect(this.voice.dials).toHaveLength(dials);
  }
}

const BY_SENTENCE = { streamsText: false, words: false, cancels: true };
const TWO = 'This is the first sentence. This is the second one.';

describe('TtsLeg, speaking', () => {
  it('hands sentences over as soon as they are whole, and what comes of them on', async () => {
    const rig = await Rig.started();
    const heard = rig.begin();
    heard.speech.text('This is the first sentence. This ');
    expect(rig.line.given).toEqual(['This is the first sentence. ']);
    rig.line.audio(300);
    expect(heard.ms).toBe(300);
    heard.speech.text('is the second one.');
    heard.speech.end();
    expect(rig.line.given).toEqual(['This is the first sentence. ', 'This is the second one. ', 'end']);
    rig.line.audio(200);
    rig.line.words(['This', 0, 100]);
    rig.line.output({ type: 'usage', characters: 50 });
    rig.line.output({ type: 'unknown', message: {} });
    rig.line.done();
    expect([heard.ms, heard.ends, heard.words.length, rig.characters]).toEqual([500, ['done'], 1, 50]);
    await rig.closed();
  });

  it('gives one sentence at a time to a voice that does not take pieces', async () => {
    const rig = await Rig.started(BY_SENTENCE);
    const heard = rig.say(TWO);
    expect(rig.line.given).toEqual(['This is the first sentence.', 'end']);
    rig.line.audio(100, 1);
    rig.line.done();
    expect(rig.line.given.slice(2)).toEqual(['This is the second one.', 'end']);
    expect(heard.ends).toEqual([]);
    rig.line.audio(100, 2);
    rig.line.done();
    expect([heard.ms, heard.marks, heard.ends]).toEqual([200, [1, 2], ['done']]);
    await rig.closed();
  });

  it('speaks utterances one after the other, and says done of one without words', async () => {
    const rig = await Rig.started();
    const first = rig.say('One.');
    const second = rig.say('Two.');
    const nothing = rig.say('…');
    expect(rig.line.given).toEqual(['One. ', 'end']);
    rig.line.done();
    expect([first.ends, second.ends]).toEqual([['done'], []]);
    rig.line.audio(100);
    rig.line.done();
    expect([second.ms, second.ends, nothing.ends]).toEqual([100, ['done'], ['done']]);
    expect(rig.leg.waiting).toBe(0);
    await rig.closed();
  });

  it('says what was given before there was a connection', async () => {
    const rig = new Rig();
    const heard = rig.say('One.');
    await rig.leg.start();
    rig.line.done();
    expect(heard.ends).toEqual(['done']);
    await rig.closed();
  });

  it('done exactly once: done twice, done too early and audio after done are not heard', async () => {
    const rig = await Rig.started();
    const heard = rig.begin();
    heard.speech.text('This is the first sentence. ');
    rig.line.done();
    expect(heard.ends).toEqual([]);
    heard.speech.end();
    rig.line.audio(100);
    const { name } = rig.line;
    rig.line.done();
    rig.line.done();
    rig.line.audio(100, 9);
    const next = rig.say('Two.');
    rig.line.audio(100, 9, name);
    rig.line.done(name);
    expect([heard.ms, heard.ends, next.ms, next.ends]).toEqual([100, ['done'], 0, []]);
    heard.speech.text('Too late. ');
    heard.speech.end();
    heard.speech.cancel();
    rig.line.done();
    expect([heard.ends, next.ends]).toEqual([['done'], ['done']]);
    await rig.closed();
  });
});

describe('TtsLeg, losing its connection', () => {
  it('S1 says again what was not heard, from the sentence that was cut, without what was delivered of it', async () => {
    const rig = await Rig.started();
    const heard = rig.say(TWO);
    rig.line.words(
      ['This', 0, 50],
      ['is', 50, 80],
      ['the', 80, 100],
      ['first', 100, 200],
      ['sentence.', 200, 300],
    );
    rig.line.words(['This', 380, 450], ['is', 450, 500]);
    rig.line.audio(400, 1);
    rig.line.audio(50, 1);
    rig.line.end();
    await rig.clock.settle();
    expect(rig.voice.dials).toHaveLength(2);
    expect(rig.line.given).toEqual(['This is the second one. ', 'end']);
    // The second sentence began at 380: 70 of its samples were delivered.
    rig.line.words(
      ['This', 0, 70],
      ['is', 70, 120],
      ['the', 120, 200],
      ['second', 200, 300],
      ['one.', 300, 400],
    );
    rig.line.audio(60, 2);
    expect(heard.ms).toBe(450);
    rig.line.audio(340, 3);
    rig.line.done();
    expect([heard.ms, heard.marks, heard.ends]).toEqual([780, [1, 3], ['done']]);
    expect(heard.words.map(({ text }) => text).join(' ')).toBe(
      'This is the first sentence. This is the second one.',
    );
    expect(heard.words.at(-1)).toMatchObject({ startMs: 680, endMs: 780 });
    await rig.closed();
  });

  it('S1 says the whole of it again where no words were told, and delivers nothing twice', async () => {
    const rig = await Rig.started();
    const heard = rig.say(TWO);
    rig.line.audio(350, 1);
    rig.line.end();
    await rig.clock.settle();
    expect(rig.line.given).toEqual(['This is the first sentence. ', 'This is the second one. ', 'end']);
    rig.line.audio(700, 2);
    rig.line.done();
    expect([heard.ms, heard.marks, heard.ends]).toEqual([700, [1, 2], ['done']]);
    await rig.closed();
  });

  it('S1 says no sentence again that was spoken for itself', async () => {
    const rig = await Rig.started(BY_SENTENCE);
    const heard = rig.say(TWO);
    rig.line.audio(100, 1);
    rig.line.done();
    rig.line.audio(30, 2);
    rig.line.end();
    await rig.clock.settle();
    expect(rig.line.given).toEqual(['This is the second one.', 'end']);
    rig.line.audio(90, 3);
    rig.line.done();
    expect([heard.ms, heard.ends]).toEqual([190, ['done']]);
    await rig.closed();
  });

  it('a lost connection that comes late to its end is not heard over the new one', async () => {
    const rig = await Rig.started();
    const heard = rig.say('One.');
    const old = rig.line;
    const { name } = old;
    old.end();
    await rig.clock.advance(5_000);
    old.audio(100, 9, name);
    old.done(name);
    rig.line.audio(100, 9, name);
    rig.line.done(name);
    expect([heard.ms, heard.ends]).toEqual([0, []]);
    rig.line.done();
    expect(heard.ends).toEqual(['done']);
    await rig.closed();
  });

  it('says what was written while there was no connection', async () => {
    const rig = await Rig.started();
    const heard = rig.begin();
    heard.speech.text('This is the first sentence. ');
    rig.voice.refusal = new ConnectionLostError('refused', { provider: 'scripted-voice' });
    rig.line.end();
    await rig.clock.settle();
    heard.speech.text('This is the second one. ');
    heard.speech.end();
    rig.voice.refusal = undefined;
    await rig.clock.advance(10_000);
    expect(rig.line.given).toEqual(['This is the first sentence. ', 'This is the second one. ', 'end']);
    await rig.closed();
  });

  it('gives up a sentence that is cut off again and again, and goes on with the next utterance', async () => {
    const rig = await Rig.started();
    const heard = rig.say(TWO);
    const next = rig.say('Two.');
    for (let cut = 0; cut < MAX_SENTENCE_CUTS; cut += 1) {
      rig.line.audio(100 + cut);
      rig.line.end();
      await rig.clock.advance(5_000);
    }
    expect(heard.ends).toHaveLength(1);
    expect(heard.ends[0]).toBeInstanceOf(TtsStalledError);
    expect(heard.ends[0]).toMatchObject({ heardMs: 102 });
    expect(rig.line.given).toEqual(['Two. ', 'end']);
    rig.line.done();
    expect([next.ends, rig.lost]).toEqual([['done'], []]);
    await rig.closed();
  });

  it('does not give up what moves on between its cuts', async () => {
    const rig = await Rig.started(BY_SENTENCE);
    const heard = rig.say(`${TWO} ${TWO} ${TWO}`);
    for (let sentence = 0; sentence < 6; sentence += 1) {
      rig.line.audio(50);
      rig.line.end();
      await rig.clock.advance(5_000);
      rig.line.audio(100);
      rig.line.done();
    }
    expect([heard.ms, heard.ends]).toEqual([600, ['done']]);
    await rig.closed();
  });

  it('fails everything that waits with what cannot be cured, and says nothing more', async () => {
    const rig = await Rig.started();
    const first = rig.say('One.');
    const second = rig.say('Two.');
    const error = new AuthenticationError('bad key', { provider: 'scripted-voice' });
    rig.line.end({ error });
    await rig.clock.settle();
    expect([first.ends, second.ends, rig.lost]).toEqual([[error], [error], [error]]);
    expect(() => rig.begin()).toThrow(ClosedError);
    first.speech.text('More.');
    first.speech.cancel();
    await rig.closed();
  });

  it('fails when the connection is not to be had again', async () => {
    const rig = await Rig.started({}, {}, { maxAttempts: 2 });
    const heard = rig.say('One.');
    rig.voice.refusal = new ConnectionLostError('refused', { provider: 'scripted-voice' });
    rig.line.end();
    await rig.clock.advance(60_000);
    expect(heard.ends[0]).toBeInstanceOf(ReconnectExhaustedError);
    expect(rig.lost).toHaveLength(1);
    await rig.closed();
  });

  it('fails at once where reconnecting is turned off', async () => {
    const rig = await Rig.started({}, {}, false);
    const heard = rig.say('One.');
    rig.line.end();
    await rig.clock.settle();
    expect(heard.ends[0]).toBeInstanceOf(ConnectionLostError);
    await rig.closed();
  });

  it('S2 a voice that nobody needs for hours does not die of routine closes', async () => {
    const rig = await Rig.started();
    for (let hour = 0; hour < 40; hour += 1) {
      await rig.clock.advance(1_800_000);
      rig.line.end({ code: 1_000 });
      await rig.clock.advance(5_000);
    }
    const heard = rig.say('One.');
    rig.line.done();
    expect([heard.ends, rig.lost]).toEqual([['done'], []]);
    await rig.closed();
  });
});

describe('TtsLeg, cancelling', () => {
  it('S4 takes a new connection where the wire has no word for it, and hears nothing of the old one', async () => {
    const rig = await Rig.started();
    const heard = rig.say(TWO);
    const next = rig.say('Two.');
    rig.line.audio(100);
    const old = rig.line;
    heard.speech.cancel();
    old.audio(100, 9);
    old.done();
    expect([old.isOpen, heard.ms, heard.ends]).toEqual([false, 100, []]);
    await rig.clock.settle();
    expect([rig.voice.dials.length, rig.line.given]).toEqual([2, ['Two. ', 'end']]);
    rig.line.audio(50);
    rig.line.done();
    expect([next.ms, next.ends, heard.ends]).toEqual([50, ['done'], []]);
    expect(rig.events.map(({ state }) => state)).not.toContain('lost');
    await rig.closed();
  });

  it('S4 says so on a wire that has a word for it, and goes on at once', async () => {
    const rig = await Rig.started({ cancels: true });
    const heard = rig.say('One.');
    rig.say('Two.');
    const { name } = rig.line;
    heard.speech.cancel();
    expect(rig.line.given).toEqual(['One. ', 'end', 'cancel', 'Two. ', 'end']);
    expect(rig.line.inputs[2]).toEqual({ type: 'cancel', utterance: name });
    rig.line.audio(100, 9, name);
    expect([heard.ms, rig.voice.dials.length]).toEqual([0, 1]);
    await rig.closed();
  });

  it('costs nothing where nothing of it was handed over', async () => {
    const rig = await Rig.started();
    const first = rig.say('One.');
    const second = rig.say('Two.');
    second.speech.cancel();
    const third = rig.begin();
    third.speech.text('Not a whole sen');
    rig.line.done();
    third.speech.cancel();
    third.speech.text('tence.');
    third.speech.end();
    await rig.clock.settle();
    expect([first.ends, second.ends, third.ends, rig.voice.dials.length]).toEqual([['done'], [], [], 1]);
    await rig.closed();
  });

  it('R4 a thousand cancels use up no budget', async () => {
    const rig = await Rig.started();
    for (let i = 0; i < 1_100; i += 1) {
      rig.say('One.').speech.cancel();
      await rig.clock.settle();
    }
    expect([rig.lost, rig.voice.dials.length, rig.clock.now()]).toEqual([[], 1_101, 0]);
    await rig.closed();
  });

  it('tries on where the new connection is not to be had at once', async () => {
    const rig = await Rig.started();
    rig.voice.refusal = new ConnectionLostError('refused', { provider: 'scripted-voice' });
    rig.say('One.').speech.cancel();
    const heard = rig.say('Two.');
    await rig.clock.advance(500);
    rig.voice.refusal = undefined;
    await rig.clock.advance(10_000);
    rig.line.done();
    expect([heard.ends, rig.lost]).toEqual([['done'], []]);
    await rig.closed();
  });

  it.each([{}, false])(
    'fails where the new connection cannot be had, with reconnect %o',
    async (reconnect) => {
      const rig = await Rig.started({}, {}, reconnect);
      const error = new AuthenticationError('revoked', { provider: 'scripted-voice' });
      rig.voice.refusal = error;
      rig.say('One.').speech.cancel();
      const heard = rig.say('Two.');
      await rig.clock.settle();
      expect([heard.ends, rig.lost]).toEqual([[error], [error]]);
      await rig.closed();
    },
  );

  it('may be done by whoever is being told of audio', async () => {
    const rig = await Rig.started();
    const ends: string[] = [];
    const speech = rig.leg.say({
      audio: () => speech.cancel(),
      done: () => void ends.push('done'),
      failed: () => void ends.push('failed'),
    });
    speech.text('One.');
    speech.end();
    rig.line.audio(10);
    await rig.clock.settle();
    expect([ends, rig.voice.dials.length]).toEqual([[], 2]);
    await rig.closed();
  });
});

describe('TtsLeg, bounded', () => {
  it.each([{}, { cancels: true }, BY_SENTENCE])(
    'done missing, of a voice of %o: ends with an error',
    async (given) => {
      const rig = await Rig.started(given);
      const heard = rig.say('One.');
      const next = rig.say('Two.');
      rig.line.audio(100);
      await rig.clock.advance(TTS_STALL_TIMEOUT_MS - 1);
      rig.line.audio(100);
      await rig.clock.advance(TTS_STALL_TIMEOUT_MS - 1);
      expect(heard.ends).toEqual([]);
      await rig.clock.advance(1);
      expect(heard.ends[0]).toBeInstanceOf(TtsStalledError);
      expect(heard.ends[0]).toMatchObject({ code: 'HOLDFAST_TTS_STALLED', heardMs: 200 });
      await rig.clock.settle();
      expect(rig.voice.dials).toHaveLength(2);
      rig.line.done();
      expect([heard.ends.length, next.ends]).toEqual([1, ['done']]);
      await rig.closed();
    },
  );

  it('waits for who writes the text as long as that takes', async () => {
    const rig = await Rig.started();
    const heard = rig.begin();
    heard.speech.text('This is the first sentence. ');
    await rig.clock.advance(10 * TTS_STALL_TIMEOUT_MS);
    heard.speech.end();
    rig.line.done();
    expect(heard.ends).toEqual(['done']);
    await rig.closed();
  });

  it('refuses more than fits, and goes on', async () => {
    const rig = await Rig.started({}, { maxWaitingCharacters: 30 });
    const heard = rig.begin();
    heard.speech.text('This is a sentence. ');
    expect(() => heard.speech.text('This is another one. ')).toThrow(QueueFullError);
    heard.speech.end();
    rig.line.done();
    expect(heard.ends).toEqual(['done']);
    const waiting = Array.from({ length: MAX_WAITING_UTTERANCES }, () => rig.begin());
    expect(() => rig.begin()).toThrow(QueueFullError);
    for (const { speech } of waiting) speech.cancel();
    expect(rig.leg.waiting).toBe(0);
    await rig.closed();
  });

  it('fails an utterance that the port cannot take, and goes on', async () => {
    const rig = await Rig.started();
    const error = new InvalidOptionError('cannot be said');
    rig.line.throws = error;
    const heard = rig.say('One.');
    expect(heard.ends).toEqual([error]);
    await rig.clock.settle();
    const next = rig.say('Two.');
    rig.line.done();
    expect(next.ends).toEqual(['done']);
    await rig.closed();
  });

  it('fails nobody for a cancel that the port cannot take', async () => {
    const rig = await Rig.started({ cancels: true });
    const heard = rig.say('One.');
    const next = rig.say('Two.');
    rig.line.refuses = 'cancel';
    heard.speech.cancel();
    rig.line.done();
    expect([heard.ends, next.ends]).toEqual([[], ['done']]);
    await rig.closed();
  });

  it('C6 tells nothing and holds nothing once its owner closes, whatever comes', async () => {
    const rig = await Rig.started();
    const heard = rig.say(TWO);
    rig.line.audio(100);
    const { line } = rig;
    await rig.closed();
    line.audio(100);
    line.done();
    heard.speech.text('More. ');
    heard.speech.end();
    heard.speech.cancel();
    expect([heard.ms, heard.ends, rig.lost]).toEqual([100, [], []]);
    expect(() => rig.begin()).toThrow(ClosedError);
  });

  it('refuses bounds that are none', () => {
    expect(() => new Rig({}, { stallTimeoutMs: 0 })).toThrow(InvalidOptionError);
    expect(() => new Rig({}, { maxWaitingCharacters: -1 })).toThrow(InvalidOptionError);
  });
});
