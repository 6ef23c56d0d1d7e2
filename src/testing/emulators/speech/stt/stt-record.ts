import type { LogFields } from '../../../../kernel/index.ts';
import { keep } from '../../emulated-record.ts';
import { SpeechRecord } from '../speech-record.ts';

/** What the speech-to-text emulator saw of one connection. */
export class SttRecord extends SpeechRecord {
  #audioMs = 0;
  #audioFrames = 0;
  #keepAlives = 0;
  #finalizes = 0;
  readonly #finals: string[] = [];

  /** How much audio came in, in milliseconds. */
  get audioMs(): number {
    return this.#audioMs;
  }

  /** In how many pieces. */
  get audioFrames(): number {
    return this.#audioFrames;
  }

  /** How often the client said that it is still there. */
  get keepAlives(): number {
    return this.#keepAlives;
  }

  /** How often it asked for what there is: Finalize, or session.finalize. */
  get finalizes(): number {
    return this.#finalizes;
  }

  /** What was told finally, in order, whatever became of it on its way; the first 1 000. */
  get finals(): readonly string[] {
    return this.#finals;
  }

  audio(durationMs: number): void {
    this.#audioMs += durationMs;
    this.#audioFrames += 1;
    this.changed();
  }

  keptAlive(): void {
    this.#keepAlives += 1;
    this.changed();
  }

  finalizeRequested(): void {
    this.#finalizes += 1;
    this.changed();
  }

  toldFinally(text: string): void {
    keep(this.#finals, [text]);
  }

  summary(): LogFields {
    const { audioMs, audioFrames, keepAlives, finalizes } = this;
    return { audioMs: Math.round(audioMs), audioFrames, keepAlives, finalizes };
  }
}
