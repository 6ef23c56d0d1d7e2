import type {
  AudioChunk,
  Content,
  FunctionCall,
  FunctionResponse,
  LiveRequest,
  Usage,
} from '../protocol/index.ts';
import type { SpokenWord } from './heard-text.ts';
import type { StreamCapabilities, StreamConnection, StreamPort, StreamSink } from './stream-port.ts';

/** What a model can do, as far as the session must know. */
export interface LiveCapabilities extends StreamCapabilities {
  /** Whether turns of either side can be given as text in mid-session, without being answered. Default false. */
  readonly takesContent?: boolean;
  /** Whether it speaks a text that it is given, word for word: its connections have `say`. Default false. */
  readonly saysText?: boolean;
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
      /** Where the agent's words are in the audio of its turn, where the provider tells; also with a text of its own. */
      readonly words?: readonly SpokenWord[];
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

/** Where a connection to a model delivers. */
export type ModelSink = StreamSink<ModelOutput>;

/** Something the agent is to say word for word. */
export interface SayRequest {
  readonly text: string;
  /** False: what the user says meanwhile does not stop it. */
  readonly interruptible: boolean;
}

/** An open, set-up connection to a model. Of what is optional here, each model has what it can do. */
export interface LiveConnection extends StreamConnection<ModelInput> {
  /**
   * Stops the answer that is being given, or was asked for. The turn ends as one that the user has interrupted. A
   * connection without it goes on, and what comes of that turn is dropped.
   */
  interrupt?(): void;
  /** The turn under way, or the last one, was interrupted when so much of its audio had been heard. */
  truncate?(playedMs: number): void;
  /**
   * Goes on for another agent, or for the same one with other tools: what the model is told from now on is `setup`, whose
   * `history` is the whole conversation. An answer whose calls wait for results ends where it is, as a turn that is complete.
   * `model` is that agent's. Returns whether it does; otherwise, as for a connection without this, a new one is dialled.
   */
  reconfigure?(setup: LiveSetup, model: LiveModel): 'applied' | 'needs-swap';
  /**
   * Speaks a text as a turn of the agent, with its transcript, whatever the setup says of transcripts. Returns false
   * when it cannot now. For models with `saysText`.
   */
  say?(request: SayRequest): boolean;
}

/**
 * A realtime model, or anything that behaves like one. `connect` seeds the history too: when it resolves, the model is
 * ready for input.
 */
export interface LiveModel extends StreamPort<LiveSetup, ModelInput, ModelOutput, LiveConnection> {
  readonly capabilities: LiveCapabilities;
}
