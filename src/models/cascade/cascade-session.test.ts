import { describe, expect, it } from 'vitest';
import { LogBook, historyOf } from '../../../test/support/live-rig.ts';
import { SttPeer, voice, silence } from '../../../test/support/stt-rig.ts';
import { InvalidOptionError, VirtualClock, seededRandom } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import type { LiveEvent, LiveEventOf, LiveEventType } from '../../protocol/index.ts';
import { Agent, AgentSession, ConnectionLostError } from '../../session/index.ts';
import type { AgentSessionOptions, StreamConnection, StreamSink } from '../../session/index.ts';
import type {
  TextToSpeech,
  TtsInput,
  TtsOutput,
  TtsSetup,
  VoiceActivityDetector,
  VoiceActivitySink,
} from '../../speech/index.ts';
import { MemoryTransport, ScriptedLanguageModel } from '../../testing/index.ts';
import type { ScriptedTurn } from '../../testing/index.ts';
import { livekitStt } from '../stt/index.ts';
import { cascade } from './cascade-model.ts';
import type { CascadeOptions } from './cascade-model.ts';
import { REPLY_FAILED } from './answers.ts';
import { FINALIZE_TIMEOUT_MS } from './stt-leg.ts';
import { TTS_STALL_TIMEOUT_MS } from './tts-leg.ts';

const MINUTE_MS = 60_000;
const INACTIVE = { type: 'error', code: 2007, message: 'session closed due to agent inactivity' };
const lost = new ConnectionLostError('lost', { provider: 'scripted' });

/** A voice that says everything at once, half a second each, or nothing while it is mute. */
class QuickVoice implements TextToSpeech {
  readonly id = 'quick';
  readonly capabilities = {
    ...{ resumption: false, outputRateHz: 16_000, words: false, streamsText: true, cancels: true },
  };
  isMute = false;
  open = 0;

  async connect(
    _setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    this.open += 1;
    scope.own('voice', this, { stop: (held) => void (held.open -= 1) });
    return Promise.resolve({
      bufferedBytes: 0,
      send: ({ type, utterance }) => {
        if (type !== 'end' || this.isMute) return true;
        const audio = AudioChunk.fromSamples(new Int16Array(8_000).fill(500), 16_000);
        sink.output({ type: 'audio', utterance, audio });
        sink.output({ type: 'done', utterance });
        return true;
      },
    });
  }
}

interface StageOptions extends Partial<Omit<CascadeOptions, 'llm' | 'tts'>> {
  readonly says?: readonly ScriptedTurn[];
  readonly session?: Partial<AgentSessionOptions>;
  /** What the gateway does with each message of each connection. Default: it takes them. */
  heard?(peer: SttPeer, type: string): void;
}

/** A live session on a cascade, on virtual time: LiveKit's wire for the recogniser, and a voice that is never slow. */
class Stage {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly events: LiveEvent[] = [];
  readonly peers: SttPeer[] = [];
  readonly voice = new QuickVoice();
  readonly transport: MemoryTransport;
  readonly llm: ScriptedLanguageModel;
  readonly session: AgentSession;

  constructor({ says = [], session, heard, ...options }: StageOptions) {
    this.transport = new MemoryTransport({
      clock: this.clock,
      serve: (dial) => {
        const peer = new SttPeer(dial);
        this.peers.push(peer);
        peer.accept({
          message: (data) => {
            const { type } = JSON.parse(String(data)) as { type: string };
            if (type === 'session.create') peer.say({ type: 'session.created' });
            heard?.(peer, type);
          },
        });
      },
    });
    this.llm = new ScriptedLanguageModel({ turns: says });
    this.session = new AgentSession({
      agent: new Agent({ name: 'clerk' }),
      model: cascade({
        stt: livekitStt({ token: () => 't', transport: this.transport }),
        llm: this.llm,
        tts: this.voice,
        random: seededRandom(1),
        ...options,
      }),
      ...{ clock: this.clock, log: this.book.log, random: seededRandom(1) },
      limits: { idleTimeoutMs: Infinity, maxDurationMs: Infinity },
      ...session,
    });
    this.session.on('event', (event) => void this.events.push(event));
  }

  static async live(options: StageOptions = {}): Promise<Stage> {
    const stage = new Stage(options);
    const starting = stage.session.start();
    await stage.clock.settle();
    await starting;
    return stage;
  }

