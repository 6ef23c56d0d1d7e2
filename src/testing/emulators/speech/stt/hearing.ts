import { EnergyVad, VAD_WINDOW_MS } from '../../../../speech/index.ts';
import { describeSpeech, spreadWords, wordsIn, wordsSoFar } from './transcript.ts';
import type { Transcript } from './transcript.ts';
import type { TranscriptScript } from './transcript-script.ts';

export interface HearingOptions {
  readonly rateHz: number;
  /** How much silence ends an utterance. */
  readonly endpointingMs: number;
  /** How often a speech under way is told. */
  readonly interimEveryMs: number;
  /** How long a speech may go on before what was said of it so far is told finally. */
  readonly longestSegmentMs: number;
  /** How much silence behind the last word is worth a word; undefined: none. */
  readonly utteranceEndMs: number | undefined;
}

/** What is heard, told synchronously; positions are milliseconds of audio. */
export interface HearingListener {
  speechStarted(atMs: number): void;
  /** Speech has ended, and is about to be told. False: it is not told. */
  speechEnding(): boolean;
  heard(transcript: Transcript): void;
  utteranceEnded(lastWordEndMs: number): void;
}

type Speech =
  | { readonly tag: 'silence' }
  | {
      readonly tag: 'speech';
      /** What the script has for it. */
      readonly text: string | undefined;
      /** Where the segment begins that was not told finally yet. */
      segmentMs: number;
      toldAtMs: number;
      /** Words that were told finally. */
      wordsTold: number;
      paused: boolean;
    };

const SILENCE: Speech = { tag: 'silence' };

/** The share of the silence that ends an utterance after which the service is fairly sure already. */
const PREFLIGHT_SHARE = 0.5;

/**
 * Hears audio and claims to understand it: it finds speech by its energy, and says of the n-th utterance what the script
 * has for it, or how long it was. All of it follows from the samples alone, however they are cut and however fast they come.
 */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #script: TranscriptScript;
  readonly #listener: HearingListener;
  readonly #vad: EnergyVad;
  /** Hears pauses too short to end an utterance. */
  readonly #eager: EnergyVad;
  #speech: Speech = SILENCE;
  /** Where the detector's windows are counted from: it begins a new one when it is asked to end. */
  #from = 0;
  /** Where the last word ended whose silence is still to be told. */
  #lastWordEndMs: number | undefined;

  /** @throws SampleRateError for an impossible rate. */
  constructor(options: HearingOptions, script: TranscriptScript, listener: HearingListener) {
    const { rateHz, endpointingMs } = options;
    this.#options = options;
    this.#script = script;
    this.#listener = listener;
    this.#vad = new EnergyVad({ rateHz, endSilenceMs: endpointingMs, prefixPaddingMs: 0 });
    this.#eager = new EnergyVad({
      rateHz,
      endSilenceMs: endpointingMs * PREFLIGHT_SHARE,
      prefixPaddingMs: 0,
    });
  }

  /** How much was heard, in milliseconds. */
  get positionMs(): number {
    return this.#msOf(this.#vad.position);
  }

  hear(samples: Int16Array): void {
    // Window by window, as the detector listens: so the pieces that the audio comes in make no difference.
    const step = Math.max(1, Math.round((VAD_WINDOW_MS * this.#vad.rateHz) / 1000));
    for (let at = 0; at < samples.length;) {
      const upTo = Math.min(samples.length, at + step - ((this.#vad.position - this.#from) % step));
      this.#hearStep(samples.subarray(at, upTo), step);
      at = upTo;
    }
  }

  /** Tells what there is of a speech under way; false where there is none. `asked`: because the client wants to know. */
  finalize(asked: boolean): boolean {
    const end = this.#vad.end();
    this.#eager.end();
    this.#from = this.#vad.position;
    if (end === undefined) return false;
    this.#endSpeech(this.#msOf(end.position), asked);
    return true;
  }

  /** Nobody can be told any more. */
  stop(): void {
    if (this.#speech.tag === 'speech') this.#script.giveBack(this.#speech.text);
    this.#speech = SILENCE;
  }

  #hearStep(samples: Int16Array, step: number): void {
    const pause = this.#eager.process(samples).find(({ type }) => type === 'end');
    for (const event of this.#vad.process(samples)) {
      if (event.type === 'start') this.#startSpeech(this.#msOf(event.speechAt));
      else this.#endSpeech(this.#msOf(event.position), false);
    }
    if ((this.#vad.position - this.#from) % step !== 0) return;
    if (this.#speech.tag === 'speech') this.#tellProgress(this.#speech, pause && this.#msOf(pause.position));
    else this.#tellUtteranceEnd();
  }

  #startSpeech(atMs: number): void {
    this.#lastWordEndMs = undefined;
    this.#speech = {
      tag: 'speech',
      text: this.#script.take(),
      segmentMs: atMs,
      toldAtMs: atMs,
      wordsTold: 0,
      paused: false,
    };
    this.#listener.speechStarted(atMs);
  }

  #tellProgress(speech: Extract<Speech, { tag: 'speech' }>, pausedAtMs: number | undefined): void {
    const nowMs = this.positionMs;
    if (pausedAtMs !== undefined && !speech.paused) {
      speech.paused = true;
      this.#listener.heard(this.#transcript('preflight', speech, pausedAtMs, false, false));
    }
    if (!this.#eager.speaking || nowMs - speech.toldAtMs < this.#options.interimEveryMs) return;
    speech.toldAtMs = nowMs;
    speech.paused = false;
    if (nowMs - speech.segmentMs < this.#options.longestSegmentMs) {
      this.#listener.heard(this.#transcript('interim', speech, nowMs, false, false));
      return;
    }
    const transcript = this.#transcript('final', speech, nowMs, false, false);
    speech.wordsTold += speech.text === undefined ? 0 : transcript.words.length;
    speech.segmentMs = nowMs;
    this.#listener.heard(transcript);
  }

  #endSpeech(endMs: number, finalized: boolean): void {
    const speech = this.#speech;
    if (speech.tag !== 'speech') return;
    const transcript = this.#transcript('final', speech, endMs, true, finalized);
    this.#speech = SILENCE;
    this.#lastWordEndMs = endMs;
    if (this.#listener.speechEnding()) this.#listener.heard(transcript);
    else this.#script.giveBack(speech.text);
  }

  #tellUtteranceEnd(): void {
    const { utteranceEndMs } = this.#options;
    const endMs = this.#lastWordEndMs;
    if (utteranceEndMs === undefined || endMs === undefined || this.positionMs < endMs + utteranceEndMs)
      return;
    this.#lastWordEndMs = undefined;
    this.#listener.utteranceEnded(endMs);
  }

  #transcript(
    stage: Transcript['stage'],
    speech: Extract<Speech, { tag: 'speech' }>,
    endMs: number,
    endsSpeech: boolean,
    finalized: boolean,
  ): Transcript {
    const { segmentMs, wordsTold, text: script } = speech;
    const upToMs = Math.max(segmentMs, endMs);
    const all = wordsIn(script ?? describeSpeech(upToMs - segmentMs)).slice(wordsTold);
    const whole = script === undefined || endsSpeech || stage === 'preflight';
    const said = whole ? all : wordsSoFar(all, segmentMs, upToMs);
    const words = spreadWords(said, segmentMs, upToMs);
    const text = said.join(' ');
    return { stage, text, words, startMs: segmentMs, endMs: upToMs, endsSpeech, finalized };
  }

  #msOf(samples: number): number {
    return (samples * 1000) / this.#vad.rateHz;
  }
}
