import { z } from 'zod';
import { InvalidOptionError } from '../../../kernel/index.ts';
import type { Random } from '../../../kernel/index.ts';
import { BRAINS, checkDialogue } from './brains/index.ts';
import type { BrainChoice, BrainName, Dialogue, WantedCall } from './brains/index.ts';
import type { FaultScript } from './fault-script.ts';
import { GEMINI_CLOSES } from './refusals.ts';
import type { CloseFrame } from '../close-frame.ts';
import type { HostOptions } from '../provider-emulator.ts';
import { DEFAULT_HANDLE_TTL_MS, VERTEX_HANDLE_TTL_MS } from './resumption-handles.ts';
import type { ModelGeneration } from './setup-message.ts';

/** How long the service keeps a connection: about ten minutes, says the vendor's documentation. */
export const DEFAULT_CONNECTION_LIFETIME_MS = 600_000;

/** How long before that it says goAway: about a minute. */
export const DEFAULT_GO_AWAY_LEAD_MS = 60_000;

/** How long a session without compression of its context lasts: what the vendor's documentation says. */
export const DEFAULT_AUDIO_SESSION_MS = 900_000;

/** The same with video, which fills the context faster. */
export const DEFAULT_VIDEO_SESSION_MS = 120_000;

/**
 * How long connections last. `documented`: ten minutes, with goAway a minute before. `long-connection`: as users have
 * measured a newer model (gemini-3.8-live): 58 minutes to the second, and no goAway.
 */
export const CONNECTION_LIMITS = {
  documented: { connectionLifetimeMs: DEFAULT_CONNECTION_LIFETIME_MS, goAwayLeadMs: DEFAULT_GO_AWAY_LEAD_MS },
  'long-connection': { connectionLifetimeMs: 58 * 60_000, goAwayLeadMs: 0 },
} as const;
export type ConnectionLimits = keyof typeof CONNECTION_LIMITS;

/** How many times faster than it plays an answer is generated: the service is well ahead of the listener. */
export const DEFAULT_GENERATION_SPEED = 4;

/** Tokens a context holds, says the vendor's documentation. */
export const DEFAULT_CONTEXT_TOKENS = 128_000;

export interface GeminiEmulatorOptions extends HostOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: FaultScript;
  /**
   * `echo` answers speech with itself and texts with themselves; `script` plays `dialogue`; `tool` calls `tool` on
   * every turn and says its output; `silent` hears everything and never answers. Default: what `dialogue` or `tool`
   * ask for, otherwise `echo`.
   */
  readonly brain?: BrainName;
  /** What the brain `script` answers; `readDialogue` reads one from a file. */
  readonly dialogue?: Dialogue;
  /** What the brain `tool` calls. */
  readonly tool?: { readonly name: string; readonly args?: Readonly<Record<string, unknown>> };
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
  /**
   * How many times faster than a clock the limits come: at 600 a connection of ten minutes lasts a second. It divides
   * the lifetime of connections and the lead of goAway, which tells the real time left, the lifetime of sessions and
   * that of handles. Speech keeps its pace. Default 1.
   */
  readonly timeScale?: number;
  /** How long connections last, by a name of {@link CONNECTION_LIMITS}. Default `documented`. */
  readonly limits?: ConnectionLimits;
  /** Default: what `limits` says. */
  readonly connectionLifetimeMs?: number;
  /** How long before its end goAway is said; 0: never. Default: what `limits` says; of a shorter lifetime, a tenth. */
  readonly goAwayLeadMs?: number;
  /**
   * How long a session is connected in all, over however many connections, where the client did not ask for
   * compression of its context. Default {@link DEFAULT_AUDIO_SESSION_MS}.
   */
  readonly audioSessionMs?: number;
  /** The same for a session that has seen video. Default {@link DEFAULT_VIDEO_SESSION_MS}. */
  readonly videoSessionMs?: number;
  /** How a session ends whose time is over; it cannot be resumed. Default: 1007, as with a context that is full. */
  readonly sessionLimitClose?: CloseFrame;
  /** How many WebSockets may be open at once. Default: as many as come. */
  readonly maxSessions?: number;
  /** What one more is answered with: a close with 1011 and the quota, or HTTP 429. Default `close`. */
  readonly maxSessionsAnswer?: 'close' | 'status';
  /** How a connection ends whose lifetime is over. Default: 1011 and a deadline that expired. */
  readonly lifetimeClose?: CloseFrame;
  /** How long a setup takes, in milliseconds. Default 0. */
  readonly setupDelayMs?: number;
  /** How long a handle is good, in milliseconds. Default {@link DEFAULT_HANDLE_TTL_MS}, on Vertex {@link VERTEX_HANDLE_TTL_MS}. */
  readonly handleTtlMs?: number;
  /** What a handle that is not known any more is answered with. Default: 1008 session not found. */
  readonly unknownHandleClose?: CloseFrame;
  /** Default {@link DEFAULT_CONTEXT_TOKENS}. */
  readonly contextTokens?: number;
  /** Default {@link DEFAULT_GENERATION_SPEED}. */
  readonly generationSpeed?: number;
  /** How many times faster than it plays an answer is assumed to be heard; `turnComplete` waits for it. Default 1. */
  readonly playbackSpeed?: number;
  /**
   * Whether to record everything that is seen and done: `true` keeps the latest in memory, a path writes all of it to
   * that file too, as JSON lines. Credentials never stand in it. Default false.
   */
  readonly record?: boolean | string;
  /** Whether the record holds the audio itself, in base64, and not only how much it was. Default false. */
  readonly recordAudio?: boolean;
  /** Whether to accept the compression clients offer. Default false. */
  readonly compression?: boolean;
  readonly random?: Random;
}

