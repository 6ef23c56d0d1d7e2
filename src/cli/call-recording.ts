import type { Lifetime } from '../kernel/index.ts';
import { resample } from '../speech/index.ts';

/** What realtime models are sent: small enough not to be noticed, large enough not to be all overhead. */
export const FRAME_MS = 20;

/** A recording to be spoken into calls, at whatever rate each server asks for. */
export class Recording {
  readonly rateHz: number;
  readonly #samples: Int16Array;
  readonly #byRate = new Map<number, Int16Array>();

  constructor(samples: Int16Array, rateHz: number) {
    this.#samples = samples;
    this.rateHz = rateHz;
  }

  get durationMs(): number {
    return (this.#samples.length * 1_000) / this.rateHz;
  }

  /** The samples at another rate; made once, however many calls ask. */
  at(rateHz: number): Int16Array {
    const known = this.#byRate.get(rateHz);
    if (known !== undefined) return known;
    const samples = resample(this.#samples, this.rateHz, rateHz);
    this.#byRate.set(rateHz, samples);
    return samples;
  }
}

export interface SpeakOptions {
  readonly samples: Int16Array;
  readonly rateHz: number;
  /** Owns the speaking: closing it ends it. */
  readonly scope: Lifetime;
  frame(samples: Int16Array): void;
  ended(): void;
}

/**
 * Gives samples out as a microphone does, a frame every 20 ms.
 *
 * Each frame is due at a time counted from the first one, so a late timer delays one frame and never those after it:
 * what is late is given out together with what is due.
 */
export function speak({ samples, rateHz, scope, frame, ended }: SpeakOptions): void {
  const frameSamples = Math.round((rateHz * FRAME_MS) / 1_000);
  const frames = Math.ceil(samples.length / frameSamples);
  const startMs = scope.clock.now();
  let given = 0;
  const giveDue = (): void => {
    const due = Math.min(frames, Math.floor((scope.clock.now() - startMs) / FRAME_MS) + 1);
    for (; given < due && scope.isOpen; given += 1) {
      frame(samples.subarray(given * frameSamples, (given + 1) * frameSamples));
    }
    if (!scope.isOpen) return;
    const atMs = startMs + given * FRAME_MS;
    scope.timer('microphone', atMs - scope.clock.now(), given < frames ? giveDue : ended);
  };
  giveDue();
}
