import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { MAX_SENTENCE_CHARACTERS, SentenceSplitter } from './sentence-splitter.ts';
import type { SentenceSplitterOptions } from './sentence-splitter.ts';

/** Every sentence by itself, and the first one whole. */
const EACH: SentenceSplitterOptions = { minCharacters: 0, firstClauseCharacters: Infinity };

function split(text: string, options: SentenceSplitterOptions = EACH): string[] {
  const splitter = new SentenceSplitter(options);
  return [...splitter.push(text), ...splitter.flush()];
}

describe('SentenceSplitter, where a sentence ends', () => {
  it.each<[string, readonly string[]]>([
    ['Hello there. How are you? Fine!', ['Hello there.', 'How are you?', 'Fine!']],
    ['Really?! Yes.', ['Really?!', 'Yes.']],
    ['no capitals here. none there.', ['no capitals here.', 'none there.']],
    ['One\nTwo\n\nThree', ['One', 'Two', 'Three']],
    [
      'Dr. Smith met Mr. J. R. Jones at St. Mary. He left.',
      ['Dr. Smith met Mr. J. R. Jones at St. Mary.', 'He left.'],
    ],
    ['Fruits, e.g. apples, i.e. Those. Good.', ['Fruits, e.g. apples, i.e. Those.', 'Good.']],
    [
      'Come at 5 p.m. and wait. Or at 6 p.m. Then leave.',
      ['Come at 5 p.m. and wait.', 'Or at 6 p.m.', 'Then leave.'],
    ],
    [
      'Apples, pears etc. are in. Plums etc. The end.',
      ['Apples, pears etc. are in.', 'Plums etc.', 'The end.'],
    ],
    ['No. I take No. 5 and p. 7.', ['No.', 'I take No. 5 and p. 7.']],
    ['It costs 3.14 or 1,000.50. Deal.', ['It costs 3.14 or 1,000.50.', 'Deal.']],
    ['In 1999. Then 12. Then.', ['In 1999.', 'Then 12.', 'Then.']],
    ['See example.com/a.b?c=d. Ok.', ['See example.com/a.b?c=d.', 'Ok.']],
    ['Version 1.2.3. Next.', ['Version 1.2.3.', 'Next.']],
    ['1. First.\n2. Second.', ['1. First.', '2. Second.']],
    [
      'Well... maybe. Well… perhaps. Well... Then no.',
      ['Well... maybe.', 'Well… perhaps.', 'Well...', 'Then no.'],
    ],
    ['"Really?" he said. "Yes." She left.', ['"Really?" he said.', '"Yes."', 'She left.']],
    ['(It rains.) We stay.', ['(It rains.)', 'We stay.']],
    ['It was I. He ran.', ['It was I.', 'He ran.']],
    ['The U.S. is big. I love the U.S. You?', ['The U.S. is big.', 'I love the U.S.', 'You?']],
    [
      '今日は良い天気です。散歩に行きますか？はい！',
      ['今日は良い天気です。', '散歩に行きますか？', 'はい！'],
    ],
    ['「行きます。」と言った。終わり', ['「行きます。」', 'と言った。', '終わり']],
    ['你好。3.5元。', ['你好。', '3.5元。']],
    ['यह ठीक है। चलो।', ['यह ठीक है।', 'चलो।']],
    ['¿Qué tal? ¡Bien!', ['¿Qué tal?', '¡Bien!']],
  ])('%j', (text, sentences) => {
    expect(split(text)).toEqual(sentences);
  });

  it('knows that a number with a point is an ordinal where it is written so', () => {
    const text = 'Am 3. Mai komme ich. Gut.';
    expect(split(text, { ...EACH, languageCode: 'de-AT' })).toEqual(['Am 3. Mai komme ich.', 'Gut.']);
    expect(split(text, { ...EACH, languageCode: 'en-US' })).toEqual(['Am 3.', 'Mai komme ich.', 'Gut.']);
  });

  it('leaves out what nobody can say', () => {
    expect(split('... !!! — \n\n * ')).toEqual([]);
    expect(split(`Yes. ${'… '.repeat(500)}`)).toEqual(['Yes.']);
  });
});

