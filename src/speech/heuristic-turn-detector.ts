import { UNCERTAIN } from './turn-detector.ts';
import { TURN_PHRASES, type TurnPhrases } from './turn-phrases.ts';
import type { TurnDetector } from './voice-activity.ts';

/** From how many numbers in a row on something is being dictated: one or two are an age, a price, an hour. */
export const DICTATED_NUMBERS = 3;

/** The longest number dictated digit by digit, in digits: telephone numbers end here (ITU-T E.164). */
export const LONGEST_DICTATED_DIGITS = 15;

/**
 * How likely the end is, by what the transcript ends with. The order is what counts: an endpointing delay is stretched by
 * what is low and shortened by what is high.
 */
export const END_OF_TURN_BY_ENDING = Object.freeze({
  filler: 0.05,
  joiner: 0.1,
  /** A comma, a dash, three dots. */
  openPunctuation: 0.2,
  dictation: 0.2,
  /** A joiner with a full stop: recognisers set one at every pause. */
  punctuatedJoiner: 0.4,
  statement: 0.85,
  complete: 0.9,
  question: 0.95,
});

const QUESTION = /[?？؟\u037e]\s*["'»”)]*$/u;
const STATEMENT = /[.!。！।]\s*["'»”)]*$/u;
const OPEN = /(?:\.\.\.|…|[,，、;:—–-])\s*$/u;

/**
 * Guesses from the words whether the user has finished: from punctuation in any language, and from fillers, joining words
 * and dictated numbers in English, German, French, Spanish and Italian. Without a language code, or with an unknown one,
 * from punctuation and digits alone. It costs microseconds and no network.
 */
export function heuristicTurnDetector(
  phrases: Readonly<Record<string, TurnPhrases>> = TURN_PHRASES,
): TurnDetector {
  const tables = new Map(Object.entries(phrases).map(([code, table]) => [code, new PhraseTable(table)]));
  return {
    id: 'heuristic',
    async endOfTurn({ transcript, languageCode }) {
      const code = languageCode?.split(/[-_]/)[0]?.toLowerCase() ?? '';
      return endOfTurn(transcript.trim().toLowerCase(), tables.get(code) ?? NO_PHRASES);
    },
  };
}

class PhraseTable {
  readonly fillers: ReadonlySet<string>;
  readonly joiners: ReadonlySet<string>;
  readonly numbers: ReadonlySet<string>;
  readonly complete: ReadonlySet<string>;

  constructor(phrases: TurnPhrases) {
    this.fillers = new Set(phrases.fillers);
    this.joiners = new Set(phrases.joiners);
    this.numbers = new Set(phrases.numbers);
    this.complete = new Set(phrases.complete);
  }
}

const NO_PHRASES = new PhraseTable({ fillers: [], joiners: [], numbers: [], complete: [] });

function endOfTurn(text: string, table: PhraseTable): number {
  const ending = END_OF_TURN_BY_ENDING;
  const words = wordsOf(text);
  const last = words.at(-1);
  if (last === undefined) return UNCERTAIN;
  if (QUESTION.test(text)) return ending.question;
  if (isDictated(words, table)) return ending.dictation;
  if (table.complete.has(words.join(' '))) return ending.complete;
  if (table.fillers.has(last)) return ending.filler;
  const isStatement = STATEMENT.test(text) && !OPEN.test(text);
  if (table.joiners.has(last)) return isStatement ? ending.punctuatedJoiner : ending.joiner;
  if (OPEN.test(text)) return ending.openPunctuation;
  return isStatement ? ending.statement : UNCERTAIN;
}

/** The last words are all that is looked at: a long turn costs no more than a short one. */
function wordsOf(text: string): string[] {
  return text
    .slice(-200)
    .replaceAll(/[^\p{L}\p{M}\p{N}'’]+/gu, ' ')
    .replaceAll('’', "'")
    .trim()
    .split(' ')
    .filter((word) => word !== '');
}

/** Whether the words end with several numbers, and not with all that a number can have. */
function isDictated(words: readonly string[], table: PhraseTable): boolean {
  let numbers = 0;
  let digits = 0;
  for (const word of words.toReversed()) {
    const isDigits = /^\p{N}+$/u.test(word);
    if (!isDigits && !table.numbers.has(word)) break;
    numbers += 1;
    digits += isDigits ? word.length : 1;
  }
  // '555 123': two groups of digits are a number under way as well.
  const isUnderWay = numbers >= DICTATED_NUMBERS || (numbers === 2 && digits > 4);
  return isUnderWay && digits < LONGEST_DICTATED_DIGITS;
}
