import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  MAX_WAITING_TTS_CHARACTERS,
  MAX_WAITING_UTTERANCES,
  MAX_SENTENCE_CUTS,
  TTS_STALL_TIMEOUT_MS,
} from '../src/models/cascade/tts-leg.ts';
import { MAX_SPEECH_AUDIO_MS, SPEECH_SILENCE_TIMEOUT_MS } from '../src/models/openai-tts/index.ts';
import {
  FIRST_CLAUSE_CHARACTERS,
  MAX_SENTENCE_CHARACTERS,
  MIN_SENTENCE_CHARACTERS,
} from '../src/speech/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/speech.md'), 'utf8');
/** What the page says of voices. */
const SECTION = /^## Text to speech\n[^]*?(?=^## |(?![^]))/m.exec(PAGE)?.[0] ?? '';

describe('docs/speech.md, text to speech', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(SECTION);
  });

  it('tells the figures of sentences', () => {
    const rows = [...SECTION.matchAll(/^\| `([A-Z_]+)`\s+\| (\d+)/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]);
    expect(Object.fromEntries(rows)).toEqual({
      MIN_SENTENCE_CHARACTERS,
      FIRST_CLAUSE_CHARACTERS,
      MAX_SENTENCE_CHARACTERS,
    });
  });

  it('tells the bounds', () => {
    const text = SECTION.replaceAll(/\s+/g, ' ');
    expect(text).toContain(`\`TTS_STALL_TIMEOUT_MS\` (${TTS_STALL_TIMEOUT_MS / 1_000} s)`);
    expect(text).toContain(`\`SPEECH_SILENCE_TIMEOUT_MS\` (${SPEECH_SILENCE_TIMEOUT_MS / 1_000} s)`);
    expect(text).toContain(`\`MAX_SPEECH_AUDIO_MS\` (${MAX_SPEECH_AUDIO_MS / 60_000} minutes)`);
    expect([MAX_WAITING_TTS_CHARACTERS, MAX_WAITING_UTTERANCES, MAX_SENTENCE_CUTS]).toEqual([60_000, 100, 3]);
    expect(text).toContain('60 000 characters and 100 utterances');
    expect(text).toContain('three connections');
  });
});
