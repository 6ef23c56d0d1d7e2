/** How long a character sounds, in milliseconds: about the pace of speech. */
export const CHARACTER_MS = 60;

/** As a share of full scale. */
const LOUDNESS = 0.25;

/** The n-th sample of a tone that goes on for ever. */
export function toneSample(index: number, rateHz: number, pitchHz: number): number {
  return Math.round(Math.sin((2 * Math.PI * pitchHz * index) / rateHz) * LOUDNESS * 32_767);
}
