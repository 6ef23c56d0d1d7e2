/** What is shown as nothing: the noise of a quiet room through a laptop's microphone, relative to full scale. */
const FLOOR_DB = -60;

/** From here on something is said: −42 dB of full scale, between a quiet room and a quiet voice. */
export const SOUND_LEVEL = 0.3;

/** How loud PCM16 samples are, from 0 (nothing) to 1 (as loud as can be), evenly in decibels. */
export function soundLevel(samples: Int16Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / samples.length) / 32_768;
  const db = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}
