import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { ClosingStep, Lifetime, Timer } from '../kernel/index.ts';
import { Resampler } from './resample.ts';
import { SampleFifo } from './sample-fifo.ts';
import { SoundMixer } from './sound-mixer.ts';
import type { PlayOptions } from './sound-mixer.ts';
import type { Sound } from './sound.ts';

/** Length of a frame, in milliseconds: what telephones and browsers send. */
export const PLAYOUT_FRAME_MS = 20;

/** How much of the voice may wait to be played, in milliseconds: longer than every answer, 6 MB at 24 kHz. */
export const MAX_WAITING_VOICE_MS = 120_000;

/**
 * How many frames that are late are given at once, in milliseconds. A process that stood still for longer goes on from
 * there: nobody has a buffer for the rest, and the voice is later instead of lost.
 */
export const MAX_LATE_PLAYOUT_MS = 1_000;

export interface MixedPlayoutOptions {
  /** Whose end ends the playing; also the clock. */
  readonly owner: Lifetime;
  /** Samples a second of what is given out. */
  readonly rateHz: number;
  /** Takes each frame when it is due: PCM16 mono, {@link PLAYOUT_FRAME_MS} of it, an array of its own. What it throws is logged. */
  frame(samples: Int16Array): void;
}

type State = { readonly tag: 'idle' } | { readonly tag: 'playing'; timer: Timer };

/**
 * Plays the agent's voice with sounds under it, a frame every 20 ms on the owner's clock, as long as anything sounds.
 * When nothing does it gives nothing and sets no timer.
 */
export class MixedPlayout {
  /** A drain waits until the agent has said what it has to say; sounds that go on for ever are not waited for. */
  static readonly #ending: ClosingStep<MixedPlayout> = {
    drain: (playout) => playout.played(),
    stop: (playout) => playout.#tellPlayed(),
  };

  readonly rateHz: number;
  readonly #owner: Lifetime;
  readonly #frame: (samples: Int16Array) => void;
  readonly #mixer: SoundMixer;
  readonly #voice = new SampleFifo();
  readonly #frameSamples: number;
  #resampler: Resampler | undefined;
  #droppedSamples = 0;
  #state: State = { tag: 'idle' };
  /** When the next frame is due. */
  #dueMs = 0;
  #whenPlayed: PromiseWithResolvers<void> | undefined;

  /**
   * @throws SampleRateError for an impossible rate; InvalidOptionError when a frame has no whole number of samples at it.
   * @throws ClosedError when the owner has begun to close.
   */
  constructor({ owner, rateHz, frame }: MixedPlayoutOptions) {
    this.#mixer = new SoundMixer({ rateHz });
    this.rateHz = rateHz;
    this.#frameSamples = (rateHz * PLAYOUT_FRAME_MS) / 1_000;
    if (!Number.isInteger(this.#frameSamples)) {
      throw new InvalidOptionError(`rateHz is ${rateHz}; give a multiple of ${1_000 / PLAYOUT_FRAME_MS}.`);
    }
    this.#owner = owner;
    this.#frame = frame;
    owner.own('playout', this, MixedPlayout.#ending);
  }

  /** How much of the voice waits, in milliseconds. */
  get waitingMs(): number {
    return (this.#voice.length * 1_000) / this.rateHz;
  }

  /** How much of the voice was beyond {@link MAX_WAITING_VOICE_MS} and left out, in milliseconds. */
  get droppedMs(): number {
    return (this.#droppedSamples * 1_000) / this.rateHz;
  }

  /**
   * Takes the next of the voice, PCM16 mono, as fast as it comes. After the owner's close it does nothing.
   * @throws SampleRateError for an impossible rate.
   */
  voice(samples: Int16Array, rateHz: number): void {
    if (this.#owner.isClosing) return;
    if (this.#resampler?.fromHz !== rateHz) {
      const next = new Resampler(rateHz, this.rateHz);
      this.#finishConversion();
      this.#resampler = next;
    }
    this.#queue(this.#resampler.process(samples));
    this.#wake();
  }

  /** The agent was interrupted: forgets what of the voice was not played. Gives how much that was, in milliseconds. */
  interrupt(): number {
    const unheardMs = this.waitingMs;
    this.#resampler?.reset();
    this.#voice.truncate(0);
    this.#tellPlayed();
    return unheardMs;
  }

  /** Resolves, and never rejects, when no voice waits any more: it was played or interrupted, or the owner closes. */
  played(): Promise<void> {
    if (this.#voice.length === 0 || this.#owner.isClosing) return Promise.resolve();
    this.#whenPlayed ??= Promise.withResolvers();
    return this.#whenPlayed.promise;
  }

  /**
   * Plays a sound under a name; see `SoundMixer.play`. After the owner's close it does nothing.
   * @throws InvalidOptionError as there.
   */
  play(name: string, sound: Sound, options?: PlayOptions): void {
    if (this.#owner.isClosing) return;
    this.#mixer.play(name, sound, options);
    this.#wake();
  }

  /**
   * Lets what plays under a name go.
   * @throws InvalidOptionError when `fadeOutMs` is no time.
   */
  stop(name: string, fadeOutMs?: number): void {
    this.#mixer.stop(name, fadeOutMs);
  }

  #queue(samples: Int16Array): void {
    const room = (MAX_WAITING_VOICE_MS * this.rateHz) / 1_000 - this.#voice.length;
    const kept = Math.max(0, Math.min(samples.length, room));
    this.#droppedSamples += samples.length - kept;
    this.#voice.push(samples.subarray(0, kept));
  }

  #finishConversion(): void {
    const tail = this.#resampler?.flush();
    if (tail !== undefined) this.#queue(tail);
  }

  #wake(): void {
    if (this.#state.tag === 'playing') return;
    this.#dueMs = this.#owner.clock.now();
    this.#state = { tag: 'playing', timer: this.#timer() };
  }

  #timer(): Timer {
    return this.#owner.timer('next frame', this.#dueMs - this.#owner.clock.now(), () => this.#giveDue());
  }

  #giveDue(): void {
    const nowMs = this.#owner.clock.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs - MAX_LATE_PLAYOUT_MS);
    // Each frame is due at a time counted from the first: a late timer delays one frame and never those after it.
    while (this.#dueMs <= nowMs && this.#sounds && !this.#owner.isClosing) {
      this.#dueMs += PLAYOUT_FRAME_MS;
      this.#give(this.#nextFrame());
    }
    if (this.#owner.isClosing) return;
    if (this.#voice.length === 0) this.#tellPlayed();
    this.#state = this.#sounds ? { tag: 'playing', timer: this.#timer() } : { tag: 'idle' };
  }

  #tellPlayed(): void {
    this.#whenPlayed?.resolve();
    this.#whenPlayed = undefined;
  }

  #give(samples: Int16Array): void {
    try {
      this.#frame(samples);
    } catch (error) {
      this.#owner.log.warn('listener of a playout failed', { error: describeError(error) });
    }
  }

  get #sounds(): boolean {
    return this.#voice.length > 0 || !this.#mixer.isSilent;
  }

  #nextFrame(): Int16Array {
    // The last samples of a speech are in the converter until more of it comes, and none has.
    if (this.#voice.length > 0 && this.#voice.length < this.#frameSamples) this.#finishConversion();
    const voice = this.#voice.length > 0 ? this.#voice.shift(this.#frameSamples) : undefined;
    return this.#mixer.mix(voice, this.#frameSamples);
  }
}
