import type { LogFields } from '../../../../kernel/index.ts';
import { keep } from '../../emulated-record.ts';
import { SpeechRecord } from '../speech-record.ts';

/** What the text-to-speech emulator saw of one connection. */
export class TtsRecord extends SpeechRecord {
  readonly #texts: string[] = [];
  #characters = 0;
  #flushes = 0;
  #clears = 0;
  #audioMs = 0;
  #audioChunks = 0;
  #finished = 0;

  /** The texts that came in, in order; the first 1 000. */
  get texts(): readonly string[] {
    return this.#texts;
  }

  /** How many characters they have in all. */
  get characters(): number {
    return this.#characters;
  }

  get flushes(): number {
    return this.#flushes;
  }

  /** How often the client took back what it had given: Clear. */
  get clears(): number {
    return this.#clears;
  }

  /** How much audio was spoken, in milliseconds, whatever became of it on its way. */
  get audioMs(): number {
    return this.#audioMs;
  }

  get audioChunks(): number {
    return this.#audioChunks;
  }

  /** How often everything up to a flush was spoken; by HTTP, whether the answer is whole. */
  get finished(): number {
    return this.#finished;
  }

  text(text: string): void {
    keep(this.#texts, [text]);
    this.#characters += text.length;
    this.changed();
  }

  flushed(): void {
    this.#flushes += 1;
    this.changed();
  }

  cleared(): void {
    this.#clears += 1;
    this.changed();
  }

  spoke(durationMs: number): void {
    this.#audioMs += durationMs;
    this.#audioChunks += 1;
    this.changed();
  }

  finish(): void {
    this.#finished += 1;
    this.changed();
  }

  summary(): LogFields {
    const { characters, flushes, audioMs, audioChunks, finished } = this;
    return { characters, flushes, audioMs: Math.round(audioMs), audioChunks, finished };
  }
}
