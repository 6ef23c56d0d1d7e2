import { AudioChunk } from '../../protocol/index.ts';
import { Resampler } from '../../speech/index.ts';

/**
 * One client's microphone on its way to a model: whatever rate it is sent at, it arrives at the model's.
 *
 * The filter is kept from frame to frame, so that frames leave no seam; audio that is right already is passed on as
 * it came.
 */
export class InputAudio {
  readonly #rateHz: number;
  #resampler: Resampler | undefined;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /**
   * The chunk at the model's rate; undefined while the filter has nothing to give yet.
   * @throws SampleRateError when the rate cannot be converted.
   */
  convert(chunk: AudioChunk): AudioChunk | undefined {
    if (chunk.rateHz === this.#rateHz) {
      this.#resampler = undefined;
      return chunk;
    }
    if (this.#resampler?.fromHz !== chunk.rateHz) this.#resampler = new Resampler(chunk.rateHz, this.#rateHz);
    return this.#chunkOf(this.#resampler.process(chunk.samples));
  }

  /** The stream pauses: what the filter still holds. */
  flush(): AudioChunk | undefined {
    return this.#resampler === undefined ? undefined : this.#chunkOf(this.#resampler.flush());
  }

  #chunkOf(samples: Int16Array): AudioChunk | undefined {
    return samples.length === 0 ? undefined : AudioChunk.fromSamples(samples, this.#rateHz);
  }
}
