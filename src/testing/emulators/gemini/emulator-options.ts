import { z } from 'zod';
import { InvalidOptionError } from '../../../kernel/index.ts';
import type { Clock, Lifetime, Logger, Random } from '../../../kernel/index.ts';
import type { FaultScript } from './fault-script.ts';
import { GEMINI_CLOSES } from './refusals.ts';
import type { CloseFrame } from './refusals.ts';
import { DEFAULT_HANDLE_TTL_MS } from './resumption-handles.ts';
import type { ModelGeneration } from './setup-message.ts';

/** How long the service keeps a connection: about ten minutes, says the vendor's documentation. */
export const DEFAULT_CONNECTION_LIFETIME_MS = 600_000;

/** How long before that it says goAway: about a minute. */
export const DEFAULT_GO_AWAY_LEAD_MS = 60_000;

/** How many times faster than it plays an answer is generated: the service is well ahead of the listener. */
export const DEFAULT_GENERATION_SPEED = 4;

/** Tokens a context holds, says the vendor's documentation. */
export const DEFAULT_CONTEXT_TOKENS = 128_000;

export interface GeminiEmulatorOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: FaultScript;
  /** `echo` answers speech with itself and texts with themselves; `silent` hears everything and never answers. */
  readonly brain?: 'echo' | 'silent';
  /** Frames of the server's messages. Real ones are binary, or text; `mixed` takes turns. Default `binary`. */
  readonly frames?: 'binary' | 'text' | 'mixed';
  /** Habits of the models. Default: what the model's name says. */
  readonly generation?: ModelGeneration;
  /** Models there are, without `models/`; others are closed with 1008. Default: every one. */
  readonly models?: readonly string[];
  /** API keys that are good. Default: every one. */
  readonly keys?: readonly string[];
  /** Ephemeral and bearer tokens that are good, besides those it makes on request. Default: every one. */
  readonly tokens?: readonly string[];
  /** Default {@link DEFAULT_CONNECTION_LIFETIME_MS}. */
  readonly connectionLifetimeMs?: number;
  /** Default {@link DEFAULT_GO_AWAY_LEAD_MS}; of a shorter lifetime, a tenth. */
  readonly goAwayLeadMs?: number;
  /** How a connection ends whose lifetime is over. Default: 1011 and a deadline that expired. */
  readonly lifetimeClose?: CloseFrame;
  /** How long a setup takes, in milliseconds. Default 0. */
  readonly setupDelayMs?: number;
  /** How long a handle is good, in milliseconds. Default {@link DEFAULT_HANDLE_TTL_MS}. */
  readonly handleTtlMs?: number;
  /** What a handle that is not known any more is answered with. Default: 1008 session not found. */
  readonly unknownHandleClose?: CloseFrame;
  /** Default {@link DEFAULT_CONTEXT_TOKENS}. */
  readonly contextTokens?: number;
  /** Default {@link DEFAULT_GENERATION_SPEED}. */
  readonly generationSpeed?: number;
  /** How many times faster than it plays an answer is assumed to be heard; `turnComplete` waits for it. Default 1. */
  readonly playbackSpeed?: number;
  /** Whether to accept the compression clients offer. Default false. */
  readonly compression?: boolean;
  /** Where time comes from, unless an owner brings its clock. Default: the machine's. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** Who owns the emulator; it closes with it. Default: nobody. */
  readonly owner?: Lifetime;
}

const positive = z.number().positive().max(1e9);
const closeFrame = z.strictObject({ code: z.int().optional(), reason: z.string().optional() });

const schema = z.object({
  port: z.int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
  brain: z.enum(['echo', 'silent']).default('echo'),
  frames: z.enum(['binary', 'text', 'mixed']).default('binary'),
  generation: z.enum(['2.x', '3.x']).optional(),
  models: z.array(z.string()).optional(),
  keys: z.array(z.string()).optional(),
  tokens: z.array(z.string()).optional(),
  connectionLifetimeMs: positive.default(DEFAULT_CONNECTION_LIFETIME_MS),
  goAwayLeadMs: z.number().min(0).optional(),
  lifetimeClose: closeFrame.default(GEMINI_CLOSES.deadline),
  setupDelayMs: z.number().min(0).default(0),
  handleTtlMs: positive.default(DEFAULT_HANDLE_TTL_MS),
  unknownHandleClose: closeFrame.default(GEMINI_CLOSES.sessionNotFound),
  contextTokens: positive.default(DEFAULT_CONTEXT_TOKENS),
  generationSpeed: positive.default(DEFAULT_GENERATION_SPEED),
  playbackSpeed: positive.default(1),
  compression: z.boolean().default(false),
});

/** The options of an emulator that say what the service is like, defaults filled in. */
export type ServiceProfile = Readonly<z.infer<typeof schema>> & { readonly goAwayLeadMs: number };

/** @throws InvalidOptionError naming the option and what it accepts. */
export function parseEmulatorOptions(options: GeminiEmulatorOptions): ServiceProfile {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidOptionError(`An option of the emulator is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  const { connectionLifetimeMs, goAwayLeadMs } = parsed.data;
  const usualLeadMs = Math.min(DEFAULT_GO_AWAY_LEAD_MS, connectionLifetimeMs / 10);
  return { ...parsed.data, goAwayLeadMs: goAwayLeadMs ?? usualLeadMs };
}
