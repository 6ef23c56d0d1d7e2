/**
 * Low-pass filters as Kaiser-windowed sinc functions.
 *
 * Kaiser's window is chosen because one number sets the attenuation, and the width of the transition follows
 * from the length: the two things a resampler has to weigh against its cost.
 */

/** The shape parameter for a stop-band attenuation above 50 dB (Kaiser's own approximation). */
export function kaiserBeta(attenuationDb: number): number {
  return 0.1102 * (attenuationDb - 8.7);
}

/** The window at `x` from its middle (0) to its ends (−1, 1); zero outside. */
export function kaiserWindow(x: number, beta: number): number {
  const inside = 1 - x * x;
  return inside < 0 ? 0 : besselI0(beta * Math.sqrt(inside)) / besselI0(beta);
}

/** sin(πx)/(πx). */
export function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of order zero, by its power series, to the precision of a double. */
function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17 && k < 500; k++) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}
