import type { TracerProvider } from '@opentelemetry/api';
import { z } from 'zod';
import { DEFAULT_CLOSE_TIMEOUT_MS, InvalidOptionError } from '../kernel/index.ts';
import type { Clock, EventLoop, Logger, Random } from '../kernel/index.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../protocol/index.ts';
import type { Agent } from '../session/agent.ts';
import type { ArtifactStore } from '../session/artifact-store.ts';
import type { LiveModel } from '../session/live-model.ts';
import type { ReconnectOptions } from '../session/reconnect-policy.ts';
import type { SessionStore } from '../session/session-store.ts';
import { ADMIN_TOKEN_PATTERN, MAX_ADMIN_TOKEN_CHARACTERS, MIN_ADMIN_TOKEN_CHARACTERS } from './auth/index.ts';
import type { AppRegistry } from './apps/index.ts';
import type { Authenticator, AuthorizeHook } from './auth/index.ts';
import { limitSettings } from './limits/index.ts';
import type { LimitOptions } from './limits/index.ts';
import { DEFAULT_MAX_REPLAY_BYTES, DEFAULT_MAX_REPLAY_MESSAGES } from './client/index.ts';
import type { SessionEndHook, SessionHook } from './calls/index.ts';

/** The longest request a Cloud Run instance is given is an hour, but most calls are over in five minutes (clause D1). */
export const DEFAULT_DRAIN_TIMEOUT_MS = 300_000;

/** None: right for a process started by hand. Behind a load balancer give it the seconds that one needs to notice. */
export const DEFAULT_PRE_DRAIN_DELAY_MS = 0;

/** Often enough for whoever watches a deployment, seldom enough not to fill a log in five minutes (clause D6). */
export const DEFAULT_DRAIN_PROGRESS_MS = 10_000;

/** What comes by POST may be as large as what comes over a socket: both carry a picture at most. */
export const DEFAULT_MAX_BODY_BYTES = DEFAULT_MAX_MESSAGE_BYTES;

/** Twenty times the fifty audio frames a second of a live microphone: no honest client comes near it. */
export const DEFAULT_MAX_MESSAGES_PER_SECOND = 1_000;

/** Some twenty seconds of 24 kHz audio as base64. A client so far behind will never catch up with a conversation. */
export const DEFAULT_MAX_BUFFERED_BYTES = 1_310_720;

/** Twice what one core relays in good time; more is not refused by the machine but heard by everybody. */
export const DEFAULT_MAX_LIVE_SESSIONS = 1_000;

/** A text turn that says nothing for two minutes will not say anything. */
export const DEFAULT_RUN_TIMEOUT_MS = 120_000;

/** Three unanswered pings: a phone in a tunnel is back by then, and a socket without a peer does not bill for long. */
export const DEFAULT_CLIENT_SILENCE_TIMEOUT_MS = 60_000;

/** A client of `holdfast.v1` speaks first, in the same breath in which it connects. */
export const DEFAULT_HELLO_TIMEOUT_MS = 10_000;

/** A peer on a slow mobile link answers a close within a second; one that does not is gone (clause C10). */
export const DEFAULT_SOCKET_CLOSE_TIMEOUT_MS = 1_000;

/** A live session's own close takes 5 s at most; the rest is for the goodbyes on the sockets after it. */
export const SERVER_CLOSE_TIMEOUT_MS = 7_500;

/** Who hangs up has ended the call: a live session that goes on without anybody bills for nothing. */
export const DEFAULT_CLOSE_ON_DISCONNECT = true;

/**
 * A phone that changes from one network to another is back within seconds, one in a lift or a tunnel within twenty. Longer
 * than that nobody waits in silence, and the model is paid for meanwhile.
 */
export const DEFAULT_CLIENT_GRACE_MS = 20_000;

/**
 * A live session's own close and the server's after it are bounded by 5 and 7.5 s. What is not over after both of them,
 * and half as long again, will not be.
 */
