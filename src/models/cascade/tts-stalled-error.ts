import { HoldfastError } from '../../kernel/index.ts';

/** A voice did not speak an utterance to its end. What was heard of it was delivered; the voice goes on with the next. */
export class TtsStalledError extends HoldfastError {
  readonly code = 'HOLDFAST_TTS_STALLED';
  /** How much of the utterance was delivered, in milliseconds of audio. */
  readonly heardMs: number;

  constructor(message: string, heardMs: number) {
    super(message);
    this.heardMs = heardMs;
  }
}
