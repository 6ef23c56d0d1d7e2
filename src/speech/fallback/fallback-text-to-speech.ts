import { InvalidOptionError } from '../../kernel/index.ts';
import type { Timer } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { StreamConnection } from '../../session/stream-port.ts';
import { Resampler } from '../resample.ts';
import type { TextToSpeech, TtsCapabilities, TtsInput, TtsOutput, TtsSetup } from '../text-to-speech.ts';
import type { Passage, PassageEnds } from './fallback-link.ts';
import { FallbackStream } from './fallback-stream.ts';
import type { FallbackStreamOptions } from './fallback-stream.ts';

/**
 * How long a voice that has the whole text may say nothing of it while another one is well, in milliseconds. A listener
 * takes a longer pause for a call that was dropped; voices begin within a second.
 */
export const FALLBACK_VOICE_SILENCE_MS = 5_000;

export interface FallbackTextToSpeechOptions extends FallbackStreamOptions {
  /** Default {@link FALLBACK_VOICE_SILENCE_MS}. */
  readonly silenceTimeoutMs?: number;
}

/**
 * Several voices as one: the first that connects speaks, and the next one when it fails. A voice has failed that does
 * not connect, refuses (credentials, quota, too much to do), says nothing of what it was given, or loses a connection that
 * did not last, or in the middle of the first thing it was to say. It rests then: it is asked last for a
 * while, in every session that shares this object. Each change is a warning in the log, with the names of both.
 *
 * The leg above does the rest: what was not heard is said again by the next voice, from the beginning of the sentence that
 * was cut, and as much of it left out as was delivered. Two voices do not speak at the same pace: where one goes on
 * for another in mid-sentence, a syllable may be heard twice or not at all.
 *
 * All speak at the rate of the first one: the others are resampled. Text is given to them in pieces, and stopped on the
 * wire, if all of them can have it so; otherwise sentence by sentence, over a new connection after each stop.
 * @throws InvalidOptionError without a voice.
 */
export function fallbackTextToSpeech(
  voices: readonly TextToSpeech[],
  options: FallbackTextToSpeechOptions = {},
): TextToSpeech {
  const { silenceTimeoutMs = FALLBACK_VOICE_SILENCE_MS } = options;
  if (!(silenceTimeoutMs > 0)) {
    throw new InvalidOptionError(`silenceTimeoutMs must be above 0; it was ${silenceTimeoutMs}.`);
  }
  return new FallbackTextToSpeech(voices, options, silenceTimeoutMs);
}

class FallbackTextToSpeech implements TextToSpeech {
  readonly id: string;
  readonly capabilities: TtsCapabilities;
  readonly connect: TextToSpeech['connect'];

  constructor(voices: readonly TextToSpeech[], options: FallbackStreamOptions, silenceTimeoutMs: number) {
    const stream = new FallbackStream<TtsSetup, TtsInput, TtsOutput, TextToSpeech>(
      {
        what: 'voice',
        setup: (setup) => setup,
        passage: (_voice, _setup, ends) =>
          new TtsPassage(this.capabilities.outputRateHz, silenceTimeoutMs, ends),
      },
      voices,
      options,
    );
    const { roster } = stream;
    const all = (has: (capabilities: TtsCapabilities) => boolean): boolean =>
      roster.providers.every(({ capabilities }) => has(capabilities));
    this.id = roster.id;
    this.capabilities = {
      ...stream.streamCapabilities,
      outputRateHz: roster.providers[0].capabilities.outputRateHz,
      words: all(({ words }) => words),
      streamsText: all(({ streamsText }) => streamsText),
      cancels: all(({ cancels }) => cancels),
    };
    this.connect = (setup, sink, scope) => stream.connect(setup, sink, scope);
  }
}

class TtsPassage implements Passage<TtsInput, TtsOutput> {
  hasWorked = false;
  readonly #rateHz: number;
  readonly #silenceTimeoutMs: number;
  readonly #ends: PassageEnds<TtsOutput>;
  /** Utterances that were begun and are not done, and whether their text is whole. */
  readonly #owed = new Map<string, { isWhole: boolean }>();
  /** Of the utterance that is being spoken. */
  #resampler: { readonly utterance: string; readonly of: Resampler } | undefined;
  #heardAtMs = 0;
  #silence: Timer | undefined;

  constructor(rateHz: number, silenceTimeoutMs: number, ends: PassageEnds<TtsOutput>) {
    this.#rateHz = rateHz;
    this.#silenceTimeoutMs = silenceTimeoutMs;
    this.#ends = ends;
  }

  get isOwed(): boolean {
    return this.#owed.size > 0;
  }

  send(input: TtsInput, connection: StreamConnection<TtsInput>): boolean {
    const { type, utterance } = input;
    // Before it is sent: a voice may answer at once.
    if (type === 'cancel') this.#over(utterance);
    else this.#owed.set(utterance, { isWhole: type === 'end' });
    if (type === 'end') this.#listen();
    return connection.send(input);
  }

  received(output: TtsOutput): void {
    if (output.type === 'audio') {
      this.#heard();
      this.#audio(output.utterance, output.audio);
      return;
    }
    if (output.type === 'words') this.#heard();
    if (output.type === 'done') this.#done(output.utterance);
    this.#ends.tell(output);
  }

  #audio(utterance: string, audio: AudioChunk): void {
    if (audio.rateHz === this.#rateHz) {
      this.#ends.tell({ type: 'audio', utterance, audio });
      return;
    }
    if (this.#resampler?.utterance !== utterance || this.#resampler.of.fromHz !== audio.rateHz) {
      this.#resampler = { utterance, of: new Resampler(audio.rateHz, this.#rateHz) };
    }
    this.#tellAudio(utterance, this.#resampler.of.process(audio.samples));
  }

  #done(utterance: string): void {
    this.hasWorked = true;
    // What the resampler still holds is the end of the last word.
    if (this.#resampler?.utterance === utterance) this.#tellAudio(utterance, this.#resampler.of.flush());
    this.#over(utterance);
  }

  #tellAudio(utterance: string, samples: Int16Array): void {
    if (samples.length === 0) this.#ends.alive();
    else this.#ends.tell({ type: 'audio', utterance, audio: AudioChunk.fromSamples(samples, this.#rateHz) });
  }

  #over(utterance: string): void {
    this.#owed.delete(utterance);
    if (this.#resampler?.utterance === utterance) this.#resampler = undefined;
    this.#heard();
  }

  #heard(): void {
    this.#heardAtMs = this.#ends.scope.clock.now();
  }

  /** Looks whether the voice is at work, for as long as it has a whole text. */
  #listen(): void {
    this.#heard();
    if (this.#silence === undefined) this.#listenFor(this.#silenceTimeoutMs);
  }

  #listenFor(delayMs: number): void {
    const { scope, hasSuccessor, failing } = this.#ends;
    this.#silence = scope.timer('voice at work', delayMs, () => {
      this.#silence = undefined;
      if (![...this.#owed.values()].some(({ isWhole }) => isWhole)) return;
      const leftMs = this.#heardAtMs + this.#silenceTimeoutMs - scope.clock.now();
      if (leftMs > 0) this.#listenFor(leftMs);
      else if (hasSuccessor()) failing(`nothing was said for ${this.#silenceTimeoutMs} ms`);
      else this.#listenFor(this.#silenceTimeoutMs);
    });
  }
}
