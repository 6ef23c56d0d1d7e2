import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heardByShare, heardByWords } from './heard-text.ts';

const TEXT = 'Once upon a time, there was.';
const WORDS = [
  { text: 'Once', startMs: 0, endMs: 200 },
  { text: 'upon', startMs: 200, endMs: 400 },
  { text: 'a', startMs: 400, endMs: 450 },
  { text: 'time', startMs: 450, endMs: 900 },
  { text: 'there', startMs: 1_000, endMs: 1_300 },
  { text: 'was', startMs: 1_300, endMs: 1_500 },
];

describe('the heard part of a text', () => {
  it('S4 words: a word counts when it was heard to its end, with what stands right behind it', () => {
    expect(heardByWords(TEXT, WORDS, 0)).toBe('');
    expect(heardByWords(TEXT, WORDS, 399)).toBe('Once');
    expect(heardByWords(TEXT, WORDS, 900)).toBe('Once upon a time,');
    expect(heardByWords(TEXT, WORDS, 2_000)).toBe(TEXT);
  });

  it('S4 words: a word that the text has in another form is passed over', () => {
    const words = [{ text: 'ONE', startMs: 0, endMs: 100 }, ...WORDS];
    expect(heardByWords(TEXT, words, 250)).toBe('Once');
  });

  it('S4 share: the text is cut at a word', () => {
    expect(heardByShare(TEXT, 0)).toBe('');
    expect(heardByShare(TEXT, 0.1)).toBe('');
    expect(heardByShare(TEXT, 0.2)).toBe('Once');
    expect(heardByShare(TEXT, 0.5)).toBe('Once upon a');
    expect(heardByShare(TEXT, 1)).toBe(TEXT);
    expect(heardByShare(TEXT, 7)).toBe(TEXT);
  });

  it('S4 share: whatever the text, what was heard is its beginning, and a greater share is never less', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (text, one, other) => {
          const less = heardByShare(text, Math.min(one, other));
          const more = heardByShare(text, Math.max(one, other));
          expect(text.startsWith(more)).toBe(true);
          expect(more.startsWith(less)).toBe(true);
        },
      ),
    );
  });
});
