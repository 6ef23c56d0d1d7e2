import type { SpeechModel } from '../../src/speech/speech-model.ts';

/** What a window whose first sample is this does to the thread of the model below. */
export const DEADLY = 31_111;
export const THROWING = 31_112;
export const HANGING = 31_113;

interface LoudModelOptions {
  readonly failToLoad?: boolean;
  readonly neverLoad?: boolean;
  /** Shared with the test: counts the threads that were begun. */
  readonly threads?: Int32Array;
}

/** A model in whose eyes loud is speech, and that can be made to fail in each way there is. */
export function loadSpeechModel(options: LoudModelOptions): SpeechModel | Promise<SpeechModel> {
  if (options.threads !== undefined) Atomics.add(options.threads, 0, 1);
  if (options.failToLoad === true) throw new Error('There is no such model.');
  if (options.neverLoad === true) return new Promise(() => undefined);
  return {
    open: () => ({
      probability(samples) {
        if (samples[0] === DEADLY) process.exit(3);
        if (samples[0] === THROWING) throw new Error('Not this window.');
        if (samples[0] === HANGING) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        return samples.some((sample) => Math.abs(sample) > 1_000) ? 0.9 : 0.1;
      },
      reset: () => undefined,
    }),
  };
}
