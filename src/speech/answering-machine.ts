import { InvalidOptionError } from '../kernel/index.ts';
import { BeepDetector } from './beep-detector.ts';
import { EnergyVad } from './energy-vad.ts';

/** Silence after the answer, in milliseconds, that is an answer of its own: nobody who picks up waits so long (Asterisk's `initial_silence`). */
export const AMD_INITIAL_SILENCE_MS = 2_500;

/** Speech in the greeting, in milliseconds without pauses, from which on a machine speaks: people say "hello" and wait (Asterisk's `greeting`). */
export const AMD_GREETING_MS = 1_500;

/** Silence after the greeting, in milliseconds, in which somebody waits for an answer (Asterisk's `after_greeting_silence`). */
export const AMD_AFTER_GREETING_SILENCE_MS = 800;

/** When it has to be decided at the latest, in milliseconds after the answer (Asterisk's `total_analysis_time`). */
export const AMD_TOTAL_MS = 5_000;

/** What is shorter is a click and no word, in milliseconds (Asterisk's `min_word_length`). */
export const AMD_MIN_WORD_MS = 100;

/** Silence that parts two words, in milliseconds (Asterisk's `between_words_silence`). */
export const AMD_BETWEEN_WORDS_MS = 50;

/** The most words, found by their silences, that people greet with (Asterisk's `maximum_number_of_words`, long its default). */
export const AMD_MAX_WORDS = 3;

/** The most words of a transcript that people greet with: "hello, this is Anna Smith speaking, who is it" has nine. */
export const AMD_MAX_TRANSCRIPT_WORDS = 9;

/** What only machines say, in lower case. Give your own for other languages. */
export const AMD_MACHINE_PHRASES: readonly string[] = [
  'after the beep',
  'after the tone',
  'at the tone',
  'leave a message',
  'leave me a message',
  'leave your message',
  'leave your name',
  'not available',
  "can't come to the phone",
  'cannot come to the phone',
  'voicemail',
  'voice mail',
  'voice messaging',
  'mailbox',
  'your call has been forwarded',
  'the number you have dialed',
  'the number you have dialled',
];

export interface AnsweringMachineOptions {
  /** Samples a second. */
  readonly rateHz: number;
  /** Default {@link AMD_INITIAL_SILENCE_MS}. */
  readonly initialSilenceMs?: number;
  /** Default {@link AMD_GREETING_MS}. */
  readonly greetingMs?: number;
  /** Default {@link AMD_AFTER_GREETING_SILENCE_MS}. */
  readonly afterGreetingSilenceMs?: number;
  /** Default {@link AMD_TOTAL_MS}. */
  readonly totalMs?: number;
  /** Default {@link AMD_MIN_WORD_MS}. */
  readonly minWordMs?: number;
  /** Default {@link AMD_BETWEEN_WORDS_MS}. */
  readonly betweenWordsMs?: number;
  /** Default {@link AMD_MAX_WORDS}. */
  readonly maxWords?: number;
  /** Default {@link AMD_MAX_TRANSCRIPT_WORDS}. */
  readonly maxTranscriptWords?: number;
  /** Default {@link AMD_MACHINE_PHRASES}. */
  readonly machinePhrases?: readonly string[];
}

/** Who answered, and what it was told by. */
export interface AnsweringMachineVerdict {
  readonly kind: 'human' | 'machine' | 'silence' | 'unknown';
  /**
   * - `pauseAfterGreeting`: a short greeting, then silence (human).
   * - `longGreeting`, `manyWords`, `beep`, `phrase`, `longTranscript`: machine.
   * - `initialSilence`: nobody said anything (silence).
   * - `outOfTime`, `ended`: it could not be told (unknown).
   */
  readonly why:
    | 'pauseAfterGreeting'
    | 'longGreeting'
    | 'manyWords'
    | 'beep'
    | 'phrase'
    | 'longTranscript'
    | 'initialSilence'
    | 'outOfTime'
    | 'ended';
  /** When it was decided, in milliseconds of audio since the answer. */
  readonly atMs: number;
}

/** How much is listened to between two looks at the time, in milliseconds: the window of the energy detector. */
const SLICE_MS = 10;

/**
 * Tells, from the first seconds after a call was answered, whether a person or a machine did. Give it all audio of the
 * called side, silence too: its time is that of the samples. The verdict comes within `totalMs` and stays.
 *
 * It goes by how long and with how many words there is speech before the first pause: people greet briefly and wait. A
 * beep, and the words where somebody transcribes them, decide at once. It errs, as every such classifier does, on people
 * who answer with a sentence and on machines that say one word; what is more expensive to you, set the times by.
 */
export class AnsweringMachineDetector {
  readonly #options: Required<AnsweringMachineOptions>;
  readonly #vad: EnergyVad;
  readonly #beeps: BeepDetector;
  readonly #sliceSamples: number;
  /** Samples to the next look at the time. */
  #left: number;
  #words = 0;
  /** Speech in finished words, in samples. */
  #spoken = 0;
  /** Where the word under way began. */
  #wordFrom: number | undefined;
  /** Where the last word ended. */
  #spokenTo = 0;
  #verdict: AnsweringMachineVerdict | undefined;

