import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogBook } from '../../../test/support/live-rig.ts';
import { InvalidOptionError, Lifetime, VirtualClock, seededRandom } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import { resolveReconnect } from '../../session/reconnect-policy.ts';
import type { ReconnectOptions } from '../../session/reconnect-policy.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import {
  FALLBACK_CONNECT_TIMEOUT_MS,
  FALLBACK_REST_MS,
  FALLBACK_VOICE_SILENCE_MS,
  fallbackTextToSpeech,
} from '../../speech/index.ts';
import type { TextToSpeech, TtsCapabilities, TtsInput, TtsOutput, TtsSetup } from '../../speech/index.ts';
import { TTS_STALL_TIMEOUT_MS, TtsLeg } from './tts-leg.ts';
import { TtsStalledError } from './tts-stalled-error.ts';
import type { SpokenUtterance } from './tts-leg.ts';

/** One sample a millisecond. */
const RATE_HZ = 1_000;
const LETTER_MS = 10;

/**
 * `cuts`: its connection goes in the middle of a sentence, each time. `ends`: when it has spoken it, before it says so.
 * `mute`: it takes everything and says nothing. `refusesLate`: it takes the connection, and refuses what it is given.
 */
const MOODS = ['well', 'refuses', 'badKey', 'full', 'hangs', 'mute', 'cuts', 'ends', 'refusesLate'] as const;
type Mood = (typeof MOODS)[number];

const PROVIDER = { provider: 'a voice' };

/** A voice that speaks each letter as ten samples of its code, in its own time, as far as its mood lets it. */
class MoodyVoice implements TextToSpeech {
  readonly id: string;
  readonly capabilities: TtsCapabilities;
  mood: Mood = 'well';
  dials = 0;
  open = 0;
  readonly said: string[] = [];
  #sink: StreamSink<TtsOutput> | undefined;

  constructor(id: string, capabilities: Partial<TtsCapabilities> = {}) {
    this.id = id;
    this.capabilities = {
      ...{ resumption: false, outputRateHz: RATE_HZ, words: false, streamsText: false, cancels: true },
      ...capabilities,
    };
  }

  async connect(
    _setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    this.dials += 1;
    if (this.mood === 'refuses') throw new ConnectionLostError('no', PROVIDER);
    if (this.mood === 'badKey') throw new AuthenticationError('no', PROVIDER);
    if (this.mood === 'full') throw new OverloadedError('no', PROVIDER);
    if (this.mood === 'hangs') return Promise.withResolvers<never>().promise;
    this.open += 1;
    this.#sink = sink;
    scope.own('voice', this, { stop: (voice) => void (voice.open -= 1) });
    const texts = new Map<string, string>();
    return Promise.resolve({
      bufferedBytes: 0,
      send: (input) => {
        if (input.type === 'text') {
          texts.set(input.utterance, (texts.get(input.utterance) ?? '') + input.text);
        } else if (input.type === 'end') {
          this.#speak(input.utterance, Array.from(texts.get(input.utterance) ?? ''), sink, scope);
        }
        return true;
      },
    });
  }

  /** Its connection goes. */
  drop(): void {
    this.#sink?.ended({ reason: 'recycled' });
  }

  #speak(utterance: string, letters: readonly string[], sink: StreamSink<TtsOutput>, scope: Lifetime): void {
    this.said.push(letters.join(''));
    if (this.mood === 'mute') return;
    if (this.mood === 'refusesLate') {
      sink.ended({ reason: 'quota', error: new QuotaError('no', PROVIDER) });
      return;
    }
    const speakFrom = (index: number): void => {
      const letter = letters[index];
      if (this.mood === 'cuts' && index === Math.floor(letters.length / 2)) sink.ended({ reason: 'cut' });
      else if (letter !== undefined) {
        const length = (LETTER_MS * this.capabilities.outputRateHz) / RATE_HZ;
        const samples = new Int16Array(length).fill(letter.charCodeAt(0));
        const audio = AudioChunk.fromSamples(samples, this.capabilities.outputRateHz);
        sink.output({ type: 'audio', utterance, audio });
        if (!scope.isClosing) scope.timer('letter', LETTER_MS, () => speakFrom(index + 1));
      } else if (this.mood === 'ends') sink.ended({ reason: 'over' });
      else sink.output({ type: 'done', utterance });
    };
    speakFrom(0);
  }
}

/** What was heard of an utterance, as the letters it was spoken as. */
class Heard {
  readonly samples: number[] = [];
  readonly ends: (Error | 'done')[] = [];
  speech!: SpokenUtterance;