const positive = z.number().positive().max(1e9);
const closeFrame = z.strictObject({ code: z.int().optional(), reason: z.string().optional() });

const schema = z.object({
  port: z.int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
  brain: z.enum(BRAINS).optional(),
  tool: z
    .strictObject({ name: z.string().min(1), args: z.record(z.string(), z.unknown()).default({}) })
    .optional(),
  frames: z.enum(['binary', 'text', 'mixed']).default('binary'),
  generation: z.enum(['2.x', '3.x']).optional(),
  models: z.array(z.string()).optional(),
  keys: z.array(z.string()).optional(),
  tokens: z.array(z.string()).optional(),
  timeScale: positive.default(1),
  limits: z.enum(['documented', 'long-connection']).default('documented'),
  connectionLifetimeMs: positive.optional(),
  goAwayLeadMs: z.number().min(0).optional(),
  lifetimeClose: closeFrame.default(GEMINI_CLOSES.deadline),
  audioSessionMs: positive.default(DEFAULT_AUDIO_SESSION_MS),
  videoSessionMs: positive.default(DEFAULT_VIDEO_SESSION_MS),
  sessionLimitClose: closeFrame.default(GEMINI_CLOSES.invalidArgument),
  maxSessions: z.int().min(1).optional(),
  maxSessionsAnswer: z.enum(['close', 'status']).default('close'),
  setupDelayMs: z.number().min(0).default(0),
  handleTtlMs: positive.optional(),
  unknownHandleClose: closeFrame.default(GEMINI_CLOSES.sessionNotFound),
  contextTokens: positive.default(DEFAULT_CONTEXT_TOKENS),
  generationSpeed: positive.default(DEFAULT_GENERATION_SPEED),
  playbackSpeed: positive.default(1),
  compression: z.boolean().default(false),
  record: z.union([z.boolean(), z.string().min(1)]).default(false),
  recordAudio: z.boolean().default(false),
});

type Checked = z.infer<typeof schema>;
type Lifetimes = 'connectionLifetimeMs' | 'goAwayLeadMs' | 'audioSessionMs' | 'videoSessionMs';

/** The options of an emulator that say what the service is like, defaults filled in and times scaled. */
export interface ServiceProfile
  extends
    Readonly<Omit<Checked, Lifetimes | 'brain' | 'tool' | 'handleTtlMs'>>,
    Readonly<Record<Lifetimes, number>> {
  readonly choice: BrainChoice;
  readonly handleTtlMs: Readonly<Record<'gemini' | 'vertex', number>>;
}

/** @throws InvalidOptionError naming the option and what it accepts. */
export function parseEmulatorOptions(options: GeminiEmulatorOptions): ServiceProfile {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidOptionError(`An option of the emulator is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  const { brain, tool, handleTtlMs, ...rest } = parsed.data;
  const { timeScale } = rest;
  const limits = CONNECTION_LIMITS[rest.limits];
  const lifetimeMs = rest.connectionLifetimeMs ?? limits.connectionLifetimeMs;
  const leadMs = rest.goAwayLeadMs ?? Math.min(limits.goAwayLeadMs, lifetimeMs / 10);
  return {
    ...rest,
    choice: chooseBrain(brain, options.dialogue, tool),
    connectionLifetimeMs: lifetimeMs / timeScale,
    goAwayLeadMs: leadMs / timeScale,
    audioSessionMs: rest.audioSessionMs / timeScale,
    videoSessionMs: rest.videoSessionMs / timeScale,
    handleTtlMs: {
      gemini: (handleTtlMs ?? DEFAULT_HANDLE_TTL_MS) / timeScale,
      vertex: (handleTtlMs ?? VERTEX_HANDLE_TTL_MS) / timeScale,
    },
  };
}

function chooseBrain(
  named: BrainName | undefined,
  dialogue: Dialogue | undefined,
  call: WantedCall | undefined,
): BrainChoice {
  if (dialogue !== undefined && call !== undefined) {
    throw new InvalidOptionError('Give a dialogue or a tool to call: one brain cannot have both.');
  }
  const brain = named ?? (dialogue !== undefined ? 'script' : call !== undefined ? 'tool' : 'echo');
  if ((brain === 'script') !== (dialogue !== undefined)) {
    throw new InvalidOptionError(
      `The brain '${brain}' ${brain === 'script' ? 'needs a' : 'takes no'} dialogue.`,
    );
  }
  if ((brain === 'tool') !== (call !== undefined)) {
    throw new InvalidOptionError(
      `The brain '${brain}' ${brain === 'tool' ? 'needs a' : 'takes no'} tool to call.`,
    );
  }
  if (brain === 'script' && dialogue !== undefined) return { brain, dialogue: checkDialogue(dialogue) };
  if (brain === 'tool' && call !== undefined) return { brain, call };
  return { brain: brain === 'silent' ? 'silent' : 'echo' };
}
