import { VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import type { Lifetime } from '../../src/kernel/index.ts';
import { cascade } from '../../src/models/cascade/index.ts';
import type { CascadeOptions } from '../../src/models/cascade/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import type { Content, LiveEvent, LiveEventOf, LiveEventType } from '../../src/protocol/index.ts';
import { Agent, AgentSession } from '../../src/session/index.ts';
import type { AgentSessionOptions, StreamConnection, StreamSink, Tool } from '../../src/session/index.ts';
import type {
  SpeechToText,
  SttInput,
  SttOutput,
  SttSetup,
  TextToSpeech,
  TtsInput,
  TtsOutput,
  TtsSetup,
  VoiceActivityDetector,
  VoiceActivitySink,
} from '../../src/speech/index.ts';
import { ScriptedLanguageModel } from '../../src/testing/scripted-language-model.ts';
import type { ScriptedLanguageModelOptions } from '../../src/testing/scripted-language-model.ts';
import { LogBook, historyOf } from './live-rig.ts';

/** How long the voice of the rig takes for a character. */
export const MS_A_CHARACTER = 50;

const VOICE_HZ = 24_000;

/** A recogniser in the hands of a test. */
class HandStt implements SpeechToText {
  readonly id = 'hand-stt';
  readonly capabilities = { resumption: false, inputRateHz: 16_000, interim: true, endpointing: true };
  sink: StreamSink<SttOutput> | undefined;
  audioFrames = 0;
  finalizes = 0;

  async connect(_setup: SttSetup, sink: StreamSink<SttOutput>): Promise<StreamConnection<SttInput>> {
    this.sink = sink;
    return {
      bufferedBytes: 0,
      send: (input) => {
        if (input.type === 'audio') this.audioFrames += 1;
        else {
          this.finalizes += 1;
          this.sink?.output({ type: 'finalized' });
        }
        return true;
      },
    };
  }
}

export interface HandTtsOptions {
  readonly words?: boolean;
  /** How much faster than it is heard its audio comes; default: all of it at once. */
  readonly pace?: number;
}

/** A voice that takes {@link MS_A_CHARACTER} for a character; each of its samples says where in its utterance it lies. */
export class HandTts implements TextToSpeech {
  readonly id = 'hand-tts';
  readonly capabilities;
  /** What it was told to say. */
  readonly said: string[] = [];
  cancels = 0;
  readonly #pace: number;

  constructor({ words = true, pace = Infinity }: HandTtsOptions = {}) {
    this.capabilities = {
      resumption: false,
      outputRateHz: VOICE_HZ,
      words,
      streamsText: true,
      cancels: true,
    };
    this.#pace = pace;
  }

  async connect(
    _setup: TtsSetup,
    sink: StreamSink<TtsOutput>,
    scope: Lifetime,
  ): Promise<StreamConnection<TtsInput>> {
    const speaking = new Map<string, { ms: number; dueMs: number }>();
    return {
      bufferedBytes: 0,
      send: (input) => {
        const { utterance } = input;
        const at = speaking.get(utterance) ?? { ms: 0, dueMs: scope.clock.now() };
        if (input.type === 'cancel') {
          this.cancels += 1;
          speaking.delete(utterance);
          return true;
        }
        speaking.set(utterance, at);
        const later = (tell: () => void): void => {
          if (this.#pace === Infinity) tell();
          else {
            scope.timer('speaking', at.dueMs - scope.clock.now(), () => {
              if (speaking.has(utterance)) tell();
            });
          }
        };
        if (input.type === 'end') {
          later(() => sink.output({ type: 'done', utterance }));
          return true;
        }
        this.said.push(input.text.trim());
        for (const { 0: word } of input.text.matchAll(/\S+\s*/g)) {
          const startMs = at.ms;
          const durationMs = word.length * MS_A_CHARACTER;
          at.ms += durationMs;
          at.dueMs = Math.max(at.dueMs, scope.clock.now()) + durationMs / this.#pace;
          later(() => {
            const samples = new Int16Array((durationMs * VOICE_HZ) / 1_000).fill(startMs / 10 + 1);
            sink.output({ type: 'audio', utterance, audio: AudioChunk.fromSamples(samples, VOICE_HZ) });
            const text = word.trim();
            const endMs = startMs + text.length * MS_A_CHARACTER;
            if (this.capabilities.words) {
              sink.output({ type: 'words', utterance, words: [{ text, startMs, endMs }] });
            }
          });
        }
        return true;
      },
    };
  }
}

/** An ear in the hands of a test. */
class HandVad implements VoiceActivityDetector {
  readonly id = 'hand-vad';
  sink: VoiceActivitySink | undefined;
  samples = 0;

  async open(_rateHz: number, sink: VoiceActivitySink): ReturnType<VoiceActivityDetector['open']> {
    this.sink = sink;
    return { hear: ({ length }) => void (this.samples += length), reset: () => undefined };
  }
}

export interface CascadeRigOptions
  extends Partial<Omit<CascadeOptions, 'stt' | 'llm' | 'tts'>>, HandTtsOptions {
  /** What the language model answers. */
  readonly script: ScriptedLanguageModelOptions['turns'];
  readonly tools?: readonly Tool[];
  readonly session?: Partial<AgentSessionOptions>;
  /** Whether the events are kept. Default true. */
  readonly keepsEvents?: boolean;
  /** Instead of one that the test plays. */
  readonly ear?: VoiceActivityDetector;
}

/** A live session on a cascade whose ear and recogniser are played by the test, on virtual time. */
export class CascadeRig {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly events: LiveEvent[] = [];
  readonly stt = new HandStt();
  readonly vad = new HandVad();
  readonly tts: HandTts;
  readonly llm: ScriptedLanguageModel;
  readonly session: AgentSession;

  private constructor({
    script,
    tools = [],
    session,
    words,
    pace,
    ear,
    keepsEvents = true,
    ...options
  }: CascadeRigOptions) {
    this.tts = new HandTts({
      ...(words === undefined ? {} : { words }),
      ...(pace === undefined ? {} : { pace }),
    });
    this.llm = new ScriptedLanguageModel({ turns: script });
    this.session = new AgentSession({
      agent: new Agent({ name: 'clerk', instructions: 'Be brief.', tools: [...tools] }),
      model: cascade({ stt: this.stt, llm: this.llm, tts: this.tts, vad: ear ?? this.vad, ...options }),
      clock: this.clock,
      random: seededRandom(1),
      log: this.book.log,
      ...session,
    });
    if (keepsEvents) this.session.on('event', (event) => void this.events.push(event));
  }

  static async live(options: CascadeRigOptions): Promise<CascadeRig> {
    const rig = new CascadeRig(options);
    await rig.session.start();
    await rig.clock.settle();
    return rig;
  }

  of<Type extends LiveEventType>(type: Type): LiveEventOf<Type>[] {
    return this.events.filter((event): event is LiveEventOf<Type> => event.type === type);
  }

  get history(): string[] {
    return historyOf(this.session.session);
  }

  /** The user begins to be heard. */
  speaks(): void {
    this.vad.sink?.speechStarted(this.vad.samples);
  }

  /** The user is not heard any more. */
  quiet(): void {
    this.vad.sink?.speechEnded(this.vad.samples);
  }

  writes(text: string, isFinal = true): void {
    this.stt.sink?.output({ type: 'transcript', text, isFinal });
  }

  /** The user speaks for so long, is written down, and is quiet. */
  async says(text: string, ms = 600): Promise<void> {
    this.speaks();
    await this.clock.advance(ms);
    this.quiet();
    this.writes(text);
    await this.clock.settle();
  }

  /** How much of the agent's voice was sent, in milliseconds. */
  get sentMs(): number {
    return this.of('audio').reduce((sum, { audio }) => sum + audio.durationMs, 0);
  }

  /** What a client that drops what is not heard plays: the marks of the samples, and from when on, in milliseconds. */
  get played(): { readonly mark: number; readonly ms: number }[] {
    const runs: { mark: number; ms: number }[] = [];
    let queue: { mark: number; samples: number }[] = [];
    let now = this.events[0]?.atMs ?? 0;
    const play = (samples: number): void => {
      let left = samples;
      while (left > 0 && queue.length > 0) {
        const first = queue[0] as { mark: number; samples: number };
        const taken = Math.min(left, first.samples);
        const last = runs.at(-1);
        if (last?.mark === first.mark) last.ms += (taken * 1_000) / VOICE_HZ;
        else runs.push({ mark: first.mark, ms: (taken * 1_000) / VOICE_HZ });
        first.samples -= taken;
        left -= taken;
        if (first.samples === 0) queue.shift();
      }
    };
    for (const event of this.events) {
      play(((event.atMs - now) * VOICE_HZ) / 1_000);
      now = event.atMs;
      if (event.type === 'interrupted') queue = [];
      if (event.type === 'audio')
        queue.push({ mark: event.audio.samples[0] ?? 0, samples: event.audio.sampleCount });
    }
    play(Infinity);
    return runs;
  }

  /** What the language model was asked about, the n-th time from 1. */
  asked(nth: number): readonly Content[] {
    return this.llm.requests[nth - 1]?.history ?? [];
  }

  /** The history of the session as a language model is to know it: without what was not heard at all, and how it was cut. */
  get known(): Content[] {
    return this.session.session.history
      .filter(({ parts }) => parts.some((part) => part.text !== ''))
      .map(({ role, parts }) => ({ role, parts }));
  }
}