  get text(): string {
    return String.fromCharCode(...this.samples.filter((_, index) => index % LETTER_MS === 0));
  }
}

class Stage {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly owner = Lifetime.root({ name: 'call', clock: this.clock, log: this.book.log });
  readonly lost: Error[] = [];
  readonly leg: TtsLeg;
  readonly voices: readonly MoodyVoice[];

  constructor(voices: readonly MoodyVoice[], reconnect: ReconnectOptions = {}) {
    this.voices = voices;
    const port = fallbackTextToSpeech(voices);
    this.leg = new TtsLeg({
      port,
      owner: this.owner,
      setup: {},
      policy: resolveReconnect(reconnect, port.capabilities),
      random: seededRandom(1),
      mayReconnect: () => this.owner.isOpen,
      connection: () => undefined,
      usage: () => undefined,
      lost: (error) => void this.lost.push(error),
    });
  }

  static async started(...given: ConstructorParameters<typeof Stage>): Promise<Stage> {
    const stage = new Stage(...given);
    await stage.leg.start();
    return stage;
  }

  say(text: string): Heard {
    const heard = new Heard();
    heard.speech = this.leg.say({
      audio: (audio) => void heard.samples.push(...audio.samples),
      done: () => void heard.ends.push('done'),
      failed: (error) => void heard.ends.push(error),
    });
    heard.speech.text(text);
    heard.speech.end();
    return heard;
  }

  get replacements(): unknown[] {
    return this.book.lines.filter(({ message }) => message.includes('replaced')).map(({ fields }) => fields);
  }

  async closed(): Promise<void> {
    await this.owner.close();
    expect(this.owner.resources()).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
    expect(this.voices.map(({ open }) => open)).toEqual(this.voices.map(() => 0));
    const dials = this.voices.map((voice) => voice.dials);
    await this.clock.advance(7_200_000);
    expect(this.voices.map((voice) => voice.dials)).toEqual(dials);
  }
}

const TEXT = 'The first train leaves at noon. The second one leaves at two.';
const SPOKEN = TEXT.replace('. The second', '.The second');

