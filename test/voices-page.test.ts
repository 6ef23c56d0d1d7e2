import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  MAX_WAITING_TTS_CHARACTERS,
  MAX_WAITING_UTTERANCES,
  MAX_SENTENCE_CUTS,
  TTS_STALL_TIMEOUT_MS,
} from '../src/models/cascade/tts-leg.ts';
import { DEEPGRAM_TTS_MAX_AGE_MS } from '../src/models/deepgram-tts/deepgram-tts.ts';
import {
  FLUSHES_FOR_BEGINNINGS,
  FLUSHES_FOR_MORE,
  FLUSHES_PER_WINDOW,
  FLUSH_WINDOW_MS,
} from '../src/models/deepgram-tts/flush-budget.ts';
import { CLEARED_TIMEOUT_MS, DEEPGRAM_TTS_ENDS } from '../src/models/deepgram-tts/speak-wire.ts';
import { MAX_SPEECH_AUDIO_MS, SPEECH_SILENCE_TIMEOUT_MS } from '../src/models/openai-tts/index.ts';
import {
  FIRST_CLAUSE_CHARACTERS,
  MAX_SENTENCE_CHARACTERS,
  MIN_SENTENCE_CHARACTERS,
} from '../src/speech/index.ts';
import { kindOfEnd } from '../src/models/streaming/end-rows.ts';
import * as holdfast from '../src/index.ts';
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

  it('tells the bounds of Deepgram’s voice', () => {
    const text = SECTION.replaceAll(/\s+/g, ' ');
    expect(text).toContain(`\`CLEARED_TIMEOUT_MS\` (${CLEARED_TIMEOUT_MS / 1_000} s)`);
    expect(text).toContain(`takes ${FLUSHES_PER_WINDOW} flushes a minute over one connection`);
    expect(text).toContain(
      `the first ${FLUSHES_FOR_MORE} are for any sentence, the first ${FLUSHES_FOR_BEGINNINGS}`,
    );
    expect([FLUSH_WINDOW_MS, DEEPGRAM_TTS_MAX_AGE_MS]).toEqual([60_000, 3_600_000]);
  });

  it('tells what the closes of Deepgram’s voice mean', () => {
    const kinds = [
      [1_008, 'DATA-0001', 'overloaded'],
      [1_008, 'DATA-0000', 'invalid-request'],
      [1_003, 'MESSAGE-0000', 'invalid-request'],
      [1_009, 'BIG-0001', 'invalid-request'],
      [1_011, 'NET-0001', 'idle'],
      [1_001, 'Idle timeout', 'idle'],
    ] as const;
    for (const [code, reason, kind] of kinds) {
      expect(kindOfEnd(DEEPGRAM_TTS_ENDS.closes, code, reason)).toBe(kind);
      expect(SECTION).toContain(String(code));
    }
  });

  it('has a row for every voice', () => {
    const voices = [...SECTION.matchAll(/^\| `(\w+Tts)\(/gm)].map(([, name]) => name);
    expect(new Set(voices)).toEqual(new Set(Object.keys(holdfast).filter((name) => name.endsWith('Tts'))));
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
