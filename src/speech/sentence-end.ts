/** Words that a point shortens and that never end a sentence: something follows them. In lower case, without the point. */
const LEADING = new Set(
  (
    'mr mrs ms dr prof rev hon st mt gen col sgt capt lt sen rep gov pres vs cf fig eq vol approx ca resp ' +
    'e.g i.e z.b d.h u.a bzw ggf evtl inkl sog hr fr frau nr str tel p.ej sr sra srta dra ud uds mme mlle mgr'
  ).split(' '),
);

/** Words that a point shortens and that may end a sentence: what follows tells. */
const TRAILING = new Set(
  'etc inc ltd co corp jr sr al a.m p.m u.s u.k e.u u.s.a usw usf ph.d b.a m.a'.split(' '),
);

/** Words that are shortened only before a number: "No. 5", and not "No. I don't." */
const BEFORE_NUMBER = new Set(
  'no nos p pp ch sec art para vol ver jan feb mar apr jun jul aug sep sept oct nov dec'.split(' '),
);

/** Languages that write an ordinal as a number with a point: "am 3. Mai". */
const POINT_ORDINALS = /^(?:de|da|nb|nn|no|fi|cs|sk|pl|hu|et|lv|hr|sr|sl|tr)\b/i;

const LATIN_END = '.!?…';
/** No space follows these. */
const WIDE_END = '。！？｡．।؟۔';
/** What may stand between the mark of an end and the space behind it. */
const CLOSERS = '"\'”’»)]}」』）】》〉*_`~';

const LOWER = /^\p{Ll}/u;
const DIGIT = /^\p{Nd}/u;
const WORD_BEFORE = /[\p{L}\p{N}.'’-]*$/u;

/**
 * What a scan for the end of a sentence finds. `undecided`: more of the text has to be seen from `from` on.
 */
export type EndSearch =
  | { readonly tag: 'end'; /** The first character behind the sentence. */ readonly at: number }
  | { readonly tag: 'undecided'; readonly from: number };

/** Whether a sentence is over is said by the mark at its end, the word before it and what comes behind it. */
export class SentenceEnd {
  readonly #hasPointOrdinals: boolean;

  constructor(languageCode: string | undefined) {
    this.#hasPointOrdinals = languageCode !== undefined && POINT_ORDINALS.test(languageCode);
  }

  /** The end of the first sentence of `text`, looked for from `from` on, where no mark was before. */
  find(text: string, from: number): EndSearch {
    for (let at = from; at < text.length; at += 1) {
      const mark = text.charAt(at);
      if (mark === '\n') return { tag: 'end', at: at + 1 };
      const isWide = WIDE_END.includes(mark);
      if (!isWide && !LATIN_END.includes(mark)) continue;
      const behind = this.#behind(text, at);
      // Whether more marks or closers follow is not known yet.
      if (behind === text.length) return { tag: 'undecided', from: at };
      if (isWide) return { tag: 'end', at: behind };
      const next = text.slice(behind).search(/\S/);
      if (next === 0) {
        at = behind - 1;
        continue;
      }
      const line = text.indexOf('\n', behind);
      if (line >= 0 && (next < 0 || line < behind + next)) return { tag: 'end', at: line + 1 };
      const isEnd =
        next < 0
          ? this.#isEndBeforeAny(text, at, behind)
          : this.#isEnd(text, at, behind, text.slice(behind + next));
      if (isEnd === undefined) return { tag: 'undecided', from: at };
      if (isEnd) return { tag: 'end', at: next < 0 ? text.length : behind + next };
      at = behind - 1;
    }
    return { tag: 'undecided', from: text.length };
  }

  #behind(text: string, mark: number): number {
    let at = mark;
    while (at < text.length && (LATIN_END + WIDE_END).includes(text.charAt(at))) at += 1;
    while (at < text.length && CLOSERS.includes(text.charAt(at))) at += 1;
    return at;
  }

  /** Whether it is the end whatever comes next; undefined where that decides. */
  #isEndBeforeAny(text: string, mark: number, behind: number): boolean | undefined {
    const [first, ...others] = ['A', 'a', '1'].map((next) => this.#isEnd(text, mark, behind, next));
    return others.every((other) => other === first) ? first : undefined;
  }

  #isEnd(text: string, mark: number, behind: number, next: string): boolean {
    const marks = text.slice(mark, behind);
    const isLower = LOWER.test(next);
    // "Really?" he said. Well… maybe.
    if (/[^.!?…]/.test(marks) || /^(?:\.{2,}|…)/.test(marks)) return !isLower;
    if (marks !== '.') return true;
    return this.#isPointAnEnd(text.slice(0, mark), next, isLower);
  }

  #isPointAnEnd(before: string, next: string, isLower: boolean): boolean {
    const word = WORD_BEFORE.exec(before)?.[0] ?? '';
    const key = word.toLowerCase();
    if (LEADING.has(key)) return false;
    if (TRAILING.has(key)) return !isLower && !DIGIT.test(next);
    if (BEFORE_NUMBER.has(key)) return !DIGIT.test(next);
    // An initial: J. Smith. "I" is a word of its own.
    if (/^\p{Lu}$/u.test(word) && word !== 'I') return false;
    // The number of a list: 1. First.
    if (/^\d{1,3}$/.test(word) && before.slice(0, before.length - word.length).trim() === '') return false;
    if (/^\d{1,2}$/.test(word) && this.#hasPointOrdinals) return false;
    // Shortened with points inside, as "a.k.a.", and nothing ends before a small letter.
    return !(isLower && word.includes('.'));
  }
}
