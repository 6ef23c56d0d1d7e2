import { HoldfastError, type Lifetime } from '../kernel/index.ts';

/** Told synchronously, as samples are heard. Positions count samples since the detector began. */
export interface VoiceActivitySink {
  /** Where what belongs to the speech begins, padding included. */
  speechStarted(atSample: number): void;
  /** Where the speech ended; the silence that decided it comes after. */
  speechEnded(atSample: number): void;
  /** It hears nothing any more, and tells nothing after this: its thread cannot be had again. See `fallbackVad`. */
  failed?(error: Error): void;
}

/** One ear: it hears one stream of audio. It ends with the scope it was made under. */
export interface VoiceActivity {
  hear(samples: Int16Array): void;
  /** Forgets what it heard: what comes next has nothing to do with it. */
  reset(): void;
}

/** Finds out when somebody speaks. */
export interface VoiceActivityDetector {
  readonly id: string;
  /**
   * Resolves when it hears; whatever it loads or starts is owned by `scope`.
   * @throws VadUnavailableError when what it needs is not there.
   */
  open(rateHz: number, sink: VoiceActivitySink, scope: Lifetime): Promise<VoiceActivity>;
}

/** What may tell whether the user has finished. */
export interface TurnContext {
  /** What the user has said in this turn, as far as it is written down. */
  readonly transcript: string;
  readonly languageCode?: string | undefined;
  /** How long nobody has spoken. */
  readonly silenceMs: number;
}

/** Says whether a pause is the end of the user's turn. */
export interface TurnDetector {
  readonly id: string;
  /** How likely it is that the user has finished, from 0 to 1. One that does not answer in time is not waited for. */
  endOfTurn(context: TurnContext, scope: Lifetime): Promise<number>;
}

/** A voice activity detector cannot hear: a package is missing, or its thread does not start or does not stay. */
export class VadUnavailableError extends HoldfastError {
  readonly code = 'HOLDFAST_VAD_UNAVAILABLE';
}
