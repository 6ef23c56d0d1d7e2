import { InvalidOptionError } from '../kernel/index.ts';
import { checkedRateHz } from './sample-rate.ts';
import { saturated } from './sound.ts';
import type { Sound } from './sound.ts';

/** How loud a sound is by itself, in decibels of its recording: a background, whatever it was recorded at. */
export const SOUND_GAIN_DB = -20;

/** How much quieter it is under the voice, in decibels: words stay clear over it. `-Infinity` silences it. */
export const SOUND_DUCK_DB = -12;

/** How long a sound takes to come and to go, in milliseconds: nothing that begins in the background may startle. */
export const SOUND_FADE_MS = 500;

/** How fast a sound gives way to the voice, in milliseconds: within the first syllable. */
export const DUCK_ATTACK_MS = 40;

/** How long after the last of the voice a sound waits to come back, in milliseconds: longer than pauses between words. */
export const DUCK_HOLD_MS = 400;

/** … and how slowly it does. */
export const DUCK_RELEASE_MS = 600;

/** The most sounds played at once. What is more than a few is noise, and costs every frame. */
export const MAX_SOUNDS = 8;

/** The loudest sample that is silence, −50 dB of full scale: what a synthesised voice has in its pauses lies below. */
const SILENCE_PEAK = 104;

export interface PlayOptions {
  /** Default {@link SOUND_GAIN_DB}. */
  readonly gainDb?: number;
  /** Default {@link SOUND_DUCK_DB}. */
  readonly duckDb?: number;
  /** Default {@link SOUND_FADE_MS}. */
  readonly fadeInMs?: number;
}

interface Layer {
  readonly name: string;
  readonly sound: Sound;
  at: number;
  /** Between 0 and 1: how far it has come in. */
  fade: number;
  /** By how much the fade changes from sample to sample: up, down, or not any more. */
  fadeStep: number;
  gain: number;
  /** What the gain is multiplied by under the voice. */
  duckGain: number;
}

/**
 * Lays sounds under the agent's voice, frame by frame: a background, keys that are typed while the agent thinks. They come
 * and go softly, and give way to the voice. The voice itself is never changed: where the sum is more than a sample holds,
 * the sound is cut and not the voice.
 *
 * It knows no time but the samples it is asked for, and allocates nothing but what it gives back.
 */
export class SoundMixer {
  readonly rateHz: number;
  /** An array and not a map: walking one allocates nothing. */
  readonly #layers: Layer[] = [];
  /** Between 0 and 1: how far sounds have given way. */
  #duck = 0;
  /** Samples since the voice was heard last. */
  #quietSamples = Infinity;

  /** @throws SampleRateError for an impossible rate. */
  constructor(options: { readonly rateHz: number }) {
    this.rateHz = checkedRateHz(options.rateHz);
  }

  /** The names of what plays, also of what is on its way out. */
  get playing(): readonly string[] {
    return this.#layers.map(({ name }) => name);
  }

  /** Whether anything plays. */
  get isSilent(): boolean {
    return this.#layers.length === 0;
  }

  /**
   * Plays a sound under a name. The same sound that plays under it already goes on, with these options; another one that
   * does goes as it comes.
   * @throws InvalidOptionError when the sound has another rate, an option is no number, or {@link MAX_SOUNDS} play.
   */
  play(name: string, sound: Sound, options: PlayOptions = {}): void {
    const { gainDb = SOUND_GAIN_DB, duckDb = SOUND_DUCK_DB, fadeInMs = SOUND_FADE_MS } = options;
    if (sound.rateHz !== this.rateHz) {
      throw new InvalidOptionError(
        `The sound '${name}' is made for ${sound.rateHz} Hz; make it for ${this.rateHz} Hz, the mixer's rate.`,
      );
    }
    if (Number.isNaN(gainDb) || gainDb > 20)
      throw new InvalidOptionError(`gainDb is ${gainDb}; give 20 or less.`);
    if (!(duckDb <= 0)) throw new InvalidOptionError(`duckDb is ${duckDb}; give 0 or less.`);
    const fadeStep = this.#fadeStep('fadeInMs', fadeInMs);
    const gain = 10 ** (gainDb / 20);
    const duckGain = 10 ** (duckDb / 20);
    const known = this.#layers.find((layer) => layer.name === name && layer.sound === sound);
    this.#fadeOut(name, fadeStep);
    if (known !== undefined) {
      Object.assign(known, { gain, duckGain, fadeStep });
      return;
    }
    if (this.#layers.length >= MAX_SOUNDS) {
      throw new InvalidOptionError(`${MAX_SOUNDS} sounds play already; stop one before '${name}'.`);
    }
    this.#layers.push({ name, sound, at: 0, fade: 0, fadeStep, gain, duckGain });
  }