describe('SentenceSplitter, in time', () => {
  it('gives a sentence with the space behind its point', () => {
    const splitter = new SentenceSplitter(EACH);
    expect(splitter.push('Hello there')).toEqual([]);
    expect(splitter.push('.')).toEqual([]);
    expect(splitter.push(' ')).toEqual(['Hello there.']);
    expect(splitter.push('Pi is 3.')).toEqual([]);
    expect(splitter.push('14')).toEqual([]);
    expect(splitter.push(', etc.')).toEqual([]);
    expect(splitter.push(' ')).toEqual([]);
    expect(splitter.push('and more. ')).toEqual(['Pi is 3.14, etc. and more.']);
    expect(splitter.flush()).toEqual([]);
  });

  it('gives the first one however short it is, and joins short ones behind it', () => {
    const splitter = new SentenceSplitter();
    expect(splitter.push('Yes. ')).toEqual(['Yes.']);
    expect(splitter.push('Sure. ')).toEqual([]);
    expect(splitter.push('Ok. I can do that. ')).toEqual(['Sure. Ok. I can do that.']);
    expect(splitter.push('Bye. ')).toEqual([]);
    expect(splitter.flush()).toEqual(['Bye.']);
  });

  it('begins with a part of a long first sentence, and only of that one', () => {
    const splitter = new SentenceSplitter();
    const text = 'Well, the train to Vienna leaves at noon, and the one behind it, as always, at two. ';
    const inWords = (): string[] => text.split(/(?<= )/).flatMap((word) => splitter.push(word));
    const inTwo = ['Well, the train to Vienna leaves at noon,', 'and the one behind it, as always, at two.'];
    expect(inWords()).toEqual(inTwo);
    expect(inWords()).toEqual([text.trim()]);
    splitter.flush();
    expect(inWords()).toEqual(inTwo);
    splitter.flush();
    // What is there already is not waited for.
    expect(splitter.push(text)).toEqual([text.trim()]);
  });

  it('cuts what has no end, behind a part or between words, and never within a character', () => {
    const words = split('word '.repeat(300), { ...EACH });
    expect(words.join(' ')).toBe('word '.repeat(300).trim());
    expect(Math.max(...words.map(({ length }) => length))).toBeLessThanOrEqual(MAX_SENTENCE_CHARACTERS);
    const parts = split(`${'a'.repeat(60)}, ${'b '.repeat(30)}`, { ...EACH, maxCharacters: 80 });
    expect(parts[0]).toBe(`${'a'.repeat(60)},`);
    const pictures = split(`a${'😀'.repeat(50)}`, { ...EACH, minCharacters: 2, maxCharacters: 10 });
    expect(pictures.join('')).toBe(pictures.join('').toWellFormed());
  });

  it('gives the same whatever the pieces are, and loses no word', () => {
    const alphabet = [
      'a',
      'B',
      'Dr',
      '.',
      '. ',
      '!',
      '? ',
      '…',
      '3',
      '\n',
      ' ',
      ', ',
      '"',
      '。',
      '」',
      'etc',
      '(',
      ')',
    ];
    const text = fc.array(fc.constantFrom(...alphabet), { maxLength: 60 });
    const noClauses = { minCharacters: 5, firstClauseCharacters: Infinity, maxCharacters: 1_000 };
    fc.assert(
      fc.property(text, (pieces) => {
        const splitter = new SentenceSplitter(noClauses);
        const inPieces = [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.flush()];
        const letters = (given: readonly string[]): string => given.join('').replace(/[^\p{L}\p{N}]/gu, '');
        expect(letters(inPieces)).toBe(letters(pieces));
        expect(inPieces.every((sentence) => sentence === sentence.trim() && sentence !== '')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses bounds that contradict one another', () => {
    for (const options of [
      { minCharacters: -1 },
      { maxCharacters: 1 },
      { minCharacters: 50, maxCharacters: 40 },
    ]) {
      expect(() => new SentenceSplitter(options)).toThrow(InvalidOptionError);
    }
  });
});

describe('SentenceSplitter, of text that was written for the eye', () => {
  it.each<[string, readonly string[]]>([
    ['**Hello.** *World* is __big__.', ['Hello.', 'World is big.']],
    ['# Title\n- one\n- two\n* [x] three', ['Title', 'one', 'two', 'three']],
    ['Use `npm test` and snake_case or 3 * 4.', ['Use npm test and snake_case or 3 × 4.']],
    ['See [the docs](https://a.b/c) ![pic](x.png).', ['See the docs pic.']],
    ['Run:\n```js\nconst a = 1. And b;\n```\nDone.', ['Run:', 'Done.']],
    ['Great 🎉! Go 👩‍👩‍👧 🇦🇹 1️⃣ © 2024.', ['Great!', 'Go © 2024.']],
    ['| a | b |\n|---|---|\n| c | d |', ['a, b', 'c, d']],
    ['Above\n---\nbelow', ['Above', 'below']],
    ['🎉🎉', []],
  ])('%j', (text, sentences) => {
    expect(split(text, { ...EACH, text: 'spoken' })).toEqual(sentences);
  });

  it('gives it as it is unless it is told otherwise', () => {
    expect(split('**Hi** 🎉.')).toEqual(['**Hi** 🎉.']);
  });
});
