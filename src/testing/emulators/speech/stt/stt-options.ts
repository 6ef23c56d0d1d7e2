import { z } from 'zod';
import { InvalidOptionError } from '../../../../kernel/index.ts';
import type { Random } from '../../../../kernel/index.ts';
import type { HostOptions } from '../../provider-emulator.ts';
import type { SttFaultScript } from './stt-faults.ts';

/** How long Deepgram waits for audio or a KeepAlive before it closes with NET-0001: what its documentation says. */
export const DEFAULT_DEEPGRAM_IDLE_MS = 10_000;

/** How long the gateway waits for input before it says error 2007 and closes: about half an hour, its users report. */
export const DEFAULT_GATEWAY_INACTIVITY_MS = 1_800_000;

/** How long services that recycle quiet sockets wait for speech: every three minutes, users of Cartesia report. */
export const RECYCLING_IDLE_MS = 180_000;

/** How much silence ends an utterance where nobody says: what realtime providers use. */
export const DEFAULT_ENDPOINTING_MS = 500;

/**
 * The least silence that ends an utterance, whatever the client asks for. A recogniser knows a pause within a word from
 * one behind it; who hears nothing but loudness would cut words at their consonants.
 */
export const SHORTEST_ENDPOINTING_MS = 200;

/** How often a speech under way is told, in milliseconds of it: several times a second, as the services do. */
export const DEFAULT_INTERIM_EVERY_MS = 300;

/** How long somebody may talk before what was said so far is told finally: the services do so every few seconds. */
export const DEFAULT_LONGEST_SEGMENT_MS = 10_000;

export interface SpeechToTextEmulatorOptions extends HostOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: SttFaultScript;
  /**
   * What the utterances are said to have been, the n-th text for the n-th utterance that begins, over all connections;
   * one that was told nobody, because its connection was lost, gives its text back.
   * Default, and when there are no more: how much it was, `(1.9 s of speech)`.
   */
  readonly transcripts?: readonly string[];
  /** Keys and tokens that are good. Default: every one, but there has to be one. */
  readonly keys?: readonly string[];
  /** How many WebSockets may be open at once; one more is refused with 429. Default: as many as come. */
  readonly maxSessions?: number;
  /** Silence that ends an utterance; at least {@link SHORTEST_ENDPOINTING_MS}. Default: what the client asks for, or {@link DEFAULT_ENDPOINTING_MS}. */
  readonly endpointingMs?: number;
  /** Default {@link DEFAULT_INTERIM_EVERY_MS}. */
  readonly interimEveryMs?: number;
  /** Default {@link DEFAULT_LONGEST_SEGMENT_MS}. */
  readonly longestSegmentMs?: number;
  /** Divides the times below: at 60, a minute is a second. Speech keeps its pace. Default 1. */
  readonly timeScale?: number;
  /** Default {@link DEFAULT_DEEPGRAM_IDLE_MS}. */
  readonly deepgramIdleMs?: number;
  /** Default {@link DEFAULT_GATEWAY_INACTIVITY_MS}. */
  readonly gatewayInactivityMs?: number;
  /**
   * Closes with 1001 "Idle timeout" when so long nobody spoke, audio or not; {@link RECYCLING_IDLE_MS} is what some
   * services do. Default: never.
   */
  readonly recycleIdleMs?: number;
  /**
   * Whether the gateway closes the socket behind session.closed. What the service does is not documented; who relies
   * on it leaves sockets behind if it does not. Default false.
   */
  readonly gatewayCloses?: boolean;
  /** Whether to record everything: `true` in memory, a path to that file too. Credentials never stand in it. Default false. */
  readonly record?: boolean | string;
  /** Whether the record holds the audio that comes in JSON, and not only how much it was. Default false. */
  readonly recordAudio?: boolean;
  /** Whether to accept the compression clients offer. Default false. */
  readonly compression?: boolean;
  readonly random?: Random;
}

const positive = z.number().positive().max(1e9);

const schema = z.object({
  port: z.int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
  transcripts: z.array(z.string()).default([]),
  keys: z.array(z.string()).optional(),
  maxSessions: z.int().min(1).optional(),
  endpointingMs: z.number().min(SHORTEST_ENDPOINTING_MS).max(60_000).optional(),
  interimEveryMs: z.number().min(20).max(60_000).default(DEFAULT_INTERIM_EVERY_MS),
  longestSegmentMs: z.number().min(1_000).max(1e9).default(DEFAULT_LONGEST_SEGMENT_MS),
  timeScale: positive.default(1),
  deepgramIdleMs: positive.default(DEFAULT_DEEPGRAM_IDLE_MS),
  gatewayInactivityMs: positive.default(DEFAULT_GATEWAY_INACTIVITY_MS),
  recycleIdleMs: positive.optional(),
  gatewayCloses: z.boolean().default(false),
  record: z.union([z.boolean(), z.string().min(1)]).default(false),
  recordAudio: z.boolean().default(false),
  compression: z.boolean().default(false),
});

/** The options that say what the service is like, defaults filled in and times scaled. */
export type SttProfile = Readonly<z.infer<typeof schema>>;

/** @throws InvalidOptionError naming the option and what it accepts. */
export function parseSttOptions(options: SpeechToTextEmulatorOptions): SttProfile {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidOptionError(`An option of the emulator is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  const { timeScale, deepgramIdleMs, gatewayInactivityMs, recycleIdleMs, ...rest } = parsed.data;
  return {
    ...rest,
    timeScale,
    deepgramIdleMs: deepgramIdleMs / timeScale,
    gatewayInactivityMs: gatewayInactivityMs / timeScale,
    ...(recycleIdleMs === undefined ? {} : { recycleIdleMs: recycleIdleMs / timeScale }),
  };
}
