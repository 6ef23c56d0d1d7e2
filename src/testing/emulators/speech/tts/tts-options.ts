import { z } from 'zod';
import { InvalidOptionError } from '../../../../kernel/index.ts';
import type { Random } from '../../../../kernel/index.ts';
import type { HostOptions } from '../../provider-emulator.ts';
import { DEFAULT_GATEWAY_INACTIVITY_MS } from '../stt/stt-options.ts';
import type { TtsFaultScript } from './tts-faults.ts';

/** How many times faster than it plays speech is spoken: the services are well ahead of the listener. */
export const DEFAULT_SPEAKING_PACE = 4;

export interface TextToSpeechEmulatorOptions extends HostOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: TtsFaultScript;
  /** Keys and tokens that are good. Default: every one, but there has to be one. */
  readonly keys?: readonly string[];
  /** How many sessions, and requests by HTTP, there may be at once; one more is refused with 429. Default: as many as come. */
  readonly maxSessions?: number;
  /** How many times faster than it plays speech is spoken; 1: as fast as it plays. Default {@link DEFAULT_SPEAKING_PACE}. */
  readonly pace?: number;
  /** Whether output_alignment says when each word is spoken. Default true. */
  readonly alignment?: boolean;
  /** Divides the times below: at 60, a minute is a second. Speech keeps its pace. Default 1. */
  readonly timeScale?: number;
  /** How long the gateway waits for a text. Default {@link DEFAULT_GATEWAY_INACTIVITY_MS}. */
  readonly gatewayInactivityMs?: number;
  /** Whether the gateway closes the socket behind session.closed. Not documented either way. Default false. */
  readonly gatewayCloses?: boolean;
  /** Whether to record everything: `true` in memory, a path to that file too. Credentials never stand in it. Default false. */
  readonly record?: boolean | string;
  /** Whether the record holds the audio that goes out in JSON, and not only how much it was. Default false. */
  readonly recordAudio?: boolean;
  /** Whether to accept the compression clients offer. Default false. */
  readonly compression?: boolean;
  readonly random?: Random;
}

const positive = z.number().positive().max(1e9);

const schema = z.object({
  port: z.int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
  keys: z.array(z.string()).optional(),
  maxSessions: z.int().min(1).optional(),
  pace: z.number().min(0.1).max(1e6).default(DEFAULT_SPEAKING_PACE),
  alignment: z.boolean().default(true),
  timeScale: positive.default(1),
  gatewayInactivityMs: positive.default(DEFAULT_GATEWAY_INACTIVITY_MS),
  gatewayCloses: z.boolean().default(false),
  record: z.union([z.boolean(), z.string().min(1)]).default(false),
  recordAudio: z.boolean().default(false),
  compression: z.boolean().default(false),
});

/** The options that say what the service is like, defaults filled in and times scaled. */
export type TtsProfile = Readonly<z.infer<typeof schema>>;

/** @throws InvalidOptionError naming the option and what it accepts. */
export function parseTtsOptions(options: TextToSpeechEmulatorOptions): TtsProfile {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidOptionError(`An option of the emulator is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  const { gatewayInactivityMs, ...rest } = parsed.data;
  return { ...rest, gatewayInactivityMs: gatewayInactivityMs / rest.timeScale };
}