  /**
   * Lets what plays under a name go. Does nothing where there is nothing.
   * @throws InvalidOptionError when `fadeOutMs` (default {@link SOUND_FADE_MS}) is no time.
   */
  stop(name: string, fadeOutMs: number = SOUND_FADE_MS): void {
    this.#fadeOut(name, this.#fadeStep('fadeOutMs', fadeOutMs));
  }

  /**
   * The next `count` samples (default: as many as the voice has): the voice, silence after its end, and what plays.
   * @returns PCM16 mono, an array of its own.
   */
  mix(voice: Int16Array | undefined, count: number = voice?.length ?? 0): Int16Array {
    const mixed = new Int16Array(count);
    if (voice !== undefined) mixed.set(voice.length > count ? voice.subarray(0, count) : voice);
    this.#quietSamples = isHeard(mixed) ? 0 : this.#quietSamples + count;
    const gives = this.#quietSamples <= (DUCK_HOLD_MS * this.rateHz) / 1_000;
    const duckStep = gives ? this.#perSample(DUCK_ATTACK_MS) : -this.#perSample(DUCK_RELEASE_MS);
    for (let i = this.#layers.length - 1; i >= 0; i -= 1) {
      if (!this.#lay(this.#layers[i] as Layer, mixed, duckStep)) this.#layers.splice(i, 1);
    }
    this.#duck = unit(this.#duck + duckStep * count);
    return mixed;
  }

  /** Adds a layer to what is there. Gives false when that was the last of it. */
  #lay(layer: Layer, mixed: Int16Array, duckStep: number): boolean {
    const { sound, gain, duckGain, fadeStep } = layer;
    const { samples } = sound;
    let { at, fade } = layer;
    let duck = this.#duck;
    for (let i = 0; i < mixed.length && at < samples.length; i += 1) {
      fade = unit(fade + fadeStep);
      duck = unit(duck + duckStep);
      const value = (samples[at] as number) * gain * fade * (1 - duck * (1 - duckGain));
      mixed[i] = saturated(Math.round((mixed[i] as number) + value));
      at += 1;
      if (at === samples.length && sound.loops) at = 0;
    }
    layer.at = at;
    layer.fade = fade;
    return at < samples.length && !(fade === 0 && fadeStep < 0);
  }

  #fadeOut(name: string, fadeStep: number): void {
    for (const layer of this.#layers) {
      if (layer.name === name) layer.fadeStep = -fadeStep;
    }
  }

  #perSample(ms: number): number {
    return 1_000 / (ms * this.rateHz);
  }

  #fadeStep(option: string, fadeMs: number): number {
    if (!(fadeMs >= 0 && fadeMs < Infinity)) {
      throw new InvalidOptionError(`${option} is ${fadeMs}; give 0 or more.`);
    }
    return fadeMs === 0 ? 1 : this.#perSample(fadeMs);
  }
}

function unit(value: number): number {
  if (value > 1) return 1;
  return value < 0 ? 0 : value;
}

function isHeard(samples: Int16Array): boolean {
  for (let i = 0; i < samples.length; i += 1) {
    if ((samples[i] as number) > SILENCE_PEAK || (samples[i] as number) < -SILENCE_PEAK) return true;
  }
  return false;
}
