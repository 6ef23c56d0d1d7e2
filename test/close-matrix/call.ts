import type { ClosingStep } from '../../src/kernel/index.ts';
import { Lifetime } from '../../src/kernel/index.ts';
import { cascade } from '../../src/models/cascade/index.ts';
import { gatewayTts } from '../../src/models/gateway-tts/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import { deepgram } from '../../src/models/stt/index.ts';
import { AudioChunk, textContent } from '../../src/protocol/index.ts';
import type { LiveEventType } from '../../src/protocol/index.ts';
import { Agent, AgentSession } from '../../src/session/index.ts';
import type {
  AgentOptions,
  AgentSessionOptions,
  LiveModel,
  SessionCloseReport,
} from '../../src/session/index.ts';
import { openaiCompatible } from '../../src/speech/index.ts';
import type { LanguageModel, SpeechToText, TextToSpeech } from '../../src/speech/index.ts';
import {
  GeminiEmulator,
  LanguageModelEmulator,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
  speakWords,
} from '../../src/testing/index.ts';
import type {
  GeminiEmulatorOptions,
  LanguageModelEmulatorOptions,
  SpeechToTextEmulatorOptions,
  TextToSpeechEmulatorOptions,
} from '../../src/testing/index.ts';
import { LogBook } from '../support/live-rig.ts';
import { ServedClient } from './served-client.ts';

/** How long anything may take that happens at all on the loopback of a loaded machine. */
export const PATIENCE_MS = 10_000;

/** How long the sockets of a call may be there after its end: what a peer that does not answer may cost. */
const SOCKETS_GONE_MS = 3_000;

const RATE_HZ = 16_000;

/** What of a call is different. All that is not named is healthy. */
export interface CallParts {
  readonly stt?: SpeechToTextEmulatorOptions;
  readonly tts?: TextToSpeechEmulatorOptions;
  readonly llm?: LanguageModelEmulatorOptions;
  /** A call on a realtime model instead of a cascade. */
  readonly gemini?: GeminiEmulatorOptions;
  /** In the place of the part that talks to the emulator. */
  readonly recogniser?: (baseUrl: string) => SpeechToText;
  readonly voice?: (baseUrl: string) => TextToSpeech;
  readonly languageModel?: LanguageModel;
  readonly model?: (model: LiveModel) => LiveModel;
  readonly agent?: Partial<AgentOptions>;
  readonly session?: Partial<AgentSessionOptions>;
  /** The call is one of a server's, with a client of its own: `agent` is served, and `session` and `beside` are not used. */
  readonly isServed?: boolean;
  /** What stands beside the session, under the same owner. */
  beside?(owner: Lifetime): void;
  /** Whoever listens, besides the matrix. */
  listen?(session: AgentSession): void;
}

interface Services {
  readonly stt: SpeechToTextEmulator;
  readonly tts: TextToSpeechEmulator;
  readonly llm: LanguageModelEmulator;
}

/** What is known of a call when it is over; nothing of it holds the session. */
export interface CallEnd {
  readonly ref: WeakRef<AgentSession>;
  readonly sessionId: string;
  readonly report: SessionCloseReport;
  /** Of the session's owner, which closes before the row is judged. */
  readonly ownerSteps: SessionCloseReport['steps'];
  /** How often the event `close` was emitted. */
  readonly closeEvents: number;
  /** When the last verb was used. */
  readonly askedAtMs: number;
  /** From then to the event. */
  readonly tookMs: number;
  /** What session and owner still hold outside memory. */
  readonly held: readonly string[];
}

/** One live session on emulated services, over real sockets. */
export class Call implements AsyncDisposable {
  readonly book = new LogBook();
  readonly owner: Lifetime;
  readonly counts = new Map<LiveEventType, number>();
  readonly services: Services | undefined;
  readonly realtime: GeminiEmulator | undefined;
  readonly #listen: CallParts['listen'];
  readonly #served: ServedClient | undefined;
  #session: AgentSession | undefined;
  #closeEvents = 0;
  #askedAtMs = 0;
  #closedAtMs: number | undefined;

  private constructor(
    parts: CallParts,
    services: Services | undefined,
    realtime: GeminiEmulator | undefined,
  ) {
    this.services = services;
    this.realtime = realtime;
    this.owner = Lifetime.root({ name: 'call', log: this.book.log });
    const own = this.#model(parts);
    const model = parts.model?.(own) ?? own;
    const agent = { name: 'clerk', instructions: 'Be brief.', ...parts.agent };
    this.#listen = parts.listen;
    if (parts.isServed === true) {
      this.#served = new ServedClient(agent, model, this.book.log);
      return;
    }
    parts.beside?.(this.owner);
    this.#watch(new AgentSession({ agent: new Agent(agent), model, owner: this.owner, ...parts.session }));
  }

