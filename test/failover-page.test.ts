import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  FALLBACK_CONNECT_TIMEOUT_MS,
  FALLBACK_REST_MS,
  FALLBACK_TURN_TIMEOUT_MS,
  FALLBACK_VOICE_SILENCE_MS,
} from '../src/speech/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/speech.md'), 'utf8');
const SECTION = /^## When one fails, another takes over\n[^]*?(?=^## |(?![^]))/m.exec(PAGE)?.[0] ?? '';

describe('docs/speech.md, when one fails', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(SECTION);
  });

  it('tells the figures', () => {
    const rows = [...SECTION.matchAll(/^\| `([A-Z_]+)`\s+\| (\d[\d ]*?)\s+\|/gm)].map(
      ([, name = '', value = '']) => [name, Number(value.replaceAll(' ', ''))],
    );
    expect(Object.fromEntries(rows)).toEqual({
      FALLBACK_CONNECT_TIMEOUT_MS,
      FALLBACK_REST_MS,
      FALLBACK_TURN_TIMEOUT_MS,
      FALLBACK_VOICE_SILENCE_MS,
    });
  });
});
