import { gemini } from '../../../src/models/gemini/index.ts';
import { gatewayTts } from '../../../src/models/gateway-tts/index.ts';
import { deepgram } from '../../../src/models/stt/index.ts';
import type { LiveModel } from '../../../src/session/index.ts';
import { openaiCompatible } from '../../../src/speech/index.ts';
import type { LanguageModel, SpeechToText, TextToSpeech } from '../../../src/speech/index.ts';
import {
  GeminiEmulator,
  LanguageModelEmulator,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
} from '../../../src/testing/index.ts';
import type {
  EmulatedAnswer,
  GeminiEmulatorOptions,
  LanguageModelEmulatorOptions,
  SttFaultScript,
  TtsFaultScript,
} from '../../../src/testing/index.ts';
import { passes } from '../call.ts';
import { DEAF_TRANSPORT, deafLanguageModel, never, rejectsLate } from '../parts.ts';
import { HEEDS_NOTHING, MODELS, SERVICES } from './world.ts';
import type { Model, Service, World } from './world.ts';

/** What a machine with much to do may take on top of a bound: hundreds of calls close on it within seconds. */
const SLACK_MS = 2_500;

/** How long sockets may be there when everything is over: longer than a peer that does not answer is waited for. */
const SOCKETS_GONE_MS = 5_000;

/** The services that are emulated. */
type Emulated = Exclude<Service, typeof HEEDS_NOTHING>;
const EMULATED: readonly Emulated[] = SERVICES.filter((service) => service !== HEEDS_NOTHING);

const STT_FAULTS: Record<Emulated, SttFaultScript> = {
  healthy: [],
  mute: [{ what: { type: 'mute' } }],
  'ignores its close': [
    { what: { type: 'ignoreClose' } },
    { when: { on: 'end' }, what: { type: 'silence' } },
  ],
  'goes dead': [{ when: { on: 'audio', nth: 10 }, what: { type: 'halfOpen' } }],
  'never answers the upgrade': [{ what: { type: 'neverAnswerUpgrade' } }],
  refuses: [{ what: { type: 'httpStatus', status: 503 } }],
  resets: [{ when: { on: 'audio', nth: 10, times: 1 }, what: { type: 'reset' } }],
};

const TTS_FAULTS: Record<Emulated, TtsFaultScript> = {
  healthy: [],
  mute: [{ what: { type: 'mute' } }],
  'ignores its close': [{ what: { type: 'ignoreClose' } }],
  'goes dead': [{ when: { on: 'audio', nth: 3 }, what: { type: 'halfOpen' } }],
  'never answers the upgrade': [{ what: { type: 'neverAnswerUpgrade' } }],
  refuses: [{ what: { type: 'httpStatus', status: 503 } }],
  resets: [{ when: { on: 'audio', nth: 3, times: 1 }, what: { type: 'reset' } }],
};

const ANSWER: EmulatedAnswer = { say: 'One two three four five.' };
const LLM_OPTIONS: Record<Exclude<Model, 'never settles' | 'rejects late'>, LanguageModelEmulatorOptions> = {
  answers: { answers: () => ANSWER },
  'calls a tool': {
    answers: ({ messages }) => (messages.at(-1)?.role === 'tool' ? ANSWER : { calls: [{ name: 'hang' }] }),
  },
  stalls: { answers: () => ANSWER, faults: [{ what: { type: 'stall', afterPieces: 1 } }] },
  fails: { faults: [{ what: { type: 'status', status: 500 } }] },
};

const GEMINI: Record<Emulated, GeminiEmulatorOptions> = {
  healthy: {},
  mute: { brain: 'silent' },
  'ignores its close': { faults: [{ what: { type: 'ignoreClose' } }] },
  'goes dead': { faults: [{ when: { on: 'turn' }, what: { type: 'halfOpen' } }] },
  'never answers the upgrade': { faults: [{ what: { type: 'neverAnswerUpgrade' } }] },
  refuses: { faults: [{ what: { type: 'httpStatus', status: 503 } }] },
  resets: { faults: [{ when: { on: 'turn', times: 1 }, what: { type: 'reset' } }] },
};

const HEARS_NOTHING = { transport: DEAF_TRANSPORT };

interface Emulators {
  readonly stt: ReadonlyMap<Service, SpeechToTextEmulator>;
  readonly tts: ReadonlyMap<Service, TextToSpeechEmulator>;
  readonly llm: ReadonlyMap<Model, LanguageModelEmulator>;
  readonly realtime: ReadonlyMap<Service, GeminiEmulator>;
}

