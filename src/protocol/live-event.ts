import type { AudioChunk } from './audio-chunk.ts';
import type { Content, FunctionCall, FunctionResponse } from './content.ts';

/** Tokens of one answer, as the provider counted them. */
export interface Usage {
  readonly promptTokens: number;
  readonly responseTokens: number;
  readonly totalTokens: number;
  readonly cachedTokens?: number;
  readonly thoughtTokens?: number;
  readonly toolPromptTokens?: number;
  /** Prompt tokens by modality (`AUDIO`, `TEXT`), where the provider tells. */
  readonly promptTokensByModality?: Readonly<Record<string, number>>;
  readonly responseTokensByModality?: Readonly<Record<string, number>>;
}

/** Which limit ended a live session (clause L). */
export type LimitName = 'idle' | 'duration';

/** What happens in a live session, by `type`. */
export type LiveEventBody =
  /** The agent's voice. `positionSamples` counts samples of the session's output before this chunk. */
  | { readonly type: 'audio'; readonly audio: AudioChunk; readonly positionSamples: number }
  /** The agent's text: pieces with `partial`, then the whole without. */
  | { readonly type: 'text'; readonly text: string; readonly partial: boolean; readonly thought?: boolean }
  /** What was said, in words: pieces with `partial`, then the whole utterance without. */
  | {
      readonly type: 'transcript';
      readonly speaker: 'user' | 'agent';
      readonly text: string;
      readonly partial: boolean;
      readonly languageCode?: string;
      /** The agent was interrupted, and the text is what was heard of it; see `Content.cut`. */
      readonly cut?: 'words' | 'share';
    }
  /** Parts of the agent's turn that are neither text nor audio: executed code, files, pictures. */
  | { readonly type: 'content'; readonly content: Content }
  | { readonly type: 'toolCall'; readonly calls: readonly FunctionCall[] }
  /** The model takes calls back, because the user interrupted; their signals have fired. */
  | { readonly type: 'toolCallCancellation'; readonly ids: readonly string[] }
  /**
   * A call has settled and its result belongs to the history. `stateDelta`: what is different in the session's state since
   * that was told last, null for what is gone. `artifactDelta`: the artifacts the tool has saved, with their versions.
   */
  | {
      readonly type: 'toolResult';
      readonly result: FunctionResponse;
      readonly stateDelta?: Readonly<Record<string, unknown>>;
      readonly artifactDelta?: Readonly<Record<string, number>>;
    }
  /** The session's state was changed from outside of the conversation. */
  | { readonly type: 'stateChanged'; readonly stateDelta: Readonly<Record<string, unknown>> }
  /**
   * The user interrupts: stop playing at once. `positionSamples` counts the output samples so far; whatever came
   * before it and has not been heard is to be dropped, what comes after it is new. `provisional`: the agent only pauses,
   * because no word of the user is there yet. `resumed` follows, or another `interrupted` without it.
   */
  | { readonly type: 'interrupted'; readonly positionSamples: number; readonly provisional?: true }
  /** It was no interruption: the audio that follows is what was not heard, and goes on from there. */
  | { readonly type: 'resumed'; readonly positionSamples: number }
  | { readonly type: 'generationComplete' }
  | { readonly type: 'turnComplete'; readonly interrupted: boolean; readonly reason?: string }
  | { readonly type: 'voiceActivity'; readonly activity: 'start' | 'end'; readonly offsetMs?: number }
  /** What the answer cost, and the live session so far. */
  | { readonly type: 'usage'; readonly usage: Usage; readonly total: Usage }
  /** This connection will end soon; `undefined` when the peer did not say when. */
  | { readonly type: 'goAway'; readonly timeLeftMs?: number | undefined }
  | ConnectionEventBody
  /**
   * Another agent has the conversation. `handoff`: it was given to `agent`. - `task`: a task has begun. - `taskDone`: it is
   * over, and `agent` goes on.
   */
  | {
      readonly type: 'agentChanged';
      readonly agent: string;
      readonly previous: string;
      readonly why: 'handoff' | 'task' | 'taskDone';
    }
  /** Nobody has spoken for `userAwayTimeoutMs`; or the user is there again. */
  | { readonly type: 'userState'; readonly state: 'away' | 'present' }
  /** A limit is reached; the end follows. */
  | { readonly type: 'limit'; readonly limit: LimitName; readonly afterMs: number }
  /** Something was refused or lost and the session goes on. */
  | { readonly type: 'warning'; readonly code: string; readonly message: string }
  /** A message of the model that this version does not know, as it came. */
  | { readonly type: 'unknown'; readonly message: unknown };

