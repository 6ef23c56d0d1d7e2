import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime, seededRandom } from '../src/kernel/index.ts';
import type { AudioChunk } from '../src/protocol/index.ts';
import { TtsLeg } from '../src/models/cascade/tts-leg.ts';
import { TtsStalledError } from '../src/models/cascade/tts-stalled-error.ts';
import type { SpokenUtterance, TtsLegOptions } from '../src/models/cascade/tts-leg.ts';
import { deepgramTts } from '../src/models/deepgram-tts/index.ts';
import { gatewayTts } from '../src/models/gateway-tts/index.ts';
import { openaiTts } from '../src/models/openai-tts/index.ts';
import {
  AuthenticationError,
  ConnectTimeoutError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../src/session/index.ts';
import { resolveReconnect } from '../src/session/reconnect-policy.ts';
import type { TextToSpeech, TimedWord } from '../src/speech/index.ts';
import { TextToSpeechEmulator, findTones, isWord, speakWords, voiceWords } from '../src/testing/index.ts';
import type { TextToSpeechEmulatorOptions, TtsFaultRule } from '../src/testing/index.ts';

const RATE_HZ = 24_000;
const SENTENCES = [
  'The first train leaves at noon.',
  'The second one leaves at two.',
  'The last one never leaves.',
];
const TEXT = SENTENCES.join(' ');

let tts: TextToSpeechEmulator;
let owner: Lifetime;

beforeEach(() => {
  owner = Lifetime.root({ name: 'session' });
});

afterEach(async () => {
  await owner.close();
  expect(owner.resources()).toEqual([]);
  // Idle sockets that the platform's fetch keeps for later carry nothing.
  await tts.waitFor(({ connections }) => [...connections].every(({ stage }) => stage === 'closed'));
  await tts.close();
});

const VOICES = {
  gateway: () => gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${tts.url}/v1` }),
  deepgram: () => deepgramTts({ apiKey: 'any', baseUrl: tts.url }),
  http: () =>
    openaiTts({
      model: 'tts-1',
      voice: 'alloy',
      apiKey: 'any',
      baseUrl: `${tts.url}/v1`,
      silenceTimeoutMs: 400,
    }),
} as const satisfies Record<string, () => TextToSpeech>;

async function start(
  faults: readonly TtsFaultRule[] = [],
  options: TextToSpeechEmulatorOptions = {},
): Promise<void> {
  tts = await TextToSpeechEmulator.start({ faults, pace: 50, ...options });
}

function makeLeg(name: keyof typeof VOICES, options: Partial<TtsLegOptions> = {}): TtsLeg {
  const port = VOICES[name]();
  return new TtsLeg({
    port,
    owner,
    setup: { languageCode: 'en' },
    policy: resolveReconnect({ delaysMs: [0, 20], jitterMs: 0, overloadDelayMs: 20 }, port.capabilities),
    random: seededRandom(1),
    mayReconnect: () => owner.isOpen,
    connection: () => undefined,
    usage: () => undefined,
    lost: () => undefined,
    ...options,
  });
}

/** An utterance, and what was heard of it. */
class Heard {
  readonly #chunks: Int16Array[] = [];
  readonly words: TimedWord[] = [];
  readonly end = Promise.withResolvers<Error | 'done'>();
  readonly speech: SpokenUtterance;
  readonly #first = Promise.withResolvers<void>();

  constructor(leg: TtsLeg, text: string) {
    this.speech = leg.say({
      audio: (audio: AudioChunk) => {
        this.#chunks.push(audio.samples.slice());
        this.#first.resolve();
      },
      words: (words) => void this.words.push(...words),
      done: () => this.end.resolve('done'),
      failed: (error) => this.end.resolve(error),
    });
    this.speech.text(text);
    this.speech.end();
  }

  /** Resolves with the first of it. */
  get begun(): Promise<void> {
    return this.#first.promise;
  }

  get samples(): Int16Array {
    return Int16Array.from(this.#chunks.flatMap((chunk) => [...chunk]));
  }
}

/** Every sample of every sentence, once. */
function expectWhole(heard: Heard, text = TEXT): void {
  expect(Buffer.from(heard.samples.buffer).equals(Buffer.from(speakWords(text, RATE_HZ).buffer))).toBe(true);
}

describe.each(['gateway', 'deepgram', 'http'] as const)('a voice by %s, over real sockets', (name) => {
  const hasSocket = name !== 'http';

  it('speaks utterance after utterance, sample for sample', async () => {
    await start();
    const leg = makeLeg(name);
    await leg.start();
    const [first, second] = [new Heard(leg, TEXT), new Heard(leg, 'And so on.')];
    expect(await Promise.all([first.end.promise, second.end.promise])).toEqual(['done', 'done']);
    expectWhole(first);
    expectWhole(second, 'And so on.');
    expect(tts.connections.count).toBe(hasSocket ? 1 : 4);
    if (name === 'gateway') {
      const told = first.words.map(({ text, startMs, endMs }) => [text, startMs, endMs]);
      const spoken = voiceWords(TEXT).map(({ word, startMs, endMs }) => [word, startMs, endMs]);
      expect(told).toEqual(spoken);
    }
  });

  it.each(['reset', 'endWithoutCloseFrame', 'error'] as const)(
    'S1 goes on after %s in mid-utterance, without a sample twice or missing',
    async (type) => {
      const nth = hasSocket ? 60 : 40;
      const what = type === 'error' ? ({ type, code: 500 } as const) : { type };
      await start([{ when: { on: 'audio', nth, connection: 1 }, what }]);
      const leg = makeLeg(name);
      await leg.start();
      const heard = new Heard(leg, TEXT);
      expect(await heard.end.promise).toBe('done');
      expectWhole(heard);
      const texts = [...tts.connections].map((connection) => connection.texts.map((text) => text.trim()));
      // What was heard to its end is not asked for again, where it is known to have been.
      if (name === 'gateway') expect(texts).toEqual([SENTENCES, SENTENCES.slice(1)]);
      else if (name === 'deepgram') expect(texts).toEqual([SENTENCES, SENTENCES]);
      else expect(texts.flat()).toEqual([SENTENCES[0], ...SENTENCES]);
    },
  );

  it('S4 speaks the next utterance when one is cancelled, with no more open than is allowed', async () => {
    await start([], { maxSessions: 1, pace: 2 });
    const leg = makeLeg(name);
    await leg.start();
    const first = new Heard(leg, TEXT);
    await first.begun;
    first.speech.cancel();
    const before = first.samples.length;
    const second = new Heard(leg, 'Noon.');
    expect(await second.end.promise).toBe('done');
    expectWhole(second, 'Noon.');
    expect(first.samples).toHaveLength(before);
    if (name === 'deepgram') {
      expect(tts.connections.last).toMatchObject({ number: 1, clears: 1, endRequests: 0 });
      return;
    }
    expect(tts.connections.count).toBe(2);
    if (name === 'gateway') expect(tts.connections.nth(1)?.endRequests).toBe(1);
  });

  it('C6 leaves no socket when its owner closes in mid-utterance', async () => {
    await start([], { pace: 2 });
    const leg = makeLeg(name);
    await leg.start();
    const heard = new Heard(leg, TEXT);
    await heard.begun;
    const { steps } = await owner.close();
    expect(steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    await tts.waitFor(({ connections }) => connections.last?.stage === 'closed');
    if (hasSocket) expect(tts.connections.last?.endRequests).toBe(1);
  });
});

describe.each(['gateway', 'deepgram'] as const)(
  'a voice by %s, over real sockets, when it goes wrong',
  (name) => {
    it('audio after done and a lost half of a sample make no noise', async () => {
      await start([
        { when: { on: 'audio', nth: 5 }, what: { type: 'oddBytes' } },
        { what: { type: 'strayAudio' } },
      ]);
      const leg = makeLeg(name);
      await leg.start();
      const heard = new Heard(leg, 'Noon.');
      expect(await heard.end.promise).toBe('done');
      const [tone, ...others] = findTones(heard.samples, RATE_HZ);
      expect(others).toEqual([]);
      expect(tone !== undefined && isWord(tone, 'Noon.')).toBe(true);
    });

    it.each([
      ['a flush is ignored', { when: { on: 'flush' }, what: { type: 'silence' } }],
      ['done is missing', { when: { kind: 'done' }, what: { type: 'silence' } }],
      ['nothing comes any more', { when: { on: 'audio', nth: 3 }, what: { type: 'mute' } }],
    ] as const)('S3 %s: the utterance fails, and the next one is spoken', async (_, rule) => {
      await start([{ when: { ...rule.when, connection: 1 }, what: rule.what }]);
      const leg = makeLeg(name, { stallTimeoutMs: 300 });
      await leg.start();
      const [first, second] = [new Heard(leg, TEXT), new Heard(leg, 'And so on.')];
      expect(await first.end.promise).toBeInstanceOf(TtsStalledError);
      if ('kind' in rule.when) expectWhole(first);
      expect(await second.end.promise).toBe('done');
      expectWhole(second, 'And so on.');
      expect(tts.connections.count).toBe(2);
    });

    it('hang after the goodbye, and a close frame that is not answered: it is left in time', async () => {
      await start([
        { when: { on: 'end' }, what: { type: 'silence' } },
        { when: { on: 'close' }, what: { type: 'ignoreClose' } },
      ]);
      const leg = makeLeg(name);
      await leg.start();
      const report = await owner.close();
      expect(report.durationMs).toBeLessThan(2_000);
    });
  },
);

describe('the voice of the gateway, over real sockets, when it goes wrong', () => {
  it.each([
    [401, AuthenticationError],
    [402, QuotaError],
    [429, QuotaError],
    [404, InvalidRequestError],
  ])('HTTP %i at the upgrade', async (status, kind) => {
    await start([{ what: { type: 'httpStatus', status } }]);
    await expect(makeLeg('gateway').start()).rejects.toThrow(kind);
  });

  it('R11 created never sent', async () => {
    await start([{ when: { on: 'create' }, what: { type: 'silence' } }]);
    await expect(makeLeg('gateway', { connectTimeoutMs: 200 }).start()).rejects.toThrow(ConnectTimeoutError);
  });

  it('S2 inactivity, error 2007, over and over: it is there when it is needed', async () => {
    await start([], { gatewayInactivityMs: 1_800_000, timeScale: 10_000 });
    const leg = makeLeg('gateway');
    await leg.start();
    await tts.waitFor(({ connections }) => connections.count >= 3);
    let end: unknown;
    // One that is cut by the next inactivity is said again.
    for (let tries = 0; end !== 'done' && tries < 5; tries += 1)
      end = await new Heard(leg, 'Noon.').end.promise;
    expect(end).toBe('done');
  });
});

describe('the voice of Deepgram, over real sockets, when it goes wrong', () => {
  it.each([
    [401, AuthenticationError],
    [402, QuotaError],
    [403, AuthenticationError],
    [429, OverloadedError],
    [404, InvalidRequestError],
  ])('HTTP %i at the upgrade', async (status, kind) => {
    await start([{ what: { type: 'httpStatus', status } }]);
    await expect(makeLeg('deepgram').start()).rejects.toThrow(kind);
  });

  it('R11 an upgrade that is never answered', async () => {
    await start([{ what: { type: 'neverAnswerUpgrade' } }]);
    await expect(makeLeg('deepgram', { connectTimeoutMs: 200 }).start()).rejects.toThrow(ConnectTimeoutError);
  });

  it('a service without Metadata, and frames in fragments, are spoken with all the same', async () => {
    await start([
      { when: { kind: 'created' }, what: { type: 'silence' } },
      { when: { kind: 'audio' }, what: { type: 'fragment', frames: 3 } },
    ]);
    const leg = makeLeg('deepgram');
    await leg.start();
    const heard = new Heard(leg, TEXT);
    expect(await heard.end.promise).toBe('done');
    expectWhole(heard);
  });

  it('S1 what is lost with a frame that is cut in two is heard once', async () => {
    await start([{ when: { kind: 'audio', nth: 30, connection: 1 }, what: { type: 'cutMessage' } }]);
    const leg = makeLeg('deepgram');
    await leg.start();
    const heard = new Heard(leg, TEXT);
    expect(await heard.end.promise).toBe('done');
    expectWhole(heard);
    expect(tts.connections.count).toBe(2);
  });

  it('S4 a cancel that is not confirmed costs the connection, and the next one is spoken', async () => {
    await start([{ when: { on: 'clear' }, what: { type: 'silence' } }], { maxSessions: 1, pace: 2 });
    const leg = makeLeg('deepgram');
    await leg.start();
    const first = new Heard(leg, TEXT);
    await first.begun;
    first.speech.cancel();
    const before = first.samples.length;
    const second = new Heard(leg, 'Noon.');
    expect(await second.end.promise).toBe('done');
    expectWhole(second, 'Noon.');
    expect([first.samples.length, tts.connections.count]).toEqual([before, 2]);
  });

  it('S4 who interrupts again and again has one connection, and hears the last one whole', async () => {
    await start([{ when: { on: 'clear' }, what: { type: 'strayAudio' } }], { maxSessions: 1, pace: 2 });
    const leg = makeLeg('deepgram');
    await leg.start();
    for (let time = 1; time <= 10; time += 1) {
      const heard = new Heard(leg, TEXT);
      await heard.begun;
      heard.speech.cancel();
    }
    const last = new Heard(leg, 'Noon.');
    expect(await last.end.promise).toBe('done');
    expectWhole(last, 'Noon.');
    expect(tts.connections.last).toMatchObject({ number: 1, clears: 10 });
  });

  it('S1 more flushes than the service takes are spread over connections, and nothing is lost', async () => {
    await start();
    const leg = makeLeg('deepgram');
    await leg.start();
    for (let time = 1; time <= 25; time += 1) {
      const heard = new Heard(leg, 'Noon.');
      expect(await heard.end.promise).toBe('done');
      expectWhole(heard, 'Noon.');
    }
    expect([...tts.connections].map(({ flushes }) => flushes)).toEqual([21, 5]);
  });

  it('S2 an idle close, over and over: it is there when it is needed', async () => {
    await start([
      { when: { on: 'ready', after: { ms: 60 } }, what: { type: 'close', code: 1_011, reason: 'NET-0001' } },
    ]);
    const leg = makeLeg('deepgram');
    await leg.start();
    await tts.waitFor(({ connections }) => connections.count >= 3);
    let end: unknown;
    // One that is cut by the next close is said again.
    for (let tries = 0; end !== 'done' && tries < 5; tries += 1)
      end = await new Heard(leg, 'Noon.').end.promise;
    expect(end).toBe('done');
  });

  it.each([
    ['DATA-0000', InvalidRequestError],
    ['DATA-0001', OverloadedError],
  ])('R1 a close that says %s', async (reason, kind) => {
    await start([{ when: { on: 'text' }, what: { type: 'close', code: 1_008, reason } }]);
    const lost = Promise.withResolvers<Error>();
    const leg = makeLeg('deepgram', { policy: undefined, lost: lost.resolve });
    await leg.start();
    const heard = new Heard(leg, 'Noon.');
    expect(await heard.end.promise).toBeInstanceOf(kind);
    expect(await lost.promise).toBeInstanceOf(kind);
  });
});

describe('a voice by HTTP, over real sockets, when it goes wrong', () => {
  it.each([
    [401, AuthenticationError],
    [402, QuotaError],
    [429, QuotaError],
    [404, InvalidRequestError],
  ])('HTTP %i ends it with its error', async (status, kind) => {
    await start([{ what: { type: 'httpStatus', status, retryAfter: '2' } }]);
    const leg = makeLeg('http');
    await leg.start();
    const error = await new Heard(leg, 'Noon.').end.promise;
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ failure: { httpStatus: status, retryAfterMs: 2_000 } });
  });

  it('is asked again after 503', async () => {
    await start([{ when: { on: 'flush', connection: 1 }, what: { type: 'error', code: 503 } }]);
    const leg = makeLeg('http');
    await leg.start();
    const heard = new Heard(leg, 'Noon.');
    expect(await heard.end.promise).toBe('done');
    expectWhole(heard, 'Noon.');
  });

  it('is asked again when it falls silent, and fails when it does so again and again', async () => {
    await start([{ when: { on: 'audio', nth: 3 }, what: { type: 'mute' } }]);
    const leg = makeLeg('http');
    await leg.start();
    const error = await new Heard(leg, 'Noon.').end.promise;
    expect(error).toBeInstanceOf(TtsStalledError);
    expect(tts.connections.count).toBe(3);
  });

  it('is asked again when it does not answer', async () => {
    await start([{ when: { on: 'upgrade', connection: 1 }, what: { type: 'neverAnswerUpgrade' } }]);
    const leg = makeLeg('http');
    await leg.start();
    const heard = new Heard(leg, 'Noon.');
    expect(await heard.end.promise).toBe('done');
    expectWhole(heard, 'Noon.');
  });
});
