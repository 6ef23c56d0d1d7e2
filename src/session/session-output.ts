import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { AudioChunk, LiveEventBody } from '../protocol/index.ts';
import type { Conversation } from './conversation.ts';
import type { ModelOutput } from './live-model.ts';
import type { Playout } from './playout.ts';

/** Lays something under a piece of the agent's voice. Gives as many samples as it was given. */
export type VoiceMix = (voice: AudioChunk) => AudioChunk;

/** What clients are given to hear: the agent's voice, with what is laid under it and what is played beside it. */
export interface SessionOutput {
  readonly rateHz: number;
  /** How much was given that cannot have been heard yet, by the clock, in milliseconds. */
  readonly aheadMs: number;
  /** How much was given that was not heard yet, as far as it is known, in milliseconds. */
  readonly unheardMs: number;
  /**
   * Gives clients audio that is no speech of the agent: a tone, music, a room. It stands behind what was given so far, in
   * the event `audio`, and is dropped by whoever drops the rest at an interruption. Returns false after the close, and for
   * nothing.
   * @throws InvalidOptionError when it has another rate.
   */
  play(audio: AudioChunk): boolean;
  /**
   * Has `mix` lay something under the agent's voice, piece by piece as it comes from the model. Returns the function that
   * takes it away. One that throws is logged and taken away.
   * @throws InvalidOptionError when something is laid under it already; ClosedError when the live session closes.
   */
  mixWith(mix: VoiceMix): () => void;
}

export interface OutputOptions {
  readonly owner: Lifetime;
  readonly conversation: Conversation;
  readonly playout: Playout;
  emit(event: LiveEventBody): void;
}

/** A SessionOutput from the inside. Every position stays one of the same stream, whatever is mixed or played. */
export class Output implements SessionOutput {
  readonly #options: OutputOptions;
  /** Owned while there is one, so that nothing is held after a close (clause C6). */
  #mix: { readonly mix: VoiceMix } | undefined;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  get rateHz(): number {
    return this.#options.playout.rateHz;
  }

  get aheadMs(): number {
    return this.#options.playout.aheadMs;
  }

  get unheardMs(): number {
    const { playout } = this.#options;
    return playout.msOf(playout.sentSamples - playout.heardSamples);
  }

  play(audio: AudioChunk): boolean {
    const { owner, conversation, playout, emit } = this.#options;
    if (audio.rateHz !== this.rateHz) {
      throw new InvalidOptionError(`The audio has ${audio.rateHz} Hz; clients are given ${this.rateHz} Hz.`);
    }
    if (owner.isClosing || audio.sampleCount === 0) return false;
    const positionSamples = conversation.beside(audio.sampleCount);
    playout.beside(audio);
    emit({ type: 'audio', audio, positionSamples });
    return true;
  }

  mixWith(mix: VoiceMix): () => void {
    if (this.#mix !== undefined) {
      throw new InvalidOptionError("Something is laid under the agent's voice already; take it away first.");
    }
    const held = this.#options.owner.own('mix', { mix }, { stop: () => (this.#mix = undefined) });
    this.#mix = held;
    return () => this.#unmix(held);
  }

  /** A piece of the agent's voice as clients are to hear it. */
  voice(message: Extract<ModelOutput, { type: 'audio' }>): Extract<ModelOutput, { type: 'audio' }> {
    const held = this.#mix;
    if (held === undefined) return message;
    try {
      return { type: 'audio', audio: held.mix(message.audio) };
    } catch (error) {
      this.#unmix(held);
      const { log, path } = this.#options.owner;
      log.error('mixing failed', { owner: path, error: describeError(error) });
      return message;
    }
  }

  #unmix(held: { readonly mix: VoiceMix }): void {
    if (this.#mix === held) this.#mix = undefined;
    this.#options.owner.release(held);
  }
}