export const DEFAULT_JOB_CLOSE_TIMEOUT_MS = 20_000;

/** What comes after a call is a summary by a language model and a write to somebody's database: seconds, each with a retry. */
export const DEFAULT_SESSION_END_TIMEOUT_MS = 30_000;

/** How much a server has to do is told to who may know it; a scraper can bring a token. */
export const DEFAULT_OPEN_METRICS = false;

/** What is said in a call is between who said it and the agent: it goes nowhere else unless somebody decides so. */
export const DEFAULT_TRACE_CONTENT = false;

/** What `createServer` is given. Every number is validated; every duration is in milliseconds. */
export interface ServerOptions extends LimitOptions {
  /** What is served: agents by the name of their app, or what `loadAgents` found. */
  readonly agents: Readonly<Record<string, Agent>> | AppRegistry;
  /** The model of agents that bring none. */
  readonly model?: LiveModel;
  /**
   * Where sessions are kept. Default: in memory, for as long as the server lives. It is not closed with the server: who
   * made it does so, when `closed` has resolved.
   */
  readonly store?: SessionStore;
  /** Where tools and clients keep artifacts. Default: in memory, for as long as the server lives. */
  readonly artifacts?: ArtifactStore;
  /** How long live sessions may go on once new ones are refused. Default `DEFAULT_DRAIN_TIMEOUT_MS`. */
  readonly drainTimeoutMs?: number;
  /** How long new sessions are still accepted after a drain began. Default `DEFAULT_PRE_DRAIN_DELAY_MS`. */
  readonly preDrainDelayMs?: number;
  /** How often a drain tells its progress. Default `DEFAULT_DRAIN_PROGRESS_MS`. */
  readonly drainProgressMs?: number;
  /** The largest message a client may send. Default `DEFAULT_MAX_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
  /** The largest body of a POST. Default `DEFAULT_MAX_BODY_BYTES`. */
  readonly maxBodyBytes?: number;
  /** How many messages a second a client may send, for longer than two seconds. Default `DEFAULT_MAX_MESSAGES_PER_SECOND`. */
  readonly maxMessagesPerSecond?: number;
  /** How far a client may be behind with reading. Default `DEFAULT_MAX_BUFFERED_BYTES`. */
  readonly maxBufferedBytes?: number;
  /** How many live sessions this server holds at a time. Default `DEFAULT_MAX_LIVE_SESSIONS`. */
  readonly maxLiveSessions?: number;
  /** How long a text turn may take. Default `DEFAULT_RUN_TIMEOUT_MS`. */
  readonly runTimeoutMs?: number;
  /** How long a client may leave pings unanswered. Default `DEFAULT_CLIENT_SILENCE_TIMEOUT_MS`. */
  readonly clientSilenceTimeoutMs?: number;
  /** How long a client of `holdfast.v1` may take to say hello. Default `DEFAULT_HELLO_TIMEOUT_MS`. */
  readonly helloTimeoutMs?: number;
  /** How long a client is given to answer a close. Default `DEFAULT_SOCKET_CLOSE_TIMEOUT_MS`. */
  readonly socketCloseTimeoutMs?: number;
  /** Passed to every live session: how long its close may take. Default: the live session's own. */
  readonly closeTimeoutMs?: number;
  /** Passed to every live session: it ends after this long without anything said. Default: the live session's own. */
  readonly idleTimeoutMs?: number;
  /** Passed to every live session: it ends after this long. Default: the live session's own. */
  readonly maxDurationMs?: number;
  /** Passed to every live session: how a lost connection to its model is had again. `false` turns it off. */
  readonly reconnect?: ReconnectOptions;
  /**
   * Whether a live session ends when its client leaves. With `false` it goes on without one until its limits, and who comes
   * to it again joins it. Default `DEFAULT_CLOSE_ON_DISCONNECT`.
   */
  readonly closeOnDisconnect?: boolean;
  /**
   * How long a live session waits for a client of `holdfast.v1` that vanished without a goodbye. 0 turns it off. Default
   * `DEFAULT_CLIENT_GRACE_MS`.
   */
  readonly clientGraceMs?: number;
  /** How much is kept for a client to come back to, in bytes. Default `DEFAULT_MAX_REPLAY_BYTES`. */
  readonly maxReplayBytes?: number;
  /** The same in messages. Default `DEFAULT_MAX_REPLAY_MESSAGES`. */
  readonly maxReplayMessages?: number;
  /**
   * How long the end of a call may take in all, whatever hangs in it; then what is left of it is destroyed. It cuts closes
   * short when it is smaller than they may take. Default `DEFAULT_JOB_CLOSE_TIMEOUT_MS`, and more with a longer
   * `closeTimeoutMs`.
   */
  readonly jobCloseTimeoutMs?: number;
  /** Called once for each live session when it has ended: for what comes after a call. */
  readonly onSessionEnd?: SessionEndHook;
  /** How long `onSessionEnd` is waited for. Default `DEFAULT_SESSION_END_TIMEOUT_MS`. */
  readonly sessionEndTimeoutMs?: number;
  /**
   * Called with each live session before it starts, to stand something around the call: `recordSession(session, …)`,
   * `session.on(…)`. What it throws is logged. Not called for text turns.
   */
  readonly onLiveSession?: SessionHook;
  /** A folder of static files served where no route stands; `/` is its `index.html`. */
  readonly pageDir?: string;
  /**
   * Lets who sends it as `Authorization: Bearer <token>` administer the server, at `/admin/*`. From
   * `MIN_ADMIN_TOKEN_CHARACTERS` to `MAX_ADMIN_TOKEN_CHARACTERS` visible ASCII characters. Default: none, and no
   * administration.
   */
  readonly adminToken?: string;
  /** Host names a request may ask for, besides loopback ones. Given, every other one is refused, wherever we listen. */
  readonly allowedHosts?: readonly string[];
  /**
   * Origins whose pages may speak to this server besides its own: `https://app.example.org`, or `*` for all, which is for
   * servers that ask who comes. Default: none.
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * How it is known who asks: `bearerTokens([…])`, `jwt({…})`, or several. Given, every route but the probes and the page
   * is closed to who brings no token. Without it everybody is let in, and only loopback is listened on.
   */
  readonly auth?: Authenticator | readonly Authenticator[];
  /** A word of your own on who may do what. What it throws denies. */
  readonly authorize?: AuthorizeHook;
  /** Whether `/metrics` is answered to who brings no token. Default `DEFAULT_OPEN_METRICS`. */
  readonly openMetrics?: boolean;
  /**
   * Whose tracer live sessions are traced with. Default: the provider that the program has registered with
   * `@opentelemetry/api`; without one nothing is traced.
   */
  readonly tracerProvider?: TracerProvider;
  /** Whether traces tell what was said. Default `DEFAULT_TRACE_CONTENT`. */
  readonly traceContent?: boolean;
  /** How busy the thread is that the server runs on. Default: what Node tells of it. */
  readonly eventLoop?: EventLoop;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
}

