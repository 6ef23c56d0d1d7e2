import { energyVad } from './energy-voice-activity.ts';
import { fallbackVad } from './fallback-vad.ts';
import { modelVad, type ModelVadOptions } from './model-vad.ts';
import { SILERO_RATE_HZ, SILERO_WINDOW_SAMPLES, type SileroModelOptions } from './silero-model.ts';
import type { VoiceActivityDetector } from './voice-activity.ts';

export interface SileroVadOptions extends ModelVadOptions, SileroModelOptions {
  /** Who hears when the thread does not stay. Default: `energyVad` with the same times. */
  readonly fallback?: VoiceActivityDetector;
}

/**
 * Hears speech with Silero's model, in a thread: it tells voices from other noise, at the cost of two packages that are
 * installed for it, `@ricky0123/vad-web` for the model and `onnxruntime-node` or `onnxruntime-web` to run it.
 *
 * Where they are missing `open` rejects: nobody who wants this one gets another unasked. A thread that dies later is
 * started again, and in the end replaced by `fallback`.
 */
export function sileroVad(options: SileroVadOptions = {}): VoiceActivityDetector {
  const { modelFile, fallback = energyVad(options) } = options;
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const silero = modelVad(
    {
      id: 'silero',
      module: new URL(`./silero-model${extension}`, import.meta.url),
      options: { modelFile } satisfies SileroModelOptions,
      rateHz: SILERO_RATE_HZ,
      windowSamples: SILERO_WINDOW_SAMPLES,
    },
    options,
  );
  return { ...fallbackVad([silero, fallback], { firstMustOpen: true }), id: silero.id };
}
