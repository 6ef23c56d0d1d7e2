import { expect, it } from 'vitest';
import { durationInWords } from './duration-words.ts';

it.each([
  [0, '0 s'],
  [1, '1 s'],
  [59_001, '1 min'],
  [60_000, '1 min'],
  [298_000, '4 min 58 s'],
])('%i ms are %s', (durationMs, words) => {
  expect(durationInWords(durationMs)).toBe(words);
});