  #watch(session: AgentSession): void {
    this.#session = session;
    this.#listen?.(session);
    session.on('event', ({ type }) => void this.counts.set(type, this.count(type) + 1));
    session.on('close', () => {
      this.#closeEvents += 1;
      this.#closedAtMs ??= performance.now();
    });
  }

  /** Dials nothing yet. */
  static async prepare(parts: CallParts): Promise<Call> {
    if (parts.gemini !== undefined) {
      const realtime = await GeminiEmulator.start(parts.gemini);
      return new Call(parts, undefined, realtime);
    }
    const [stt, tts, llm] = await Promise.all([
      SpeechToTextEmulator.start({ ...parts.stt }),
      TextToSpeechEmulator.start({ ...parts.tts }),
      LanguageModelEmulator.start({ ...parts.llm }),
    ]);
    return new Call(parts, { stt, tts, llm }, undefined);
  }

  #model(parts: CallParts): LiveModel {
    if (this.realtime !== undefined) {
      return gemini({
        model: 'gemini-2.5-flash-native-audio-latest',
        apiKey: 'any',
        baseUrl: this.realtime.url,
      });
    }
    const { recogniser = dialStt, voice = dialTts, languageModel } = parts;
    const { stt, tts, llm } = this.#services();
    return cascade({
      stt: recogniser(stt.url),
      llm: languageModel ?? openaiCompatible({ model: 'any', apiKey: 'any', baseUrl: llm.url }),
      tts: voice(tts.url),
      reconnect: { delaysMs: [10], jitterMs: 0 },
    });
  }

  #services(): Services {
    if (this.services === undefined)
      throw new Error('This call has a realtime model, and no speech services.');
    return this.services;
  }

  /** It is connected. */
  async start(): Promise<void> {
    if (this.#served === undefined) await this.session.start();
    else await this.#served.connect((session) => this.#watch(session));
  }

  get served(): ServedClient {
    if (this.#served === undefined) throw new Error('This call has no server.');
    return this.#served;
  }

  get session(): AgentSession {
    if (this.#session === undefined) throw new Error('The call is over.');
    return this.#session;
  }

  count(type: LiveEventType): number {
    return this.counts.get(type) ?? 0;
  }

  /** Waits until it holds, looking every few milliseconds. */
  async until(what: string, condition: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
    const startedAtMs = performance.now();
    while (!condition()) {
      if (performance.now() - startedAtMs > timeoutMs) throw new Error(`It never came to this: ${what}.`);
      await passes(5);
    }
  }

  say(text: string): void {
    this.session.queue.sendContent(textContent('user', text));
  }

  /** So many milliseconds of a voice. */
  speak(words: string): void {
    const speech = speakWords(words, RATE_HZ);
    for (let at = 0; at < speech.length; at += RATE_HZ / 50) {
      const frame = speech.slice(at, at + RATE_HZ / 50);
      this.session.queue.sendAudio(AudioChunk.fromSamples(frame, RATE_HZ));
    }
  }

  /** The end is asked for now. */
  asked(): void {
    this.#askedAtMs = performance.now();
  }

  /** When the call is over: what is known of it. The session is forgotten. */
  async over(): Promise<CallEnd> {
    const { session } = this;
    const report = await session.closed;
    // Where the owner closes, its own end is the end.
    if (this.owner.isClosing) {
      await this.owner.closed;
      this.#closedAtMs = performance.now();
    }
    const { steps: ownerSteps } = await this.owner.close();
    this.#session = undefined;
    return {
      ref: new WeakRef(session),
      sessionId: session.session.id,
      report,
      ownerSteps,
      closeEvents: this.#closeEvents,
      askedAtMs: this.#askedAtMs,
      tookMs: (this.#closedAtMs ?? Infinity) - this.#askedAtMs,
      held: [...session.resources(), ...this.owner.resources(), ...(await this.#serverHeld())],
    };
  }

  /** The server is free of the call when its client had its time to answer; then it ends. */
  async #serverHeld(): Promise<string[]> {
    const served = this.#served;
    if (served === undefined) return [];
    await this.until(
      'the server is free of the call',
      () => served.server.liveSessions === 0,
      SOCKETS_GONE_MS,
    );
    return served.end();
  }

  /** What the services still see of it: open sockets, and answers under way (idle sockets of HTTP are kept by the client). */
  get sockets(): number {
    const { stt, tts, llm } = this.services ?? {};
    const answers = [...(llm?.requests ?? [])].filter(({ ending }) => ending === undefined).length;
    return (this.realtime?.sockets ?? 0) + (stt?.sockets ?? 0) + (tts?.sockets ?? 0) + answers;
  }

  /** How many are left when they had their time to go. */
  async socketsLeft(): Promise<number> {
    await this.until('no socket', () => this.sockets === 0, SOCKETS_GONE_MS).catch(() => undefined);
    return this.sockets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { stt, tts, llm } = this.services ?? {};
    await this.#session?.abort();
    await this.owner.abort();
    await this.#served?.end();
    await Promise.all([stt?.abort(), tts?.abort(), llm?.abort(), this.realtime?.abort()]);
  }
}

export function dialStt(baseUrl: string): SpeechToText {
  return deepgram({ apiKey: 'any', baseUrl });
}

export function dialTts(baseUrl: string): TextToSpeech {
  return gatewayTts({ model: 'cartesia/sonic', token: () => 'any', baseUrl: `${baseUrl}/v1` });
}

/** Owns something that closes in the given way, as whatever stands around a call. */
export function ownBeside(name: string, step: ClosingStep<object>): (owner: Lifetime) => void {
  return (owner) => void owner.own(name, {}, step);
}

/** Lets time pass. */
export function passes(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