/** Emulated services on sockets of the machine, one of each kind for all cycles. */
export class SocketWorld implements World {
  readonly name = 'loopback sockets, real time';
  readonly clock = undefined;
  readonly atOnce = 40;
  readonly #emulators: Emulators;
  readonly #before: readonly string[];

  private constructor(emulators: Emulators, before: readonly string[]) {
    this.#emulators = emulators;
    this.#before = before;
  }

  static async open(): Promise<SocketWorld> {
    const before = process.getActiveResourcesInfo();
    const started = async <Key, Emulator>(
      keys: readonly Key[],
      start: (key: Key) => Promise<Emulator>,
    ): Promise<Map<Key, Emulator>> =>
      new Map(await Promise.all(keys.map(async (key) => [key, await start(key)] as const)));
    const scripted = MODELS.filter((model) => model !== 'never settles' && model !== 'rejects late');
    const [stt, tts, llm, realtime] = await Promise.all([
      started(EMULATED, (service) => SpeechToTextEmulator.start({ faults: STT_FAULTS[service] })),
      started(EMULATED, (service) => TextToSpeechEmulator.start({ faults: TTS_FAULTS[service] })),
      started(scripted, (model) => LanguageModelEmulator.start(LLM_OPTIONS[model])),
      started(EMULATED, (service) => GeminiEmulator.start(GEMINI[service])),
    ]);
    return new SocketWorld({ stt, tts, llm, realtime }, before);
  }

  slackMs(): number {
    return SLACK_MS;
  }

  passes(ms: number): Promise<void> {
    return passes(ms);
  }

  stt(service: Service): SpeechToText {
    const baseUrl = this.#emulators.stt.get(service)?.url;
    return deepgram({ apiKey: 'any', ...(baseUrl === undefined ? HEARS_NOTHING : { baseUrl }) });
  }

  tts(service: Service): TextToSpeech {
    const url = this.#emulators.tts.get(service)?.url;
    const where = url === undefined ? HEARS_NOTHING : {};
    return gatewayTts({
      model: 'cartesia/sonic',
      token: () => 'any',
      baseUrl: `${url ?? 'ws://nobody'}/v1`,
      ...where,
    });
  }

  realtime(service: Service): LiveModel {
    const baseUrl = this.#emulators.realtime.get(service)?.url;
    return gemini({
      model: 'gemini-2.5-flash-native-audio-latest',
      apiKey: 'any',
      ...(baseUrl === undefined ? HEARS_NOTHING : { baseUrl }),
    });
  }

  llm(model: Model): LanguageModel {
    switch (model) {
      case 'never settles':
        return deafLanguageModel(() => never(), 'Well. ');
      case 'rejects late':
        return deafLanguageModel(() => rejectsLate(3_000));
      default: {
        const baseUrl = this.#emulators.llm.get(model)?.url ?? '';
        return openaiCompatible({ model: 'any', apiKey: 'any', baseUrl });
      }
    }
  }

  get sockets(): number {
    const { stt, tts, llm, realtime } = this.#emulators;
    const speech = [...stt.values(), ...tts.values(), ...realtime.values()].reduce(
      (sum, { sockets }) => sum + sockets,
      0,
    );
    const answers = [...llm.values()].flatMap(({ requests }) => [...requests]);
    return speech + answers.filter(({ ending }) => ending === undefined).length;
  }

  /** Timers and sockets that keep the process alive, beyond those there were at the beginning. Counted when all is over. */
  get timers(): number {
    const count = (resources: readonly string[]): number =>
      resources.filter((name) => name === 'Timeout' || name === 'TCPSocketWrap').length;
    return Math.max(0, count(process.getActiveResourcesInfo()) - count(this.#before));
  }

  async settle(): Promise<void> {
    const untilMs = performance.now() + SOCKETS_GONE_MS;
    while (this.sockets > 0 && performance.now() < untilMs) await passes(10);
  }

  async end(): Promise<void> {
    const { stt, tts, llm, realtime } = this.#emulators;
    await Promise.all(
      [...stt.values(), ...tts.values(), ...llm.values(), ...realtime.values()].map((each) => each.abort()),
    );
    const untilMs = performance.now() + SOCKETS_GONE_MS;
    while (this.timers > 0 && performance.now() < untilMs) await passes(20);
  }
}
