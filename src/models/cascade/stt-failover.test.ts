import { describe, expect, it } from 'vitest';
import { SttRig, results, voice, welcome } from '../../../test/support/stt-rig.ts';
import type { SttPeer, SttRigOptions } from '../../../test/support/stt-rig.ts';
import { InvalidOptionError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import { ConnectionLostError, DEFAULT_MAX_ATTEMPTS } from '../../session/index.ts';
import type { StreamConnection, StreamSink } from '../../session/index.ts';
import { FALLBACK_CONNECT_TIMEOUT_MS, FALLBACK_REST_MS, fallbackSpeechToText } from '../../speech/index.ts';
import type { SpeechToText, SttCapabilities, SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import { deepgram, livekitStt } from '../stt/index.ts';
import { FINALIZE_TIMEOUT_MS } from './stt-leg.ts';

const nameOf = (peer: SttPeer): string => new URL(peer.dial.url).hostname.slice(0, 1);

type Serve = (peer: SttPeer, number: number) => void;

/** Two recognisers, `a` and `b`, and what becomes of who dials them. */
function pair(serve: Readonly<Record<'a' | 'b', Serve>>): SttRigOptions {
  const dials = { a: 0, b: 0 };
  return {
    stt: (transport) =>
      fallbackSpeechToText(
        ['a', 'b'].map((name) =>
          deepgram({ apiKey: 'k', transport, model: name, baseUrl: `ws://${name}.test` }),
        ),
      ),
    serve: (peer) => {
      const name = nameOf(peer) as 'a' | 'b';
      dials[name] += 1;
      serve[name](peer, dials[name]);
    },
  };
}

const refuse =
  (httpStatus: number): Serve =>
  (peer) =>
    peer.dial.refuse({ httpStatus });

/** Takes the connection, and lets go of it with the first audio. */
const drops: Serve = (peer) =>
  peer.accept({ message: (data) => void (typeof data !== 'string' && peer.close(1011, 'no')) });

const dialled = (rig: SttRig): string => Array.from(rig.peers, nameOf).join('');

describe('Several recognisers under one leg', () => {
  it.each([401, 402, 429, 503, 500, 400])(
    'S1 failover: HTTP %i of the first is passed over at once, with a warning that names both',
    async (status) => {
      const rig = await SttRig.live(pair({ a: refuse(status), b: welcome }));
      expect(dialled(rig)).toBe('ab');
      expect(rig.clock.now()).toBe(0);
      expect(rig.book.lines.filter(({ level }) => level === 'warn')).toMatchObject([
        { message: 'recogniser replaced by the next one', fields: { from: 'deepgram:a', to: 'deepgram:b' } },
      ]);
      expect(rig.failures).toEqual([]);
      expect(await rig.end()).toEqual([]);
    },
  );

  it('R11 failover: one that does not answer costs its share of the time to connect, and no more', async () => {
    const rig = new SttRig(pair({ a: () => undefined, b: welcome }));
    const starting = rig.leg.start();
    await rig.clock.advance(FALLBACK_CONNECT_TIMEOUT_MS);
    await starting;
    expect(dialled(rig)).toBe('ab');
    expect(rig.transport.openSockets).toBe(1);
    expect(await rig.end()).toEqual([]);
  });

  it('C10 failover: a close while the first is dialled ends it, and nobody else is asked', async () => {
    const rig = new SttRig(pair({ a: () => undefined, b: welcome }));
    const starting = rig.leg.start().catch((error: unknown) => error);
    await rig.clock.advance(100);
    expect(await rig.end()).toEqual([]);
    expect(await starting).toMatchObject({ code: 'HOLDFAST_CLOSED' });
    expect(dialled(rig)).toBe('a');
  });

  it('S2 failover: one that takes the connection and drops it costs no waiting and no budget while another is well', async () => {
    const rig = await SttRig.live({
      ...pair({ a: drops, b: welcome }),
      reconnect: { maxAttempts: 2, delaysMs: [0, 60_000], jitterMs: 0 },
    });
    for (let time = 1; time <= 20; time += 1) {
      // The first is asked again when it has rested, and takes the connection over again.
      await rig.clock.advance(FALLBACK_REST_MS);
      rig.leg.hear(voice());
      await rig.clock.settle();
      expect(dialled(rig)).toBe('ab'.repeat(time));
      await rig.clock.advance(60_000);
      rig.peer.close(1011, 'NET-0001');
      await rig.clock.settle();
    }
    expect(rig.failures).toEqual([]);
    expect(await rig.end()).toEqual([]);
  });

  it('R5 failover: with all of them dead the leg ends when its attempts are used up, with a typed error', async () => {
    let isDead = false;
    const serve: Serve = (peer, number) => (isDead ? refuse(502)(peer, number) : welcome(peer));
    const rig = await SttRig.live(pair({ a: serve, b: serve }));
    isDead = true;
    rig.peer.destroy();
    await rig.clock.advance(10 * 60_000);
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    // Each attempt asks both.
    expect(rig.peers).toHaveLength(1 + 2 * DEFAULT_MAX_ATTEMPTS);
    expect(await rig.end()).toEqual([]);
  });

  it('R5 failover: with all of them dropping what they take it is no loop either', async () => {
    const rig = await SttRig.live(pair({ a: drops, b: drops }));
    for (let spokenMs = 0; spokenMs < 10 * 60_000 && rig.failures.length === 0; spokenMs += 1_000) {
      rig.leg.hear(voice(1, 1_000));
      await rig.clock.advance(1_000);
    }
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    expect(rig.peers).toHaveLength(1 + DEFAULT_MAX_ATTEMPTS);
    expect(await rig.end()).toEqual([]);
  });

  it('E failover: when no attempt can help any of them the end comes at once, with the error', async () => {
    let isRefused = false;
    const serve: Serve = (peer, number) => (isRefused ? refuse(401)(peer, number) : welcome(peer));
    const rig = await SttRig.live(pair({ a: serve, b: serve }));
    isRefused = true;
    rig.peer.destroy();
    await rig.clock.settle();
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_AUTHENTICATION' }]);
    expect(dialled(rig)).toBe('aba');
    expect(await rig.end()).toEqual([]);
  });

  it('failover: where one is refused for good and the other may come back, that is waited for', async () => {
    let isDown = true;
    const rig = await SttRig.live({
      ...pair({
        a: (peer, number) => (number === 1 ? welcome(peer) : refuse(401)(peer, number)),
        b: (peer, number) => (isDown ? refuse(502)(peer, number) : welcome(peer)),
      }),
      reconnect: { delaysMs: [0, 5_000], jitterMs: 0 },
    });
    rig.peer.destroy();
    await rig.clock.advance(12_000);
    expect([rig.leg.isConnected, rig.failures]).toEqual([false, []]);
    isDown = false;
    await rig.clock.advance(5_000);
    expect([rig.leg.isConnected, nameOf(rig.peer)]).toEqual([true, 'b']);
    expect(await rig.end()).toEqual([]);
  });

  it('failover: the first is asked again when it has rested, with the next connection', async () => {
    let isDown = true;
    const rig = await SttRig.live(
      pair({ a: (peer, number) => (isDown ? refuse(502)(peer, number) : welcome(peer)), b: welcome }),
    );
    isDown = false;
    rig.peer.say(results('One.', 0, 0.5));
    await rig.clock.advance(FALLBACK_REST_MS - 1);
    rig.peer.destroy();
    await rig.clock.settle();
    expect(dialled(rig)).toBe('abb');
    rig.peer.say(results('Two.', 0, 0.5));
    await rig.clock.advance(1);
    rig.peer.destroy();
    await rig.clock.settle();
    expect(dialled(rig)).toBe('abba');
    expect(await rig.end()).toEqual([]);
  });

  it('R4 failover: a connection that had worked and lasted is had again from whom it was with, and then the next one is asked', async () => {
    const rig = await SttRig.live(pair({ a: welcome, b: welcome }));
    await rig.speak(500);
    rig.peer.say(results('One.', 0, 0.5));
    await rig.clock.advance(10_000);
    rig.peer.destroy();
    await rig.clock.settle();
    expect(dialled(rig)).toBe('aa');
    // And is not, when it does not last.
    await rig.speak(500);
    rig.peer.say(results('Two.', 0, 0.5));
    await rig.clock.settle();
    rig.peer.destroy();
    await rig.clock.settle();
    expect(dialled(rig)).toBe('aab');
    expect(await rig.end()).toEqual([]);
  });

  it('R8 failover: one that says nothing of what it was asked for gives way, and the next one hears all of it', async () => {
    const rig = await SttRig.live(pair({ a: welcome, b: welcome }));
    await rig.speak(400, 1);
    rig.leg.finalize();
    await rig.clock.advance(FINALIZE_TIMEOUT_MS);
    expect(dialled(rig)).toBe('ab');
    expect(rig.peer.marks).toEqual([1]);
    expect(await rig.end()).toEqual([]);
  });

  it('is what it is made of: one wire that tells no ends makes a group that tells none', async () => {
    const rig = await SttRig.live({
      stt: (transport) =>
        fallbackSpeechToText([
          deepgram({ apiKey: 'k', transport }),
          livekitStt({ token: () => 't', transport }),
        ]),
    });
    await rig.speak(300);
    rig.peer.say({ type: 'SpeechStarted', timestamp: 0 }, results('Two.', 0, 0.3, { end: true }), {
      type: 'UtteranceEnd',
      last_word_end: 0.3,
    });
    await rig.clock.settle();
    expect(rig.types).toEqual(['transcript']);
    expect(await rig.end()).toEqual([]);
  });

  it('refuses what cannot work', () => {
    expect(() => fallbackSpeechToText([])).toThrow(InvalidOptionError);
    const one = [deepgram({ apiKey: 'k' })];
    expect(() => fallbackSpeechToText(one, { connectTimeoutMs: 0 })).toThrow(InvalidOptionError);
    expect(() => fallbackSpeechToText(one, { restMs: 0 })).toThrow(InvalidOptionError);
  });
});

/** A recogniser in the hands of the test. */
class ScriptedEar implements SpeechToText {
  readonly id: string;
  readonly capabilities: SttCapabilities;
  readonly heard: SttInput[] = [];
  readonly setups: SttSetup[] = [];
  isFull = false;
  connecting: ((sink: StreamSink<SttOutput>) => void) | undefined;

  constructor(id: string, inputRateHz: number) {
    this.id = id;
    this.capabilities = { resumption: false, inputRateHz, interim: true, endpointing: true };
  }

  async connect(
    setup: SttSetup,
    sink: StreamSink<SttOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<SttInput>> {
    scope.throwIfClosing();
    this.setups.push(setup);
    this.connecting?.(sink);
    return Promise.resolve({
      bufferedBytes: 0,
      send: (input) => {
        if (!this.isFull) this.heard.push(input);
        return !this.isFull;
      },
    });
  }

  get samples(): number {
    return this.heard.reduce((sum, input) => sum + (input.type === 'audio' ? input.audio.sampleCount : 0), 0);
  }
}

describe('Recognisers that differ', () => {
  it('each hears the rate it wants, every sample of it before what is asked for, and none twice', async () => {
    const [a, b] = [new ScriptedEar('a', 16_000), new ScriptedEar('b', 24_000)];
    a.connecting = (): never => {
      throw new ConnectionLostError('no', { provider: 'a' });
    };
    const rig = await SttRig.live({ stt: () => fallbackSpeechToText([a, b]) });
    expect(b.setups).toEqual([{ rateHz: 24_000, languageCode: undefined }]);
    b.isFull = true;
    rig.leg.hear(AudioChunk.fromSamples(new Int16Array(320).fill(2_000), 16_000));
    // It is offered again and again.
    await rig.clock.advance(500);
    b.isFull = false;
    await rig.speak(980, 1);
    b.isFull = true;
    rig.leg.finalize();
    await rig.clock.advance(500);
    b.isFull = false;
    await rig.speak(500, 2);
    await rig.clock.advance(500);
    const asked = b.heard.findIndex(({ type }) => type === 'finalize');
    const before = b.heard.slice(0, asked);
    const sum = before.reduce((n, input) => n + (input.type === 'audio' ? input.audio.sampleCount : 0), 0);
    expect(sum).toBe(24_000);
    expect(b.heard.every((input) => input.type === 'finalize' || input.audio.rateHz === 24_000)).toBe(true);
    rig.leg.finalize();
    await rig.clock.advance(100);
    expect(b.samples).toBe(36_000);
    expect(await rig.end()).toEqual([]);
  });

  it('what one says that does not come about is not told', async () => {
    const [a, b] = [new ScriptedEar('a', 16_000), new ScriptedEar('b', 16_000)];
    a.connecting = (sink) => {
      sink.output({ type: 'transcript', text: 'ghost', isFinal: true });
      sink.ended({ reason: 'gone' });
    };
    b.connecting = (sink) => sink.output({ type: 'transcript', text: 'early', isFinal: true });
    const rig = await SttRig.live({ stt: () => fallbackSpeechToText([a, b]) });
    expect(rig.finals).toEqual(['early']);
    expect(await rig.end()).toEqual([]);
  });
});