describe('Several voices under one leg', () => {
  it.each(['cuts', 'ends', 'mute', 'refusesLate'] as const)(
    'S1 failover: what a voice that %s did not say the next one does, and not a sample of it twice',
    async (mood) => {
      const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
      const stage = await Stage.started([a, b], { delaysMs: [0, 60_000], jitterMs: 0 });
      a.mood = mood;
      const heard = stage.say(TEXT);
      await stage.clock.advance(FALLBACK_VOICE_SILENCE_MS + 2_000);
      expect([heard.text, heard.ends]).toEqual([SPOKEN, ['done']]);
      expect(stage.replacements).toMatchObject([{ from: 'a', to: 'b' }]);
      expect(stage.lost).toEqual([]);
      await stage.closed();
    },
  );

  it.each(['refuses', 'badKey', 'full', 'hangs'] as const)(
    'S1 failover: a voice that %s is passed over in time',
    async (mood) => {
      const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
      a.mood = mood;
      const stage = new Stage([a, b]);
      const starting = stage.leg.start();
      await stage.clock.advance(mood === 'hangs' ? FALLBACK_CONNECT_TIMEOUT_MS : 0);
      await starting;
      const heard = stage.say('Noon.');
      await stage.clock.advance(1_000);
      expect([heard.text, heard.ends, a.dials, b.dials]).toEqual(['Noon.', ['done'], 1, 1]);
      await stage.closed();
    },
  );

  it('failover: a voice that had spoken is asked once more, and then the next one', async () => {
    const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
    const stage = await Stage.started([a, b]);
    stage.say('Noon.');
    await stage.clock.advance(10_000);
    a.mood = 'cuts';
    const heard = stage.say(TEXT);
    await stage.clock.advance(5_000);
    expect([heard.text, heard.ends, a.dials]).toEqual([SPOKEN, ['done'], 2]);
    await stage.closed();
  });

  it('S2 failover: a quiet voice whose connection is recycled is had again, and not replaced by another', async () => {
    const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
    const stage = await Stage.started([a, b]);
    for (let time = 1; time <= 50; time += 1) {
      await stage.clock.advance(180_000);
      a.drop();
      await stage.clock.settle();
    }
    const heard = stage.say('Noon.');
    await stage.clock.advance(1_000);
    expect([heard.text, a.dials, b.dials]).toEqual(['Noon.', 51, 0]);
    expect(stage.replacements).toEqual([]);
    expect(stage.lost).toEqual([]);
    await stage.closed();
  });

  it('failover: when no attempt can help any of them the voice is lost at once, with the error', async () => {
    const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
    const stage = await Stage.started([a, b]);
    a.mood = 'refusesLate';
    b.mood = 'refusesLate';
    const heard = stage.say('Noon.');
    await stage.clock.settle();
    expect(stage.lost).toMatchObject([{ code: 'HOLDFAST_QUOTA' }]);
    expect(heard.ends).toMatchObject([{ code: 'HOLDFAST_QUOTA' }]);
    expect([a.dials, b.dials]).toEqual([1, 1]);
    await stage.closed();
  });

  it('failover: with all of them mute it is the leg that gives the utterance up', async () => {
    const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b')];
    const stage = await Stage.started([a, b]);
    a.mood = 'mute';
    b.mood = 'mute';
    const heard = stage.say('Noon.');
    await stage.clock.advance(FALLBACK_VOICE_SILENCE_MS + TTS_STALL_TIMEOUT_MS);
    expect(heard.ends).toEqual([expect.any(TtsStalledError)]);
    expect(stage.lost).toEqual([]);
    await stage.closed();
  });

  it('speaks at the rate of the first, sample for sample as long as what was spoken', async () => {
    const [a, b] = [new MoodyVoice('a'), new MoodyVoice('b', { outputRateHz: 2_000, cancels: false })];
    a.mood = 'refuses';
    const stage = await Stage.started([a, b]);
    const heard = stage.say(TEXT);
    await stage.clock.advance(1_000);
    expect(heard.ends).toEqual(['done']);
    expect(heard.samples).toHaveLength(SPOKEN.length * LETTER_MS);
    // In the middle of each letter it is the letter.
    const middles = heard.samples.filter((_, index) => index % LETTER_MS === LETTER_MS / 2);
    const errors = middles.map((value, index) => Math.abs(value - SPOKEN.charCodeAt(index)));
    expect(Math.max(...errors.slice(1, -1))).toBeLessThan(12);
    await stage.closed();
  });

  it('is what all of them are', () => {
    const full = { words: true, streamsText: true, cancels: true, maxConnectionAgeMs: 9 };
    const one = { ...full, probeTimeoutMs: 5, words: false };
    const two = {
      ...full,
      probeTimeoutMs: 7,
      streamsText: false,
      maxConnectionAgeMs: 3,
      outputRateHz: 8_000,
    };
    const both = fallbackTextToSpeech([new MoodyVoice('a', one), new MoodyVoice('b', two)]);
    expect(both.id).toBe('fallback(a, b)');
    expect(both.capabilities).toEqual({
      ...{ resumption: false, inProcess: false, maxConnectionAgeMs: 3, probeTimeoutMs: 7 },
      ...{ outputRateHz: RATE_HZ, words: false, streamsText: false, cancels: true },
    });
    expect(() => fallbackTextToSpeech([])).toThrow(InvalidOptionError);
    expect(() => fallbackTextToSpeech([new MoodyVoice('a')], { silenceTimeoutMs: 0 })).toThrow(
      InvalidOptionError,
    );
  });
});

describe('Voices of which some fail, in whatever order', () => {
  const step = fc.record({
    moods: fc.tuple(fc.constantFrom(...MOODS), fc.constantFrom(...MOODS)),
    well: fc.constantFrom(0, 1),
    text: fc.constantFrom('Noon.', TEXT, `${TEXT} And so on, and on. That is all.`),
    cancelAfterMs: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
  });

  it('S1 failover: as long as one is well, all is said, once, and nothing is left open', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, cancels) => {
        const voices = [new MoodyVoice('a', { cancels }), new MoodyVoice('b')] as const;
        const stage = await Stage.started(voices);
        for (const { moods, well, text, cancelAfterMs } of steps) {
          voices[0].mood = well === 0 ? 'well' : moods[0];
          voices[1].mood = well === 1 ? 'well' : moods[1];
          const heard = stage.say(text);
          if (cancelAfterMs !== undefined) {
            await stage.clock.advance(cancelAfterMs);
            heard.speech.cancel();
          }
          await stage.clock.advance(30_000);
          // Who has failed before has rested.
          await stage.clock.advance(FALLBACK_REST_MS);
          const spoken = text.replaceAll(' ', '');
          const told = heard.text.replaceAll(' ', '');
          if (cancelAfterMs === undefined) expect([told, heard.ends]).toEqual([spoken, ['done']]);
          else expect(spoken.startsWith(told)).toBe(true);
        }
        expect(stage.lost).toEqual([]);
        await stage.closed();
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});
