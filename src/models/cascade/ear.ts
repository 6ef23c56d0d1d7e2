import type { Lifetime } from '../../kernel/index.ts';
import type { AudioChunk } from '../../protocol/index.ts';
import { Resampler } from '../../speech/index.ts';
import type { VoiceActivity } from '../../speech/index.ts';
import type { CascadeParts } from './cascade-model.ts';

/** Told when the user speaks, and when not. Called synchronously. */
export interface EarSink {
  speechStarted(): void;
  /** @param silenceMs For how long it has been quiet: as long as the detector needed to be sure, in milliseconds. */
  speechEnded(silenceMs: number): void;
  /** The detector is gone for good. */
  failed(error: Error): void;
}

/** Listens for speech, at the rate of the recogniser, whatever rate the audio has. */
export class Ear {
  readonly #parts: CascadeParts;
  readonly #rateHz: number;
  #activity: VoiceActivity | undefined;
  #resampler: Resampler | undefined;
  #heardSamples = 0;

  constructor(parts: CascadeParts) {
    this.#parts = parts;
    this.#rateHz = parts.stt.capabilities.inputRateHz;
  }

  /** What the detector holds belongs to `scope`. @throws what the detector does that cannot be opened. */
  async open(sink: EarSink, scope: Lifetime): Promise<void> {
    this.#activity = await this.#parts.vad.open(
      this.#rateHz,
      {
        speechStarted: () => sink.speechStarted(),
        speechEnded: (atSample) => sink.speechEnded(this.#silenceMs(atSample)),
        failed: (error) => sink.failed(error),
      },
      scope,
    );
  }

  /** Nothing is heard before it is open. */
  hear(audio: AudioChunk): void {
    if (this.#activity === undefined) return;
    const samples = this.#atOwnRate(audio);
    this.#heardSamples += samples.length;
    this.#activity.hear(samples);
  }

  #atOwnRate(audio: AudioChunk): Int16Array {
    if (audio.rateHz === this.#rateHz) return audio.samples;
    if (this.#resampler?.fromHz !== audio.rateHz) this.#resampler = new Resampler(audio.rateHz, this.#rateHz);
    return this.#resampler.process(audio.samples);
  }

  #silenceMs(sinceSample: number): number {
    return Math.max(0, ((this.#heardSamples - sinceSample) * 1_000) / this.#rateHz);
  }
}

/** Whether two cascades hear, and take turns, in the same way. */
export function hasSameEar(one: CascadeParts, other: CascadeParts): boolean {
  return (
    one.stt === other.stt &&
    one.givenVad === other.givenVad &&
    one.turns === other.turns &&
    one.languageCode === other.languageCode
  );
}