const count = z.int().positive();
const durationMs = z.number().nonnegative();
const boundMs = z.number().positive();

/** What is wrong with it is told without the token. */
const adminToken = z
  .string()
  .min(
    MIN_ADMIN_TOKEN_CHARACTERS,
    `give at least ${MIN_ADMIN_TOKEN_CHARACTERS} characters, such as \`openssl rand -hex 24\` prints`,
  )
  .max(MAX_ADMIN_TOKEN_CHARACTERS, `give at most ${MAX_ADMIN_TOKEN_CHARACTERS} characters`)
  .regex(ADMIN_TOKEN_PATTERN, 'give visible ASCII characters, and no blank');

const settingsSchema = z.object({
  ...limitSettings,
  drainTimeoutMs: durationMs.default(DEFAULT_DRAIN_TIMEOUT_MS),
  preDrainDelayMs: durationMs.default(DEFAULT_PRE_DRAIN_DELAY_MS),
  drainProgressMs: boundMs.default(DEFAULT_DRAIN_PROGRESS_MS),
  maxMessageBytes: count.default(DEFAULT_MAX_MESSAGE_BYTES),
  maxBodyBytes: count.default(DEFAULT_MAX_BODY_BYTES),
  maxMessagesPerSecond: count.default(DEFAULT_MAX_MESSAGES_PER_SECOND),
  maxBufferedBytes: count.default(DEFAULT_MAX_BUFFERED_BYTES),
  maxLiveSessions: count.default(DEFAULT_MAX_LIVE_SESSIONS),
  runTimeoutMs: boundMs.default(DEFAULT_RUN_TIMEOUT_MS),
  clientSilenceTimeoutMs: boundMs.default(DEFAULT_CLIENT_SILENCE_TIMEOUT_MS),
  helloTimeoutMs: boundMs.default(DEFAULT_HELLO_TIMEOUT_MS),
  socketCloseTimeoutMs: boundMs.default(DEFAULT_SOCKET_CLOSE_TIMEOUT_MS),
  closeOnDisconnect: z.boolean().default(DEFAULT_CLOSE_ON_DISCONNECT),
  clientGraceMs: z.number().int().nonnegative().default(DEFAULT_CLIENT_GRACE_MS),
  maxReplayBytes: count.default(DEFAULT_MAX_REPLAY_BYTES),
  maxReplayMessages: count.default(DEFAULT_MAX_REPLAY_MESSAGES),
  jobCloseTimeoutMs: boundMs.optional(),
  sessionEndTimeoutMs: boundMs.default(DEFAULT_SESSION_END_TIMEOUT_MS),
  closeTimeoutMs: boundMs.optional(),
  idleTimeoutMs: boundMs.optional(),
  maxDurationMs: boundMs.optional(),
  traceContent: z.boolean().default(DEFAULT_TRACE_CONTENT),
  pageDir: z.string().min(1).optional(),
  adminToken: adminToken.optional(),
  allowedHosts: z.array(z.string().min(1)).default([]),
  allowedOrigins: z.array(z.string().min(1)).default([]),
  openMetrics: z.boolean().default(DEFAULT_OPEN_METRICS),
});

