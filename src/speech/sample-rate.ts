import { HoldfastError } from '../kernel/errors.ts';

/** The lowest rate taken, in hertz: below it there is no intelligible speech. */
export const MIN_RATE_HZ = 1_000;

/** The highest rate taken, in hertz: the highest that studio equipment uses. It bounds filter tables and buffers. */
export const MAX_RATE_HZ = 384_000;

/** A sample rate was given that is no whole number of hertz between {@link MIN_RATE_HZ} and {@link MAX_RATE_HZ}. */
export class SampleRateError extends HoldfastError {
  readonly code = 'HOLDFAST_SAMPLE_RATE';

  constructor(rateHz: number) {
    super(
      `The sample rate ${rateHz} Hz cannot be used: give a whole number from ${MIN_RATE_HZ} to ${MAX_RATE_HZ}, for example 16000.`,
    );
  }
}

/**
 * Gives the rate back, or throws.
 *
 * @throws SampleRateError when `rateHz` is not a whole number in the range.
 */
export function checkedRateHz(rateHz: number): number {
  if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new SampleRateError(rateHz);
  }
  return rateHz;
}
