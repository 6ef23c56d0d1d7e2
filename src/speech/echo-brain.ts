import { InvalidOptionError } from '../kernel/errors.ts';
import { EchoAnswer } from './echo-answer.ts';
import { EchoEar, type Utterance } from './echo-ear.ts';
import type { EnergyVadOptions } from './energy-vad.ts';

/** Longest piece answered at once, in milliseconds. At 16 kHz it bounds what an utterance holds to 2 MB. */
export const MAX_UTTERANCE_MS = 60_000;

/** Answers that may wait behind the one being spoken. More can only wait when nobody fetches them. */
export const MAX_WAITING_ANSWERS = 4;

/**
 * Where the brain's output goes: synchronously, in the order a realtime provider sends it.
 *
 * A turn is: output (`outputTranscript`, `answerAudio` or `answerText`) → `generationComplete` → `turnComplete`;
 * an interrupted one: output → `interrupted` → `turnComplete`.
 */
export interface EchoBrainSink {
  /** The user began to speak. When that interrupts an answer, `interrupted` and `turnComplete` follow at once. */
  speechStarted(): void;
  /** The user's turn is over. */
  speechEnded(): void;
  /** What can honestly be said of what was heard: how much it was. */
  inputTranscript(text: string, finished: boolean): void;
  /** A spoken answer of this length waits: call `speakNextChunk` at the pace you want. */
  answerReady(durationMs: number): void;
  /** PCM16 mono at 24 000 Hz (`ANSWER_RATE_HZ`): the array is the caller's. */
  answerAudio(samples: Int16Array): void;
  answerText(text: string): void;
  outputTranscript(text: string): void;
  /** The answer under way is over: drop what of it is not played yet. */
  interrupted(): void;
  generationComplete(): void;
  turnComplete(): void;
}

export interface EchoBrainOptions {
  /** `manual`: only `activityStart` and `activityEnd` make turns. Default `automatic`; they work there too. */
  readonly turnDetection?: 'automatic' | 'manual';
  /** Whether speech stops an answer under way; with `none` the next answer waits for its end. Default `start-of-speech`. */
  readonly interruptions?: 'start-of-speech' | 'none';
  /** How speech is answered: with itself, or with a text that says how much it was. Default `audio`. */
  readonly answerWith?: 'audio' | 'text';
  /** How speech is found. Defaults: the constants of energy-vad.ts. */
  readonly vad?: Omit<EnergyVadOptions, 'rateHz'>;
  /** Default {@link MAX_UTTERANCE_MS}. What is longer is answered in parts, each a turn of its own. */
  readonly maxUtteranceMs?: number;
}

/** The answer under way. `spoken` was handed out to its end and is still being played to the user. */
type Reply =
  | { readonly kind: 'none' }
  | { readonly kind: 'speaking'; readonly answer: EchoAnswer }
  | { readonly kind: 'spoken' };

const NO_REPLY: Reply = { kind: 'none' };

/**
 * The brain of the echo model: it listens, finds the end of the user's turn, and answers with the user's own audio.
 *
 * It has no clock and no input or output of its own: it is told what was heard, and tells its sink. Every sample
 * from the start of a speech (padding included) to the end of the turn is in the answers exactly once and in order,
 * so a frame lost or doubled anywhere on the way can be measured by comparing what came back with what was sent.
 *
 * An answer is not played by the brain: `answerReady` announces it, each `speakNextChunk` hands out 40 ms of it as
 * fast as the caller likes, and `playedOut` says that the listener has heard it all, which completes the turn.
 */
export class EchoBrain {
  readonly #sink: EchoBrainSink;
  readonly #ear: EchoEar;
  readonly #interruptions: 'start-of-speech' | 'none';
  readonly #answerWith: 'audio' | 'text';
  #reply: Reply = NO_REPLY;
  #waiting: EchoAnswer[] = [];
  /** Whether the user's turn under way has given a part already. */
  #partGiven = false;
  #heardSamples = 0;
  #heardMs = 0;
  #unansweredMs = 0;