/** The end of a call is given up when every bound in it has passed, and not before. */
const limitsSchema = settingsSchema.transform((settings) => {
  const { closeTimeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = settings;
  const least = Math.max(DEFAULT_JOB_CLOSE_TIMEOUT_MS, 2 * SERVER_CLOSE_TIMEOUT_MS + closeTimeoutMs);
  return { ...settings, jobCloseTimeoutMs: settings.jobCloseTimeoutMs ?? least };
});

const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  ...Object.keys(settingsSchema.shape),
  'agents',
  'model',
  'store',
  'artifacts',
  'onSessionEnd',
  'reconnect',
  'onLiveSession',
  'tracerProvider',
  'auth',
  'authorize',
  'eventLoop',
  'clock',
  'random',
  'log',
]);

/** The options that are plain values, with every default filled in. */
export type ServerLimits = z.output<typeof limitsSchema>;

/** @throws InvalidOptionError that names every option which cannot work, and what it accepts. */
export function parseServerLimits(options: ServerOptions): ServerLimits {
  const unknown = Object.keys(options).filter((name) => !KNOWN_OPTIONS.has(name));
  if (unknown.length > 0) {
    throw new InvalidOptionError(`createServer knows no option ${unknown.join(', ')}.`);
  }
  const parsed = limitsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new InvalidOptionError(`An option of createServer cannot work: ${describeIssues(parsed.error)}.`);
}

/** What a schema did not accept, in one line: `drainTimeoutMs: Too small …; pageDir: …`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
}
