import type { Clock } from '../../../src/kernel/index.ts';
import type { LiveModel } from '../../../src/session/index.ts';
import type { LanguageModel, SpeechToText, TextToSpeech } from '../../../src/speech/index.ts';

/** Not the service's fault: whoever dials it never settles. */
export const HEEDS_NOTHING = 'is dialled by code that heeds nothing';

/** What a service is like. */
export const SERVICES = [
  'healthy',
  'mute',
  'ignores its close',
  'goes dead',
  'never answers the upgrade',
  'refuses',
  'resets',
  HEEDS_NOTHING,
] as const;
export type Service = (typeof SERVICES)[number];

/** What a language model is like. */
export const MODELS = [
  'answers',
  'calls a tool',
  'stalls',
  'fails',
  'never settles',
  'rejects late',
] as const;
export type Model = (typeof MODELS)[number];

/** Where cycles of calls are made: on sockets of the machine, or on simulated ones in virtual time. */
export interface World {
  readonly name: string;
  /** Undefined: the machine's. */
  readonly clock: Clock | undefined;
  /** How many calls there can be at once: virtual time is moved by one. */
  readonly atOnce: number;
  /** What a close may take on top of its bound, in milliseconds. */
  slackMs(): number;
  passes(ms: number): Promise<void>;
  stt(service: Service): SpeechToText;
  tts(service: Service): TextToSpeech;
  llm(model: Model): LanguageModel;
  realtime(service: Service): LiveModel;
  /** What is open at the services. */
  readonly sockets: number;
  readonly timers: number;
  /** Lets everything that may still happen happen. */
  settle(): Promise<void>;
  /** The services end; what is of them is no affair of the sessions. */
  end(): Promise<void>;
}
