import { createHash } from 'node:crypto';

/** What every provider takes: OpenAI no dots, Gemini no digit at the beginning, none more than 64 characters. */
const MAX_NAME_CHARACTERS = 64;
const HASH_CHARACTERS = 8;

/**
 * A name that every provider takes, and the name itself where it is one. What is too long keeps its beginning and gets a
 * number made of the whole, so that two long names stay two.
 */
export function providerName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  const begun = /^[A-Za-z_]/.test(plain) ? plain : `_${plain}`;
  if (begun.length <= MAX_NAME_CHARACTERS) return begun;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARACTERS);
  return `${begun.slice(0, MAX_NAME_CHARACTERS - HASH_CHARACTERS - 1)}_${hash}`;
}
