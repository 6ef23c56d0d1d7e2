import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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
import { runProgram } from './support/run-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/speech.md'), 'utf8');
/** What the page says of voices. */
const SECTION = /^## Text to speech\n[^]*?(?=^## |(?![^]))/m.exec(PAGE)?.[0] ?? '';

describe('docs/speech.md, text to speech', () => {
  it('shows a program that prints what the page says', async () => {
    const program = /```ts\n(.*?)```/s.exec(SECTION)?.[1] ?? expect.unreachable('there is no program');
    const printed = /```text\n(.*?)```/s.exec(SECTION)?.[1];
    const folder = await mkdtemp(join(tmpdir(), 'voices-page-'));
    try {
      const file = join(folder, 'program.mts');
      const source = pathToFileURL(join(CHECKOUT, 'src/index.ts')).href;
      await writeFile(file, program.replace(`'holdfast'`, `'${source}'`));
      const run = await runProgram(process.execPath, [file], { cwd: folder, env: {} });
      expect(run).toEqual({ status: 0, stdout: printed, stderr: '' });
    } finally {
      await rm(folder, { recursive: true });
    }
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
