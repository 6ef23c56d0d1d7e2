import { InvalidOptionError } from '../kernel/index.ts';
import { resample } from './resample.ts';
import { checkedRateHz } from './sample-rate.ts';

/** How long the end of a loop goes over into its beginning, in milliseconds: longer than what is heard as a click. */
export const LOOP_CROSSFADE_MS = 50;

export interface SoundOptions {
  /** The rate it is played at, in hertz: that of the mixer. */
  readonly rateHz: number;
  /** Whether it begins anew when it is over. Default true. */
  readonly loops?: boolean;
  /** Default {@link LOOP_CROSSFADE_MS}; at most half of the recording is used. */
  readonly crossfadeMs?: number;
}

/**
 * A recording made ready to be played under a voice: at the mixer's rate, and, where it loops, without a seam. It is made
 * once and never changes, so that any number of calls can play it.
 */
export class Sound {
  /** PCM16 mono at `rateHz`. A loop is shorter than its recording by the cross-fade. */
  readonly samples: Int16Array;
  readonly rateHz: number;
  readonly loops: boolean;

  /**
   * @param recording As `parseWav` gives it.
   * @throws InvalidOptionError when it has no samples, or the cross-fade is no time.
   * @throws SampleRateError for an impossible rate.
   */
  constructor(
    recording: { readonly samples: Int16Array; readonly rateHz: number },
    { rateHz, loops = true, crossfadeMs = LOOP_CROSSFADE_MS }: SoundOptions,
  ) {
    if (!(crossfadeMs >= 0)) throw new InvalidOptionError(`crossfadeMs is ${crossfadeMs}; give 0 or more.`);
    this.rateHz = checkedRateHz(rateHz);
    this.loops = loops;
    const samples = resample(recording.samples, recording.rateHz, rateHz);
    if (samples.length === 0) throw new InvalidOptionError('The sound has no samples; give a recording.');
    const overlap = Math.min(Math.round((crossfadeMs * rateHz) / 1_000), Math.floor(samples.length / 2));
    this.samples = loops ? withoutSeam(samples, overlap) : samples;
  }
}

/** Lays the last `overlap` samples under the first ones, which they lead into: after the last sample comes the first. */
function withoutSeam(samples: Int16Array, overlap: number): Int16Array {
  const loop = samples.slice(0, samples.length - overlap);
  for (let i = 0; i < overlap; i += 1) {
    // Of equal power, because the two are as unlike as any two places of a recording.
    const part = (i + 0.5) / overlap;
    const leaving = (samples[loop.length + i] as number) * Math.sqrt(1 - part);
    const coming = (samples[i] as number) * Math.sqrt(part);
    loop[i] = saturated(Math.round(leaving + coming));
  }
  return loop;
}

/** The nearest value that a sample can have. */
export function saturated(value: number): number {
  if (value > 32_767) return 32_767;
  return value < -32_768 ? -32_768 : value;
}