  of<Type extends LiveEventType>(type: Type): LiveEventOf<Type>[] {
    return this.events.filter((event): event is LiveEventOf<Type> => event.type === type);
  }

  get peer(): SttPeer {
    return this.peers.at(-1) ?? expect.unreachable('nobody was dialled');
  }

  hear(...chunks: AudioChunk[]): void {
    for (const chunk of chunks) this.session.queue.sendAudio(chunk);
  }

  /** Says something in real time, with silence before and after it. */
  async speak(transcript: string): Promise<void> {
    const hear = async (ms: number, chunk: () => AudioChunk): Promise<void> => {
      for (let at = 0; at < ms; at += 20) {
        this.hear(chunk());
        await this.clock.advance(20);
      }
    };
    await hear(500, () => silence());
    await hear(600, () => voice(5_000));
    this.peer.say({ type: 'final_transcript', transcript, start: 0.5, duration: 0.6 });
    await hear(2_000, () => silence());
  }

  async ask(text: string, withinMs = 5_000): Promise<void> {
    this.session.queue.sendContent(textContent('user', text));
    await this.clock.advance(withinMs);
  }

  /** How the turns of the agent ended, and what else was told of them. */
  get ends(): string[] {
    return this.events.flatMap((event) => {
      if (event.type === 'turnComplete') return event.reason ?? 'well';
      return event.type === 'warning' ? event.code : [];
    });
  }

  /** Closes it, and sees that nothing is left. */
  async over(): Promise<void> {
    const closing = this.session.close();
    await this.clock.advance(5_000);
    await closing;
    expect(this.session.resources()).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
    expect([this.transport.openSockets, this.voice.open]).toEqual([0, 0]);
  }
}