  /** @throws InvalidOptionError when `maxUtteranceMs` is under a second. */
  constructor(sink: EchoBrainSink, options: EchoBrainOptions = {}) {
    const maxUtteranceMs = options.maxUtteranceMs ?? MAX_UTTERANCE_MS;
    if (!Number.isFinite(maxUtteranceMs) || maxUtteranceMs < 1_000) {
      throw new InvalidOptionError(`maxUtteranceMs is ${maxUtteranceMs}; give 1000 or more.`);
    }
    this.#sink = sink;
    this.#interruptions = options.interruptions ?? 'start-of-speech';
    this.#answerWith = options.answerWith ?? 'audio';
    this.#ear = new EchoEar(
      { turnDetection: options.turnDetection ?? 'automatic', vad: options.vad ?? {}, maxUtteranceMs },
      {
        speechStarted: () => this.#speechStarted(),
        speechPart: (utterance) => this.#speechPart(utterance),
        speechEnded: (utterance) => this.#speechEnded(utterance),
      },
    );
  }

  /** Input samples heard so far, as the chunks counted them: whatever their rates. */
  get heardSamples(): number {
    return this.#heardSamples;
  }

  /** Input audio heard so far, in milliseconds. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Speech left without answer because {@link MAX_WAITING_ANSWERS} were waiting, in milliseconds. */
  get unansweredMs(): number {
    return this.#unansweredMs;
  }

  /** Whether the user is in a turn. */
  get listening(): boolean {
    return this.#ear.inTurn;
  }

  /** Whether an answer is under way: being handed out, or handed out and not yet played out. */
  get answering(): boolean {
    return this.#reply.kind !== 'none';
  }

  /**
   * Hears PCM16 mono. The samples are copied where they are needed: the caller may use its array again.
   *
   * @throws SampleRateError for an impossible rate.
   */
  hearAudio(samples: Int16Array, rateHz: number): void {
    this.#ear.hear(samples, rateHz);
    this.#heardSamples += samples.length;
    this.#heardMs += (samples.length * 1000) / rateHz;
  }

  /** Hears a text, and answers with it at once. It interrupts an answer under way, as providers do. */
  hearText(text: string): void {
    this.interrupt();
    this.#answerText(text);
  }

  /** The user says that a turn begins. It takes a turn over that was found by energy. */
  activityStart(): void {
    this.#ear.open();
  }

  /** The user says that the turn ends; so does a turn that was found by energy. */
  activityEnd(): void {
    this.#ear.shut();
  }

  /** The microphone pauses: a turn under way ends now. Audio may come again later. */
  audioStreamEnd(): void {
    this.#ear.shut();
  }

  /**
   * Hands the next chunk of the answer to the sink, and `generationComplete` after the last one.
   * Gives true while there is more.
   */
  speakNextChunk(): boolean {
    const reply = this.#reply;
    if (reply.kind !== 'speaking') return false;
    this.#sink.answerAudio(reply.answer.nextChunk());
    // The sink may have interrupted this very answer.
    if (this.#reply !== reply) return false;
    if (!reply.answer.finished) return true;
    this.#reply = { kind: 'spoken' };
    this.#sink.generationComplete();
    return false;
  }

  /** The caller's clock says that the answer has been played to its end: the turn is complete. */
  playedOut(): void {
    if (this.#reply.kind !== 'spoken') return;
    this.#reply = NO_REPLY;
    this.#sink.turnComplete();
    this.#startNextAnswer();
  }

  /** Ends the answer under way and those that wait. Gives false when there is none. */
  interrupt(): boolean {
    if (this.#reply.kind === 'none') return false;
    this.#reply = NO_REPLY;
    this.#waiting = [];
    this.#sink.interrupted();
    this.#sink.turnComplete();
    return true;
  }

  #speechStarted(): void {
    this.#partGiven = false;
    this.#sink.speechStarted();
    if (this.#interruptions === 'start-of-speech') this.interrupt();
  }

  #speechPart(utterance: Utterance): void {
    this.#partGiven = true;
    this.#sink.inputTranscript(`(${seconds(utterance.speechMs)} of speech, going on)`, false);
    this.#answer(utterance);
  }

  #speechEnded(utterance: Utterance | undefined): void {
    this.#sink.speechEnded();
    if (utterance !== undefined) {
      this.#sink.inputTranscript(`(${seconds(utterance.speechMs)} of speech)`, true);
      this.#answer(utterance);
    } else if (!this.#partGiven && !this.answering) {
      // Whoever opened a turn waits for its completion, also when nothing was said in it.
      this.#answerText('(nothing was heard)');
    }
  }

  #answer(utterance: Utterance): void {
    const description = `(echo of ${seconds(utterance.speechMs)} of speech)`;
    if (this.#answerWith === 'text') {
      this.#answerText(description);
    } else if (this.#waiting.length >= MAX_WAITING_ANSWERS) {
      this.#unansweredMs += (utterance.samples.length * 1000) / utterance.rateHz;
    } else {
      this.#waiting.push(new EchoAnswer(utterance.samples, utterance.rateHz, description));
      this.#startNextAnswer();
    }
  }

  #startNextAnswer(): void {
    if (this.#reply.kind !== 'none') return;
    const answer = this.#waiting.shift();
    if (answer === undefined) return;
    const reply: Reply = { kind: 'speaking', answer };
    this.#reply = reply;
    this.#sink.outputTranscript(answer.description);
    if (this.#reply === reply) this.#sink.answerReady(answer.durationMs);
  }

  #answerText(text: string): void {
    this.#sink.answerText(text);
    this.#sink.generationComplete();
    this.#sink.turnComplete();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