/**
 * Why a connection to the model is replaced, or has to be.
 *
 * - `lost`: it ended, and nobody had asked for it. - `silent`: a probe, or what was asked, was not answered.
 * - `stalled`: what was sent did not leave. - `idle`: the peer let go of it because it was sent nothing for a while.
 * - `goAway`, `age`: swapped on purpose, because the provider says that it will end, or is known to end it.
 * - `contextLost`: the provider resumed it and had forgotten the conversation.
 * - `handoff`: another agent has the conversation, for whom it was not set up.
 */
export type ConnectionCause =
  'lost' | 'silent' | 'stalled' | 'idle' | 'goAway' | 'age' | 'contextLost' | 'handoff';

/** What a new connection means for the conversation (clauses R8, R9). Durations in milliseconds. */
export interface ConnectionRecovery {
  readonly cause: ConnectionCause;
  /** Which attempt of this outage it was, from 1. */
  readonly attempt: number;
  /** From when the old connection took nothing more until the new one did. */
  readonly gapMs: number;
  /** Whether an answer of the agent was cut. What had arrived of it was delivered. */
  readonly cutTurn: boolean;
  /** Audio that was sent to the old connection and is sent again. */
  readonly replayedMs: number;
  /** Audio of the user that the new connection does not get, because more had to be kept than fits. */
  readonly audioGapMs: number;
  /** How many turns of the conversation the model was given as text. */
  readonly historyTurns: number;
}

/** Why a new connection is a fresh one, with the history, and does not resume the old one. */
export type ReseedCause =
  'noHandle' | 'handleRejected' | 'handleExpired' | 'handleUnconfirmed' | 'contextLost' | 'handoff';

/** What happens to the connection to the model (clause R9). A `goAway` of the model is an event of its own. */
export type ConnectionEventBody =
  | { readonly type: 'connection'; readonly state: 'connecting'; readonly attempt: number }
  /** The model is ready, for the first time or again; `resumed`, `reseeded` or `swapped` follows where it is again. */
  | {
      readonly type: 'connection';
      readonly state: 'connected';
      /** Whether the provider took a handle: it knows the conversation as it was then. */
      readonly resumed: boolean;
      /** How many turns of history the model was given. */
      readonly historyTurns: number;
      readonly afterMs: number;
    }
  | {
      readonly type: 'connection';
      readonly state: 'lost';
      readonly cause: ConnectionCause;
      readonly code?: number;
      readonly reason: string;
    }
  /** The next attempt is made after `delayMs`. */
  | {
      readonly type: 'connection';
      readonly state: 'waiting';
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** The provider knows the conversation as it was at the handle. */
  | ({ readonly type: 'connection'; readonly state: 'resumed' } & ConnectionRecovery)
  /** The provider was given the conversation as text. */
  | ({
      readonly type: 'connection';
      readonly state: 'reseeded';
      readonly why: ReseedCause;
    } & ConnectionRecovery)
  /** Replaced on purpose; `how` it knows the conversation. */
  | ({
      readonly type: 'connection';
      readonly state: 'swapped';
      readonly how: 'resumed' | 'reseeded';
    } & ConnectionRecovery)
  | { readonly type: 'connection'; readonly state: 'handleRejected'; readonly reason: string }
  /** A bound of the policy is reached; the end follows. */
  | {
      readonly type: 'connection';
      readonly state: 'exhausted';
      readonly meter: 'attempts' | 'outageMs' | 'redials';
      readonly attempts: number;
      readonly outageMs: number;
      readonly redials: number;
    };

/** Stamped on every event by the live session. */
export interface LiveEventStamp {
  /** Counts the events of a live session from 1, without a gap. */
  readonly seq: number;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** `user`, or the agent's name. */
  readonly author: string;
  /** The agent's turn it belongs to: the one under way, or the next one. Counted from 1. */
  readonly turn: number;
}

export type LiveEvent = LiveEventBody & LiveEventStamp;
export type LiveEventType = LiveEvent['type'];
export type LiveEventOf<Type extends LiveEventType> = Extract<LiveEvent, { readonly type: Type }>;