describe('A live session on a cascade, whose caller says nothing', () => {
  it('S2 lives through fifty recycled connections of the recogniser, and is there for the next word', async () => {
    const stage = await Stage.live({ says: [{ say: 'Good morning.' }] });
    for (let time = 1; time <= 50; time += 1) {
      await stage.clock.advance(30 * MINUTE_MS);
      stage.peer.say(INACTIVE);
      await stage.clock.advance(MINUTE_MS);
      stage.hear(silence());
      await stage.clock.settle();
      expect(stage.peers).toHaveLength(time + 1);
    }
    expect(stage.session.state).toBe('live');
    await stage.speak('Hello.');
    await stage.clock.advance(5_000);
    expect(historyOf(stage.session.session)).toEqual(['user: Hello.', 'model: Good morning.']);
    expect(stage.of('connection').filter(({ state }) => state === 'lost')).toEqual([]);
    expect(stage.book.at('error')).toEqual([]);
    await stage.over();
    // All of them were told that it is over, or had said so themselves.
    expect(stage.peer.said).toContain('session.close');
  });

  it('S2 R4 E a gateway that takes each connection and says 2007 as soon as it hears something is no loop: it ends, with the error', async () => {
    const stage = await Stage.live({
      heard: (peer, type) => void (type === 'input_audio' && peer.say(INACTIVE)),
    });
    for (let spoken = 0; spoken < 600 && stage.session.state === 'live'; spoken += 1) {
      stage.hear(voice(1, 1_000));
      await stage.clock.advance(1_000);
    }
    expect(await stage.session.closed).toMatchObject({
      reason: 'error',
      error: { code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' },
    });
    expect(stage.peers).toHaveLength(11);
    await stage.over();
  });
});

const failing = (count: number): ScriptedTurn[] => Array.from({ length: count }, () => ({ fail: lost }));
/** How often a language model is asked for one answer. */
const TRIES = 3;

describe('A live session on a cascade of which a part fails', () => {
  it('E the third failure of the language model in a row is the end, with its error, and not the second', async () => {
    const stage = await Stage.live({
      says: [...failing(2 * TRIES), { say: 'Yes.' }, ...failing(3 * TRIES)],
    });
    for (const text of ['One?', 'Two?', 'Three?', 'Four?', 'Five?']) await stage.ask(text);
    const failed = [REPLY_FAILED, 'HOLDFAST_CONNECTION_LOST'];
    expect(stage.ends).toEqual([...failed, ...failed, 'well', ...failed, ...failed]);
    expect(stage.session.state).toBe('live');
    await stage.ask('Six?');
    // The error is one that a connection is had again for: what is asked here is the same parts again.
    expect(await stage.session.closed).toMatchObject({
      reason: 'error',
      error: { code: 'HOLDFAST_CONNECTION_LOST' },
    });
    expect(stage.of('connection').filter(({ state }) => state === 'connecting')).toHaveLength(1);
    await stage.over();
  });

  it('E what is said word for word makes no language model well', async () => {
    const stage = await Stage.live({
      says: failing(2 * TRIES),
      errorTolerance: { llm: 1 },
    });
    await stage.ask('One?');
    stage.session.say('One moment.');
    await stage.clock.advance(5_000);
    expect(stage.ends.at(-1)).toBe('well');
    await stage.ask('Two?');
    expect(stage.session.state).toBe('closed');
    await stage.over();
  });

  it('E the failures of each part are counted by themselves, and a voice that is heard until it is cut has worked', async () => {
    const stage = await Stage.live({
      says: Array.from({ length: 20 }, () => ({ say: 'Yes.' })),
      errorTolerance: { tts: 1 },
    });
    const askMute = async (): Promise<void> => {
      stage.voice.isMute = true;
      await stage.ask('And?', TTS_STALL_TIMEOUT_MS + 5_000);
      stage.voice.isMute = false;
    };
    const failed = [REPLY_FAILED, 'HOLDFAST_TTS_STALLED'];
    await askMute();
    expect(stage.ends).toEqual(failed);
    await stage.ask('And?', 100);
    stage.session.interrupt();
    await askMute();
    expect(stage.ends.slice(-2)).toEqual(failed);
    expect(stage.session.state).toBe('live');
    await askMute();
    expect(await stage.session.closed).toMatchObject({ error: { code: 'HOLDFAST_TTS_STALLED' } });
    await stage.over();
  });

  it('E a recogniser that never writes down what it is asked for is the end, after as many turns as are tolerated', async () => {
    const stage = await Stage.live({
      session: { runConfig: { turnDetection: 'manual' } },
      errorTolerance: { stt: 1 },
    });
    const turn = async (): Promise<void> => {
      stage.session.queue.sendActivityStart();
      stage.hear(voice(1, 500));
      stage.session.queue.sendActivityEnd();
      // One connection is given up for it, and the next one asked too.
      await stage.clock.advance(3 * FINALIZE_TIMEOUT_MS);
    };
    await turn();
    expect(stage.ends).toEqual(['HOLDFAST_STT_STALLED']);
    stage.hear(voice(1, 100));
    stage.peer.say({ type: 'final_transcript', transcript: 'Hello.', start: 0, duration: 0.1 });
    await turn();
    expect(stage.session.state).toBe('live');
    await turn();
    expect(await stage.session.closed).toMatchObject({
      reason: 'error',
      error: { code: 'HOLDFAST_STT_STALLED' },
    });
    await stage.over();
  });

  it('refuses a tolerance that is none', () => {
    const parts = { stt: livekitStt({ token: () => 't' }), llm: new ScriptedLanguageModel({ turns: [] }) };
    for (const errorTolerance of [{ llm: -1 }, { tts: 0.5 }, { stt: Number.NaN }, { vad: 1 }]) {
      expect(() => cascade({ ...parts, tts: new QuickVoice(), errorTolerance })).toThrow(InvalidOptionError);
    }
  });
});

describe('A live session on a cascade whose detector fails', () => {
  const dies = (sink: VoiceActivitySink): void => sink.failed?.(new Error('The thread is gone.'));
  const throws = (): never => {
    throw new Error('It hurts.');
  };
  const fails = (how: (sink: VoiceActivitySink) => void): VoiceActivityDetector => ({
    id: 'broken',
    open: async (_rateHz, sink) => Promise.resolve({ hear: () => how(sink), reset: () => undefined }),
  });

  it.each([
    ['dies', dies],
    ['throws', throws],
  ])('hears by loudness when it %s, with one warning', async (_how, how) => {
    const stage = await Stage.live({ vad: fails(how), says: [{ say: 'Good morning.' }] });
    await stage.speak('Hello.');
    expect(stage.of('voiceActivity').map(({ activity }) => activity)).toEqual(['start', 'end']);
    expect(historyOf(stage.session.session)[0]).toBe('user: Hello.');
    expect(stage.book.at('warn')).toEqual(['voice activity detector replaced']);
    await stage.over();
  });
});
