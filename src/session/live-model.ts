import type { Lifetime } from '../kernel/index.ts';
import type {
  AudioChunk,
  Content,
  FunctionCall,
  FunctionResponse,
  LiveRequest,
  Usage,
} from '../protocol/index.ts';

/** What a model can do, as far as the session must know. */
export interface LiveCapabilities {
  /** Whether the provider issues handles with which a new connection continues an old one. */
  readonly resumption: boolean;
  /** After how long the provider ends a connection, in milliseconds, where it is known. */
  readonly maxConnectionAgeMs?: number;
  /** For how long a handle is good after its connection has ended, in milliseconds. Default: for ever. */
  readonly handleLifetimeMs?: number;
  /** How long a healthy peer may leave a probe unanswered, in milliseconds (clause R12). */
  readonly probeTimeoutMs?: number;
  /** Whether turns of either side can be given as text in mid-session, without being answered. Default false. */
  readonly takesContent?: boolean;
  /** The model runs in this process: its connection cannot be lost, so nothing is kept to be sent again. */
  readonly inProcess?: boolean;
  /** The rate the model hears best; other rates are resampled before they are sent. */
  readonly inputRateHz: number;
  /** The rate the model speaks at. */
  readonly outputRateHz: number;
}

/** A function the model may call, as JSON Schema. */
export interface ToolDeclaration {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments, an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export type Modality = 'AUDIO' | 'TEXT';

/** What a new connection is set up with. What only one provider knows is given to that provider's model instead. */
export interface LiveSetup {
  readonly instructions: string | undefined;
  readonly tools: readonly ToolDeclaration[];
  /** The conversation so far, for a fresh connection. Never given together with `resumptionHandle` (clause R2). */
  readonly history: readonly Content[];
  readonly resumptionHandle?: string;
  readonly responseModalities?: readonly Modality[];
  readonly inputTranscription: boolean;
  readonly outputTranscription: boolean;
  /** `manual`: the client marks turns with activityStart and activityEnd. Default `automatic`. */
  readonly turnDetection?: 'automatic' | 'manual';
  readonly proactiveAudio?: boolean;
  readonly affectiveDialog?: boolean;
  readonly explicitVadSignal?: boolean;
}

/** What a session sends to a model. */
export type ModelInput =
  | Exclude<LiveRequest, { readonly type: 'close' }>
  | { readonly type: 'toolResponse'; readonly responses: readonly FunctionResponse[] }
  /**
   * Turns of either side that this connection does not know yet, told after the fact: calls and results in them are
   * read, not acted on. `turnComplete: true` asks for an answer. For models with `takesContent`; others leave it out.
   */
  | { readonly type: 'history'; readonly turns: readonly Content[]; readonly turnComplete: boolean };

/** What a model sends to a session. */
export type ModelOutput =
  | { readonly type: 'audio'; readonly audio: AudioChunk }
  | { readonly type: 'text'; readonly text: string; readonly thought?: boolean }
  | { readonly type: 'content'; readonly content: Content }
  /** A piece of a transcript; `finished` marks the last piece of an utterance, where the provider tells. */
  | {
      readonly type: 'transcript';
      readonly speaker: 'user' | 'agent';
      readonly text: string;
      readonly finished: boolean;
      readonly languageCode?: string;
    }
  | { readonly type: 'toolCall'; readonly calls: readonly FunctionCall[] }
  | { readonly type: 'toolCallCancellation'; readonly ids: readonly string[] }
  | { readonly type: 'interrupted' }
  | { readonly type: 'generationComplete' }
  | { readonly type: 'turnComplete'; readonly reason?: string }
  | { readonly type: 'voiceActivity'; readonly activity: 'start' | 'end'; readonly offsetMs?: number }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'goAway'; readonly timeLeftMs?: number | undefined }
  /**
   * `handle` is undefined when the connection cannot be resumed at this moment, which is no rejection (clause R6).
   * `lastConsumedIndex` counts the inputs that `send` of this connection has taken, from 0: those up to it are included
   * in the handle, -1 is none of them. A new connection begins anew, whether it resumes or not.
   */
  | { readonly type: 'resumption'; readonly handle: string | undefined; readonly lastConsumedIndex?: number }
  | { readonly type: 'unknown'; readonly message: unknown };

/** How a connection to a model ended, when it was not closed by us. */
export interface ConnectionEnd {
  /** The WebSocket close code, where there is a socket. */
  readonly code?: number;
  readonly reason: string;
  /**
   * What the provider's words mean, where they mean more than a lost connection: a HandleRejectedError, an
   * OverloadedError, or what another attempt cannot cure, such as credentials, a quota, an invalid request.
   */
  readonly error?: Error;
}

/** Where a connection delivers. Both are called synchronously, as messages arrive, and never after the scope closed. */
export interface ModelSink {
  output(message: ModelOutput): void;
  /** The peer has shown that it is there without saying anything: it answered a probe. Outputs need no `alive`. */
  alive(): void;
  /** The connection is gone, and not because its scope was closed. Called once, and nothing after it. */
  ended(end: ConnectionEnd): void;
}

/** An open, set-up connection. It ends with the scope it was made under. */
export interface LiveConnection {
  /** Sends, or returns false when the connection no longer takes anything. Never throws for the network's sake. */
  send(input: ModelInput): boolean;
  /** Bytes accepted by `send` that have not left the process. */
  readonly bufferedBytes: number;
  /** Bytes that have left the process so far: while some wait and this stands still, nothing gets through (R12). */
  readonly flushedBytes?: number;
  /** Asks the peer whether it is there; `alive` of the sink is the answer. A connection without it is not probed. */
  probe?(): void;
  /**
   * Says goodbye and takes nothing more, but goes on delivering what the peer has sent before it answers; `ended` of
   * the sink tells when the socket is gone, which is bounded. A connection without it ends with its scope (R7, R8).
   */
  finish?(): void;
}

/** A realtime model, or anything that behaves like one. */
export interface LiveModel {
  /** For logs and events: `echo`, `gemini:gemini-2.5-flash`. Holds no secret. */
  readonly id: string;
  readonly capabilities: LiveCapabilities;
  /**
   * Dials, shakes hands, sets up, and seeds the history: resolves when the model is ready for input.
   *
   * Everything it opens is owned by `scope`. Closing the scope ends the attempt or the connection; the promise then
   * rejects with a ClosedError. Any other failure rejects with a typed error and leaves nothing open. The bound of
   * the whole is the caller's, who closes the scope when it is reached (clause R11).
   */
  connect(setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection>;
}