  /**
   * @throws SampleRateError for an impossible rate.
   * @throws InvalidOptionError for a time that is not more than 0.
   */
  constructor(options: AnsweringMachineOptions) {
    this.#options = {
      initialSilenceMs: AMD_INITIAL_SILENCE_MS,
      greetingMs: AMD_GREETING_MS,
      afterGreetingSilenceMs: AMD_AFTER_GREETING_SILENCE_MS,
      totalMs: AMD_TOTAL_MS,
      minWordMs: AMD_MIN_WORD_MS,
      betweenWordsMs: AMD_BETWEEN_WORDS_MS,
      maxWords: AMD_MAX_WORDS,
      maxTranscriptWords: AMD_MAX_TRANSCRIPT_WORDS,
      machinePhrases: AMD_MACHINE_PHRASES,
      ...options,
    };
    for (const [name, value] of Object.entries(this.#options)) {
      if (typeof value === 'number' && !(Number.isFinite(value) && value > 0)) {
        throw new InvalidOptionError(`${name} is ${value}; give a number of more than 0.`);
      }
    }
    const { rateHz, minWordMs, betweenWordsMs } = this.#options;
    this.#vad = new EnergyVad({
      rateHz,
      minimumSpeechMs: minWordMs,
      endSilenceMs: betweenWordsMs,
      prefixPaddingMs: 0,
    });
    this.#beeps = new BeepDetector({ rateHz });
    this.#sliceSamples = Math.round((SLICE_MS * rateHz) / 1_000);
    this.#left = this.#sliceSamples;
  }

  /** Undefined until it is decided. */
  get verdict(): AnsweringMachineVerdict | undefined {
    return this.#verdict;
  }

  /** Listens to the next samples (PCM16 mono). Gives the verdict once there is one; then it listens no more. */
  process(samples: Int16Array): AnsweringMachineVerdict | undefined {
    for (let at = 0; at < samples.length && this.#verdict === undefined;) {
      const slice = samples.subarray(at, at + this.#left);
      at += slice.length;
      this.#left -= slice.length;
      this.#listen(slice);
      if (this.#left > 0) break;
      this.#left = this.#sliceSamples;
      this.#judge();
    }
    return this.#verdict;
  }

  /**
   * Takes what was said so far, the whole of it each time, as somebody transcribed it. A phrase of a machine, or too many
   * words, decide. Gives the verdict once there is one.
   */
  transcript(text: string): AnsweringMachineVerdict | undefined {
    if (this.#verdict !== undefined) return this.#verdict;
    // Apostrophes are written in two ways, and punctuation as the transcriber likes.
    const said = text
      .toLowerCase()
      .replaceAll('’', "'")
      .replaceAll(/[^\p{L}\p{N}']+/gu, ' ')
      .trim();
    if (this.#options.machinePhrases.some((phrase) => said.includes(phrase.toLowerCase()))) {
      this.#decide('machine', 'phrase');
    } else if (said.split(' ').length > this.#options.maxTranscriptWords) {
      this.#decide('machine', 'longTranscript');
    }
    return this.#verdict;
  }

  /** The call ended, or somebody has to know now. Gives the verdict, `unknown` where there was none. */
  end(): AnsweringMachineVerdict {
    return this.#verdict ?? this.#decide('unknown', 'ended');
  }

  #listen(slice: Int16Array): void {
    const beeped = this.#beeps.process(slice).length > 0;
    for (const event of this.#vad.process(slice)) {
      if (event.type === 'start') {
        this.#words += 1;
        this.#wordFrom = event.speechAt;
      } else {
        this.#spoken += event.position - (this.#wordFrom ?? event.position);
        this.#wordFrom = undefined;
        this.#spokenTo = event.position;
      }
    }
    if (beeped) this.#decide('machine', 'beep');
  }

  #judge(): void {
    if (this.#verdict !== undefined) return;
    const { greetingMs, maxWords, afterGreetingSilenceMs, initialSilenceMs, totalMs } = this.#options;
    const now = this.#vad.position;
    const isSpeaking = this.#wordFrom !== undefined;
    const spoken = this.#spoken + (this.#wordFrom === undefined ? 0 : now - this.#wordFrom);
    if (this.#words > maxWords) this.#decide('machine', 'manyWords');
    else if (this.#msOf(spoken) >= greetingMs) this.#decide('machine', 'longGreeting');
    else if (this.#words > 0 && !isSpeaking && this.#msOf(now - this.#spokenTo) >= afterGreetingSilenceMs) {
      this.#decide('human', 'pauseAfterGreeting');
    } else if (this.#words === 0 && this.#msOf(now) >= initialSilenceMs) {
      this.#decide('silence', 'initialSilence');
    } else if (this.#msOf(now) >= totalMs) this.#decide('unknown', 'outOfTime');
  }

  #decide(
    kind: AnsweringMachineVerdict['kind'],
    why: AnsweringMachineVerdict['why'],
  ): AnsweringMachineVerdict {
    this.#verdict = { kind, why, atMs: this.#msOf(this.#vad.position) };
    return this.#verdict;
  }

  #msOf(samples: number): number {
    return (samples * 1_000) / this.#options.rateHz;
  }
}
