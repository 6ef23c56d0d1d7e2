import { PITCH_STEP_HZ, wordPitchHz } from './word-voice.ts';

/** A tone found in audio, in milliseconds from its first sample. */
export interface HeardTone {
  readonly startMs: number;
  readonly endMs: number;
  /** Measured, in hertz. */
  readonly pitchHz: number;
}

/** Samples this far from zero belong to a tone: well above what resampling and 8-bit telephone audio leave of silence. */
const LOUD = 600;

/** Silence between two tones, in milliseconds; between two peaks of one tone there is less. */
const GAP_MS = 20;

/** How far off a measured pitch may be, in hertz: less than half of what lies between two words. */
const PITCH_TOLERANCE_HZ = PITCH_STEP_HZ * 0.45;

/** Finds the words that the text-to-speech emulator spoke: each is one tone, with silence behind it. */
export function findTones(samples: Int16Array, rateHz: number): HeardTone[] {
  const gap = Math.round((GAP_MS * rateHz) / 1000);
  const tones: HeardTone[] = [];
  let from: number | undefined;
  let last = 0;
  for (let index = 0; index <= samples.length; index += 1) {
    const loud = Math.abs(samples[index] ?? 0) >= LOUD;
    if (from !== undefined && !loud && (index - last > gap || index === samples.length)) {
      tones.push(measure(samples, from, last, rateHz));
      from = undefined;
    }
    if (!loud) continue;
    from ??= index;
    last = index;
  }
  return tones;
}

/** Whether a tone is this word. */
export function isWord(tone: HeardTone, word: string): boolean {
  return Math.abs(tone.pitchHz - wordPitchHz(word)) <= PITCH_TOLERANCE_HZ;
}

/** The pitch between the first and the last upward crossing of zero, each placed between two samples. */
function measure(samples: Int16Array, from: number, last: number, rateHz: number): HeardTone {
  let first: number | undefined;
  let latest = 0;
  let periods = -1;
  for (let index = from + 1; index <= last; index += 1) {
    const before = samples[index - 1] ?? 0;
    const here = samples[index] ?? 0;
    if (before >= 0 || here < 0) continue;
    latest = index - here / (here - before);
    first ??= latest;
    periods += 1;
  }
  const pitchHz = first === undefined || periods < 1 ? 0 : (periods * rateHz) / (latest - first);
  return { startMs: (from * 1000) / rateHz, endMs: ((last + 1) * 1000) / rateHz, pitchHz };
}
